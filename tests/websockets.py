"""Raw HTTP and frames to whoever serves websockets, and a real client's."""

from __future__ import annotations

import os
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import trio
import trio_websocket

from codex_trio.transport.websocket import WebSocketWire
from tests import conftest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, section 1.3

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def request(line: str, headers: str = "") -> bytes:
    return f"{line} HTTP/1.1\r\nHost: here\r\n{headers}\r\n".encode("latin-1")


async def dial(url: str) -> trio.SocketStream:
    if url.startswith("unix://"):
        stream = await trio.open_unix_socket(url.removeprefix("unix://"))
        assert isinstance(stream, trio.SocketStream)
        return stream
    ip, _, port = url.removeprefix("ws://").rpartition(":")
    return await trio.open_tcp_stream(ip.strip("[]"), int(port))


async def read_head(stream: trio.abc.ReceiveStream) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = await stream.receive_some(1)
        assert byte, head
        head += byte
    return head


async def read_answer(
    stream: trio.abc.ReceiveStream, *, body: bool = True
) -> tuple[bytes, bytes]:
    """Read the head and the body of an answer."""
    head = await read_head(stream)
    size = next(
        (
            int(line[16:])
            for line in head.split(b"\r\n")
            if line.startswith(b"content-length: ")
        ),
        0,
    )
    return head, await read_exactly(stream, size if body else 0)


async def read_exactly(stream: trio.abc.ReceiveStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = await stream.receive_some(size - len(data))
        assert chunk, data
        data += chunk
    return data


async def read_rest(stream: trio.abc.ReceiveStream) -> bytes:
    data = b""
    try:
        while chunk := await stream.receive_some():
            data += chunk
    except trio.BrokenResourceError:
        data += b"(reset)"
    return data


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    """A client's frame."""
    return frame_head(opcode, len(payload), fin=fin, masked=masked) + payload


def frame_head(opcode: int, size: int, *, fin: bool = True, masked: bool = True) -> bytes:
    """Its head; the mask is of zeros."""
    first, mask = (0x80 if fin else 0) | opcode, 0x80 if masked else 0
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 2**16:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    return head + (bytes(4) if masked else b"")


async def read_frame(stream: trio.abc.ReceiveStream) -> tuple[int, bytes]:
    """Read a server's frame: its first byte without the FIN bit, and its payload.

    The opcode of one that is not the last of its message is negative.
    """
    first, size = await read_exactly(stream, 2)
    assert size < 128, "a server masks nothing"
    if size == 126:
        (size,) = struct.unpack("!H", await read_exactly(stream, 2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await read_exactly(stream, 8))
    payload = await read_exactly(stream, size)
    return (first & 0x7F if first & 0x80 else -1 - first), payload


async def read_close(stream: trio.abc.ReceiveStream) -> tuple[int, str]:
    """Read a Close: its code and its reason."""
    opcode, payload = await read_frame(stream)
    assert opcode == CLOSE
    return int.from_bytes(payload[:2], "big"), payload[2:].decode()


async def upgrade(url: str, path: str = "/") -> trio.SocketStream:
    """Connect, and become a websocket whose frames are made by hand."""
    stream = await dial(url)
    await stream.send_all(request(f"GET {path}", UPGRADE))
    head = await read_head(stream)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return stream


@asynccontextmanager
async def open_pair(**options: Any) -> AsyncGenerator[tuple[WebSocketWire, trio.SocketStream]]:
    """A wire, and a stream to its other end."""
    ours, theirs = trio.socket.socketpair()
    wire = WebSocketWire(trio.SocketStream(ours), **options)
    with trio.fail_after(conftest.PATIENCE):
        async with trio.SocketStream(theirs) as peer:
            try:
                yield wire, peer
            finally:
                await trio.aclose_forcefully(wire)


@asynccontextmanager
async def open_client(url: str) -> AsyncGenerator[WebSocketClient]:
    """A client on trio-websocket, over a stream that is ours."""
    async with trio.open_nursery() as nursery:
        async with await dial(url) as stream:
            connection = await trio_websocket.wrap_client_stream(
                nursery, stream, "here", "/", message_queue_size=64
            )
            async with connection:
                yield WebSocketClient(connection)
            nursery.cancel_scope.cancel()


class WebSocketClient:
    def __init__(self, connection: trio_websocket.WebSocketConnection) -> None:
        self.connection = connection

    async def send(self, method: str, params: Any = None, request_id: int = 1) -> None:
        message = {"id": request_id, "method": method, "params": params}
        await self.connection.send_message(orjson.dumps(message).decode())

    async def call(self, method: str, params: Any = None) -> Any:
        """Ask, and read until the answer."""
        request_id = int.from_bytes(os.urandom(4), "big")
        await self.send(method, params, request_id)
        while (message := await self.read()).get("id") != request_id:
            pass
        return message["result"]

    async def initialize(self) -> Any:
        return await self.call(
            "initialize", {"clientInfo": {"name": "probe", "version": "1.0"}}
        )

    async def read(self) -> Any:
        return orjson.loads(await self.connection.get_message())

    async def news(self, method: str) -> Any:
        """Read until such a notification; its params."""
        while (message := await self.read()).get("method") != method:
            pass
        return message["params"]
