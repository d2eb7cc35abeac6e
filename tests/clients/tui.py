"""The genuine terminal client on a terminal, and what a person sees of it and does."""

from __future__ import annotations

import re
import subprocess
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import attrs
import pyte
import trio
from codex_cli_bin import bundled_codex_path  # type: ignore[import-untyped]  # it has no types

from tests.clients.servers import SERVER
from tests.processes import start
from tests.terminals import Terminal, on_terminal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from pathlib import Path

    from codex_trio.testing import StandIn

ENTER, ESC, DOWN = b"\r", b"\x1b", b"\x1b[B"

COLUMNS, LINES = 100, 40

GLANCE = 10.0
"""Seconds in which something must have come to the screen."""

STILL = 0.3
"""Seconds in which nothing comes to a screen that is waiting for somebody."""

# A private mode, as pyte has them.
SYNCHRONIZED = 2026 << 5

# What it needs to stay on this machine.
CONFIG = """\
check_for_update_on_startup = false
analytics.enabled = false
"""


class Screen(pyte.Screen):
    """A screen that answers what programs ask a terminal: where its cursor is, what it can do."""

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        super().__init__(COLUMNS, LINES)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data.encode())

    @property
    def updating(self) -> bool:
        """Whether a part of it is still to come: a synchronized update."""
        return SYNCHRONIZED in self.mode

    @property
    def text(self) -> str:
        """All that is to be seen, without the spaces at the ends of lines."""
        rows = (self.buffer[row] for row in range(LINES))
        lines = ("".join(row[column].data for column in range(COLUMNS)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)


@attrs.define(eq=False)
class Tui:
    """The client, with a person before it."""

    _terminal: Terminal
    _screen: Screen
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def watch(self) -> None:
        """Keep the screen current until the client ends."""
        stream = pyte.ByteStream(self._screen)
        while data := await self._terminal.read():
            stream.feed(data)
            self._tell()
        self._tell()

    async def wait_text(self, text: str) -> str:
        """Return what is to be seen as soon as this is."""
        with self._glance(repr(text)):
            while self._screen.updating or text not in self._screen.text:
                await self._changed.wait()
        return self._screen.text

    async def wait_gone(self, text: str) -> None:
        """Return as soon as this is not to be seen any more."""
        with self._glance(f"a screen without {text!r}"):
            while self._screen.updating or text in self._screen.text:
                await self._changed.wait()

    async def wait_page(self, text: str) -> str:
        """Return what is to be seen when this is, and nothing moves any more.

        What is typed before the first page is there is thrown away. A page that has just been
        drawn may be that one, and nothing but silence shows that it is over.
        """
        await self.wait_text(text)
        with self._glance(repr(text)):
            moves = True
            while moves:
                with trio.move_on_after(STILL) as silence:
                    await self._changed.wait()
                moves = not silence.cancelled_caught
        return self._screen.text

    async def wait_end(self) -> int:
        """Return the exit code."""
        with self._glance("the end"):
            return await self._terminal.process.wait()

    def press(self, *keys: bytes) -> None:
        for key in keys:
            self._terminal.press(key)

    async def say(self, text: str) -> None:
        """Type something and, when it is there, send it.

        Whatever comes at once is taken for pasted, line ends included.
        """
        self.press(text.encode())
        await self.wait_text(text)
        self.press(ENTER)

    @contextmanager
    def _glance(self, sight: str) -> Generator[None]:
        try:
            with trio.fail_after(GLANCE):
                yield
        except trio.TooSlowError:
            seen = self._screen.text
            raise AssertionError(f"{sight} is not to be seen, but this:\n{seen}") from None

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def url_in(text: str) -> str:
    """Return the URL that is shown, over as many lines as it takes."""
    url = re.search(r"http://\S+(\n\S+)*", text)
    assert url is not None
    return url[0].replace("\n", "")


@asynccontextmanager
async def open_tui(work: Path, url: str, *arguments: str) -> AsyncGenerator[Tui]:
    """Start the client, in a home of its own, and let it work through a server."""
    home = work.with_name("tui")
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(CONFIG, encoding="utf-8")
    on_it = on_terminal(
        home,
        "--remote",
        url,
        *arguments,
        command=[str(bundled_codex_path())],
        columns=COLUMNS,
        lines=LINES,
        cwd=work,
    )
    async with on_it as terminal, trio.open_nursery() as nursery:
        tui = Tui(terminal, Screen(terminal.press))
        nursery.start_soon(tui.watch)
        yield tui
        nursery.cancel_scope.cancel()


@attrs.frozen
class Listening:
    """A server that takes connections."""

    url: str
    process: trio.Process


@asynccontextmanager
async def open_listening(
    home: Path,
    work: Path,
    stand_in: StandIn,
    *arguments: str,
    url: str = "ws://127.0.0.1:0",
) -> AsyncGenerator[Listening]:
    """Start the server; without a URL it has a port of its own."""
    started = start(
        home,
        "app-server",
        "--listen",
        url,
        *arguments,
        command=[SERVER],
        environ=stand_in.environ,
        cwd=work,
        stderr=subprocess.STDOUT,
    )
    async with started as process, trio.open_nursery() as nursery:
        yield Listening(await nursery.start(_read_banner, process.stdout), process)
        nursery.cancel_scope.cancel()


async def _read_banner(
    stdout: trio.abc.ReceiveStream, *, task_status: trio.TaskStatus[str]
) -> None:
    """Start with the URL that is told there, and go on reading."""
    said = ""
    async for chunk in stdout:
        said += bytes(chunk).decode()
        url = re.search(r"listening on: (ws://\S+)\s", said)
        if url is not None:
            task_status.started(url[1])
            break
    else:
        raise AssertionError(f"it does not listen:\n{said}")
    async for _ in stdout:
        pass
