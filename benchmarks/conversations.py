"""Threads with which turns are measured, and the host of models that answers in them."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from benchmarks.accounts import signed_in_home
from benchmarks.peers import PATIENCE
from benchmarks.upstream import ANSWERS, COMPLETED, DELTA

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.accounts import Home
    from benchmarks.peers import Peer

DELTA_TOLD: Final = b'"item/agentMessage/delta"'
TURN_COMPLETED: Final = b'"turn/completed"'

_PROVIDER: Final = """
[model_providers.{name}]
name = "{name}"
base_url = "{url}/{name}"
wire_api = "responses"
requires_openai_auth = true
supports_websockets = false
"""

_START_THREAD: Final = (
    b'{"id":4,"method":"thread/start","params":{"model":"gpt-5.5","modelProvider":"%b"}}\n'
)
_START_TURN: Final = (
    b'{"id":5,"method":"turn/start","params":'
    b'{"threadId":"%b","input":[{"type":"text","text":"Say something."}]}}\n'
)
_ID: Final = re.compile(rb'"thread":\{"id":"([0-9a-f-]{36})"')

_ASKED: Final = json.dumps({"input": "x" * 16 * 2**10}).encode()  # about what servers send
_CHUNK: Final = 256 * 2**10


@attrs.frozen
class Host:
    """A host of models that is running."""

    port: int

    @property
    def config(self) -> str:
        """What leads a server there: a provider for each of its answers."""
        url = f"http://127.0.0.1:{self.port}"
        return "".join(_PROVIDER.format(name=name, url=url) for name in ANSWERS)

    def ask(self, answer: str, count: int) -> list[Times]:
        """Ask it directly, one after the other; returns what it takes by itself."""
        request = (
            b"POST /%b/responses HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b"
        ) % (answer.encode(), len(_ASKED), _ASKED)
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return [_ask(wire, request) for _ in range(count)]


@attrs.frozen
class Times:
    """Seconds from a request on."""

    first: float
    """Until its first delta is there."""
    completed: float


@contextmanager
def running_host() -> Generator[Host]:
    """Run a host as a child within the block."""
    command = [sys.executable, "-m", "benchmarks.upstream"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as child:
        try:
            assert child.stdout is not None
            yield Host(int(child.stdout.readline()))
        finally:
            child.terminate()


@contextmanager
def conversing_home(host: Host) -> Generator[Home]:
    """Make a home with an account, whose threads find their model at the host."""
    with signed_in_home(host.config) as home:
        yield home


def start_thread(peer: Peer, answer: str) -> bytes:
    """Start a thread whose turns are answered so; returns the line that starts a turn in it."""
    peer.send(_START_THREAD % answer.encode())
    found = _ID.search(peer.await_marks(b'"id":4,"result"', b'"thread/started"'))
    assert found is not None
    return _START_TURN % found[1]


def run_turn(peer: Peer, line: bytes) -> Times:
    """Run a turn to its end.

    Raises:
        RuntimeError: it does not end, or something goes wrong.
    """
    first, seen = None, b""
    start = time.perf_counter()
    peer.send(line)
    while not (TURN_COMPLETED in seen and seen.endswith(b"\n")):
        chunk = peer.receive()
        now = time.perf_counter()
        seen += chunk
        if not chunk or b'"error":{' in chunk:
            raise RuntimeError(f"a turn has failed: {seen!r}")
        if first is None and DELTA_TOLD in seen:
            first = now - start
    if first is None:
        raise RuntimeError(f"a turn without deltas: {seen!r}")
    return Times(first, now - start)


def _ask(wire: socket.socket, request: bytes) -> Times:
    first, seen = 0.0, b""
    start = time.perf_counter()
    wire.sendall(request)
    while COMPLETED not in seen or not seen.endswith(b"\r\n0\r\n\r\n"):
        chunk = wire.recv(_CHUNK)
        now = time.perf_counter()
        if not chunk:
            raise RuntimeError("the host of models has hung up")
        seen += chunk
        if not first and DELTA in seen:
            first = now - start
    return Times(first, now - start)
