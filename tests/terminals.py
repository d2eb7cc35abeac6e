"""A program on a terminal, as a person has it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import trio

from tests.processes import OURS, start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

# Makes its standard input the terminal that it is controlled by, so that Ctrl-C is a signal.
TAKE_CONTROL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)

CTRL_C = b"\x03"


@attrs.define(eq=False)
class Terminal:
    """What a person sees, and types."""

    process: trio.Process
    _fd: int
    output: str = ""

    async def read(self) -> bytes:
        """Return what comes next; nothing when nobody writes any more."""
        await trio.lowlevel.wait_readable(self._fd)
        try:
            return os.read(self._fd, 65536)
        except OSError:
            return b""  # so Linux says that

    async def wait_output(self, text: str) -> None:
        while text not in self.output:
            data = await self.read()
            assert data, f"{text!r} is not in {self.output!r}"
            self.output += data.decode(errors="replace")

    async def wait_end(self) -> int:
        """Return the exit code; from here on all that was written is in the output."""
        code = await self.process.wait()
        while data := await self.read():
            self.output += data.decode(errors="replace")
        return code

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)


@asynccontextmanager
async def on_terminal(
    home: Path,
    *arguments: str,
    command: Sequence[str] = OURS,
    environ: dict[str, str] | None = None,
    columns: int = 80,
    lines: int = 24,
    cwd: Path | None = None,
) -> AsyncGenerator[Terminal]:
    """Start our command line, or another one, on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    command = (sys.executable, "-c", TAKE_CONTROL, *command)
    environ = {"TERM": "xterm", "NO_COLOR": "", **(environ or {})}
    on_it = {"cwd": cwd, "stdin": theirs, "stdout": theirs, "stderr": theirs}
    try:
        async with start(
            home, *arguments, command=command, environ=environ, **on_it
        ) as process:
            os.close(theirs)
            yield Terminal(process, ours)
    finally:
        os.close(ours)
