"""A server that is killed loses at most the line that it was just writing."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import trio

from codex_trio.threads.recorded import read_rollout
from tests.conftest import PATIENCE
from tests.threads import records

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.threads.recorded import Recorded

CHILD = (sys.executable, "-m", "tests.threads.rollout_child")


def start(path: Path, limit: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*CHILD, str(path), str(limit)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def kill_after(path: Path, lines: int) -> list[int]:
    """Kill a writer while it goes on after some lines; returns those that it was sure of."""
    with start(path) as child:
        assert child.stdout is not None
        sure = [int(child.stdout.readline()) for _ in range(lines)]
        child.kill()
        sure += [int(line) for line in child.stdout.read().split()]
        assert child.wait(PATIENCE) == -signal.SIGKILL
    return sure


def recorded_numbers(recorded: Recorded) -> list[int]:
    said = records.texts(recorded.history)
    return [int(text.split()[0]) for text in said if text.endswith("x")]


def test_what_was_flushed_is_there_however_often_a_server_is_killed(tmp_path: Path) -> None:
    path = records.place(tmp_path, records.T1)
    sure: list[int] = []
    for lines in (1, 2, 3, 5, 8, 13, 21, 34):
        sure += kill_after(path, lines)
        recorded = read_rollout(path)
        there = recorded_numbers(recorded)
        assert there == sorted(set(there))
        assert set(sure) <= set(there)
        assert len(there) - len(sure) <= 8  # one a kill, that was written and not yet told
        assert recorded.damaged <= 8
        assert records.shown(recorded.turns) == [("turn-1", "completed", ["user-1", "msg_a1"])]


def test_a_line_that_is_torn_is_lost_and_nothing_else(tmp_path: Path) -> None:
    path = records.place(tmp_path, records.T1)
    kill_after(path, 1)
    for times in range(1, 6):
        size = path.stat().st_size
        before = recorded_numbers(read_rollout(path))
        with start(path, size + 900 * times + 150) as child:
            output, _ = child.communicate(timeout=PATIENCE)
            assert child.returncode == -signal.SIGXFSZ
        sure = [int(line) for line in output.split()]
        assert path.read_bytes()[-1:] != b"\n"
        recorded = read_rollout(path)
        assert recorded_numbers(recorded) == before + sure
        assert recorded.damaged == times


async def test_a_full_disk_loses_nothing_once_there_is_room(tmp_path: Path) -> None:
    """What a limit leaves of a batch is closed, and its lines are written again whole."""
    program = """
import resource, sys, trio
from pathlib import Path
from codex_trio.threads.line import Line
from codex_trio.threads.rollout import Rollout
from tests.threads import records

async def main(path):
    async with trio.open_nursery() as nursery:
        told = []
        rollout = Rollout(path, nursery, on_trouble=told.append)
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        lines = [Line("test", {"n": n, "pad": "x" * 100}) for n in range(20)]
        for size in range(0, 4500, 7):
            path.unlink(missing_ok=True)
            rollout = Rollout(path, nursery, on_trouble=told.append)
            rollout.append(*lines)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
            trouble = await rollout.flush()
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            whole = len(b"".join(line.encode(n) for n, line in enumerate(lines)))
            assert (trouble is None) == (size >= whole - 1), (size, whole)
            assert trouble is None or "File too large" in str(trouble), trouble
            rollout.append(Line("test", {"n": 20}))
            assert await rollout.flush() is None
            read = [Line.decode(raw) for raw in path.read_bytes().splitlines()]
            there = [line.payload["n"] for line in read if line is not None]
            assert there == list(range(21)), (size, there)
        print("done")

trio.run(main, Path(sys.argv[1]))
"""
    result = await trio.run_process(
        [sys.executable, "-c", program, str(tmp_path / "rollout.jsonl")],
        capture_stdout=True,
    )
    assert result.stdout == b"done\n"
