"""Summaries in the place of what was said: asked for, needed, failed, and cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.errors import RpcError
from codex_trio.server import open_server
from codex_trio.testing import (
    Completed,
    Failed,
    FunctionCall,
    Hold,
    ModelResponse,
    StandIn,
    Text,
    Usage,
    WireClient,
)
from tests.threads.conversing import (
    ABORTED,
    Conversation,
    Ear,
    connect,
    converse,
    ends_in,
    resume,
    spoken,
)

if TYPE_CHECKING:
    from codex_trio.settings import Settings


@pytest.fixture
def config() -> dict[str, Any]:
    return {
        "model_auto_compact_token_limit": 1000,
        "model_providers": {"stand_in": {"stream_max_retries": 1}},
    }


async def compact(talk: Conversation) -> None:
    await talk.client.call("thread/compact/start", {"threadId": talk.id})


def full(text: str, tokens: int = 1000) -> ModelResponse:
    usage = Usage(input_tokens=tokens - 10, output_tokens=10)
    return ModelResponse.of(text, Completed(usage=usage))


def summarized(requests: list[Any]) -> list[bool]:
    """Which of the requests ask for a summary."""
    return ["summary of this conversation" in spoken(one)[-1] for one in requests]


async def test_a_summary_takes_the_place_of_what_was_said(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    await talk.run("one")
    await talk.run("two")
    stand_in.answer("what it was about")
    await compact(talk)
    turn = await talk.ended()
    assert (turn["items"], turn["itemsView"]) == ([], "notLoaded")
    assert ear.of_turn(turn["id"]) == [
        "turn/started",
        "item/started contextCompaction",
        *["thread/tokenUsage/updated"] * 2,
        "item/completed contextCompaction",
        "turn/completed completed",
    ]
    await talk.run("three")
    *_, asking, last = stand_in.response_requests
    assert asking.json["tools"] == []
    one, two, summary, three = spoken(last)
    assert (one, two, three) == ("one", "two", "three")
    assert summary.endswith("what it was about")
    assert last.headers["x-codex-window-id"] == f"{talk.id}:1"


async def test_the_next_summary_takes_the_place_of_the_first(
    talk: Conversation, stand_in: StandIn
) -> None:
    for text in ("one", "two"):
        await talk.run(text)
        stand_in.answer(f"summary up to {text}")
        await compact(talk)
        await talk.ended()
    await talk.run("three")
    one, two, summary, three = spoken(stand_in.response_requests[-1])
    assert (one, two, three) == ("one", "two", "three")
    assert summary.endswith("summary up to two")


async def test_it_is_there_when_the_thread_is_resumed(
    settings: Settings, stand_in: StandIn
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run("one")
        stand_in.answer("what it was about")
        await compact(talk)
        await talk.ended()
    async with open_server(settings) as server, connect(server) as client:
        again = await resume(client, talk.id)
        await again.run("two")
    one, summary, two = spoken(stand_in.response_requests[-1])
    assert (one, two) == ("one", "two")
    assert summary.endswith("what it was about")


@pytest.mark.parametrize(("tokens", "needed"), [(999, False), (1000, True)])
async def test_a_full_conversation_is_summarized_first(
    talk: Conversation, ear: Ear, stand_in: StandIn, tokens: int, needed: bool
) -> None:
    stand_in.answer(full("answer", tokens))
    await talk.run("one")
    if needed:
        stand_in.answer(full("what it was about", tokens))
    turn = await talk.run("two")
    assert summarized(stand_in.response_requests) == [False, *[True] * needed, False]
    kinds = [
        one for one in ear.of_turn(turn["id"]) if one.startswith("item/") and "delta" not in one
    ]
    assert kinds == [
        *["item/started contextCompaction", "item/completed contextCompaction"] * needed,
        "item/started userMessage", "item/completed userMessage",
        "item/started agentMessage", "item/completed agentMessage",
    ]  # fmt: skip


async def test_once_is_enough(talk: Conversation, stand_in: StandIn) -> None:
    """What the summary has cost says nothing of what is sent behind it."""
    stand_in.answer(full("answer"))
    await talk.run("one")
    stand_in.answer(full("what it was about", 5000))
    await compact(talk)
    await talk.ended()
    stand_in.answer("answer", Completed(usage=None))
    await talk.run("two")
    await talk.run("three")
    assert summarized(stand_in.response_requests) == [False, True, False, False]


async def test_a_turn_that_fills_it_is_summarized_in_its_middle(
    talk: Conversation, stand_in: StandIn
) -> None:
    call = FunctionCall("nope", call_id="c")
    usage = Usage(input_tokens=995, output_tokens=10)
    stand_in.answer(call, Completed(usage=usage))
    stand_in.answer("what it was about")
    stand_in.answer("done")
    turn = await talk.run("one")
    assert turn["items"][0]["text"] == "done"
    _, asking, last = stand_in.response_requests
    assert asking.tool_outputs() == {"c": "unsupported call: nope"}
    assert last.tool_outputs() == {}
    assert spoken(last)[0] == "one"


async def test_a_model_that_can_take_no_more_is_sent_less_the_next_time(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    await talk.run("one")
    stand_in.answer(Failed("context_length_exceeded"))
    turn = await talk.run("two", status="failed")
    assert turn["error"]["codexErrorInfo"] == "contextWindowExceeded"
    stand_in.answer("what it was about")
    await talk.run("three")
    assert summarized(stand_in.response_requests) == [False, False, True, False]
    await talk.run("four")
    assert summarized(stand_in.response_requests)[-1] is False


async def test_a_summary_that_takes_too_much_is_made_of_less(
    talk: Conversation, stand_in: StandIn
) -> None:
    for number in range(5):
        await talk.run(f"question {number}")
    stand_in.answer(Failed("context_length_exceeded"))
    await talk.run("too much", status="failed")
    stand_in.answer(Failed("context_length_exceeded"))
    stand_in.answer(Failed("context_length_exceeded"))
    stand_in.answer("what it was about")
    await talk.run("and now")
    *_, first, second, third, last = stand_in.response_requests
    assert len(first.input) > len(second.input) > len(third.input)
    assert spoken(third)[-2] == "too much"
    assert spoken(last)[-1] == "and now"


@pytest.mark.parametrize(
    "response",
    [ModelResponse.plain(400, "bad"), ModelResponse.of("  "), ModelResponse.of(Completed())],
    ids=["refused", "blank", "nothing"],
)
async def test_without_a_summary_everything_stays(
    talk: Conversation, ear: Ear, stand_in: StandIn, response: ModelResponse
) -> None:
    await talk.run("one")
    stand_in.answer(response)
    await compact(talk)
    await talk.ended("failed")
    assert "contextCompaction" not in [one["item"]["type"] for one in ear.of("item/completed")]
    stand_in.answer("answer")
    await talk.run("two")
    assert len(spoken(stand_in.response_requests[-1])) == 3


async def test_a_summary_that_breaks_off_is_made_anew(
    talk: Conversation, stand_in: StandIn
) -> None:
    await talk.run("one")
    stand_in.answer("half a", Failed("server_error", "oops"))
    stand_in.answer("what it was about")
    await compact(talk)
    await talk.ended()
    await talk.run("two")
    assert spoken(stand_in.response_requests[-1])[1].endswith(":\nwhat it was about")


async def test_it_is_interrupted_like_any_turn(talk: Conversation, stand_in: StandIn) -> None:
    await talk.run("one")
    stand_in.answer(Text("half a summary", deltas=1), Hold("middle"))
    await compact(talk)
    await stand_in.wait_held("middle")
    await talk.interrupt()
    await talk.ended("interrupted")
    await stand_in.wait_closed()
    await talk.run("two")
    texts = spoken(stand_in.response_requests[-1])
    assert len([text for text in texts if not text.startswith(ABORTED)]) == 3


async def test_nothing_is_said_while_it_is_made(
    client: WireClient, talk: Conversation, stand_in: StandIn
) -> None:
    await talk.run("one")
    stand_in.answer(Text("summary", deltas=1), Hold("middle"))
    await compact(talk)
    await stand_in.wait_held("middle")
    turn_id = (await talk.heard("turn/started"))["turn"]["id"]
    with pytest.raises(RpcError, match="ActiveTurnNotSteerable"):
        await talk.start("two")
    with pytest.raises(RpcError, match="cannot steer a compact turn") as caught:
        await talk.steer("two", turn_id)
    assert "activeTurnNotSteerable" in str(caught.value.data)
    stand_in.release("middle")
    await talk.ended()


async def test_a_turn_that_is_under_way_ends_first(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"))
    await talk.start("one")
    await stand_in.wait_held("middle")
    stand_in.answer("what it was about")
    await compact(talk)
    await talk.ended("interrupted")
    await talk.ended()
    assert ends_in(talk.path) == ["turn_aborted", "task_complete"]


async def test_steering_waits_for_a_summary_that_a_turn_needs(
    talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(full("answer"))
    await talk.run("one")
    stand_in.answer(ModelResponse.of("what it was about", Hold("middle")))
    turn_id = await talk.start("two")
    await stand_in.wait_held("middle")
    await talk.steer("and three", turn_id)
    stand_in.release("middle")
    await talk.ended()
    assert summarized(stand_in.response_requests) == [False, True, False]
    texts = spoken(stand_in.response_requests[-1])
    assert texts[0] == "one"
    assert texts[1].endswith("what it was about")
    assert texts[-2:] == ["two", "and three"]
