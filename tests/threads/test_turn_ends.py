"""How turns end that do not go well: once, with the reason told, and the next one goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.server import Server, open_server
from codex_trio.testing import (
    Cut,
    End,
    Failed,
    FunctionCall,
    Hold,
    Incomplete,
    ModelResponse,
    StandIn,
    Text,
)
from tests.threads.conversing import (
    Conversation,
    Ear,
    connect,
    converse,
    ends_in,
    resume,
    spoken,
    until,
)

if TYPE_CHECKING:
    from codex_trio.settings import Settings

NO_RETRIES = {"request_max_retries": 0, "stream_max_retries": 0}
CLOSED = "stream disconnected before completion: stream closed before response.completed"


@pytest.fixture
def config() -> dict[str, Any]:
    return {"model_providers": {"stand_in": NO_RETRIES}}


@pytest.mark.parametrize(
    ("response", "message", "info"),
    [
        (ModelResponse.plain(400, "bad"), "bad", "other"),
        (
            ModelResponse.error(403, "go away"),
            "unexpected status 403 Forbidden: go away, url: ",
            {"httpConnectionFailed": {"httpStatusCode": 403}},
        ),
        (
            ModelResponse.error(429, "slow"),
            "exceeded retry limit, last status: 429",
            {"responseTooManyFailedAttempts": {"httpStatusCode": 429}},
        ),
        (
            ModelResponse.error(429, type="usage_limit_reached", more={"plan_type": "free"}),
            "You’ve hit your usage limit.",  # noqa: RUF001 - as the original has it
            "usageLimitExceeded",
        ),
        (ModelResponse.error(500), "We’re currently", "internalServerError"),  # noqa: RUF001 - as above
        (ModelResponse.error(503, code="server_is_overloaded"), "Selected", "serverOverloaded"),
        (ModelResponse.of(Failed()), "stream disconnected before completion: ", "other"),
        (ModelResponse.of(Failed("invalid_prompt", "no")), "no", "other"),
        (
            ModelResponse.of(Failed("context_length_exceeded")),
            "Codex ran out of room",
            "contextWindowExceeded",
        ),
        (ModelResponse.of(Incomplete()), "Incomplete response returned, reason: max", "other"),
        (ModelResponse.of("text", End()), CLOSED, "other"),
        (ModelResponse.of(Text("a b c"), Cut()), "stream disconnected before", "other"),
        (ModelResponse.of(Text("héllo"), cut_inside="é"), "stream disconnected", "other"),
        (ModelResponse.nothing(), "stream disconnected before completion: error", "other"),
        (ModelResponse.plain(200, "<html>"), CLOSED, "other"),
        (ModelResponse.of(b"data: {broken\n\n", bare=True), CLOSED, "other"),
    ],
)
async def test_a_failure_ends_the_turn_with_its_reason(
    talk: Conversation,
    ear: Ear,
    stand_in: StandIn,
    response: ModelResponse,
    message: str,
    info: Any,
) -> None:
    stand_in.answer(response)
    turn = await talk.run("hopeless", status="failed")
    assert turn["error"]["message"].startswith(message)
    assert turn["error"]["codexErrorInfo"] == info
    assert (turn["items"], turn["itemsView"]) == ([], "notLoaded")
    (told,) = ear.of("error")
    assert told["error"] == turn["error"]
    assert not told["willRetry"]
    statuses = [one["status"]["type"] for one in ear.of("thread/status/changed")]
    assert statuses == ["active", "systemError"]
    assert ear.methods[-3:] == ["error", "thread/readState/changed", "turn/completed"]
    assert ends_in(talk.path) == ["task_complete"]
    await talk.run("hopeful")
    assert spoken(stand_in.response_requests[-1])[0] == "hopeless"
    assert ear.of("thread/status/changed")[-1]["status"]["type"] == "idle"


async def test_a_failure_is_there_when_the_thread_is_resumed(
    settings: Settings, stand_in: StandIn
) -> None:
    stand_in.answer(ModelResponse.plain(400, "bad"))
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run(status="failed")
    async with open_server(settings) as server, connect(server) as client:
        (turn,) = (await resume(client, talk.id)).words["turns"]
        assert turn["status"] == "failed"
        assert turn["error"]["message"] == "bad"


# --- hosts that say strange things ---


def deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


STRANGE = {
    "unknown kind": {"type": "bogus", "x": 1},
    "no role": {"type": "message", "role": 5, "content": []},
    "no content": {"type": "message", "role": "assistant", "content": None},
    "odd content": {"type": "message", "role": "assistant", "content": ["text", {"type": 1}]},
    "refusal": {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "refusal", "refusal": "no"}],
    },
    "odd call": {"type": "function_call", "call_id": "c", "name": 5, "arguments": {}},
    "half a call": {"type": "function_call", "call_id": "c"},
    "odd reasoning": {"type": "reasoning", "summary": 7, "content": {}},
    "odd search": {"type": "web_search_call", "action": [1]},
    "odd id": {"type": "message", "role": "assistant", "content": [], "id": 17},
    "shell": {"type": "local_shell_call", "call_id": "c", "action": {"type": "exec"}},
    **{
        f"{levels} deep": {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "x", "annotations": deep(levels)}],
        }
        for levels in (*range(240, 256), 300, 900)
    },
}


@pytest.mark.parametrize("kind", STRANGE)
async def test_a_strange_item_spoils_nothing(
    talk: Conversation, stand_in: StandIn, kind: str
) -> None:
    done = {"type": "response.output_item.done", "item": STRANGE[kind]}
    data = f"data: {json.dumps(done)}\n\n".encode()  # deeper than others would write
    stand_in.answer(data, "and this")
    await talk.run()
    stand_in.responses.clear()
    turn = await talk.run("go on")
    assert turn["items"][0]["text"]
    for item in stand_in.response_requests[-1].input:
        check_item(item)
    calls = [
        item["call_id"]
        for item in stand_in.response_requests[-1].input
        if item["type"].endswith("_call") and "call_id" in item
    ]
    assert calls == [*stand_in.response_requests[-1].tool_outputs()]


def check_item(item: Any) -> None:
    """Fail unless a host would take the item back."""
    assert item["type"] in {
        "message", "reasoning", "function_call", "function_call_output", "web_search_call",
        "local_shell_call",
    }  # fmt: skip
    if item["type"] == "message":
        assert item["role"] in {"assistant", "user", "developer"}
        parts = {part["type"] for part in item["content"]}
        assert parts <= {"input_text", "output_text", "refusal"}
    if item["type"] == "function_call":
        assert isinstance(item["name"], str)
        assert isinstance(item["arguments"], str)
    if item["type"] == "reasoning":
        assert isinstance(item["summary"], list)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta", "delta": "of nothing"},
        {"type": "response.reasoning_text.delta", "content_index": 0, "delta": "of nothing"},
        {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "x"},
        {"type": "response.reasoning_summary_part.added", "summary_index": 0},
        {"type": "response.output_item.added", "item": None},
        {"type": "response.output_item.added", "item": {"type": "message"}},
        {"type": "response.output_item.done", "item": {"type": "reasoning"}},
        *(
            {
                "type": "response.output_item.added",
                "item": {
                    "type": "web_search_call",
                    "action": {"type": "search", "queries": deep(levels)},
                },
            }
            for levels in range(236, 246)
        ),
        {"type": "response.nobody.knows"},
        {"type": "error", "message": "not really"},
        {"no": "type"},
    ],
)
async def test_a_strange_event_spoils_nothing(
    talk: Conversation, stand_in: StandIn, event: dict[str, Any]
) -> None:
    stand_in.answer(event, "and this")
    turn = await talk.run()
    assert turn["items"][0]["text"] == "and this"


# --- a server that ends ---


async def test_a_turn_ends_with_its_server(settings: Settings, stand_in: StandIn) -> None:
    """The client has gone before; what came is on disk."""
    stand_in.answer(Text("first", deltas=1), FunctionCall("nope", call_id="c"), Hold("middle"))
    async with open_server(settings) as server:
        async with connect(server) as client:
            talk = await converse(client)
            await talk.start()
            await stand_in.wait_held("middle")
            await until(lambda: talk.path.exists() and "first" in talk.path.read_text())
    with trio.fail_after(1):
        await stand_in.wait_closed()
    assert ends_in(talk.path) == ["turn_aborted"]
    async with open_server(settings) as server, connect(server) as client:
        again = await resume(client, talk.id)
        (turn,) = again.words["turns"]
        assert turn["status"] == "interrupted"
        assert again.words["status"]["type"] == "idle"
        await again.run("go on")


async def test_who_hangs_up_hears_of_no_turn_and_the_next_one_follows(
    server: Server, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"), "two")
    async with connect(server) as client:
        talk = await converse(client)
        turn_id = await talk.start()
        await stand_in.wait_held("middle")
    async with connect(server) as client:
        again = await resume(client, talk.id)
        assert again.words["status"]["type"] == "active"
        await again.interrupt(turn_id)
        await again.ended("interrupted")
