"""A server that shuts down in good order: turns end, nothing begins, everybody is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from codex_trio.errors import ClientGoneError, RpcError
from codex_trio.protocol.lanes import THREAD
from codex_trio.protocol.turns import TurnSteerParams
from codex_trio.testing import Hold, Text
from tests.threads.conversing import Conversation, connect, said

if TYPE_CHECKING:
    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient


def begins(thread_id: str) -> dict[str, dict[str, Any]]:
    """What begins something that lasts."""
    thread = {"threadId": thread_id}
    return {
        "thread/start": {},
        "thread/resume": thread,
        "thread/fork": thread,
        "thread/compact/start": thread,
        "turn/start": {**thread, "input": said("hi")},
        "turn/steer": {**thread, "input": said("hi"), "expectedTurnId": "x"},
    }


async def test_turns_end_by_themselves_and_nothing_else_begins(
    server: Server, client: WireClient, talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"), Text("two", deltas=1))
    await talk.start()
    await stand_in.wait_held("middle")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.drain)
        await trio.testing.wait_all_tasks_blocked()
        for method, params in begins(talk.id).items():
            with pytest.raises(RpcError, match="Server is draining") as caught:
                await client.call(method, params)
            assert (caught.value.code, caught.value.data) == (
                -32600,
                {"reason": "serverShuttingDown"},
            )
        assert (await client.call("account/read", {}))["requiresOpenaiAuth"] is not None
        assert (await client.call("thread/loaded/list", {}))["data"] == [talk.id]
        async with connect(server) as late:
            await late.call("account/read", {})
        stand_in.release("middle")
        turn = await talk.ended()
    assert turn["status"] == "completed"
    server.hang_up()
    with pytest.raises(ClientGoneError):
        await client.call("account/read", {})


async def test_a_turn_that_does_not_end_is_waited_for_so_long_only(
    stand_in: StandIn, server: Server, talk: Conversation
) -> None:
    stand_in.answer(Hold("middle"))
    await talk.start()
    await stand_in.wait_held("middle")
    with trio.fail_after(5):
        await server.drain(0.01)
    server.hang_up(0)
    assert server.account.board.work.count == 1  # which the end of the server interrupts


async def test_with_nothing_under_way_nothing_is_waited_for(server: Server) -> None:
    with trio.fail_after(5):
        await server.drain()
    assert server.draining.is_set()


async def test_every_account_is_drained(server: Server, settings: Settings) -> None:
    async with server.open_account(settings) as other:
        async with trio.open_nursery() as nursery:
            with other.board.work.under_way("a turn"):
                nursery.start_soon(server.drain)
                await trio.testing.wait_all_tasks_blocked()
                assert other.board.draining
                assert nursery.child_tasks
    async with server.open_account(settings) as late:
        assert late.board.draining


async def test_a_turn_that_has_been_let_in_is_waited_for_before_it_begins(
    server: Server, client: WireClient, talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"))
    lanes, params = (
        server.account.board.lanes,
        TurnSteerParams(thread_id=talk.id, input=[], expected_turn_id=""),
    )
    before = lanes.join(THREAD.key(params), shared=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk.start)
        await trio.testing.wait_all_tasks_blocked()
        assert server.account.board.work.count == 1  # it waits for its lane
        assert not server.tasks().accounts[0].turns
        nursery.start_soon(server.drain)
        await trio.testing.wait_all_tasks_blocked()
        before.leave()
        await stand_in.wait_held("middle")
        assert server.account.board.work.count == 1
        stand_in.release("middle")
    await talk.ended()
    assert server.account.board.work.count == 0
