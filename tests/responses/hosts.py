"""A host that serves models, told byte by byte what it says."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import orjson
import trio

from tests.sites import Door, open_door

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Awaitable, Callable

SSE = {"content-type": "text/event-stream"}

Said: TypeAlias = "bytes | Callable[[trio.abc.Stream], Awaitable[None]]"
"""Bytes of a reply; or what is done on a connection, which ends with it."""


@attrs.frozen
class Asked:
    """A request, as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def token(self) -> str | None:
        """Who it was signed by."""
        authorization = self.headers.get("authorization")
        return None if authorization is None else authorization.removeprefix("Bearer ")


@attrs.define(eq=False)
class ModelHost:
    """What a host was asked, and what it will say, one reply for each request.

    When all has been said, the last is said again.
    """

    said: deque[Said]
    door: Door = attrs.field(init=False)
    asked: list[Asked] = attrs.field(factory=list, init=False)

    @property
    def url(self) -> str:
        return self.door.url

    @property
    def tokens(self) -> list[str | None]:
        """Who the requests were signed by."""
        return [one.token for one in self.asked]

    def say(self, *said: Said) -> None:
        """Say these from now on."""
        self.said = deque(said)

    async def serve(self, stream: trio.abc.Stream) -> None:
        held = b""
        while True:
            while b"\r\n\r\n" not in held:
                if not (chunk := await stream.receive_some()):
                    return
                held += chunk
            head, _, held = held.partition(b"\r\n\r\n")
            line, *fields = head.decode().split("\r\n")
            named = (field.split(": ", 1) for field in fields)
            headers = {name.lower(): value for name, value in named}
            size = int(headers["content-length"])
            while len(held) < size:
                if not (chunk := await stream.receive_some()):
                    return
                held += chunk
            self.asked.append(Asked(line, headers, held[:size]))
            held = held[size:]
            said = self.said.popleft() if len(self.said) > 1 else self.said[0]
            if not isinstance(said, bytes):
                await said(stream)
                return
            await stream.send_all(said)
            if b"connection: close" in said:
                return


@asynccontextmanager
async def open_model_host(
    *said: Said, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[ModelHost]:
    host = ModelHost(deque(said))
    async with open_door(host.serve, tls) as door:
        host.door = door
        yield host


# --- what it says ---


def reply(status: int = 200, body: object = b"", **headers: str) -> bytes:
    """A reply of known length; names of headers are written with underscores."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return head(status, content_length=str(len(content)), **headers) + content


def head(status: int = 200, **headers: str) -> bytes:
    fields = (f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Whatever\r\n{''.join(fields)}\r\n".encode()


def chunked(*pieces: bytes) -> bytes:
    """Pieces in chunks, without an end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


END = b"0\r\n\r\n"


def event(kind: str, **members: object) -> bytes:
    """An event of a stream."""
    return b"event: %s\ndata: %s\n\n" % (
        kind.encode(),
        orjson.dumps({"type": kind, **members}),
    )


def text_delta(delta: str) -> bytes:
    return event("response.output_text.delta", item_id="msg_1", delta=delta)


def completed(**members: object) -> bytes:
    return event("response.completed", response={"id": "resp_1", **members})


def stream(*events: bytes, **headers: str) -> bytes:
    """A whole reply in events, each in a chunk."""
    headers = {"content_type": "text/event-stream", **headers}
    return head(200, transfer_encoding="chunked", **headers) + chunked(*events) + END


HELLO = stream(text_delta("Hello"), completed())


def then(*said: bytes) -> Callable[[trio.abc.Stream], Awaitable[None]]:
    """Say something, and then nothing more, until the other side has left."""

    async def go_on(wire: trio.abc.Stream) -> None:
        for one in said:
            await wire.send_all(one)
        while await wire.receive_some():
            pass

    return go_on


def cut(*said: bytes) -> Callable[[trio.abc.Stream], Awaitable[None]]:
    """Say something, and close the connection."""

    async def leave(wire: trio.abc.Stream) -> None:
        for one in said:
            await wire.send_all(one)

    return leave


async def reset(wire: trio.abc.Stream) -> None:  # noqa: ASYNC124 - a handler
    """Tear the connection down."""
    assert isinstance(wire, trio.SocketStream)
    linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
    wire.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
