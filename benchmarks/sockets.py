"""Servers that listen for websockets, and one connection to them that is spoken to like a pipe.

The frames are made here, of raw bytes: a library would take more time than a server does.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from benchmarks.browser import SERVERS
from benchmarks.peers import PATIENCE, Peer, environ_of, new_home, wait_for_end

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import IO

    from benchmarks.peers import Program

UPGRADE: Final = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
UPGRADED: Final = b"HTTP/1.1 101"

_LISTENING: Final = re.compile(rb"ws://127\.0\.0\.1:([0-9]+)")
_PAUSE: Final = 0.005  # seconds

_TEXT: Final = 0x81  # the last frame of a text, and the only one
_MASKED: Final = 0x80
_TWO_BYTES: Final = 126  # says that the length follows in two bytes …
_EIGHT_BYTES: Final = 127  # … or in eight


def listening_program(program: Program) -> Program:
    """Make of a server one that listens for websockets on a port that it chooses."""
    *command, _ = program.command
    return attrs.evolve(program, command=(*command, "ws://127.0.0.1:0"))


LISTENERS: Final = tuple(map(listening_program, SERVERS))


@attrs.frozen
class Listener:
    """A server that listens."""

    process: subprocess.Popen[bytes]
    started: float
    """When its start was asked for, on the clock of ``time.perf_counter``."""
    port: int

    @contextmanager
    def connected(self) -> Generator[SocketPeer]:
        """Open a connection for the block; the handshake of websockets is done, no other."""
        with connect(self.port) as wire:
            yield SocketPeer(self.process, self.started, wire.fileno(), wire.fileno())


@contextmanager
def listening(program: Program) -> Generator[Listener]:
    """Start a server with a home of its own; leaving ends it with SIGTERM."""
    with new_home() as home, tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=environ_of(program, home),
        )
        try:
            yield Listener(process, started, _await_port(process, log))
        finally:
            process.terminate()
            wait_for_end(process)


def connect(port: int) -> socket.socket:
    """Connect to a server, and become a websocket.

    Raises:
        RuntimeError: it does not agree.
    """
    wire = socket.create_connection(("127.0.0.1", port), PATIENCE)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.sendall(UPGRADE)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):  # nobody speaks unasked
        if not (chunk := wire.recv(4096)):
            break
        answer += chunk
    if not answer.startswith(UPGRADED):
        wire.close()
        raise RuntimeError(f"no websocket, but {answer!r}")
    wire.setblocking(True)
    return wire


def frame(line: bytes) -> bytes:
    """Make a frame of a line, as a client must: masked.

    The mask is zero, which leaves the bytes as they are; servers apply it all the same.
    """
    message = line.rstrip(b"\n")
    size = len(message)
    if size < _TWO_BYTES:
        head = bytes((_TEXT, _MASKED | size))
    else:
        head = bytes((_TEXT, _MASKED | _TWO_BYTES)) + size.to_bytes(2, "big")
    return head + bytes(4) + message


@attrs.define(eq=False)
class SocketPeer(Peer):
    """A connection over which lines are exchanged, each in a frame of its own."""

    _rest: bytes = attrs.field(default=b"", init=False)  # of a frame that has not all come

    def wrap(self, line: bytes) -> bytes:
        """Make frames of lines."""
        return b"".join(map(frame, line.splitlines()))

    def receive(self, patience: float = PATIENCE) -> bytes:
        """Read whole frames, as lines; empty when none comes in time.

        Raises:
            EOFError: the server has closed the connection.
        """
        deadline = time.perf_counter() + patience
        while chunk := Peer.receive(self, max(0.0, deadline - time.perf_counter())):
            lines, self._rest = unframe(self._rest + chunk)
            if lines:
                lines.append(b"")
                return b"\n".join(lines)
        return b""


def unframe(data: bytes) -> tuple[list[bytes], bytes]:
    """Cut bytes of a server into messages, and what is left of the last.

    Raises:
        EOFError: it closes the connection.
    """
    messages, start, end = [], 0, len(data)
    while end - start >= 2:
        size, payload = data[start + 1], start + 2
        if size >= _TWO_BYTES:
            payload += 8 if size == _EIGHT_BYTES else 2
            if payload > end:
                break
            size = int.from_bytes(data[start + 2 : payload], "big")
        if payload + size > end:
            break
        if data[start] == _TEXT:
            messages.append(data[payload : payload + size])
        elif data[start] & 0x0F == 0x08:
            raise EOFError(f"the server closes: {data[payload : payload + size]!r}")
        start = payload + size
    return messages, data[start:]


def _await_port(process: subprocess.Popen[bytes], log: IO[bytes]) -> int:
    deadline = time.perf_counter() + PATIENCE
    while True:
        said = os.pread(log.fileno(), 4096, 0)
        if found := _LISTENING.search(said):
            return int(found[1])
        if process.poll() is not None or time.perf_counter() > deadline:
            raise RuntimeError(f"a server does not listen: {said!r}")
        time.sleep(_PAUSE)
