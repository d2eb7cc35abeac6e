"""How long a server that is a process lives."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from codex_trio.lifetime import wait_parent_gone, watch_signals
from codex_trio.server import open_server
from codex_trio.testing import connect
from tests.conftest import PATIENCE
from tests.processes import INITIALIZE, OURS
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.settings import Settings

PARENT = """
import os, subprocess, sys
inherited = os.dup(0)
server = subprocess.Popen({command!r}, stdin=inherited)
print(server.pid, flush=True)
sys.stdin.close()
server.wait()
"""


def test_a_server_ends_with_its_parent_whoever_holds_its_pipes(home: Path) -> None:
    """The test itself holds the other ends of the pipes, and the one in between is killed."""
    script = PARENT.format(command=[*OURS, "app-server"])
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=genuine_environment(home),
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert int(parent.stdout.readline())
        parent.stdin.write(INITIALIZE + b"\n")
        parent.stdin.flush()
        assert parent.stdout.readline().startswith(b'{"id":"i","result"')
        parent.kill()
        # The server has the same output, which ends when both of them have.
        assert parent.stdout.read() == b""


def parents() -> Callable[[], int]:
    """What ``os.getppid`` returns of a process whose parent goes after three looks."""
    looks = iter([7, 7, 7])
    return lambda: next(looks, 1)


@pytest.mark.parametrize("failure", [errno.ENOSYS, errno.EPERM])
async def test_where_nobody_tells_one_looks_now_and_then(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, failure: int
) -> None:
    def refuse(number: int) -> int:
        raise OSError(failure, "no pidfds here")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    monkeypatch.setattr(os, "getppid", parents())
    await wait_parent_gone(7)
    assert trio.current_time() == pytest.approx(3, abs=0.1)


async def test_a_python_without_pidfds_will_do(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.setattr(os, "getppid", parents())
    await wait_parent_gone(7)
    assert trio.current_time() == pytest.approx(3, abs=0.1)


async def test_a_parent_that_was_gone_before_is_gone() -> None:
    process = await trio.run_process(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_stdout=True
    )
    with trio.fail_after(PATIENCE):
        await wait_parent_gone(int(process.stdout))  # there is no such process
        await wait_parent_gone(os.getpid())  # there is, and it is not the parent


async def test_a_parent_that_is_there_is_waited_for(autojump_clock: MockClock) -> None:
    for parent in (os.getppid(), 0):
        with trio.move_on_after(1000) as waiting:
            await wait_parent_gone(parent)
        assert waiting.cancelled_caught


@pytest.fixture
def _signals_as_before() -> Generator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


as_before = pytest.mark.usefixtures("_signals_as_before")


@as_before
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_lets_turns_end_and_the_second_does_not(
    settings: Settings, number: signal.Signals
) -> None:
    with trio.fail_after(PATIENCE):
        async with open_server(settings) as server, trio.open_nursery() as nursery:
            await nursery.start(watch_signals, server, nursery.cancel_scope, 600.0)
            work = server.account.board.work
            with work.under_way("a turn"):
                os.kill(os.getpid(), number)
                await server.draining.wait()
                async with connect(server) as client:
                    await client.initialize()
                    assert not server.hung_up
                os.kill(os.getpid(), number)
                await trio.sleep_forever()
            assert server.hung_up  # so that nobody is given any time
    assert nursery.cancel_scope.cancelled_caught


@as_before
async def test_the_first_signal_is_the_first_also_of_a_server_that_ends_by_itself(
    settings: Settings,
) -> None:
    with trio.fail_after(PATIENCE):
        async with open_server(settings) as server, trio.open_nursery() as nursery:
            await nursery.start(watch_signals, server, nursery.cancel_scope, 600.0)
            with server.account.board.work.under_way("a turn"):
                nursery.start_soon(server.drain)  # as at the end of standard input
                await server.draining.wait()
                os.kill(os.getpid(), signal.SIGTERM)
                await trio.testing.wait_all_tasks_blocked()
                assert not nursery.cancel_scope.cancel_called
            await trio.testing.wait_all_tasks_blocked()
            assert server.hung_up
            nursery.cancel_scope.cancel()


@as_before
async def test_without_a_second_signal_the_server_hangs_up_when_turns_have_ended(
    settings: Settings,
) -> None:
    with trio.fail_after(PATIENCE):
        async with open_server(settings) as server, trio.open_nursery() as nursery:
            await nursery.start(watch_signals, server, nursery.cancel_scope, 600.0)
            with server.account.board.work.under_way("a turn"):
                os.kill(os.getpid(), signal.SIGTERM)
                await server.draining.wait()
                await trio.testing.wait_all_tasks_blocked()
                assert not server.hung_up
            await trio.testing.wait_all_tasks_blocked()
            assert server.hung_up
            nursery.cancel_scope.cancel()


@as_before
async def test_a_signal_at_the_very_end_changes_nothing(settings: Settings) -> None:
    async with open_server(settings) as server, trio.open_nursery() as nursery:
        await nursery.start(watch_signals, server, nursery.cancel_scope, 0.0)
        nursery.cancel_scope.cancel()
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(os.getpid(), number)
    await trio.lowlevel.checkpoint()  # we are still here
    # Not by a handler of Python, which the interpreter takes away before it ends.
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


EARLY = """
import os, signal
from codex_trio import lifetime
signal.signal(signal.SIGTERM, lifetime._Outside())
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_before_anybody_takes_it_ends_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, b"")
