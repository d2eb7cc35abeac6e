"""What is done to a conversation while a turn is under way in it: the turn ends first, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.errors import RpcError
from codex_trio.testing import Hold, StandIn, Text
from tests.threads.conversing import Conversation, Ear, ends_in, spoken

if TYPE_CHECKING:
    from pathlib import Path


async def be_answered(talk: Conversation, stand_in: StandIn) -> str:
    """Begin a turn that is under way."""
    await talk.run("one")
    stand_in.answer(Text("two", deltas=1), Hold("middle"))
    turn_id = await talk.start("one more")
    await stand_in.wait_held("middle")
    return turn_id


async def do(talk: Conversation, method: str, **params: Any) -> Any:
    return await talk.client.call(method, {"threadId": talk.id, **params})


async def test_a_conversation_is_archived(
    talk: Conversation, ear: Ear, stand_in: StandIn, home: Path
) -> None:
    turn_id = await be_answered(talk, stand_in)
    await do(talk, "thread/archive")
    await talk.ended("interrupted")
    assert ear.of_turn(turn_id)[-1] == "turn/completed interrupted"
    await stand_in.wait_closed()
    assert not talk.path.exists()
    (archived,) = (home / "archived_sessions").rglob("*.jsonl")
    assert ends_in(archived) == ["task_complete", "turn_aborted"]
    with pytest.raises(RpcError, match="thread not found"):
        await talk.start()
    await do(talk, "thread/unarchive")
    await do(talk, "thread/resume")
    await talk.run("go on")
    assert spoken(stand_in.response_requests[-1])[-1] == "go on"


async def test_a_conversation_is_deleted(
    talk: Conversation, ear: Ear, stand_in: StandIn, home: Path
) -> None:
    turn_id = await be_answered(talk, stand_in)
    await do(talk, "thread/delete")
    assert ear.of_turn(turn_id)[-1] == "turn/completed interrupted"
    await stand_in.wait_closed()
    assert [*home.rglob("*.jsonl*")] == []
    with pytest.raises(RpcError, match="thread not found"):
        await talk.start()


async def test_a_turn_is_taken_back_with_what_came_behind_it(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    first = await talk.run("first")
    turn_id = await be_answered(talk, stand_in)
    await do(talk, "thread/revert", beforeTurnId=turn_id)
    await talk.ended("interrupted")
    assert ear.of_turn(turn_id)[-1] == "turn/completed interrupted"
    await talk.run("instead")
    texts = [text for text in spoken(stand_in.response_requests[-1]) if "Hello" not in text]
    assert texts == ["first", "one", "instead"]
    await do(talk, "thread/revert", beforeTurnId=first["id"])
    await talk.run("anew")
    assert spoken(stand_in.response_requests[-1]) == ["anew"]


async def test_its_name_is_changed_and_the_turn_goes_on(
    talk: Conversation, stand_in: StandIn
) -> None:
    turn_id = await be_answered(talk, stand_in)
    await do(talk, "thread/name/set", name="a name")
    assert (await talk.heard("thread/name/updated"))["threadName"] == "a name"
    answer = await do(talk, "thread/read", includeTurns=True)
    *_, turn = answer["thread"]["turns"]
    assert (turn["id"], turn["status"]) == (turn_id, "inProgress")
    stand_in.release("middle")
    await talk.ended()
