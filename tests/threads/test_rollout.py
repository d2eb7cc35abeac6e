"""Appending to a rollout: order, creation, trouble with the disk, the end of the server."""

from __future__ import annotations

import math
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.line import Line
from codex_trio.threads.rollout import RESPITE, Rollout
from tests.threads import records

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.threads.rollout import RecordError


def happened(number: int) -> Line:
    return Line("event_msg", {"type": "test", "number": number})


def numbers(path: Path) -> list[int]:
    return [line["payload"]["number"] for line in records.decoded(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions" / "2026" / "rollout.jsonl"


async def test_lines_are_on_disk_in_order_once_they_are_flushed(
    path: Path, nursery: trio.Nursery
) -> None:
    rollout = Rollout(path, nursery)
    rollout.append(happened(0), happened(1))
    rollout.append(happened(2))
    assert await rollout.flush() is None
    rollout.append(happened(3))
    assert await rollout.flush() is None
    assert numbers(path) == [0, 1, 2, 3]
    assert [line["ordinal"] for line in records.decoded(path)] == [0, 1, 2, 3]
    assert await rollout.flush() is None  # nothing is left to wait for


async def test_what_is_appended_while_others_are_written_comes_behind_them(
    path: Path, nursery: trio.Nursery
) -> None:
    rollout = Rollout(path, nursery)
    async with trio.open_nursery() as flushing:
        for number in range(50):
            rollout.append(happened(number))
            flushing.start_soon(rollout.flush)
            await trio.lowlevel.checkpoint()
    assert numbers(path) == list(range(50))


async def test_the_file_is_made_for_the_first_line(path: Path, nursery: trio.Nursery) -> None:
    rollout = Rollout(path, nursery)
    assert await rollout.flush() is None
    assert not path.parent.exists()
    former = os.umask(0o027)
    try:
        rollout.append(happened(0))
        assert await rollout.flush() is None
    finally:
        os.umask(former)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_a_task_is_there_only_while_something_is_written(
    path: Path, nursery: trio.Nursery
) -> None:
    rollout = Rollout(path, nursery)
    rollout.append(happened(0))
    assert len(nursery.child_tasks) == 1
    await rollout.flush()
    await trio.testing.wait_all_tasks_blocked()
    assert len(nursery.child_tasks) == 0


async def test_numbers_go_on_where_the_file_ends(path: Path, nursery: trio.Nursery) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(happened(0).encode(0))
    rollout = Rollout(path, nursery, ordinal=7, exists=True)
    rollout.append(happened(1))
    await rollout.flush()
    assert [line["ordinal"] for line in records.decoded(path)] == [0, 7]
    assert rollout.ordinal == 8


async def test_an_older_file_has_no_numbers_and_other_lines_for_items(
    path: Path, nursery: trio.Nursery
) -> None:
    rollout = Rollout(path, nursery, ordinal=None)
    rollout.append(*records.turn(1, "hello"))
    await rollout.flush()
    written = records.decoded(path)
    assert all("ordinal" not in line for line in written)
    events = [line["payload"]["type"] for line in written if line["type"] == "event_msg"]
    assert events == [
        "task_started",
        "user_message",
        "agent_message",
        "token_count",
        "task_complete",
    ]


async def test_a_torn_line_at_the_end_is_closed_first(
    path: Path, nursery: trio.Nursery
) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(happened(0).encode(0) + b'{"timestamp":"2026-')
    rollout = Rollout(path, nursery, ordinal=1, exists=True)
    rollout.append(happened(1))
    await rollout.flush()
    whole, torn, behind = path.read_bytes().splitlines()
    assert torn == b'{"timestamp":"2026-'
    assert Line.decode(whole) is not None
    assert Line.decode(behind) is not None


async def test_one_line_of_ten_million_bytes(path: Path, nursery: trio.Nursery) -> None:
    rollout = Rollout(path, nursery)
    rollout.append(
        lines.response_item(records.said("user", "x" * 10_000_000, "msg_1")), happened(1)
    )
    assert await rollout.flush() is None
    assert path.stat().st_size > 10_000_000
    assert records.decoded(path)[1]["payload"]["number"] == 1


class TestTrouble:
    async def test_lines_are_kept_and_tried_again(
        self, path: Path, nursery: trio.Nursery
    ) -> None:
        told: list[RecordError] = []
        path.mkdir(parents=True)  # a folder in its place
        rollout = Rollout(path, nursery, on_trouble=told.append)
        rollout.append(happened(0))
        trouble = await rollout.flush()
        assert trouble is not None
        assert str(trouble) == f"failed to write {path}: Is a directory (os error 21)"
        rollout.append(happened(1))
        assert await rollout.flush() is rollout.trouble is not None
        assert len(told) == 1  # once, until it is over
        path.rmdir()
        assert await rollout.flush() is None
        assert rollout.trouble is None
        assert numbers(path) == [0, 1]
        assert [line["ordinal"] for line in records.decoded(path)] == [0, 1]

    async def test_new_trouble_is_told_again(self, path: Path, nursery: trio.Nursery) -> None:
        told: list[RecordError] = []
        rollout = Rollout(path, nursery, on_trouble=told.append)
        for number in range(3):
            rollout.append(happened(number))
            assert await rollout.flush() is None
            path.rename(path.with_suffix(".away"))
            rollout.append(happened(number))
            assert await rollout.flush() is not None
            path.with_suffix(".away").rename(path)
        assert len(told) == 3
        assert await rollout.flush() is None
        assert numbers(path) == [0, 0, 1, 1, 2, 2]

    async def test_the_next_line_tries_again_too(
        self, path: Path, nursery: trio.Nursery
    ) -> None:
        path.mkdir(parents=True)
        rollout = Rollout(path, nursery)
        rollout.append(happened(0))
        await rollout.flush()
        path.rmdir()
        rollout.append(happened(1))
        await trio.testing.wait_all_tasks_blocked()
        while nursery.child_tasks:
            await trio.testing.wait_all_tasks_blocked()
        assert numbers(path) == [0, 1]

    async def test_a_pipe_in_its_place_is_no_file(
        self, path: Path, nursery: trio.Nursery
    ) -> None:
        path.parent.mkdir(parents=True)
        os.mkfifo(path)
        rollout = Rollout(path, nursery, exists=True)
        rollout.append(happened(0))
        trouble = await rollout.flush()
        assert trouble is not None
        assert str(trouble).endswith(": Invalid argument (os error 22)")

    async def test_a_thread_does_not_go_on_without_its_beginning(
        self, path: Path, nursery: trio.Nursery
    ) -> None:
        rollout = Rollout(path, nursery, exists=True)
        rollout.append(happened(0))
        trouble = await rollout.flush()
        assert trouble is not None
        assert str(trouble).endswith(": No such file or directory (os error 2)")
        assert not path.exists()

    async def test_a_file_that_is_gone_later_is_not_made_again(
        self, path: Path, nursery: trio.Nursery
    ) -> None:
        rollout = Rollout(path, nursery)
        rollout.append(happened(0))
        await rollout.flush()
        path.unlink()
        rollout.append(happened(1))
        assert await rollout.flush() is not None
        assert not path.exists()

    async def test_nobody_waits_for_ever_for_a_disk_that_hangs(
        self, path: Path, nursery: trio.Nursery, autojump_clock: Any
    ) -> None:
        threads = trio.CapacityLimiter(1)
        rollout = Rollout(path, nursery, threads=threads)
        threads.acquire_on_behalf_of_nowait("somebody whose disk hangs")
        rollout.append(happened(0))
        began = trio.current_time()
        trouble = await rollout.flush(patience=3)
        assert str(trouble) == "the disk has not answered within 3 s"
        assert trio.current_time() - began == 3
        threads.release_on_behalf_of("somebody whose disk hangs")
        # This clock would not wait for a thread, but jump to any deadline at once.
        assert await rollout.flush(patience=math.inf) is None
        assert numbers(path) == [0]


class TestTheEnd:
    async def test_a_cancelled_nursery_writes_what_there_is(self, path: Path) -> None:
        async with trio.open_nursery() as nursery:
            rollout = Rollout(path, nursery)
            rollout.append(happened(0))
            nursery.cancel_scope.cancel()
            rollout.append(happened(1))
        assert numbers(path) == [0, 1]

    async def test_it_does_not_wait_for_ever_for_that(
        self, path: Path, autojump_clock: Any
    ) -> None:
        threads = trio.CapacityLimiter(1)
        threads.acquire_on_behalf_of_nowait("somebody whose disk hangs")
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            rollout = Rollout(path, nursery, threads=threads)
            rollout.append(happened(0))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began == RESPITE
        assert not path.exists()

    async def test_a_cancelled_flush_leaves_the_lines_on_their_way(
        self, path: Path, nursery: trio.Nursery
    ) -> None:
        rollout = Rollout(path, nursery)
        rollout.append(happened(0))
        with trio.CancelScope() as scope:
            scope.cancel()
            await rollout.flush()
        assert scope.cancelled_caught
        assert await rollout.flush() is None
        assert numbers(path) == [0]

    async def test_what_is_appended_after_it_is_a_fault_of_the_caller(self, path: Path) -> None:
        async with trio.open_nursery() as nursery:
            rollout = Rollout(path, nursery)
        with pytest.raises(RuntimeError, match="closed"):
            rollout.append(happened(0))
