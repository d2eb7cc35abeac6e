"""A client and the server, and what passes between them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from functools import partial
from typing import Final

import orjson
import trio

from codex_trio.testing import WireClient, open_client
from codex_trio.transport.lines import LineWire

_WIDTH: Final = 84
_PATIENCE: Final = 30.0

_BOLD: Final = "\x1b[1m"
_DIM: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"
_TO_SERVER: Final = "\x1b[36m"
_TO_CLIENT: Final = "\x1b[32m"
_FAILURE: Final = "\x1b[31m"


async def run_demo(colour: bool) -> None:
    """Start a server as a client would, sign in and out, and print the wire."""
    show = _Screen(colour)
    try:
        await _perform(show)
    except* BrokenPipeError:
        # Whoever watched has seen enough, and the interpreter must not flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _perform(show: _Screen) -> None:
    with tempfile.TemporaryDirectory(prefix="codex-trio-demo-") as home:
        command = [sys.executable, "-m", "codex_trio", "app-server", "--listen", "stdio://"]
        show.title("A client starts the server and speaks to it over pipes.")
        with trio.fail_after(_PATIENCE):
            async with trio.open_nursery() as nursery:
                process: trio.Process = await nursery.start(
                    partial(
                        trio.run_process,
                        command,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        env={**os.environ, "CODEX_HOME": home},
                    )
                )
                assert process.stdin is not None
                assert process.stdout is not None
                wire = LineWire(trio.StapledStream(process.stdin, process.stdout))
                async with open_client(wire, show.message) as client:
                    await _sign_in_and_out(client, show)
                show.title("It hangs up, and the server ends.")
    show.title(f"Done: exit code {process.returncode}.")


async def _sign_in_and_out(client: WireClient, show: _Screen) -> None:
    show.title("Who are you?")
    await client.initialize("codex_trio_demo")
    show.title("Is anybody signed in?")
    await client.call("account/read", {})
    show.title("Sign in with an API key. The answer comes first, then the news.")
    await client.call("account/login/start", {"type": "apiKey", "apiKey": "sk-demo"})
    await client.next_notification("account/login/completed")
    await client.next_notification("account/updated")
    show.title("Now somebody is.")
    await client.call("account/read", {})
    show.title("Sign out.")
    await client.call("account/logout")
    await client.next_notification("account/updated")


class _Screen:
    """Prints what happens, in colour if asked to."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def title(self, text: str) -> None:
        print(f"\n{self._in(_BOLD, text)}", flush=True)

    def message(self, arrow: str, data: bytes) -> None:
        message = orjson.loads(data)
        style = _TO_SERVER if arrow == "-->" else _FAILURE if "error" in message else _TO_CLIENT
        side = "client" if arrow == "-->" else "server"
        for number, line in enumerate(_fold(data.decode())):
            margin = f"{side} {arrow} " if number == 0 else " " * (len(side) + 5)
            print(f"  {self._in(_DIM, margin)}{self._in(style, line)}", flush=True)

    def _in(self, style: str, text: str) -> str:
        return f"{style}{text}{_PLAIN}" if self._colour else text


def _fold(text: str) -> list[str]:
    """Fold a long line of JSON where it can be read: behind a comma."""
    lines = [""]
    for part in re.split(r"(?<=,)(?=\")", text):
        if lines[-1] and len(lines[-1]) + len(part) > _WIDTH:
            lines.append("")
        lines[-1] += part
    return lines
