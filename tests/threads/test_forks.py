"""Forks: what they take along, and that nobody takes it from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from codex_trio.errors import RpcError
from codex_trio.server import open_server
from tests.threads.conversing import Conversation, connect, converse, resume, spoken
from tests.threads.disks import hung_disk

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient


@pytest.fixture
def still_clock() -> MockClock:
    """A clock that stands still: a disk that hangs is waited for."""
    return MockClock()


async def fork(client: WireClient, thread_id: str) -> Conversation:
    thread = (await client.call("thread/fork", {"threadId": thread_id}))["thread"]
    return Conversation(client, thread["id"], thread)


async def test_a_fork_and_a_resume_keep_the_base_instructions(
    settings: Settings, stand_in: StandIn
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client, baseInstructions="be brief")
        await talk.run()
        fork_of_loaded = await fork(client, talk.id)
        await fork_of_loaded.run()
        assert stand_in.response_requests[-1].input_texts()[0] == "be brief"
    async with open_server(settings) as server, connect(server) as client:
        for again in (await fork(client, talk.id), await resume(client, fork_of_loaded.id)):
            await again.run()
            assert stand_in.response_requests[-1].input_texts()[0] == "be brief"
        answer = await client.call(
            "thread/fork", {"threadId": talk.id, "baseInstructions": "be loud"}
        )
        await Conversation(client, answer["thread"]["id"], answer["thread"]).run()
        assert stand_in.response_requests[-1].input_texts()[0] == "be loud"


async def test_what_a_fork_begins_with_is_not_deleted_behind_it(
    still_clock: MockClock, settings: Settings, stand_in: StandIn
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run("one")
        forks: list[Conversation] = []

        async def begin() -> None:
            forks.append(await fork(client, talk.id))

        with hung_disk() as hang:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(begin)
                await hang.begun()
                await trio.testing.wait_all_tasks_blocked()
                assert forks == []  # it is there once it is on disk
                hang.end()
        with pytest.raises(RpcError, match="forked history still references it"):
            await client.call("thread/delete", {"threadId": talk.id})
    async with open_server(settings) as server, connect(server) as client:
        again = await resume(client, forks[0].id)
        await again.run("two")
    assert spoken(stand_in.response_requests[-1])[0] == "one"


async def test_a_fork_that_is_not_stored_is_none(
    patient_clock: MockClock, talk: Conversation
) -> None:
    await talk.run("one")
    with hung_disk():
        with pytest.raises(RpcError, match="failed to store thread"):
            await fork(talk.client, talk.id)
        assert (await talk.client.call("thread/loaded/list", {}))["data"] == [talk.id]
    await (await fork(talk.client, talk.id)).run("two")


async def test_a_fork_whose_past_is_deleted_meanwhile_is_none(
    still_clock: MockClock, settings: Settings, home: Path
) -> None:
    """A fork by path waits for nobody who deletes by id."""
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run("one")
        await client.call("thread/unsubscribe", {"threadId": talk.id})
        refused: list[RpcError] = []

        async def begin() -> None:
            with pytest.raises(RpcError, match="no rollout found") as caught:
                await client.call("thread/fork", {"threadId": "", "path": str(talk.path)})
            refused.append(caught.value)

        with hung_disk() as hang:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(begin)
                await hang.begun()
                await client.call("thread/delete", {"threadId": talk.id})
                hang.end()
        assert refused
        assert (await client.call("thread/loaded/list", {}))["data"] == []
        assert list((home / "sessions").rglob("*.jsonl")) == []
