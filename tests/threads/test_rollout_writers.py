"""One writer for a thread, in this process and in others."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pytest
import trio

from codex_trio.threads.writers import ActiveWriterError, Writers
from tests.cancellation import cancel_at_step
from tests.conftest import PATIENCE
from tests.threads.records import T1, T2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from codex_trio.threads.writers import Writers
claim = Writers.of(Path(sys.argv[1])).claim_now(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    return tmp_path / "thread-writer-locks"


@contextmanager
def another_process(home: Path, thread_id: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", HOLDER, str(home), thread_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process


@contextmanager
def somebody_looks(locks: Path) -> Iterator[IO[bytes]]:
    with open(locks / ".coordination.lock", "ab") as somebody:
        fcntl.flock(somebody, fcntl.LOCK_EX)
        yield somebody


async def test_nobody_else_writes_meanwhile(tmp_path: Path, locks: Path) -> None:
    claim = await Writers.of(tmp_path).claim(T1)
    others = Writers.of(tmp_path)
    with pytest.raises(ActiveWriterError) as caught:
        await others.claim(T1)
    assert caught.value.code == -32600
    assert str(caught.value) == f"thread {T1} already has an active writer"
    (await others.claim(T2)).release()
    assert sorted(os.listdir(locks)) == [".coordination.lock", f"{T1}.lock"]
    claim.release()
    claim.release()  # once more does nothing
    assert os.listdir(locks) == [".coordination.lock"]
    (await others.claim(T1)).release()


async def test_other_processes_are_kept_out_until_they_are_killed(tmp_path: Path) -> None:
    writers = Writers.of(tmp_path)
    with another_process(tmp_path, T1) as process:
        with pytest.raises(ActiveWriterError):
            await writers.claim(T1)
        process.kill()
    (await writers.claim(T1)).release()


async def test_what_a_killed_process_leaves_is_no_claim(tmp_path: Path, locks: Path) -> None:
    locks.mkdir()
    (locks / f"{T1}.lock").touch()
    (await Writers.of(tmp_path).claim(T1)).release()


async def test_a_lock_is_not_removed_while_somebody_looks_at_it(
    tmp_path: Path, locks: Path
) -> None:
    writers = Writers.of(tmp_path)
    claim = await writers.claim(T1)
    with somebody_looks(locks):
        claim.release()
        assert (locks / f"{T1}.lock").exists()
    (await writers.claim(T1)).release()
    assert not (locks / f"{T1}.lock").exists()


async def test_who_claims_waits_for_those_who_look(tmp_path: Path, locks: Path) -> None:
    locks.mkdir()
    with somebody_looks(locks) as somebody:
        threading.Timer(0.05, fcntl.flock, (somebody, fcntl.LOCK_UN)).start()
        (await Writers.of(tmp_path).claim(T1)).release()
    assert not (locks / f"{T1}.lock").exists()


async def test_one_who_looks_for_ever_keeps_nobody_from_writing(
    tmp_path: Path, locks: Path
) -> None:
    locks.mkdir()
    with somebody_looks(locks):
        claim = await Writers.of(tmp_path).claim(T1)
        with pytest.raises(ActiveWriterError):
            await Writers.of(tmp_path).claim(T1)
        claim.release()


@pytest.mark.parametrize("obstacle", ["no folder", "no coordination", "no lock"])
async def test_where_there_are_no_locks_nobody_is_kept_out(
    tmp_path: Path, locks: Path, obstacle: str
) -> None:
    match obstacle:
        case "no folder":
            locks.touch()
        case "no coordination":
            (locks / ".coordination.lock").mkdir(parents=True)
        case _:
            (locks / f"{T1}.lock").mkdir(parents=True)
    writers = Writers.of(tmp_path)
    first = await writers.claim(T1)
    if obstacle != "no coordination":
        (await writers.claim(T1)).release()
    first.release()


async def test_a_cancelled_claim_holds_nothing(tmp_path: Path) -> None:
    writers = Writers.of(tmp_path)

    async def claim() -> None:
        (await writers.claim(T1)).release()

    step = 1
    with trio.fail_after(PATIENCE):
        while await cancel_at_step(claim, step):
            (await writers.claim(T1)).release()
            step += 1
    assert step > 1
