"""Bytes to and from the little HTTP server, and handlers for it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio
import trio.testing

from codex_trio.httpd import Answer, HttpHandler, HttpRequest, HttpResponse, serve_http
from tests import conftest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

HOST = b"Host: here\r\n"
GET = b"GET /here HTTP/1.1\r\n" + HOST + b"\r\n"
LAST = b"GET /last HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
POST = b"POST /here HTTP/1.1\r\n" + HOST


async def tell(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
    """Answer with what was asked."""
    return HttpResponse.text(200, f"{request.method} {request.path} {len(request.body)}.")


@asynccontextmanager
async def open_wire(handler: HttpHandler = tell) -> AsyncGenerator[trio.SocketStream]:
    """A connection to a server of its own, which must have ended when the block is left."""
    with trio.fail_after(conftest.PATIENCE):
        async with trio.open_nursery() as nursery:
            ours, theirs = await open_socket_pair()
            nursery.start_soon(serve_http, handler, theirs)
            async with ours:
                yield ours
        assert theirs.socket.fileno() == -1


async def open_socket_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        ours = await trio.open_tcp_stream(*listener.socket.getsockname())
        return ours, await listener.accept()


async def read_all(wire: trio.abc.Stream) -> bytes:
    return b"".join([chunk async for chunk in wire])


async def read_until(wire: trio.abc.Stream, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        chunk = await wire.receive_some()
        assert chunk, data
        data += chunk
    return data


async def converse(*chunks: bytes, handler: HttpHandler = tell) -> bytes:
    """Say some bytes, each behind what came before was dealt with; all that is answered."""
    async with open_wire(handler) as wire:
        for chunk in chunks:
            await wire.send_all(chunk)
            await trio.testing.wait_all_tasks_blocked()
        await wire.send_eof()
        return await read_all(wire)


def read_responses(data: bytes) -> list[tuple[int, str]]:
    """Read the statuses and bodies of responses that all have a length."""
    responses = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("ascii").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        size = int(headers.get("content-length", "0"))
        assert status.startswith("HTTP/1.1 ")
        responses.append((int(status.split(" ")[1]), data[:size].decode()))
        data = data[size:]
    return responses
