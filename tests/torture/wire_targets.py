"""What reads bytes of whoever connects: the front door, and the frames behind it."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import h11
import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Pong

from codex_trio.errors import MessageTooLongError
from codex_trio.transport.front_door import FrontDoor
from codex_trio.transport.websocket import WebSocketWire
from tests.websockets import BINARY, CLOSE, PING, TEXT, UPGRADE, frame, request

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT: Final = 64  # bytes that a message may have

STATUSES: Final = {101, 200, 400, 403, 405, 426, 431}

_STATUS: Final = re.compile(
    rb"HTTP/1\.[01] (\d\d\d) [A-Za-z ]+\r\n(?:[a-z-]+: [ -~]*\r\n)+\r\n"
)


def knock(data: bytes) -> None:
    """Whoever knocks is answered in HTTP; who has an Origin is not let in."""
    answers, is_in = trio.run(_knock, data)
    statuses = []
    while answers:
        head = _STATUS.match(answers)
        assert head is not None, answers
        statuses.append(int(head[1]))
        size = re.search(rb"content-length: (\d+)", head[0])
        answers = answers[head.end() :]
        if answers and not answers.startswith(b"HTTP/1."):  # it is not the answer to a HEAD
            assert size is not None
            answers = answers[int(size[1]) :]
    assert set(statuses) <= STATUSES, statuses
    assert (101 in statuses) == is_in
    if has_origin(data):
        assert statuses[0] in {400, 403, 431}, statuses  # there may be more that is wrong


def has_origin(data: bytes) -> bool:
    """Say whether the first request is one of a web page, as another reader of HTTP sees it."""
    reader = h11.Connection(h11.SERVER)
    try:
        reader.receive_data(data)
        head = reader.next_event()
    except h11.RemoteProtocolError:
        return False
    return isinstance(head, h11.Request) and b"origin" in dict(head.headers)


async def _knock(data: bytes) -> tuple[bytes, bool]:
    async def admit(ours: trio.SocketStream) -> bool:
        wire = await FrontDoor(None, LIMIT).admit(ours)
        return wire is not None

    return await _with_peer(data, admit)


async def _with_peer(
    data: bytes, serve: Callable[[trio.SocketStream], object]
) -> tuple[bytes, bool]:
    """Serve a peer who says some bytes, and no more; returns what it hears, and the outcome."""
    one, other = trio.socket.socketpair()
    outcome = False
    async with trio.SocketStream(one) as ours, trio.SocketStream(other) as peer:
        await peer.send_all(data)
        await peer.send_eof()
        with suppress(trio.BrokenResourceError):
            outcome = bool(await serve(ours))  # type: ignore[misc]  # it is awaitable
        await ours.aclose()
        heard = b""
        with suppress(trio.BrokenResourceError):
            heard = b"".join([bytes(chunk) async for chunk in peer])
    return heard, outcome


def read_frames(data: bytes) -> None:
    """Messages are text, and no longer than they may be; what is answered are frames."""
    messages: list[bytes] = []

    async def receive(ours: trio.SocketStream) -> None:
        wire = WebSocketWire(ours, data[:3], LIMIT)
        while True:
            try:
                messages.append(await wire.receive())
            except MessageTooLongError as error:
                assert len(error.head) > LIMIT or len(data) > LIMIT
            except trio.EndOfChannel:
                break

    async def run() -> bytes:
        heard, _ = await _with_peer(data[3:], receive)
        return heard

    heard = trio.run(run)
    for message in messages:
        assert len(message) <= LIMIT
        message.decode()
    reader = Connection(ConnectionType.CLIENT)
    reader.receive_data(heard)
    for event in reader.events():
        assert isinstance(event, Pong | CloseConnection), event


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "handshakes": knock,
    "frames of websockets": read_frames,
}

SEEDS: Final[dict[str, list[bytes]]] = {
    "handshakes": [
        request("GET /", UPGRADE),
        request("GET /readyz") + request("HEAD /healthz") + request("GET /?a=b", UPGRADE),
        request("GET /", "Origin: http://x\r\n" + UPGRADE),
        request("POST http://here/", "Content-Length: 3\r\nConnection: close\r\n") + b"abc",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
    "frames of websockets": [
        frame(TEXT, b'{"id":1}') + frame(PING, b"p") + frame(CLOSE, b"\x03\xe8bye"),
        frame(TEXT, b"a", fin=False) + frame(PING) + frame(0, b"b" * 70) + frame(TEXT, b"c"),
        frame(BINARY, b"x" * 200) + frame(TEXT, "ä".encode()[:1]),
        frame(TEXT, b"unmasked", masked=False),
    ],
}
