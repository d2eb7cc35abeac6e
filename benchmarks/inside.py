"""A program: a server within the process of its client, and how long its answers take there."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import trio

import codex_trio.asyncio
from benchmarks.peers import INITIALIZE, INITIALIZED
from benchmarks.pipeline import read_lines
from codex_trio import Settings, open_server
from codex_trio.protocol import methods
from codex_trio.protocol.account import GetAccountParams
from codex_trio.transport.memory import memory_wire_pair

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from codex_trio.client import Client
    from codex_trio.server import Server
    from codex_trio.wire import Wire

_WARM_UP: Final = 10  # of so many calls, one is made before the others


def main(count: int) -> None:
    """Ask one after the other; prints the median of each way, in microseconds."""
    with TemporaryDirectory() as folder:
        settings = Settings(codex_home=Path(folder))
        figures = trio.run(_on_trio, settings, count)
        figures["asyncio"] = asyncio.run(_on_asyncio(settings, count))
    print(json.dumps(figures))


async def _on_trio(settings: Settings, count: int) -> dict[str, float]:
    async with open_server(settings) as server:
        raw = await _raw(server, count)
        async with server.connect() as client:
            return {"raw": raw, "typed": await _typed(client, count)}


async def _on_asyncio(settings: Settings, count: int) -> float:
    async with codex_trio.asyncio.open_server(settings) as server, server.connect() as client:
        return await _typed(client, count)


async def _raw(server: Server, count: int) -> float:
    """Exchange bytes over a wire in memory, as a client that brings a codec of its own."""
    ours, theirs = memory_wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, theirs)
        async with ours:
            await _exchange(ours, INITIALIZE)
            await ours.send(INITIALIZED)
            for line in read_lines(count // _WARM_UP):
                await _exchange(ours, line)
            lines = [(ours, line) for line in read_lines(count)]
            middle = await _middle(_exchange, lines)
    return middle


async def _typed(client: Client, count: int) -> float:
    """Call with words for params and result."""
    params = GetAccountParams()
    for _ in range(count // _WARM_UP):
        await client.call(methods.ACCOUNT_READ, params)
    return await _middle(client.call, [(methods.ACCOUNT_READ, params)] * count)


async def _exchange(wire: Wire, line: bytes) -> None:
    await wire.send(line)
    while b'"result"' not in await wire.receive():
        pass  # news


async def _middle(
    call: Callable[..., Awaitable[object]], arguments: Iterable[tuple[object, ...]]
) -> float:
    clock, times = time.perf_counter_ns, []
    for some in arguments:
        start = clock()
        await call(*some)
        times.append((clock() - start) / 1000)
    return median(times)


if __name__ == "__main__":
    main(int(sys.argv[1]))
