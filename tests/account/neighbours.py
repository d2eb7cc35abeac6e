"""Others who listen on a port that a login would like to have."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from codex_trio.account.ports import Holder, TakenPort

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

CANCELLED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 15\r\n\r\nLogin cancelled"
"""What who gives up a login says."""

US = Holder(pid=os.getpid(), name=Path("/proc/self/comm").read_text(encoding="utf-8").strip())


def in_use(port: int, holder: Holder | None = US) -> TakenPort:
    reason = f"Port 127.0.0.1:{port} is already in use"
    return TakenPort(port=port, reason=reason, holder=holder)


@attrs.define(eq=False)
class Neighbour:
    """Somebody else who listens, and what they are asked."""

    port: int
    asked: list[bytes] = attrs.field(factory=list, init=False)


@asynccontextmanager
async def open_neighbour(
    answer: bytes | None = None, *, leaves_after: float | None = None, closes: bool = True
) -> AsyncGenerator[Neighbour]:
    """Listen on a free port, as somebody who answers everybody the same, or nothing."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    neighbour = Neighbour(listener.socket.getsockname()[1])

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            neighbour.asked.append(bytes(await stream.receive_some()))
            if answer is None:
                await trio.sleep_forever()
            await stream.send_all(answer)
            if not closes:
                await trio.sleep_forever()
        if leaves_after is not None:
            await trio.sleep(leaves_after)
            await listener.aclose()

    async def listen() -> None:
        async with trio.open_nursery() as visitors:
            with listener.socket:
                try:
                    await trio.serve_listeners(serve, [listener], handler_nursery=visitors)
                except* trio.ClosedResourceError:
                    pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        yield neighbour
        nursery.cancel_scope.cancel()
