"""The server as a process, as clients start it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from codex_trio.transport.lines import LineWire
from tests.conftest import PATIENCE
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

OURS = (sys.executable, "-m", "codex_trio")

INITIALIZE = (
    b'{"id":"i","method":"initialize","params":{"clientInfo":{"name":"probe","version":"1.0"}}}'
)


@asynccontextmanager
async def start(
    home: Path,
    *arguments: str,
    command: Sequence[str] = OURS,
    environ: dict[str, str] | None = None,
    **options: Any,
) -> AsyncGenerator[trio.Process]:
    """Start a server with pipes; leaving the block kills it if it is still there."""
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options}
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(
                trio.run_process,
                [*command, *(arguments or ("app-server",))],
                env={**genuine_environment(home), **(environ or {})},
                check=False,
                deliver_cancel=kill,
                **options,
            )
        )
        with trio.fail_after(PATIENCE):  # noqa: ASYNC100 - the body waits
            yield process
        nursery.cancel_scope.cancel()


async def kill(process: trio.Process) -> None:  # noqa: ASYNC124 - trio awaits it
    process.send_signal(signal.SIGKILL)


def wire_of(process: trio.Process) -> LineWire:
    assert process.stdin is not None
    assert process.stdout is not None
    return LineWire(trio.StapledStream(process.stdin, process.stdout))


async def read_rest(stream: trio.abc.ReceiveStream | None) -> bytes:
    assert stream is not None
    return b"".join([bytes(chunk) async for chunk in stream])
