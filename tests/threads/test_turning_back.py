"""Turns that are taken back, and what else is asked about a conversation that is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.errors import RpcError
from codex_trio.testing import Hold, StandIn, Text
from tests.threads.conversing import Conversation, converse, resume, spoken

if TYPE_CHECKING:
    from codex_trio.testing import WireClient

KINDS: list[dict[str, Any]] = [
    {},
    {"historyMode": "legacy"},
    {"historyMode": "paginated"},
    {"ephemeral": True},
]


async def ask(talk: Conversation, method: str, **params: Any) -> Any:
    return await talk.client.call(method, {"threadId": talk.id, **params})


@pytest.mark.parametrize("kind", KINDS)
async def test_the_last_turns_are_rolled_back(
    client: WireClient, stand_in: StandIn, kind: dict[str, Any]
) -> None:
    talk = await converse(client, **kind)
    turns = [await talk.run(text) for text in ("one", "two", "three")]
    left = (await ask(talk, "thread/rollback", numTurns=2))["thread"]["turns"]
    assert [turn["id"] for turn in left] == [turns[0]["id"]]
    await talk.run("four")
    assert [text for text in spoken(stand_in.response_requests[-1]) if len(text) < 6] == [
        "one",
        "four",
    ]


async def test_more_than_all_is_all(talk: Conversation) -> None:
    await talk.run("one")
    assert (await ask(talk, "thread/rollback", numTurns=9))["thread"]["turns"] == []


async def test_none_cannot_be_rolled_back(talk: Conversation) -> None:
    with pytest.raises(RpcError, match="numTurns must be >= 1"):
        await ask(talk, "thread/rollback", numTurns=0)


async def test_a_turn_under_way_is_not_rolled_back(
    talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"))
    await talk.start("one")
    await stand_in.wait_held("middle")
    with pytest.raises(RpcError, match="it must end first"):
        await ask(talk, "thread/rollback", numTurns=1)
    stand_in.release("middle")
    await talk.ended()


@pytest.mark.parametrize("kind", [{"historyMode": "paginated"}, {"ephemeral": True}])
async def test_a_turn_and_all_behind_it_are_reverted(
    client: WireClient, stand_in: StandIn, kind: dict[str, Any]
) -> None:
    talk = await converse(client, **kind)
    turns = [await talk.run(text) for text in ("one", "two", "three")]
    await ask(talk, "thread/revert", beforeTurnId=turns[1]["id"])
    await talk.run("four")
    assert [text for text in spoken(stand_in.response_requests[-1]) if len(text) < 6] == [
        "one",
        "four",
    ]
    if "ephemeral" not in kind:
        await ask(talk, "thread/unsubscribe")
        page = await ask(talk, "thread/turns/list", sortDirection="asc", itemsView="full")
        assert [turn["id"] for turn in page["data"]][:1] == [turns[0]["id"]]
        assert len(page["data"]) == 2


async def test_a_record_of_the_older_kind_is_not_reverted(client: WireClient) -> None:
    talk = await converse(client, historyMode="legacy")
    turn = await talk.run()
    with pytest.raises(RpcError, match="only supports paginated"):
        await ask(talk, "thread/revert", beforeTurnId=turn["id"])


@pytest.mark.parametrize("kind", KINDS[2:])
async def test_a_turn_that_there_is_not_is_not_reverted(
    client: WireClient, kind: dict[str, Any]
) -> None:
    talk = await converse(client, **kind)
    turn = await talk.run()
    with pytest.raises(RpcError, match="turn not found: moon"):
        await ask(talk, "thread/revert", beforeTurnId="moon")
    await ask(talk, "thread/revert", beforeTurnId=turn["id"])
    with pytest.raises(RpcError, match="turn not found"):
        await ask(talk, "thread/revert", beforeTurnId=turn["id"])


async def test_a_record_that_has_gone_is_not_reverted(client: WireClient) -> None:
    talk = await converse(client, historyMode="paginated")
    turn = await talk.run()
    talk.path.unlink()
    with pytest.raises(RpcError, match="failed to read thread"):
        await ask(talk, "thread/revert", beforeTurnId=turn["id"])


async def test_what_there_is_not_yet_is_empty(talk: Conversation) -> None:
    assert await ask(talk, "thread/goal/get") == {"goal": None}
    assert (await ask(talk, "thread/backgroundTerminals/list"))["data"] == []


async def test_who_follows_nothing_may_say_so(talk: Conversation) -> None:
    assert await ask(talk, "thread/unsubscribe") == {"status": "unsubscribed"}
    assert await ask(talk, "thread/unsubscribe") == {"status": "notSubscribed"}
    elsewhere = {"threadId": "01991111-1111-7111-8111-111111111111"}
    assert await talk.client.call("thread/unsubscribe", elsewhere) == {"status": "notLoaded"}


async def test_a_first_page_comes_with_a_resumption(talk: Conversation) -> None:
    turns = [await talk.run(text) for text in ("one", "two", "three")]
    params = {"threadId": talk.id, "initialTurnsPage": {"limit": 2, "itemsView": "full"}}
    page = (await talk.client.call("thread/resume", params))["initialTurnsPage"]
    assert [turn["id"] for turn in page["data"]] == [turns[2]["id"], turns[1]["id"]]
    older = await ask(talk, "thread/turns/list", cursor=page["nextCursor"])
    assert [turn["id"] for turn in older["data"]] == [turns[0]["id"]]


async def test_a_fork_may_leave_its_past_untold(talk: Conversation, stand_in: StandIn) -> None:
    await talk.run("one")
    answer = await ask(talk, "thread/fork", excludeTurns=True)
    assert answer["thread"]["turns"] == []
    await (await resume(talk.client, answer["thread"]["id"])).run("two")
    assert spoken(stand_in.response_requests[-1])[0] == "one"
