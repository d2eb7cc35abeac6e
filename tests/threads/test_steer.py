"""Saying something more while a turn is under way, at any moment of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.testing import Completed, Hold, ModelResponse, StandIn, Text, WireClient
from tests.threads.conversing import Conversation, Ear, said, spoken, until
from tests.threads.cutting import WHOLE, WORK, at_step, turn_in


async def be_heard(talk: Conversation, stand_in: StandIn) -> str:
    """Begin a turn of which the first words have come."""
    stand_in.answer(Text("first words", deltas=1, item_id="msg_1"), Hold("middle"))
    turn_id = await talk.start()
    await talk.text()
    await stand_in.wait_held("middle")
    return turn_id


async def test_the_running_response_is_dropped_and_the_model_asked_anew(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    turn_id = await be_heard(talk, stand_in)
    stand_in.answer("second words")
    assert await talk.steer("rather this", turn_id) == {"turnId": turn_id}
    turn = await talk.ended()
    assert turn["id"] == turn_id
    assert [one["text"] for one in turn["items"]] == ["second words"]
    await stand_in.wait_closed()
    assert spoken(stand_in.response_requests[-1]) == ["hi", "first words", "rather this"]
    assert len(ear.of("turn/started")) == 1
    asked = [one for one in ear.of("item/completed") if one["item"]["type"] == "userMessage"]
    assert [one["item"]["content"][0]["text"] for one in asked] == ["hi", "rather this"]


async def test_its_id_for_the_client_is_passed_on(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    turn_id = await be_heard(talk, stand_in)
    await talk.steer("this", turn_id, clientUserMessageId="mine")
    await talk.ended()
    assert [
        one["item"]["clientId"]
        for one in ear.of("item/started")
        if one["item"]["type"] == "userMessage"
    ] == [None, "mine"]


async def test_another_start_steers(talk: Conversation, ear: Ear, stand_in: StandIn) -> None:
    turn_id = await be_heard(talk, stand_in)
    assert await talk.start("rather this", model="gpt-5.5", effort="high") == turn_id
    await talk.ended()
    _, second = stand_in.response_requests
    assert second.json["model"] != "gpt-5.5"
    assert spoken(second)[-1] == "rather this"
    assert len(ear.of("thread/settings/updated")) == 1
    await talk.run()
    last = stand_in.response_requests[-1].json
    assert (last["model"], last["reasoning"]["effort"]) == ("gpt-5.5", "high")


async def test_two_starts_in_one_write_are_one_turn(
    client: WireClient, talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    for number in range(2):
        params = {"threadId": talk.id, "input": said(f"part {number}")}
        await client.send({"id": 900 + number, "method": "turn/start", "params": params})
    await talk.ended()
    assert len(ear.of("turn/completed")) == 1
    assert spoken(stand_in.response_requests[-1])[:2] == ["part 0", "part 1"]


@pytest.mark.parametrize(
    ("expected", "parts", "message"),
    [
        ("", "x", "expectedTurnId must not be empty"),
        ("nope", "x", "expected active turn id `nope` but found `"),
        (None, "", "input must not be empty"),
    ],
)
async def test_what_cannot_be_is_refused(
    client: WireClient,
    talk: Conversation,
    stand_in: StandIn,
    expected: str | None,
    parts: str,
    message: str,
) -> None:
    turn_id = await be_heard(talk, stand_in)
    params = {
        "threadId": talk.id,
        "expectedTurnId": turn_id if expected is None else expected,
        "input": said(parts) if parts else [],
    }
    with pytest.raises(RpcError, match=message):
        await client.call("turn/steer", params)
    stand_in.release("middle")
    await talk.ended()


async def test_without_a_turn_there_is_nothing_to_steer(talk: Conversation) -> None:
    turn = await talk.run()
    with pytest.raises(RpcError, match="no active turn to steer"):
        await talk.steer("more", turn["id"])


async def test_before_an_answer_begins(talk: Conversation, stand_in: StandIn) -> None:
    stand_in.answer(ModelResponse.of("late", wait=Hold("head")))
    turn_id = await talk.start()
    await stand_in.wait_held("head")
    await talk.steer("more", turn_id)
    await talk.ended()
    assert spoken(stand_in.response_requests[-1]) == ["hi", "more"]


async def test_between_two_attempts_the_next_one_has_it(
    talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(ModelResponse.error(429, headers={"Retry-After": "100"}))
    turn_id = await talk.start()
    await talk.heard("error")
    await talk.steer("more", turn_id)
    await talk.ended()
    _, second = stand_in.response_requests
    assert spoken(second) == ["hi", "more"]


async def test_an_interrupt_behind_it_keeps_both(talk: Conversation, stand_in: StandIn) -> None:
    turn_id = await be_heard(talk, stand_in)
    stand_in.answer(ModelResponse.of("late", wait=Hold("head")))
    await talk.steer("rather this", turn_id)
    await stand_in.wait_held("head")
    await talk.interrupt(turn_id)
    await talk.ended("interrupted")
    await talk.run("at last")
    texts = spoken(stand_in.response_requests[-1])
    assert texts[:3] == ["hi", "first words", "rather this"]
    assert texts[-1] == "at last"


# --- at every step ---


@pytest.mark.parametrize("of", [WORK, WHOLE])
async def test_what_is_said_is_answered_whenever_it_is_said(
    client: WireClient, talk: Conversation, ear: Ear, stand_in: StandIn, of: str
) -> None:
    """Either the turn takes it, or the next one does; nobody is told yes for nothing."""
    step, reached = 0, True
    while reached:
        step += 1
        stand_in.responses.clear()
        stand_in.answer(Text("one two", deltas=2), Completed(end_turn=False))
        stand_in.answer("three")
        asked: list[Any] = []

        def say(names: Any, asked: list[Any] = asked, step: int = step) -> None:
            asked.append(turn_in(of, names))
            trio.lowlevel.spawn_system_task(more, f"more {step}")

        async def more(text: str) -> None:
            await client.send(
                {
                    "id": f"more {text}",
                    "method": "turn/start",
                    "params": {"threadId": talk.id, "input": said(text)},
                }
            )

        with at_step(of, step, say) as cut:
            await talk.start(f"number {step}")
            await talk.ended()
            reached = cut.reached
            if reached:
                answer = await answered(ear, f"more more {step}")
                turn_id = answer["result"]["turn"]["id"]
                await until(partial(is_over, ear, turn_id))
        texts = spoken(stand_in.response_requests[-1])
        assert (f"more {step}" in texts) is reached
    ear.check()


async def answered(ear: Ear, request_id: str) -> Any:
    found: list[Any] = []

    def look() -> bool:
        found[:] = [one for _, one in ear.seen if one.get("id") == request_id][1:]
        return bool(found)

    await until(look)
    return found[0]


def is_over(ear: Ear, turn_id: str) -> bool:
    return turn_id in [one["turn"]["id"] for one in ear.of("turn/completed")]
