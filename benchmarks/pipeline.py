"""Many requests at once: as many new ones are sent as answers have come in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.peers import Peer

_REQUEST: Final = b'{"id":%d,"method":"account/read","params":{}}\n'

# Requests are made beforehand and used in turn; their ids differ as long as they are in flight.
_STOCK: Final = 2**14
_FIRST_ID: Final = 100_000  # all of the same length, so that any request can be found

_MOST_REQUESTS: Final = 2_000_000
_QUIET: Final = 2.0  # seconds without an answer after which none is expected any more


@attrs.frozen
class Flow:
    """What came back."""

    good: int
    refused: int
    """Answered with "overloaded"."""
    lost: int
    """Not answered at all."""
    seconds: float

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds

    @property
    def refused_share(self) -> float:
        """Which part of all requests had no good answer."""
        bad = self.refused + self.lost
        return bad / (self.good + bad)


def read_lines(count: int) -> Iterator[bytes]:
    """Make requests, each with an id of its own."""
    return (_REQUEST % (_FIRST_ID + number) for number in range(count))


def pipelined(peer: Peer, in_flight: int, seconds: float) -> Flow:
    """Keep so many requests in flight for so long, then wait for the last answers.

    Raises:
        RuntimeError: a request was answered with another error than "overloaded".
    """
    stock = memoryview(b"".join(map(peer.wrap, read_lines(_STOCK + in_flight))))
    size = len(peer.wrap(_REQUEST % _FIRST_ID))
    good = refused = position = 0
    owed = new = in_flight
    rest = b""
    start = last = time.perf_counter()
    while owed:
        if new:
            peer.write(stock[position * size : (position + new) * size])
            position = (position + new) % _STOCK
        if not (chunk := peer.receive(_QUIET)):
            break
        last = time.perf_counter()
        data = rest + chunk
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        fine = data.count(b'"result"', 0, end)
        overloaded = data.count(b'"code":-32001', 0, end)
        if data.count(b'"error"', 0, end) != overloaded:
            raise RuntimeError(f"an unexpected error: {data!r}")
        good, refused = good + fine, refused + overloaded
        more = last - start < seconds and good + refused < _MOST_REQUESTS
        new = fine + overloaded if more else 0
        owed += new - fine - overloaded
    return Flow(good, refused, owed, last - start)
