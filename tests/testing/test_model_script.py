"""Telling models in JSON what to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.testing import (
    Completed,
    CustomToolCall,
    Cut,
    End,
    Failed,
    FunctionCall,
    Hold,
    Incomplete,
    Item,
    ModelResponse,
    Part,
    Pause,
    RateLimits,
    Reasoning,
    Repeat,
    Text,
    Usage,
    control,
)
from codex_trio.testing.model_script import read_part, read_response
from tests.testing.events import deltas_of, events_of

if TYPE_CHECKING:
    import httpx
    from trio.testing import MockClock

    from codex_trio.testing import StandIn

IDS = {"item_id": "i", "call_id": "c"}


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (
            {"text": "Hi", "deltas": 2, "every": 1, "phase": "final_answer", "item_id": "i"},
            Text("Hi", deltas=2, every=1, phase="final_answer", item_id="i"),
        ),
        (
            {"text": "Hi", "deltas": ["H", "i"], "added": False, "item_id": None},
            Text("Hi", deltas=["H", "i"], added=False, item_id=None),
        ),
        (
            {"reasoning": ["a"], "raw": "b", "encrypted": "c", "item_id": "i"},
            Reasoning(["a"], raw=["b"], encrypted="c", item_id="i"),
        ),
        (
            {"function_call": "f", "arguments": {"a": 1}, "namespace": "n", **IDS},
            FunctionCall("f", {"a": 1}, namespace="n", item_id="i", call_id="c"),
        ),
        (
            {"custom_tool_call": "f", "input": "x", **IDS},
            CustomToolCall("f", "x", item_id="i", call_id="c"),
        ),
        ({"item": {"type": "x"}}, Item({"type": "x"})),
        ({"event": {"type": "x"}}, {"type": "x"}),
        ({"bytes": "é"}, "é".encode()),
        ({"base64": "/w=="}, b"\xff"),
        ({"repeat": "x", "times": 3, "every": 0.5}, Repeat(b"x", 3, every=0.5)),
        ({"pause": 1.5}, Pause(1.5)),
        ({"hold": "x"}, Hold("x")),
        ({"cut": True}, Cut()),
        ({"end": True}, End()),
        ({"completed": True}, Completed()),
        (
            {"completed": True, "usage": None, "end_turn": False},
            Completed(usage=None, end_turn=False),
        ),
        (
            {"completed": True, "usage": {"input_tokens": 1}},
            Completed(usage=Usage(input_tokens=1)),
        ),
        ({"failed": "c", "message": "m"}, Failed("c", "m")),
        ({"incomplete": "r"}, Incomplete("r")),
    ],
)
def test_every_part_can_be_told(words: Any, part: Part) -> None:
    told = dict(words)
    assert read_part(words) == part
    assert words == told


@pytest.mark.parametrize(
    ("words", "response"),
    [
        (
            {"parts": [{"cut": True}], "bare": True, "response_id": "r"},
            ModelResponse.of(Cut(), bare=True),
        ),
        (
            {"text": "Hi", "item_id": "i", "model": "m", "bare": True, "wait": {"pause": 1}},
            ModelResponse.of(Text("Hi", item_id="i"), model="m", bare=True, wait=Pause(1)),
        ),
        (
            {"events": [{"type": "x"}, {}], "headers": {"a": "b"}, "chunk_size": 9},
            ModelResponse.of({"type": "x"}, {}, bare=True, headers={"a": "b"}, chunk_size=9),
        ),
        (
            {"status": 429, "body": {"a": 1}, "rate_limits": {"primary_used_percent": 1}},
            ModelResponse.plain(429, {"a": 1}, rate_limits=RateLimits(primary_used_percent=1)),
        ),
        (
            {"status": 200, "body": "<p>", "content_type": "text/html", "cut_after": 1},
            ModelResponse.plain(200, "<p>", "text/html", cut_after=1),
        ),
        ({"status": 500, "rate_limits": []}, ModelResponse.plain(500)),
        ({"nothing": True, "wait": {"hold": "x"}}, ModelResponse.nothing(wait=Hold("x"))),
    ],
)
def test_every_response_can_be_told(words: Any, response: ModelResponse) -> None:
    assert read_response(words) == response


@pytest.mark.parametrize(
    "words",
    [
        5,
        {},
        {"txt": "Hi"},
        {"text": 5},
        {"text": "Hi", "deltas": 9},
        {"text": "Hi", "hold": "x"},
        {"text": "Hi", "haste": 1},
        {"text": "Hi", "headers": [1]},
        {"text": "Hi", "headers": {"a": 1}},
        {"text": "Hi", "wait": "x"},
        {"text": "Hi", "rate_limits": {"used": 1}},
        {"text": "Hi", "rate_limits": {"primary_used_percent": "1"}},
        {"text": "Hi", "rate_limits": {"family": "A b"}},
        {"text": "Hi", "cut_inside": "z"},
        {"parts": "Hi"},
        {"parts": [5]},
        {"events": [5]},
        {"status": 99},
        {"status": "x"},
        {"status": 200, "parts": []},
        {"nothing": True, "haste": 1},
        {"bytes": 5},
        {"base64": "?"},
        {"event": 5},
        {"item": 5},
        {"completed": True, "usage": 5},
        {"completed": True, "usage": {"input_tokens": -1}},
        {"repeat": "x", "times": -1},
        {"pause": -1},
        {"hold": 5},
    ],
)
async def test_what_is_not_understood_is_refused(
    stand_in: StandIn, web: httpx.AsyncClient, words: Any
) -> None:
    for script in ({"responses": ["Hi", words]}, {"respond": words}):
        response = await web.post("/stand-in/script", json=script)
        assert (response.status_code, response.json().keys()) == (400, {"detail"})
    assert stand_in.responses == []


async def test_responses_come_behind_those_that_wait(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.answer("One")
    told = {"responses": ["Two", {"text": "Three"}], "api_keys": ["sk-a"], "models": [{}]}
    assert (await web.post("/stand-in/script", json=told)).status_code == 200
    assert [
        deltas_of(events_of(one))
        for one in stand_in.responses
        if isinstance(one, ModelResponse)
    ] == [["One"], ["Two"], ["Three"]]
    assert (stand_in.api_keys, stand_in.models) == (["sk-a"], [{}])
    for wrong in ({"responses": "Hi"}, {"api_keys": "sk"}, {"api_keys": [1]}, {"models": [1]}):
        assert (await web.post("/stand-in/script", json=wrong)).status_code == 400
    assert len(stand_in.responses) == 3


async def test_what_happens_can_be_waited_for(
    autojump_clock: MockClock, stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    async def ask(what: str) -> Any:
        return (await web.get(f"/stand-in/{what}", timeout=99)).json()

    async def read() -> None:
        await web.post("/v1/responses", json={"a": 1}, timeout=99)

    stand_in.answer(Hold("a"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        assert await ask("wait-held?name=a") == {}
        assert await ask("open-responses") == {"number": 1}
        request = (await ask("wait-response-request"))["request"]
        assert (request["fields"], request["course"]) == ({"a": 1}, "open")
        assert await ask("wait-request?path=/v1/responses") == {"request": request}
        assert await ask("response-requests") == {"requests": [request]}
        begin = trio.current_time()
        assert await ask("wait-closed") == {"detail": "it has not happened"}
        assert trio.current_time() - begin == pytest.approx(control.PATIENCE)
        nursery.cancel_scope.cancel()
    assert (await ask("wait-closed"))["request"]["course"] == "closed"
    assert (await web.post("/stand-in/release", json={"name": "a"})).json() == {}
    for wrong in ("wait-held", "wait-request", "wait-closed?number=x"):
        assert "detail" in await ask(wrong)
