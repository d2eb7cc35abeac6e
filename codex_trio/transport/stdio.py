"""JSON lines over private copies of standard input and output."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.transport.lines import DEFAULT_MAX_LINE, LineWire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

_CHUNK: Final = 64 * 2**10


@asynccontextmanager
async def open_stdio(max_line: int = DEFAULT_MAX_LINE) -> AsyncGenerator[LineWire]:
    """Take standard input and output for the wire; leaving the block gives them back.

    What was read ahead of a cancellation is gone: of a file or a terminal, the next chunk too.

    Within the block, whatever else reads standard input reads nothing, and whatever prints to
    standard output prints to standard error: a stray ``print``, a library in C or a child
    process cannot corrupt the wire.
    """
    with private_standard_streams() as (wire_in, wire_out):
        stream = trio.StapledStream(_open_sending(wire_out), _open_receiving(wire_in))
        async with LineWire(stream, max_line) as wire:
            yield wire


@contextmanager
def private_standard_streams() -> Generator[tuple[int, int]]:
    """Move standard input and output to new descriptors, which the caller has to close.

    The new descriptors are not inherited by children.
    """
    _flush_output()
    kept_in, kept_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    try:
        # A second pair for the wire, so that closing it leaves something to give back.
        yield os.dup(kept_in), os.dup(kept_out)
    finally:
        _flush_output()
        os.dup2(kept_in, 0)
        os.dup2(kept_out, 1)
        os.close(kept_in)
        os.close(kept_out)


def _flush_output() -> None:
    if sys.stdout is not None:  # as it is in a process that was started without one
        sys.stdout.flush()


def _open_receiving(fd: int) -> trio.abc.ReceiveStream:
    return trio.lowlevel.FdStream(fd) if _can_be_polled(fd) else ThreadReceiveStream(fd)


def _open_sending(fd: int) -> trio.abc.SendStream:
    return trio.lowlevel.FdStream(fd) if _can_be_polled(fd) else ThreadSendStream(fd)


def _can_be_polled(fd: int) -> bool:
    """Say whether the descriptor may be made non-blocking and waited for.

    A file cannot be waited for. A terminal can, but being non-blocking is a property it would
    share with our standard error and with the shell.
    """
    mode = os.fstat(fd).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


@attrs.define(eq=False)
class ThreadReceiveStream(trio.abc.ReceiveStream):
    """A descriptor that can only be read by waiting in a worker thread.

    A cancelled read is abandoned: its thread waits on, and takes the next chunk with it. So
    nothing may be read from here after a cancellation.
    """

    _fd: int
    _closed: bool = attrs.field(default=False, init=False)
    _reading: bool = attrs.field(default=False, init=False)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read what is there, up to ``max_bytes``."""
        if self._closed:
            raise trio.ClosedResourceError
        self._reading = True
        try:
            # Not sys.stdin.buffer: its lock, held by an abandoned thread, would abort the
            # interpreter at exit.
            chunk = await trio.to_thread.run_sync(
                os.read, self._fd, max_bytes or _CHUNK, abandon_on_cancel=True
            )
        except OSError as error:
            self._reading = False
            raise trio.BrokenResourceError from error
        self._reading = False
        return chunk

    async def aclose(self) -> None:
        """Close the descriptor.

        It stays open if a thread was abandoned, which would else read from whatever gets the
        same number next.
        """
        if not self._closed:
            self._closed = True
            if not self._reading:
                os.close(self._fd)
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class ThreadSendStream(trio.abc.SendStream):
    """A descriptor that can only be written by waiting in a worker thread."""

    _fd: int
    _closed: bool = attrs.field(default=False, init=False)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of it; a cancelled call has written an unknown part."""
        if self._closed:
            raise trio.ClosedResourceError
        rest = memoryview(data)
        while rest:
            try:
                written = await trio.to_thread.run_sync(
                    os.write, self._fd, rest, abandon_on_cancel=True
                )
            except OSError as error:
                raise trio.BrokenResourceError from error
            rest = rest[written:]

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: nobody can know."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close the descriptor."""
        if not self._closed:
            self._closed = True
            os.close(self._fd)
        await trio.lowlevel.checkpoint()
