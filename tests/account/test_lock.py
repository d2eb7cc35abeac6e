"""Locks on files: one holder at a time, whoever it is, and what holders note for one another."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from codex_trio.account.lock import FileLock, HeldLock, Lock, PrivateLock, StoreLocks
from codex_trio.errors import StoreError
from codex_trio.server import open_server
from tests.account.renewals import outcomes, sign_in_for
from tests.cancellation import cancel_at_step
from tests.checked import connect
from tests.processes import start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.testing import StandIn

HOLDER = """
import sys, trio
from pathlib import Path
from codex_trio.account.lock import FileLock

async def main():
    async with FileLock(Path(sys.argv[1])).held(5) as held:
        held.note("theirs")
        print("held", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.lock"


async def take(lock: Lock, patience: float = 1.0) -> str:
    """Hold a lock for a moment, and say what is noted in it."""
    async with lock.held(patience) as held:
        return held.read()


async def refused(lock: Lock, patience: float = 1.0) -> str:
    """Not get a lock, and say why."""
    with pytest.raises(StoreError) as caught:
        await take(lock, patience)
    return str(caught.value)


# --- one holder at a time ---


async def test_two_locks_on_one_file_exclude_each_other(
    autojump_clock: MockClock, path: Path
) -> None:
    one, other = FileLock(path), FileLock(path)
    order = []

    async def hold(name: str, lock: FileLock) -> None:
        async with lock.held(100):
            order.append(f"{name} in")
            await trio.sleep(1)
            order.append(f"{name} out")

    async with trio.open_nursery() as nursery:
        for name, lock in (("a", one), ("b", other), ("c", one)):
            nursery.start_soon(hold, name, lock)
    assert len(order) == 6
    assert order == [f"{order[at][0]} {end}" for at in (0, 2, 4) for end in ("in", "out")]


async def test_patience_has_an_end(autojump_clock: MockClock, path: Path) -> None:
    async with FileLock(path).held(1):
        begin = trio.current_time()
        assert await refused(FileLock(path), 5) == "others hold x.lock for too long"
        assert 5 <= trio.current_time() - begin <= 5.2
        assert await refused(FileLock(path), 0) == "others hold x.lock for too long"
    await take(FileLock(path), 0)


async def test_whoever_fails_gives_it_back(path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with FileLock(path).held(1):
            raise ZeroDivisionError
    await take(FileLock(path), 0)


async def test_waiting_can_be_cancelled_at_every_step(
    autojump_clock: MockClock, path: Path
) -> None:
    files = len(os.listdir("/dev/fd"))
    async with FileLock(path).held(1):
        for step in range(1, 12):
            assert await cancel_at_step(partial(take, FileLock(path), 100), step)
            assert len(os.listdir("/dev/fd")) == files + 1
    assert len(os.listdir("/dev/fd")) == files
    await take(FileLock(path), 0)


# --- processes ---


@asynccontextmanager
async def open_holder(path: Path) -> AsyncGenerator[trio.Process]:
    """Another process, which holds a lock until it is killed."""
    command = (sys.executable, "-c", HOLDER)
    async with start(path.parent, str(path), command=command) as process:
        assert process.stdout is not None
        assert (await process.stdout.receive_some()).startswith(b"held")
        yield process


@pytest.mark.skipif(sys.platform == "win32", reason="what is locked there is not the file")
async def test_processes_exclude_one_another_and_a_kill_gives_it_back(path: Path) -> None:
    async with open_holder(path) as holder:
        assert await refused(FileLock(path), 0.05) == "others hold x.lock for too long"
        holder.kill()
        assert await take(FileLock(path), 5) == "theirs"


async def test_a_child_does_not_inherit_it(path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with FileLock(path).held(1):
            await stack.enter_async_context(start(path.parent, "60", command=("sleep",)))
        await take(FileLock(path), 0)


async def test_it_is_given_back_even_if_a_fork_has_it_too(path: Path) -> None:
    async with FileLock(path).held(1) as held:
        assert held._fd is not None
        forked = os.dup(held._fd)  # which is the same file, as in a child
    try:
        await take(FileLock(path), 0)
    finally:
        os.close(forked)


# --- where it is ---


async def test_a_link_has_the_lock_of_its_target(tmp_path: Path) -> None:
    target, home = tmp_path / "shared" / "auth.json", tmp_path / "home"
    target.parent.mkdir()
    home.mkdir()
    (home / "auth.json").symlink_to(target)
    ours, theirs = StoreLocks.beside(home / "auth.json"), StoreLocks.beside(target)
    for linked, own in ((ours.change, theirs.change), (ours.renewal, theirs.renewal)):
        assert isinstance(linked, FileLock)
        assert isinstance(own, FileLock)
        async with linked.held(1):
            await refused(own, 0)
    assert list(home.iterdir()) == [home / "auth.json"]
    names = {path.name for path in target.parent.iterdir()}
    assert names == {"auth.json.lock", "auth.json.renewal"}


async def test_homes_that_share_an_account_renew_it_once(
    home: Path, tmp_path: Path, stand_in: StandIn
) -> None:
    sign_in_for(home, stand_in, 0)
    other = tmp_path / "other"
    other.mkdir()
    (other / "auth.json").symlink_to(home / "auth.json")
    async with trio.open_nursery() as nursery:
        for folder in (home, other) * 2:
            nursery.start_soon(renew_in, stand_in, folder)
    assert outcomes(stand_in) == ["rotated"]
    assert (other / "auth.json").is_symlink()


async def renew_in(stand_in: StandIn, home: Path) -> None:
    async with open_server(stand_in.settings(home)) as server, connect(server) as client:
        await client.initialize()
        answer = await client.call("getAuthStatus", {"includeToken": True})
        assert answer["authToken"] is not None


async def test_where_there_is_no_directory_there_is_nothing_to_share(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "none" / "x.lock")
    async with lock.held(1) as held:
        held.note("mine")
        assert held.read() == ""
    assert not list(tmp_path.iterdir())


async def test_nobody_else_can_open_the_file_and_hold_the_lock(path: Path) -> None:
    former = os.umask(0)
    try:
        await take(FileLock(path))
    finally:
        os.umask(former)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_lock_whose_file_is_removed_is_no_lock(path: Path) -> None:
    """Whoever waits for a file that is not there any more would not be alone."""
    lock = FileLock(path)
    async with trio.open_nursery() as nursery:
        async with lock.held(1):
            nursery.start_soon(take, lock, 1)
            await wait_all_tasks_blocked(0.01)
            path.unlink()
            async with FileLock(path).held(1):
                await refused(lock, 0)


async def test_a_file_that_is_removed_while_it_is_opened_is_opened_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = os.stat

    def fail_once(path: Path) -> os.stat_result:
        monkeypatch.setattr(os, "stat", stat)
        raise FileNotFoundError

    monkeypatch.setattr(os, "stat", fail_once)
    async with FileLock(path).held(1):
        await refused(FileLock(path), 0)


# --- notes ---


async def test_a_note_is_for_the_next_holder(path: Path) -> None:
    for former, note in (("", "long note"), ("long note", "short"), ("short", ""), ("", "x")):
        async with FileLock(path).held(1) as held:
            assert held.read() == former
            held.note(note)
            assert held.read() == note
    assert path.read_bytes() == b"x"


async def test_a_note_of_somebody_else_may_be_anything(path: Path) -> None:
    path.write_bytes(b"\xff\x00" * 4000)
    assert len(await take(FileLock(path))) == 4096


@pytest.mark.parametrize("written", [lambda data: 0, lambda data: len(data) - 1])
async def test_a_note_for_which_there_is_no_room_is_none(
    path: Path, monkeypatch: pytest.MonkeyPatch, written: Callable[[bytes], int]
) -> None:
    async with FileLock(path).held(1) as held:
        held.note("before")
        monkeypatch.setattr(os, "write", lambda fd, data: written(data))
        with pytest.raises(OSError, match="No space left on device"):
            held.note("behind")
        assert held.read() == "before"


async def test_a_private_lock_is_like_others(autojump_clock: MockClock) -> None:
    lock = PrivateLock()
    texts = []

    async def wait() -> None:
        with trio.move_on_after(1) as leaving:
            await take(lock, 5)
        assert leaving.cancelled_caught
        texts.append(await refused(lock, 4))

    async with lock.held(1) as held:
        held.note("mine")
    async with lock.held(1) as held, trio.open_nursery() as others:
        assert held.read() == "mine"
        others.start_soon(wait)
    assert texts == ["others change what is stored for too long"]
    assert trio.current_time() == pytest.approx(5)
    await take(lock)


# --- files that are no good ---


def fail_with(error: OSError) -> Callable[..., int]:
    def fail(*args: object) -> int:
        raise error

    return fail


def cannot_note(held: HeldLock) -> str | None:
    """Note something in vain, and say why."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the caller looks which one
        held.note("x")
    return caught.value.strerror


@pytest.mark.skipif(sys.platform == "win32", reason="there are none")
async def test_a_pipe_in_its_place_hangs_nobody(path: Path) -> None:
    os.mkfifo(path)
    async with FileLock(path).held(1) as held:
        await refused(FileLock(path), 0)
        assert cannot_note(held) in ("Illegal seek", "Invalid argument")
        with pytest.raises(OSError):  # noqa: PT011 - which one is the system's affair
            held.read()


async def test_a_directory_in_its_place_is_locked_all_the_same(path: Path) -> None:
    path.mkdir()
    async with FileLock(path).held(1) as held:
        await refused(FileLock(path), 0)
        assert cannot_note(held) == "Is a directory"


async def test_a_file_in_the_place_of_its_directory_is_an_obstacle(path: Path) -> None:
    path.write_text("x", encoding="utf-8")
    async with FileLock(path / "y.lock").held(1) as held:
        assert held.read() == ""
        assert cannot_note(held) == "Not a directory"


async def test_without_locks_nobody_is_kept_from_anything_but_a_note(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(FileLock(path))
    path.write_text("theirs", encoding="utf-8")
    monkeypatch.setattr(
        fcntl, "flock", fail_with(OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)))
    )
    async with FileLock(path).held(1) as one, FileLock(path).held(1):
        assert one.read() == "theirs"
        assert cannot_note(one) == "No locks available"


async def test_nobody_else_runs_between_two_who_do_not_wait(path: Path) -> None:
    """Leaving has no checkpoint, so who has stored something can say so at once."""
    seen = []

    async def watch() -> None:  # noqa: ASYNC124 - a task
        seen.append("somebody else")

    async with trio.open_nursery() as nursery:
        await wait_all_tasks_blocked()
        async with FileLock(path).held(1):
            nursery.start_soon(watch)
        assert not seen
