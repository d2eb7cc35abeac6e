"""A program: a host of models that costs next to nothing, for it must not be what is measured.

It answers with bytes made beforehand, every event in a chunk of its own, as hosts stream.
The path says with what: a provider of models for each answer, ``http://…/ANSWER/responses``.
"""

from __future__ import annotations

import heapq
import selectors
import socket
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import attrs

from codex_trio.testing import ModelResponse, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORT: Final = "short"
"""A few words, and nothing that keeps anybody waiting."""
LONG: Final = "long"
"""As many deltas as go through the wire, of one answer."""
MEDIUM: Final = "medium"
"""Fewer of them, for those who ask at once."""
PACED: Final = "paced"
"""Some deltas, one after the other, as they come from a model."""
STUCK: Final = "stuck"
"""A few words, and then nothing more."""
SILENT: Final = "silent"
"""Nothing at all, not even a head."""
ONCE: Final = "once"
"""As the short one, but the token that has been shown with the last request counts no more."""

ANSWERS: Final = (SHORT, LONG, MEDIUM, PACED, STUCK, SILENT, ONCE)

DELTAS: Final = {SHORT: 8, LONG: 5000, MEDIUM: 1000, PACED: 1000, STUCK: 8, ONCE: 8}

PACE: Final = 0.002  # seconds between two deltas of the paced answer

DELTA: Final = b'"response.output_text.delta"'
COMPLETED: Final = b'"response.completed"'

_CHUNK: Final = 256 * 2**10
_STREAM: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LAST: Final = b"0\r\n\r\n"
_REFUSED: Final = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"
_NOTHING: Final = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


@attrs.frozen
class _Piece:
    """Bytes that are sent some seconds after those before them."""

    data: bytes
    after: float = 0.0


def _chunks(events: Sequence[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)


def _events(deltas: int) -> list[bytes]:
    response = ModelResponse.of(Text("word " * deltas, deltas=deltas))
    body = b"".join(step for step in response.steps if isinstance(step, bytes))
    return [event + b"\n\n" for event in body.split(b"\n\n") if event]


def _answer(name: str) -> list[_Piece]:
    """Make what a path is answered."""
    if name == SILENT:
        return []
    events = _events(DELTAS[name])
    if name == PACED:
        pieces = [_Piece(_chunks([event]), PACE * (DELTA in event)) for event in events]
        return [_Piece(_STREAM), *pieces, _Piece(_LAST)]
    if name == STUCK:
        last = max(place for place, event in enumerate(events) if DELTA in event)
        return [_Piece(_STREAM + _chunks(events[: last + 1]))]
    return [_Piece(_STREAM + _chunks(events) + _LAST)]


@attrs.define(eq=False)
class _Connection:
    socket: socket.socket
    held: bytearray = attrs.field(factory=bytearray, init=False)
    """What has arrived of a request."""
    pieces: deque[_Piece] = attrs.field(factory=deque, init=False)
    """What is to be sent at its time."""
    outgoing: memoryview = attrs.field(default=memoryview(b""), init=False)
    """What is to be sent now."""


@attrs.define(eq=False)
class _Host:
    """Serves all connections, in one loop."""

    _answers: dict[str, list[_Piece]] = attrs.field(
        factory=lambda: {name: _answer(name) for name in ANSWERS}, init=False
    )
    _selector: selectors.BaseSelector = attrs.field(
        factory=selectors.DefaultSelector, init=False
    )
    _due: list[tuple[float, int, _Connection]] = attrs.field(factory=list, init=False)
    _spent: bytes = attrs.field(default=b"", init=False)
    """The token that has been good for an answer, and is good for no other."""

    def serve(self, listener: socket.socket) -> None:
        """Serve until standard input ends."""
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            patience = max(0.0, self._due[0][0] - time.perf_counter()) if self._due else None
            for key, mask in self._selector.select(patience):
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is listener:
                    self._accept(listener)
                elif mask & selectors.EVENT_READ:
                    self._read(key.data)
                elif mask & selectors.EVENT_WRITE:
                    self._write(key.data)
            while self._due and self._due[0][0] <= time.perf_counter():
                self._proceed(heapq.heappop(self._due)[2])

    def _accept(self, listener: socket.socket) -> None:
        stream, _ = listener.accept()
        stream.setblocking(False)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(stream, selectors.EVENT_READ, _Connection(stream))

    def _read(self, one: _Connection) -> None:
        try:
            data = one.socket.recv(_CHUNK)
        except ConnectionError:
            data = b""
        if not data:
            self._close(one)
            return
        one.held += data
        head, found, _ = one.held.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = bytes(head).split(b"\r\n")
        fields = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in lines)
        }
        size = len(head) + 4 + int(fields.get(b"content-length", b"0"))
        if len(one.held) >= size:
            del one.held[:size]
            self._begin(one, first, fields.get(b"authorization", b""))

    def _begin(self, one: _Connection, first: bytes, token: bytes) -> None:
        method, path, _ = first.split(b" ")
        name, _, what = path.decode().strip("/").partition("/")
        if method != b"POST" or what != "responses" or name not in self._answers:
            one.pieces.append(_Piece(_NOTHING))
        elif name == ONCE and token == self._spent:
            one.pieces.append(_Piece(_REFUSED))
        else:
            if name == ONCE:
                self._spent = token
            one.pieces.extend(self._answers[name])
        self._proceed(one)

    def _proceed(self, one: _Connection) -> None:
        """Send what is due; what comes later is for then."""
        if one.socket.fileno() < 0 or not one.pieces:
            return
        one.outgoing = memoryview(bytes(one.outgoing) + one.pieces.popleft().data)
        if one.pieces:
            when = time.perf_counter() + one.pieces[0].after
            heapq.heappush(self._due, (when, id(one), one))
        self._write(one)

    def _write(self, one: _Connection) -> None:
        try:
            one.outgoing = one.outgoing[one.socket.send(one.outgoing) :]
        except BlockingIOError:
            pass
        except ConnectionError:
            self._close(one)
            return
        more = selectors.EVENT_WRITE if one.outgoing else 0
        self._selector.modify(one.socket, selectors.EVENT_READ | more, one)

    def _close(self, one: _Connection) -> None:
        self._selector.unregister(one.socket)
        one.socket.close()


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        host = _Host()  # before anybody hears of it: making the answers takes a moment
        print(listener.getsockname()[1], flush=True)
        host.serve(listener)
