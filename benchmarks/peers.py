"""Child processes with which lines are exchanged: ours, the genuine server, bare loops.

The client here is as cheap as Python allows, for it shares the processors with the server: it
writes bytes made beforehand, reads large chunks and looks for marks in them. It parses nothing.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
from codex_cli_bin import bundled_codex_path  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

PATIENCE: Final = 30.0
"""Seconds after which a server that owes an answer is given up."""

_GOODBYE: Final = 10.0  # seconds a server has to end after its client has hung up
_CHUNK: Final = 64 * 2**10

# With one of these, a server would be signed in from the start.
_SECRETS: Final = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")

_APP_SERVER: Final = ("app-server", "--listen", "stdio://")

INITIALIZE: Final = (
    b'{"id":0,"method":"initialize","params":'
    b'{"clientInfo":{"name":"codex_trio_benchmarks","version":"1.0"}}}\n'
)
INITIALIZED: Final = b'{"method":"initialized"}\n'
_FIRST_READ: Final = b'{"id":1,"method":"account/read","params":{}}\n'


@attrs.frozen
class Program:
    """Something that can be started."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = attrs.field(factory=dict)


OUR_SCRIPT: Final = str(Path(sys.executable).with_name("codex-trio"))

OURS: Final = Program("ours", (OUR_SCRIPT, *_APP_SERVER))
GENUINE: Final = Program("genuine", (str(bundled_codex_path()), *_APP_SERVER))
SERVERS: Final = (OURS, GENUINE)

LOOP: Final = Program("loop", (sys.executable, "-m", "benchmarks.floor"))
IMPORTS: Final = Program(
    "imports", (sys.executable, "-c", "import os, trio, cattrs; os.write(1, b'ready\\n')")
)


@attrs.define(eq=False)
class Peer:
    """One running child and both ends of its wire."""

    process: subprocess.Popen[bytes]
    started: float
    """When its start was asked for, on the clock of ``time.perf_counter``."""
    _input: int
    _output: int
    _readable: select.poll = attrs.field(factory=select.poll, init=False)

    def __attrs_post_init__(self) -> None:
        self._readable.register(self._output, select.POLLIN)

    def wrap(self, line: bytes) -> bytes:
        """Make what is written for a line: the line itself."""
        return line

    def send(self, line: bytes) -> None:
        """Send a line, or several, each with its end."""
        self.write(self.wrap(line))

    def write(self, data: bytes | memoryview) -> None:
        """Write all of it. It must fit into a pipe, or the server may not be reading it."""
        while data:
            data = data[os.write(self._input, data) :]

    def receive(self, patience: float = PATIENCE) -> bytes:
        """Read what there is, of lines; empty when nothing comes in time.

        Raises:
            EOFError: the child has closed its output.
        """
        if not self._readable.poll(patience * 1000):
            return b""
        if not (chunk := os.read(self._output, _CHUNK)):
            raise EOFError("the server has hung up")
        return chunk

    def await_marks(self, *marks: bytes) -> bytes:
        """Read whole lines until every mark has been seen; returns them.

        Raises:
            RuntimeError: an error was answered, or the marks do not come.
        """
        seen, deadline = b"", time.perf_counter() + PATIENCE
        while not (seen.endswith(b"\n") and all(mark in seen for mark in marks)):
            chunk = self.receive(max(0.0, deadline - time.perf_counter()))
            if not chunk or b'"error":{' in chunk:
                raise RuntimeError(f"expected {marks!r}, got {seen + chunk!r}")
            seen += chunk
        return seen

    def open(self) -> float:
        """Introduce ourselves and read the account; returns the seconds since the start."""
        self.send(INITIALIZE)
        self.await_marks(b'"id":0,"result"')
        self.send(INITIALIZED + _FIRST_READ)
        self.await_marks(b'"id":1,"result"')
        return time.perf_counter() - self.started


@contextmanager
def running(program: Program, home: Path | None = None) -> Generator[Peer]:
    """Start a program, without a home with one of its own; leaving hangs up and waits."""
    with ExitStack() as stack:
        if home is None:
            home = stack.enter_context(new_home())
        started = time.perf_counter()
        process = subprocess.Popen(
            program.command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ_of(program, home),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdout:
            try:
                yield Peer(process, started, process.stdin.fileno(), process.stdout.fileno())
            finally:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
                wait_for_end(process)


def environ_of(program: Program, home: Path) -> dict[str, str]:
    """Make the environment that a program is started with: ours, but for keys."""
    environ = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return {**environ, **program.environ, "CODEX_HOME": str(home)}


@contextmanager
def new_home() -> Generator[Path]:
    """Make an empty home, which goes with the block."""
    with tempfile.TemporaryDirectory(
        prefix="codex-trio-benchmarks-", ignore_cleanup_errors=True
    ) as directory:
        # One level down: the genuine server does not accept the temporary directory itself.
        home = Path(directory, "home")
        home.mkdir()
        yield home


def wait_for_end(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process that has been asked to end does; one that takes long is killed."""
    try:
        process.wait(_GOODBYE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
