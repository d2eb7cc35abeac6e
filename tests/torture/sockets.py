"""Clients of websockets that can do everything a client should not."""

from __future__ import annotations

import socket
import struct
from collections import deque
from contextlib import suppress
from typing import Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

import attrs
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError

from codex_trio.wire import Wire

_CHUNK: Final = 64 * 2**10


async def open_stream(url: str) -> trio.SocketStream:
    """Connect to where a server listens, and say nothing yet.

    Raises:
        OSError: nobody is there.
    """
    place = urlsplit(url)
    if place.scheme == "unix":
        plain = trio.socket.socket(socket.AF_UNIX)
        await plain.connect(place.path)
    else:
        plain = trio.socket.socket(
            socket.AF_INET6 if ":" in (place.hostname or "") else socket.AF_INET
        )
        await plain.connect((place.hostname, place.port))
    return trio.SocketStream(plain)


def drop(stream: trio.SocketStream) -> None:
    """Drop a connection as somebody does who is killed with something unread: by a reset."""
    with suppress(OSError):  # a unix socket does not linger
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


Leaving: TypeAlias = Literal["closes", "ends", "drops"]
"""How a client leaves: with a Close, by ending its side of the connection, without a word."""

LEAVINGS: Final[tuple[Leaving, ...]] = get_args(Leaving)


@attrs.define(eq=False)
class SocketWire(Wire):
    """The client's end of a websocket; made by ``open_wire``."""

    stream: trio.SocketStream
    _ws: WSConnection = attrs.field(factory=lambda: WSConnection(ConnectionType.CLIENT))
    _events: deque[Event] = attrs.field(factory=deque, init=False)
    _text: str = attrs.field(default="", init=False)
    _sending: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _left: bool = attrs.field(default=False, init=False)
    closed: CloseConnection | None = attrs.field(default=None, init=False)
    """How the server has closed it, if it has."""

    async def shake_hands(self) -> None:
        """Open the websocket.

        Raises:
            ConnectionRefusedError: the server does not want to.
            trio.BrokenResourceError: it has hung up instead.
        """
        await self.stream.send_all(self._ws.send(Request(host="127.0.0.1", target="/")))
        match await self._next_event():
            case AcceptConnection():
                pass
            case RejectConnection(status_code=status):
                raise ConnectionRefusedError(f"status {status}")
            case _:
                raise trio.BrokenResourceError("it hangs up")

    async def leave(self, how: Leaving) -> None:
        """Leave in some way; for who closes, that is still to be done."""
        if how == "ends":
            with suppress(OSError, trio.BusyResourceError):  # gone already, or still speaking
                self.stream.socket.shutdown(trio.socket.SHUT_WR)
        elif how == "drops":
            drop(self.stream)
        self._left = how != "closes"

    async def receive(self) -> bytes:
        """Return the next message."""
        while (event := await self._next_event()) is not None:
            match event:
                case TextMessage(data=data, message_finished=finished):
                    self._text += data
                    if finished:
                        text, self._text = self._text, ""
                        return text.encode()
                case Ping():
                    await self._answer(event.response())
                case CloseConnection():
                    self.closed = event
                    with suppress(trio.BrokenResourceError):
                        await self._answer(event.response())
                    break
                case _:
                    pass
        raise trio.EndOfChannel

    async def send(self, value: bytes) -> None:
        """Send one message."""
        await self._answer(TextMessage(data=value.decode()))

    async def aclose(self) -> None:
        """Say goodbye, without waiting for an answer, and close the connection."""
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._answer(CloseConnection(code=1000))
        finally:
            await self.stream.aclose()

    async def _answer(self, event: Event) -> None:
        if self._left:
            raise trio.BrokenResourceError("we have left")
        try:
            data = self._ws.send(event)
        except LocalProtocolError:
            raise trio.BrokenResourceError("the server has closed it") from None
        async with self._sending:  # a pong, and what is asked
            await self.stream.send_all(data)

    async def _next_event(self) -> Event | None:
        while not self._events:
            try:
                chunk = bytes(await self.stream.receive_some(_CHUNK))
            except trio.ClosedResourceError:
                if self._left:
                    return None
                raise
            self._ws.receive_data(chunk or None)
            self._events += self._ws.events()
            if not chunk and not self._events:
                return None
        return self._events.popleft()


async def open_wire(url: str) -> SocketWire:
    """Connect, and open a websocket.

    Raises:
        OSError: nobody is there, or the server does not want to.
        trio.BrokenResourceError: it has hung up instead.
    """
    wire = SocketWire(await open_stream(url))
    try:
        await wire.shake_hands()
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(wire.stream)
        raise
    return wire
