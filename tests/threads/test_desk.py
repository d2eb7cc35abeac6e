"""Conversations that are loaded, and those that nobody wants any more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock

from codex_trio.errors import RpcError
from codex_trio.server import open_server
from codex_trio.testing import Hold, StandIn, Text
from codex_trio.threads.desk import IDLE
from tests.threads.conversing import Ear, connect, converse, resume

if TYPE_CHECKING:
    from codex_trio.server import Server
    from codex_trio.settings import Settings


async def wait_idle(clock: MockClock) -> None:
    """Let the time pass in which nobody does anything."""
    clock.autojump_threshold = 0.05
    await trio.sleep(IDLE + 120)
    clock.autojump_threshold = math.inf


@pytest.fixture
def still_clock() -> MockClock:
    """A clock that stands still but where a test lets it go."""
    return MockClock()


async def test_what_nobody_follows_is_unloaded_after_a_while(
    still_clock: MockClock, server: Server
) -> None:
    ear = Ear()
    async with connect(server, ear) as client:
        kept, left = await converse(client), await converse(client)
        for talk in (kept, left):
            await talk.run()
        await client.call("thread/unsubscribe", {"threadId": left.id})
        await wait_idle(still_clock)
        assert [one["threadId"] for one in ear.of("thread/closed")] == [left.id]
        with pytest.raises(RpcError, match="thread not found"):
            await left.start()
        await kept.run()
        again = await resume(client, left.id)
        await again.run("here I am again")


async def test_a_turn_keeps_a_conversation_loaded(
    still_clock: MockClock, server: Server, stand_in: StandIn
) -> None:
    ear = Ear()
    stand_in.answer(Text("one", deltas=1), Hold("middle"))
    async with connect(server, ear) as client:
        talk = await converse(client)
        await talk.start()
        await stand_in.wait_held("middle")
        await client.call("thread/unsubscribe", {"threadId": talk.id})
        await wait_idle(still_clock)
        assert "thread/closed" not in ear.methods
        await talk.interrupt()


async def test_who_is_gone_follows_no_more(
    still_clock: MockClock, server: Server, settings: Settings
) -> None:
    async with connect(server) as client:
        talk = await converse(client)
        await talk.run()
    await wait_idle(still_clock)
    # Nobody writes to it here any more, so another server may.
    async with open_server(settings) as other, connect(other) as client:
        await (await resume(client, talk.id)).run()


async def test_what_was_never_used_is_forgotten(still_clock: MockClock, server: Server) -> None:
    async with connect(server) as client:
        talk = await converse(client)
    await wait_idle(still_clock)
    async with connect(server) as client:
        with pytest.raises(RpcError, match="no rollout found"):
            await resume(client, talk.id)
