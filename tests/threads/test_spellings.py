"""Ids of threads in other spellings: the same thread, and the same lane."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from codex_trio.errors import RpcError
from codex_trio.protocol import lanes
from codex_trio.testing import Hold, StandIn, Text
from tests.threads.conversing import Conversation, connect, ends_in, lines_of, said
from tests.threads.disks import hung_disk
from tests.threads.records import T1, T2

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.protocol.rows import Lane
    from codex_trio.server import Server

SPELLINGS = [T1.upper(), f"{{{T1}}}", f"urn:uuid:{T1}", T1.replace("-", "")]


@pytest.fixture
def still_clock() -> MockClock:
    """A clock that stands still: a disk that hangs is waited for."""
    return MockClock()


@pytest.mark.parametrize("lane", [lanes.THREAD, lanes.THREAD_OR_PATH])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_all_spellings_have_one_lane(lane: Lane, spelling: str) -> None:
    def key(thread_id: str) -> object:
        return lane.key(SimpleNamespace(thread_id=thread_id, path=None))

    assert key(spelling) == key(T1)
    assert key(T1) != key(T2)
    assert key("anything") != key("anything else")


def test_a_path_is_taken_as_it_is() -> None:
    upper, lower = (
        lanes.THREAD_OR_PATH.key(SimpleNamespace(thread_id="", path=path))
        for path in ("/Srv", "/srv")
    )
    assert upper != lower


@pytest.mark.parametrize("method", ["thread/archive", "thread/delete"])
async def test_no_turn_begins_in_a_thread_that_is_being_put_away(
    still_clock: MockClock,
    server: Server,
    talk: Conversation,
    stand_in: StandIn,
    home: Path,
    method: str,
) -> None:
    await talk.run()
    stand_in.answer(Text("two", deltas=1), Hold("middle"))
    with hung_disk() as hang:
        await talk.start()
        await hang.begun()
        async with connect(server) as other, trio.open_nursery() as nursery:
            nursery.start_soon(other.call, method, {"threadId": talk.id.upper()})
            await talk.ended("interrupted")
            nursery.start_soon(refused, talk)
            await trio.testing.wait_all_tasks_blocked()
            hang.end()
    assert (await talk.client.call("thread/loaded/list", {}))["data"] == []
    found = [*home.rglob("rollout-*.jsonl")]
    if method == "thread/delete":
        assert found == []
    else:
        (archived,) = found
        assert ends_in(archived) == ["task_complete", "turn_aborted"]
        assert [line["ordinal"] for line in lines_of(archived)] == [
            *range(len(lines_of(archived)))
        ]


async def refused(talk: Conversation) -> None:
    params = {"threadId": talk.id, "input": said("three")}
    with pytest.raises(RpcError, match="thread not found"):
        await talk.client.call("turn/start", params)
