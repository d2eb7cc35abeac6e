"""A server that is our child, over its standard input and output."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

from codex_trio.errors import ServerGoneError
from codex_trio.groups import out_of_groups
from codex_trio.transport.lines import LineWire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

PATIENCE: Final = 10.0
"""Seconds that a server has to end by itself when its input has ended; ours needs 9 at most."""

INSISTENCE: Final = 2.0
"""Seconds that it has after SIGTERM, before it is killed."""

_LAST_LINES: Final = 0.25  # seconds
_LONGEST: Final = 2**20  # of a line that does not end, so many bytes are kept

TakeLine: TypeAlias = Callable[[str], None]
"""Is given a line of the server's standard error, without its end; must not wait."""


@asynccontextmanager
async def open_child(
    command: str,
    max_message: int,
    environ: Mapping[str, str] | None = None,
    take_line: TakeLine | None = None,
) -> AsyncGenerator[LineWire]:
    """Start a server, and speak to it within the block.

    Leaving the block ends its input and waits ten seconds for its end; then it gets SIGTERM,
    two seconds later SIGKILL. A cancellation cuts the ten seconds short. It leads a process group
    of its own, so that a Ctrl-C in the terminal is for us to answer, and what it has left
    behind in that group is killed with it.

    Args:
        command: a command line, cut into words as by a shell.
        max_message: the longest line that is read, in bytes.
        environ: its environment; ours by default.
        take_line: is given its standard error; without it that goes where ours does.

    Raises:
        ValueError: the command line has no words, or a quotation without end.
        OSError: it cannot be started.
    """
    words = shlex.split(command)
    if not words:
        raise ValueError("no command to start")
    pipe = subprocess.PIPE
    with out_of_groups(1):
        async with trio.open_nursery() as nursery:
            process = await trio.lowlevel.open_process(
                words,
                stdin=pipe,
                stdout=pipe,
                stderr=None if take_line is None else pipe,
                env=environ,
                start_new_session=True,
            )
            try:
                if take_line is not None:
                    assert process.stderr is not None
                    nursery.start_soon(_pass_on, process.stderr, take_line)
                assert process.stdin is not None
                assert process.stdout is not None
                yield LineWire(trio.StapledStream(process.stdin, process.stdout), max_message)
            except ServerGoneError as error:
                with trio.move_on_after(
                    _LAST_LINES, shield=True
                ):  # its output ends before it does
                    await process.wait()
                if process.poll() is not None:
                    error.add_note(f"{words[0]} has ended with exit code {process.returncode}")
                raise
            finally:
                await _end(process)  # noqa: ASYNC102 - what has to be done is shielded, and limited
            # What held on to its standard error was killed, or is none of our business.
            nursery.cancel_scope.deadline = trio.current_time() + _LAST_LINES


async def _end(process: trio.Process) -> None:
    assert process.stdin is not None
    try:
        await process.stdin.aclose()
        with trio.move_on_after(PATIENCE):
            await process.wait()
    finally:
        with trio.CancelScope(shield=True):
            if process.returncode is None:
                _signal(process, signal.SIGTERM)
                with trio.move_on_after(INSISTENCE):
                    await process.wait()
            _signal(process, signal.SIGKILL)
            await process.wait()


def _signal(process: trio.Process, number: signal.Signals) -> None:
    if sys.platform == "win32":
        process.send_signal(number)
    else:
        with suppress(ProcessLookupError, PermissionError):  # the latter is what macOS says
            os.killpg(process.pid, number)


async def _pass_on(stream: trio.abc.ReceiveStream, take_line: TakeLine) -> None:
    """Hand out standard error by the line; it has to be read, or the server stops there."""
    rest = b""
    async with stream:
        async for chunk in stream:
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-_LONGEST:]
            for line in lines:
                take_line(line.decode(errors="replace"))
        if rest:
            take_line(rest.decode(errors="replace"))
