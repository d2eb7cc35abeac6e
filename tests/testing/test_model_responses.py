"""What a response of a model comes to."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

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
)
from tests.testing.events import deltas_of, events_of, types_of

TEXT = ["output_item.added", "content_part.added"]
TEXT_DONE = ["output_text.done", "content_part.done", "output_item.done"]


def said(*parts: Part) -> list[dict[str, Any]]:
    """What parts say by themselves."""
    return events_of(ModelResponse.of(*parts, bare=True))


def test_a_text_is_a_whole_response() -> None:
    events = events_of(ModelResponse.of("Hello there", response_id="r", model="m"))
    deltas = ["output_text.delta"] * 2
    whole = ["created", "in_progress", *TEXT, *deltas, *TEXT_DONE, "completed"]
    assert types_of(events) == whole
    assert deltas_of(events) == ["Hello ", "there"]
    created, done, completed = events[0]["response"], events[-2], events[-1]["response"]
    assert (created["id"], created["model"], created["status"]) == ("r", "m", "in_progress")
    assert done["output_index"] == 0
    assert done["item"] == {
        "id": done["item"]["id"],
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Hello there", "annotations": []}],
    }
    assert {event.get("item_id", done["item"]["id"]) for event in events} == {
        done["item"]["id"]
    }
    assert (completed["id"], completed["status"]) == ("r", "completed")
    assert completed["usage"] == {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 120,
    }


def test_ids_are_its_own_and_stay_the_same() -> None:
    one, other = ModelResponse.of("Hi"), ModelResponse.of("Hi")
    assert "model" not in events_of(one)[0]["response"]
    for place in (("response", 0), ("item", 2)):
        ids = [events_of(each)[place[1]][place[0]]["id"] for each in (one, one, other)]
        assert ids[0] == ids[1] != ids[2]
        assert "_fake" in ids[0]


@pytest.mark.parametrize(
    ("text", "deltas", "pieces"),
    [
        ("", None, []),
        (" a  b\nc ", None, [" ", "a  ", "b\n", "c "]),
        ("Hello", 1, ["Hello"]),
        ("Hello", 3, ["H", "el", "lo"]),
        ("Hello", 5, ["H", "e", "l", "l", "o"]),
        ("Hello", 0, []),
        ("Hello", ["Hel", "", 'l"o\n'], ["Hel", "", 'l"o\n']),
    ],
)
def test_a_text_comes_in_deltas(text: str, deltas: Any, pieces: list[str]) -> None:
    events = said(Text(text, deltas=deltas))
    assert deltas_of(events) == pieces
    assert events[-1]["item"]["content"][0]["text"] == text


@pytest.mark.parametrize("deltas", [6, -1, [1], 1.5])
def test_a_text_does_not_come_in_all_ways(deltas: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Text("Hello", deltas=deltas)


def test_a_text_may_have_a_phase_an_id_or_none_and_come_unannounced() -> None:
    named = said(Text("a", phase="final_answer", item_id=""))
    assert {event["item_id"] for event in named if "item_id" in event} == {""}
    assert [event["item"]["phase"] for event in named if "item" in event] == [
        "final_answer",
        "final_answer",
    ]
    nameless = said(Text("a", item_id=None, added=False))
    assert types_of(nameless) == ["output_text.delta", *TEXT_DONE]
    assert "item_id" not in nameless[0]
    assert "id" not in nameless[-1]["item"]


def test_deltas_may_take_their_time() -> None:
    steps = ModelResponse.of(Text("a b c", every=0.5), bare=True).steps
    assert [step for step in steps if not isinstance(step, bytes)] == [Pause(0.5)] * 2
    assert deltas_of(events_of(ModelResponse.of(Text("a b c", every=0.5)))) == ["a ", "b ", "c"]


def test_reasoning_has_a_summary_and_more() -> None:
    events = said(Reasoning(["One two", "three"], raw="raw", encrypted="E", item_id="rs"), "x")
    summary = "reasoning_summary"
    assert types_of(events)[:13] == [
        "output_item.added",
        f"{summary}_part.added",
        *[f"{summary}_text.delta"] * 2,
        f"{summary}_text.done",
        f"{summary}_part.done",
        f"{summary}_part.added",
        f"{summary}_text.delta",
        f"{summary}_text.done",
        f"{summary}_part.done",
        "reasoning_text.delta",
        "reasoning_text.done",
        "output_item.done",
    ]
    assert [event["summary_index"] for event in events if "summary_index" in event] == [
        *[0] * 5,
        *[1] * 4,
    ]
    assert events[12] == {
        "type": "response.output_item.done",
        "output_index": 0,
        "item": {
            "id": "rs",
            "type": "reasoning",
            "status": "completed",
            "summary": [
                {"type": "summary_text", "text": "One two"},
                {"type": "summary_text", "text": "three"},
            ],
            "content": [{"type": "reasoning_text", "text": "raw"}],
            "encrypted_content": "E",
        },
    }
    assert {event["output_index"] for event in events[13:]} == {1}
    assert "content" not in said(Reasoning("x"))[-1]["item"]
    with pytest.raises(TypeError):
        Reasoning([1])  # type: ignore[list-item]  # that is the point


def test_tools_are_called() -> None:
    function = said(FunctionCall("f", {"a": "b c"}, namespace="n", call_id="c1", item_id="i"))
    assert types_of(function) == [
        "output_item.added",
        *["function_call_arguments.delta"] * 2,
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert function[-1]["item"] == {
        "id": "i",
        "type": "function_call",
        "name": "f",
        "namespace": "n",
        "call_id": "c1",
        "arguments": '{"a":"b c"}',
        "status": "completed",
    }
    custom = said(CustomToolCall("apply", "do it", item_id=None))
    assert types_of(custom)[1:3] == ["custom_tool_call_input.delta"] * 2
    item = custom[-1]["item"]
    assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "apply", "do it")
    assert item["call_id"].startswith("call_fake")
    (_, nothing, _) = said(FunctionCall("f", "{", call_id="c"))[1:]
    assert nothing["arguments"] == "{"
    assert "namespace" not in said(FunctionCall("f"))[-1]["item"]


def test_anything_else_can_be_said() -> None:
    search = {"type": "web_search_call", "id": "ws"}
    odd = {"type": "a\nb"}
    response = ModelResponse.of("", Item(search), {"x": 1}, odd, b": comment\n\n", bare=True)
    (data,) = response.steps
    assert isinstance(data, bytes)
    rest = data.partition(b"event: response.output_item.added\ndata: ")[2]
    assert rest.endswith(b'data: {"x":1}\n\ndata: {"type":"a\\nb"}\n\n: comment\n\n')
    added, done = (event for event in said(Item(search)))
    assert types_of([added, done]) == ["output_item.added", "output_item.done"]
    assert added["item"] == done["item"] == search
    with pytest.raises(TypeError, match="int is no part"):
        ModelResponse.of(5)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("ending", "name", "told"),
    [
        (Completed(usage=None, end_turn=False), "completed", {"end_turn": False}),
        (
            Completed(usage=Usage(cache_write_tokens=1, total_tokens=7)),
            "completed",
            {
                "usage": {
                    "input_tokens": 100,
                    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 1},
                    "output_tokens": 20,
                    "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": 7,
                }
            },
        ),
        (Failed("c", "m"), "failed", {"error": {"code": "c", "message": "m"}}),
        (Failed(), "failed", {"error": None}),
        (Incomplete(), "incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}),
        (Incomplete(None), "incomplete", {"incomplete_details": None}),
    ],
)
def test_a_response_may_end_in_other_ways(ending: Any, name: str, told: dict[str, Any]) -> None:
    events = events_of(ModelResponse.of(ending, response_id="r"))
    assert types_of(events) == ["created", "in_progress", name]
    last = events[-1]["response"]
    created = {"id": "r", "object": "response", "output": [], "created_at": last["created_at"]}
    assert last == {**created, "status": name, **told}


@pytest.mark.parametrize("ending", [End(), Cut()])
def test_a_response_may_not_even_end(ending: Any) -> None:
    response = ModelResponse.of(ending, response_id="r")
    assert types_of(events_of(response)) == ["created", "in_progress"]
    assert [step for step in response.steps if not isinstance(step, bytes)] == [
        step for step in (ending,) if isinstance(step, Cut)
    ]


def test_what_is_between_stays_between() -> None:
    between = (Pause(1), Hold("x"), Repeat(b"y", 2))
    steps = ModelResponse.of(b"a", b"b", *between, b"c", Cut(), b"d", bare=True).steps
    assert steps == (b"ab", *between, b"c", Cut())
    assert ModelResponse.of(bare=True).steps == ()


# --- how it is given ---


def test_headers_say_what_they_are_told() -> None:
    response = ModelResponse.of(
        headers={"openai-model": "m", "content-type": "text/html"},
        rate_limits=[
            RateLimits(
                limit_name="n",
                primary_used_percent=42.5,
                primary_window_minutes=300,
                primary_reset_at=9,
                has_credits=True,
                unlimited=False,
                balance="3",
            ),
            RateLimits(family="other", secondary_used_percent=1),
        ],
    )
    assert response.headers == (
        ("content-type", "text/html"),
        ("Cache-Control", "no-cache"),
        ("x-codex-limit-name", "n"),
        ("x-codex-primary-used-percent", "42.5"),
        ("x-codex-primary-window-minutes", "300"),
        ("x-codex-primary-reset-at", "9"),
        ("x-codex-credits-has-credits", "true"),
        ("x-codex-credits-unlimited", "false"),
        ("x-codex-credits-balance", "3"),
        ("x-codex-other-secondary-used-percent", "1"),
        ("openai-model", "m"),
    )
    one = ModelResponse.nothing(rate_limits=RateLimits(primary_used_percent=1))
    assert one.headers == (("x-codex-primary-used-percent", "1"),)


def test_a_body_is_cut_where_it_is_told() -> None:
    parts: tuple[Part, ...] = (b"caf\xc3\xa9, ", Pause(1), "é".encode(), b"!")
    of = ModelResponse.of
    assert of(*parts, bare=True, cut_after=0).steps == (b"", Cut())
    assert of(*parts, bare=True, cut_after=3).steps == (b"caf", Cut())
    assert of(*parts, bare=True, cut_after=8).steps == (
        *of(*parts[:2], bare=True).steps,
        b"\xc3",
        Cut(),
    )
    assert of(*parts, bare=True, cut_inside="é").steps == (b"caf\xc3", Cut())
    assert of(*parts, bare=True, chunk_size=4).steps == (
        b"caf\xc3",
        b"\xa9, ",
        Pause(1),
        b"\xc3\xa9!",
    )
    assert of("é", cut_inside="é").steps[-1] == Cut()


@pytest.mark.parametrize(
    "manner",
    [
        {"cut_after": 99},
        {"cut_after": -1},
        {"cut_inside": "z"},
        {"cut_inside": ""},
        {"chunk_size": 0},
        {"wait": 1},
        {"headers": {"x": 1}},
        {"haste": True},
    ],
)
def test_a_body_is_not_given_in_all_ways(manner: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        ModelResponse.of(b"x", bare=True, **manner)


def test_a_response_may_be_none_of_a_model() -> None:
    plain = ModelResponse.plain(503, "busy", headers={"Retry-After": "3"}, wait=Pause(1))
    assert (plain.status, plain.steps, plain.wait) == (503, (b"busy",), Pause(1))
    assert plain.headers == (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", "4"),
        ("Retry-After", "3"),
    )
    assert ModelResponse.plain(200, {}, "text/html").headers[0] == ("Content-Type", "text/html")
    assert ModelResponse.plain(404).steps == ()
    error = ModelResponse.error(429, "slow", type="t", more={"plan_type": "plus"})
    assert error.headers[0] == ("Content-Type", "application/json")
    (body,) = error.steps
    assert isinstance(body, bytes)
    assert orjson.loads(body) == {
        "error": {"message": "slow", "type": "t", "code": None, "plan_type": "plus"}
    }
    for status in (100, 777):
        with pytest.raises(ValueError, match=str(status)):
            ModelResponse.plain(status)
