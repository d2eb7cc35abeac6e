"""What a block leaves behind is found, and named."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.account.lock import FileLock
from codex_trio.server import open_server
from codex_trio.settings import Settings
from codex_trio.testing import LeakError, no_leaks, open_memory_client, open_stand_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trio.testing import MockClock

SOON = 0.05
"""Seconds that a leak that is there for good is given."""


async def found(begin: Callable[[], object]) -> tuple[str, ...]:
    """What is found of what somebody begins, who has some steps for that."""

    async def leave() -> None:
        async with no_leaks(SOON):
            begin()
            await trio.testing.wait_all_tasks_blocked()

    with pytest.raises(LeakError) as caught:
        await leave()
    assert all(leak in str(caught.value) for leak in caught.value.leaks)
    return caught.value.leaks


async def test_a_task_that_goes_on_is_named_with_its_place() -> None:
    async def linger() -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:

        def begin() -> None:
            nursery.start_soon(linger, name="the one that lingers")

        (leak,) = await found(begin)
        nursery.cancel_scope.cancel()
    assert leak.startswith("task the one that lingers, at ")
    assert "test_leaks.py" in leak


async def test_a_task_that_has_not_begun_is_named_too() -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(LeakError) as caught:
            async with no_leaks(-1):
                nursery.start_soon(trio.sleep_forever, name="young")
        assert caught.value.leaks == ("task young, not begun",)
        nursery.cancel_scope.cancel()


async def test_sockets_files_and_pipes_are_named() -> None:
    with ExitStack() as stack:

        def leave() -> None:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = listener.getsockname()[1]
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            names.append(f"socket {listener.fileno()}: 127.0.0.1:{port}")
            mine = client.getsockname()[1]
            names.append(f"socket {client.fileno()}: 127.0.0.1:{mine} to 127.0.0.1:{port}")
            one, other = socket.socketpair()
            stack.enter_context(one)
            stack.enter_context(other)
            names.append(f"socket {one.fileno()}: unnamed to unnamed")
            names.append(f"socket {other.fileno()}: unnamed to unnamed")
            for fd in os.pipe():
                stack.callback(os.close, fd)
                names.append(f"file {fd}: pipe")

        names: list[str] = []
        leaks = await found(leave)
        assert len(leaks) == len(names) == 6
        for leak, name in zip(sorted(leaks), sorted(names), strict=True):
            assert leak.startswith(name)


async def test_a_lock_that_is_held_is_a_file_that_is_open(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "shared.lock")
    async with trio.open_nursery() as nursery:

        async def hold() -> None:
            async with lock.held(1.0):
                await trio.sleep_forever()

        leaks = await found(lambda: nursery.start_soon(hold))
        nursery.cancel_scope.cancel()
    assert any(str(tmp_path / "shared.lock") in leak for leak in leaks)


async def test_worker_threads_count_while_they_work_and_not_while_they_are_idle() -> None:
    begun, done = trio.Event(), threading.Event()

    def wait() -> None:
        trio.from_thread.run_sync(begun.set)
        done.wait()

    async def abandon() -> None:
        async with no_leaks(SOON), trio.open_nursery() as nursery:
            nursery.start_soon(partial(trio.to_thread.run_sync, wait, abandon_on_cancel=True))
            await begun.wait()
            nursery.cancel_scope.cancel()

    try:
        with pytest.raises(LeakError, match=r"- worker thread .*wait from "):
            await abandon()
    finally:
        done.set()
    async with no_leaks(10):
        await trio.to_thread.run_sync(int)


async def test_a_child_process_counts_until_it_is_waited_for() -> None:
    children: list[subprocess.Popen[bytes]] = []

    def spawn() -> None:
        children.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1))

    leaks = await found(spawn)
    (child,) = children
    assert f"child process {child.pid}: " in str(leaks)
    async with no_leaks():
        child.communicate()

    def end() -> None:
        child = subprocess.Popen([sys.executable, "-c", ""])
        children.append(child)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    (leak,) = await found(end)
    assert leak.endswith("ended, and not waited for")
    children[-1].wait()  # noqa: ASYNC222 - it has ended


async def test_what_is_just_ending_has_time_for_that_on_any_clock() -> None:
    async with trio.open_nursery() as nursery:
        event = trio.Event()
        async with no_leaks(5):
            nursery.start_soon(event.wait)
            event.set()


async def test_patience_is_that_of_the_real_clock(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(LeakError):
            async with no_leaks(SOON):
                nursery.start_soon(trio.sleep, 10)
        assert trio.current_time() == 0


async def test_an_error_of_the_block_is_not_hidden() -> None:
    async def fail(nursery: trio.Nursery) -> None:
        async with no_leaks(SOON):
            nursery.start_soon(trio.sleep_forever)
            raise KeyError("mine")

    async with trio.open_nursery() as nursery:
        with pytest.raises(KeyError, match="mine"):
            await fail(nursery)
        nursery.cancel_scope.cancel()


def test_around_a_run_all_but_tasks_is_seen() -> None:
    fds: tuple[int, ...] = ()

    async def leave() -> None:  # noqa: ASYNC124 - a run needs one
        nonlocal fds
        fds = os.pipe()

    with pytest.raises(LeakError) as caught, no_leaks(SOON):
        trio.run(leave)
    assert len(caught.value.leaks) == 2
    with no_leaks():
        for fd in fds:
            os.close(fd)


def test_an_error_of_a_plain_block_is_not_hidden() -> None:
    with pytest.raises(KeyError, match="mine"), no_leaks():
        raise KeyError("mine")


async def test_a_server_and_its_stand_in_leave_nothing(home: Path) -> None:
    async with no_leaks():
        async with open_stand_in() as stand_in:
            settings = stand_in.settings(home)
            async with open_memory_client(settings) as client:
                await client.initialize()
                answer = await client.call("account/login/start", {"type": "chatgpt"})
                await stand_in.visit(answer["authUrl"])
                await client.next_notification("account/updated")
                await client.call("thread/start", {"cwd": str(home)})
                await client.call("account/rateLimits/read")


async def test_leaks_are_logged_where_that_is_asked_for(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for level, expected in ((logging.DEBUG, 2), (logging.INFO, 0)):
        caplog.clear()
        with caplog.at_level(level, "codex_trio.leaks"):
            async with open_server(Settings(codex_home=home)):
                fds = os.pipe()
        told = [record for record in caplog.records if record.name == "codex_trio.leaks"]
        assert len(told) == expected
        assert all("left behind: file" in record.getMessage() for record in told)
        for fd in fds:
            os.close(fd)


async def test_what_still_runs_at_the_end_is_told_at_level_debug(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "codex_trio.scope"):
        async with open_server(Settings(codex_home=home)):
            pass
    assert "still running at the account's end: " in caplog.text
