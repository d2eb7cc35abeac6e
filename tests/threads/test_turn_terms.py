"""What holds in a turn: what was set when it began, its own account, ids of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.testing import (
    Completed,
    Cut,
    FunctionCall,
    Hold,
    ModelResponse,
    RateLimits,
    StandIn,
    Text,
    Usage,
    WireClient,
)
from codex_trio.testing.events import response_event
from tests.account.signed_in import sign_in
from tests.threads.conversing import Conversation, Ear, converse, lines_of

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server


async def update(talk: Conversation, **params: Any) -> None:
    await talk.client.call("thread/settings/update", {"threadId": talk.id, **params})


async def test_what_is_set_meanwhile_counts_from_the_next_turn_on(
    talk: Conversation, stand_in: StandIn
) -> None:
    await update(talk, model="gpt-5.5")
    stand_in.answer(Text("one", deltas=1), Hold("middle"))
    turn_id = await talk.start("one")
    await stand_in.wait_held("middle")
    await update(talk, model="gpt-5.4")
    await talk.steer("more", turn_id)
    await talk.ended()
    await talk.run("two")
    models = [request.json["model"] for request in stand_in.response_requests]
    assert models == ["gpt-5.5", "gpt-5.5", "gpt-5.4"]
    recorded = [
        line["payload"]["model"]
        for line in lines_of(talk.path)
        if line["type"] == "turn_context"
    ]
    assert recorded == models


def message(item_id: str | None, text: str) -> bytes:
    item = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text}],
    }
    if item_id is not None:
        item["id"] = item_id
    return response_event("output_item.done", item=item)


@pytest.mark.parametrize("item_id", ["msg_1", "", None])
async def test_items_of_one_id_are_two(
    talk: Conversation, ear: Ear, stand_in: StandIn, item_id: str | None
) -> None:
    done = response_event("completed", response={"id": "r"})
    stand_in.answer(message(item_id, "one"), message(item_id, "two"), done)
    await talk.run()
    told = [
        one["item"] for one in ear.of("item/completed") if one["item"]["type"] == "agentMessage"
    ]
    assert [one["text"] for one in told] == ["one", "two"]
    assert len({one["id"] for one in told}) == 2
    read = await talk.client.call("thread/read", {"threadId": talk.id, "includeTurns": True})
    (turn,) = read["thread"]["turns"]
    assert [one.get("text") for one in turn["items"][1:]] == ["one", "two"]


async def test_limits_are_those_of_the_account_in_force(
    server: Server,
    home: Path,
    client: WireClient,
    talk: Conversation,
    ear: Ear,
    stand_in: StandIn,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    await server.account.auth.look()
    limits = RateLimits(has_credits=True, unlimited=False, balance="5")
    stand_in.answer(ModelResponse.of("hi", rate_limits=limits))
    await talk.run()
    assert ear.of("account/rateLimits/updated")
    await client.call("account/login/start", {"type": "apiKey", "apiKey": "sk-another"})
    heard = len(ear.of("account/rateLimits/updated"))
    stand_in.answer("hi")
    await talk.run()
    told = ear.of("account/rateLimits/updated")[heard:]
    assert all(one["rateLimits"]["credits"] is None for one in told)


async def test_who_answers_decides_whether_a_conversation_is_full(
    client: WireClient, stand_in: StandIn
) -> None:
    """One that takes less is chosen in the midst of a turn, and counts from the next one on."""
    talk = await converse(client, model="gpt-daybreak-red-latest")
    usage = Usage(input_tokens=240_000, output_tokens=10)
    call = FunctionCall("look", {})
    stand_in.answer(ModelResponse.of(Hold("middle"), call, Completed(usage=usage)))
    await talk.start("one")
    await stand_in.wait_held("middle")
    await update(talk, model="one that nobody knows")
    stand_in.release("middle")
    await talk.ended()
    assert [one.json["model"] for one in stand_in.response_requests] == [
        "gpt-daybreak-red-latest"
    ] * 2


async def test_what_was_complete_before_a_break_is_sent_with_the_next_attempt(
    talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(message("msg_1", "half"), Cut())
    done = response_event("completed", response={"id": "r"})
    stand_in.answer(message("msg_1", "whole"), done)
    await talk.run("one")
    first, second = stand_in.response_requests
    assert second.json["input"][:-1] == first.json["input"]
    assert second.json["input"][-1]["content"][0]["text"] == "half"
    read = await talk.client.call("thread/read", {"threadId": talk.id, "includeTurns": True})
    (turn,) = read["thread"]["turns"]
    assert [one.get("text") for one in turn["items"][1:]] == ["half", "whole"]


async def test_it_is_told_once_that_another_model_has_answered(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    created = response_event(
        "created", response={"id": "r", "headers": {"OpenAI-Model": "gpt-5.4"}}
    )
    stand_in.answer(
        created, created, message("m", "hi"), response_event("completed", response={"id": "r"})
    )
    await talk.run(model="gpt-5.5")
    (told,) = ear.of("model/rerouted")
    assert (told["fromModel"], told["toModel"]) == ("gpt-5.5", "gpt-5.4")
    assert "gpt-5.4 instead of gpt-5.5" in ear.of("warning")[-1]["message"]
