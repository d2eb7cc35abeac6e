"""A program: a client that asks as fast as it can, and reads nothing or everything.

It asks until its standard input ends. One that is thrown out comes back.
"""

from __future__ import annotations

import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from benchmarks.peers import INITIALIZE, INITIALIZED
from benchmarks.pipeline import read_lines
from benchmarks.sockets import connect, frame

if TYPE_CHECKING:
    import socket

DEAF: Final = "deaf"
"""Reads nothing."""
GREEDY: Final = "greedy"
"""Reads what there is, and has ``IN_FLIGHT`` requests in flight again."""

IN_FLIGHT: Final = 100
"""Fewer than servers refuse for being too many."""

_PAUSE: Final = 10  # milliseconds
_CHUNK: Final = 64 * 2**10


def main(port: int, manner: str) -> None:
    """Flood until told to end."""
    frames = [frame(line) for line in read_lines(IN_FLIGHT)]
    print("ready", flush=True)
    while not _is_over():
        # Thrown out while it sends, or not even let in: it comes back.
        with suppress(OSError, RuntimeError), connect(port) as wire:
            wire.sendall(frame(INITIALIZE))
            wire.recv(_CHUNK)
            wire.sendall(frame(INITIALIZED))
            if manner == DEAF:
                _send(wire, b"".join(frames))
            else:
                _exchange(wire, frames)


def _send(wire: socket.socket, data: bytes) -> None:
    """Send again and again, as far as the server takes it."""
    wire.setblocking(False)
    poll = select.poll()
    poll.register(wire, select.POLLOUT)
    rest = data
    while not _is_over():
        if poll.poll(_PAUSE):
            rest = rest[wire.send(rest) :] or data


def _exchange(wire: socket.socket, frames: list[bytes]) -> None:
    """Send one more for every answer."""
    wire.sendall(b"".join(frames))
    while not _is_over() and (chunk := wire.recv(_CHUNK)):
        answers = chunk.count(b'"id":')
        wire.sendall(b"".join(frames[:answers]))


def _is_over() -> bool:
    """Whether standard input has ended; nothing is ever written to it."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
