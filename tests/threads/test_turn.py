"""A turn: what is told of it, what the model is sent, and what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.errors import RpcError
from codex_trio.testing import (
    Completed,
    CustomToolCall,
    FunctionCall,
    Item,
    ModelResponse,
    RateLimits,
    Reasoning,
    StandIn,
    Text,
)
from tests.threads.conversing import (
    Conversation,
    Ear,
    converse,
    ends_in,
    lines_of,
    said,
    spoken,
)

if TYPE_CHECKING:
    from codex_trio.testing import WireClient


async def test_a_turn_is_told_from_its_beginning_to_its_end(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one two three", deltas=3))
    turn_id = await talk.start("hello")
    turn = await talk.ended()
    assert ear.of_turn(turn_id) == [
        "turn/started",
        "item/started userMessage",
        "item/completed userMessage",
        "item/started agentMessage",
        *["item/agentMessage/delta"] * 3,
        "item/completed agentMessage",
        "thread/tokenUsage/updated",
        "turn/completed completed",
    ]
    assert [one["text"] for one in turn["items"]] == ["one two three"]
    assert turn["itemsView"] == "summary"
    assert turn["durationMs"] >= 0
    statuses = [one["status"]["type"] for one in ear.of("thread/status/changed")]
    assert statuses == ["active", "idle"]
    assert ear.methods[-1] == "turn/completed"


async def test_the_model_is_told_what_was_said_before(
    talk: Conversation, stand_in: StandIn
) -> None:
    for number in range(3):
        stand_in.answer(f"answer {number}")
        await talk.run(f"question {number}")
    *_, last = stand_in.response_requests
    assert spoken(last) == [
        "question 0", "answer 0", "question 1", "answer 1", "question 2",
    ]  # fmt: skip
    roles = [item["role"] for item in last.input]
    assert roles == ["developer", "developer", "user", *["user", "assistant"] * 2, "user"]
    assert last.json["prompt_cache_key"] == talk.id


async def test_what_is_kept_is_on_disk_when_the_end_is_told(talk: Conversation) -> None:
    assert not talk.path.exists()
    turn = await talk.run()
    lines = lines_of(talk.path)
    assert lines[0]["type"] == "session_meta"
    assert lines[-1]["payload"]["type"] == "task_complete"
    assert lines[-1]["payload"]["turn_id"] == turn["id"]
    assert [line["ordinal"] for line in lines] == list(range(len(lines)))


async def test_an_empty_input_asks_the_model_all_the_same(
    client: WireClient, talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    await client.call("turn/start", {"threadId": talk.id, "input": []})
    await talk.ended()
    assert [one["item"]["type"] for one in ear.of("item/started")] == ["agentMessage"]
    assert len(stand_in.response_requests) == 1


async def test_a_model_that_says_nothing_completes_the_turn(
    talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(Completed())
    turn = await talk.run()
    assert (turn["items"], turn["itemsView"]) == ([], "notLoaded")


async def test_reasoning_is_told_and_sent_back(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    thought = Reasoning(["first part", "second"], raw=["raw"], encrypted="ENC", item_id="rs_1")
    stand_in.answer(thought, "done")
    await talk.run()
    (item,) = [
        one["item"] for one in ear.of("item/completed") if one["item"]["type"] == "reasoning"
    ]
    assert item == {
        "type": "reasoning", "id": "rs_1",
        "summary": ["first part", "second"], "content": ["raw"],
    }  # fmt: skip
    parts = [one["summaryIndex"] for one in ear.of("item/reasoning/summaryPartAdded")]
    assert parts == [0, 1]
    await talk.run("more")
    sent = [one for one in stand_in.response_requests[-1].input if one["type"] == "reasoning"]
    assert [one["encrypted_content"] for one in sent] == ["ENC"]


@pytest.mark.parametrize(
    ("call", "output"),
    [
        (FunctionCall("nope", call_id="c1"), "unsupported call: nope"),
        (
            FunctionCall("nope", namespace="mcp__x", call_id="c1"),
            "unsupported call: mcp__xnope",
        ),
        (CustomToolCall("nope", call_id="c1"), "unsupported custom tool call: nope"),
    ],
)
async def test_a_tool_that_is_called_is_said_to_be_missing(
    talk: Conversation, stand_in: StandIn, call: FunctionCall | CustomToolCall, output: str
) -> None:
    stand_in.answer("I shall look", call)
    stand_in.answer("I cannot")
    turn = await talk.run()
    assert turn["items"][0]["text"] == "I cannot"
    first, second = stand_in.response_requests
    assert second.tool_outputs() == {"c1": output}
    assert len(second.input) == len(first.input) + 3


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call", "name": "nope", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "what we never said"},
        {"type": "custom_tool_call", "name": "nope", "input": ""},
    ],
)
async def test_what_would_spoil_the_history_is_not_kept(
    talk: Conversation, stand_in: StandIn, item: dict[str, str]
) -> None:
    stand_in.answer(Item(item), "done")
    await talk.run()
    await talk.run("again")
    kinds = [one["type"] for one in stand_in.response_requests[-1].input]
    assert item["type"] not in kinds


async def test_a_model_may_want_to_be_asked_again(
    talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer("first", Completed(end_turn=False))
    stand_in.answer("second")
    turn = await talk.run()
    assert turn["items"][0]["text"] == "second"
    assert spoken(stand_in.response_requests[1]) == ["hi", "first"]


async def test_usage_is_added_up(talk: Conversation, ear: Ear) -> None:
    await talk.run()
    await talk.run()
    one, two = [told["tokenUsage"] for told in ear.of("thread/tokenUsage/updated")]
    assert two["total"]["totalTokens"] == 2 * one["total"]["totalTokens"]
    assert two["last"] == one["last"]


async def test_limits_are_told_from_the_headers(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    stand_in.answer(
        ModelResponse.of(
            "hi", rate_limits=RateLimits(primary_used_percent=42.5, primary_window_minutes=300)
        )
    )
    await talk.run()
    told = ear.of("account/rateLimits/updated")
    assert [one["rateLimits"]["primary"]["usedPercent"] for one in told] == [43]


async def test_what_a_turn_sets_holds_from_then_on(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    await talk.run(effort="high", summary="detailed", serviceTier="fast")
    await talk.run()
    for request in stand_in.response_requests:
        assert request.json["reasoning"] == {"effort": "high", "summary": "detailed"}
        assert request.json["service_tier"] == "priority"
    assert len(ear.of("thread/settings/updated")) == 1


async def test_an_output_schema_holds_for_one_turn(
    talk: Conversation, stand_in: StandIn
) -> None:
    schema = {"type": "object", "properties": {}}
    await talk.run(outputSchema=schema)
    await talk.run()
    one, two = stand_in.response_requests
    assert one.json["text"]["format"]["schema"] == schema
    assert "format" not in two.json.get("text", {})


async def test_an_unknown_model_is_warned_of_before_the_answer(
    client: WireClient, ear: Ear
) -> None:
    talk = await converse(client, model="mock-model")
    await talk.run()
    assert ear.methods.index("warning") < ear.methods.index("turn/started")
    assert "mock-model" in ear.of("warning")[0]["message"]


async def test_two_hundred_turns_leave_nothing_behind(
    talk: Conversation, stand_in: StandIn, server: object
) -> None:
    stand_in.respond = lambda _: ModelResponse.of(Text("ok", deltas=1))
    for number in range(200):
        await talk.run(str(number))
    account = server.account  # type: ignore[attr-defined]  # a Server, of which mypy need not know
    assert len(account.board.lanes) == 0
    assert ends_in(talk.path) == ["task_complete"] * 200
    assert spoken(stand_in.response_requests[-1]) == [
        *(word for number in range(199) for word in (str(number), "ok")), "199",
    ]  # fmt: skip


async def test_an_ephemeral_thread_leaves_no_file(client: WireClient, home: object) -> None:
    talk = await converse(client, ephemeral=True)
    assert talk.words["path"] is None
    await talk.run()
    await talk.run()
    assert not (home / "sessions").exists()  # type: ignore[operator]  # a Path


@pytest.mark.parametrize(
    ("thread_id", "message"),
    [
        ("01a1fe6e-ab66-7376-a48d-8bb4901ffa63", "thread not found: 01a1fe6e-"),
        ("", "invalid thread id: invalid length"),
        ("zzz", "invalid thread id: invalid character"),
    ],
)
async def test_a_thread_that_is_none_is_refused(
    client: WireClient, thread_id: str, message: str
) -> None:
    for method, more in (
        ("turn/start", {"input": said("hi")}),
        ("turn/interrupt", {"turnId": ""}),
        ("turn/steer", {"input": said("hi"), "expectedTurnId": "x"}),
        ("thread/compact/start", {}),
    ):
        with pytest.raises(RpcError, match=message):
            await client.call(method, {"threadId": thread_id, **more})
