"""Many connections to one server, all of which one thread looks after.

It must take less time than the server, with which it shares the processors: a connection is a
number and a counter, all send the same bytes, and answers are told apart by the marks in them.
An answer is one small write of the server, so no mark is cut in two.
"""

from __future__ import annotations

import os
import select
import socket
import time
from typing import TYPE_CHECKING, Final, Self

import attrs

from benchmarks.peers import INITIALIZE, INITIALIZED, PATIENCE
from benchmarks.pipeline import Flow
from benchmarks.sockets import UPGRADE, UPGRADED, frame

if TYPE_CHECKING:
    from collections.abc import Generator

AT_A_TIME: Final = 32
"""Connections that are on their way while many are opened."""

_READ: Final = frame(b'{"id":1,"method":"account/read","params":{}}')
_INITIALIZE: Final = frame(INITIALIZE)
_INITIALIZED: Final = frame(INITIALIZED)

_CHUNK: Final = 4096
_QUIET: Final = 3.0  # seconds without an answer after which none is expected any more


@attrs.define(eq=False)
class Guests:
    """Connections that are open; close them, or let ``with`` do it."""

    _port: int
    _epoll: select.epoll = attrs.field(factory=select.epoll, init=False)
    _sockets: dict[int, socket.socket] = attrs.field(factory=dict, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._epoll.close()

    def __len__(self) -> int:
        return len(self._sockets)

    def close(self) -> None:
        """Close all of them at once, without a word."""
        for one in self._sockets.values():
            one.close()  # which also takes it out of epoll
        self._sockets.clear()

    def open(self, count: int, *, introduced: bool) -> float:
        """Open so many more; returns the seconds.

        Each is connected and upgraded and, to be ``introduced``, has its ``initialize`` answered.

        Raises:
            RuntimeError: the server does not want one of them.
        """
        start = time.perf_counter()
        steps: dict[int, Generator[bool]] = {}
        while count or steps:
            while count and len(steps) < AT_A_TIME:
                wire = self._connect()
                steps[wire] = self._arrival(wire, introduced=introduced)
                next(steps[wire])
                count -= 1
            if not (events := self._epoll.poll(PATIENCE)):
                raise RuntimeError(f"{len(steps)} connections are not answered")
            for wire, _ in events:
                if wire not in steps:
                    continue  # one that had come before; what it is told is read later
                if next(steps[wire], None) is None:
                    del steps[wire]
        return time.perf_counter() - start

    def ask(self, seconds: float) -> Flow:
        """Have each read the account, one after the other, for so long.

        Raises:
            RuntimeError: there is another error than "overloaded".
        """
        good = refused = lost = 0
        read, write, clock, poll = os.read, os.write, time.perf_counter, self._epoll.poll
        self._drain()
        start = last = clock()
        for wire in self._sockets:
            write(wire, _READ)
        owed = set(self._sockets)
        while owed and (events := poll(_QUIET)):
            last = clock()
            more = last - start < seconds
            for wire, _ in events:
                try:
                    data = read(wire, _CHUNK)
                except ConnectionError:
                    data = b""
                if b'"result"' in data:
                    good += 1
                elif b'"code":-32001' in data:
                    refused += 1
                elif b'"error"' in data:
                    raise RuntimeError(f"an unexpected error: {data!r}")
                elif data:
                    continue  # news
                else:
                    self._sockets.pop(wire).close()
                    lost += wire in owed
                    owed.discard(wire)
                    continue
                if more:
                    write(wire, _READ)
                else:
                    owed.discard(wire)
        return Flow(good, refused, lost + len(owed), last - start)

    def _connect(self) -> int:
        one = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets[one.fileno()] = one
        self._epoll.register(one, select.EPOLLIN)
        return one.fileno()

    def _arrival(self, wire: int, *, introduced: bool) -> Generator[bool]:
        """What a connection does until it is open; goes on when there is something to read."""
        os.write(wire, UPGRADE)
        yield True
        answer = os.read(wire, _CHUNK)
        if not answer.startswith(UPGRADED):
            raise RuntimeError(f"no websocket, but {answer!r}")
        if not introduced:
            return
        while True:
            os.write(wire, _INITIALIZE)
            yield True
            answer = os.read(wire, _CHUNK)
            if b'"result"' in answer:
                os.write(wire, _INITIALIZED)
                return
            if b'"code":-32001' not in answer:
                raise RuntimeError(f"not introduced, but {answer!r}")

    def _drain(self) -> None:
        """Read what there is, so that all that comes later are answers, or news."""
        while events := self._epoll.poll(0):
            for wire, _ in events:
                if not os.read(wire, _CHUNK):
                    raise RuntimeError("the server has hung up")
