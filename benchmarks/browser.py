"""A sign-in through a browser that nobody finishes: it is started, and cancelled."""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING, Final

import attrs

from benchmarks.peers import GENUINE, OURS, PATIENCE

if TYPE_CHECKING:
    from benchmarks.peers import Peer

NOWHERE: Final = {"CODEX_APP_SERVER_LOGIN_ISSUER": "http://127.0.0.1:9"}
"""Nobody is asked before a browser comes back, and none does. Should a server ask all the same,
it asks where nobody is."""

SERVERS: Final = tuple(attrs.evolve(program, environ=NOWHERE) for program in (OURS, GENUINE))

_START: Final = b'{"id":2,"method":"account/login/start","params":{"type":"chatgpt"}}\n'
_CANCEL: Final = b'{"id":3,"method":"account/login/cancel","params":{"loginId":"%s"}}\n'
_ID: Final = re.compile(rb'"loginId":"([0-9a-f-]{36})"')
_PORT: Final = re.compile(rb"redirect_uri=http%3A%2F%2F[a-z0-9.]+%3A([0-9]+)%2F")

ANSWERED: Final = b'"id":3,"result"'
CANCELED: Final = b'"status":"canceled"'
COMPLETED: Final = b'"account/login/completed"'

_PAUSE: Final = 0.1  # seconds


@attrs.frozen
class Login:
    """A sign-in that waits for its browser."""

    cancel: bytes
    """The request that cancels it."""
    port: int
    """Where it listens on 127.0.0.1."""

    def has_left(self) -> bool:
        """Say whether a server could listen where it did."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                return False
        return True

    def await_left(self) -> None:
        """Wait until a server could listen where it did."""
        deadline = time.perf_counter() + PATIENCE
        while not self.has_left() and time.perf_counter() < deadline:
            pass


def start_login(peer: Peer) -> Login:
    """Start to sign in; waits while others on this machine have all the ports for it.

    Raises:
        RuntimeError: it does not start.
    """
    deadline = time.perf_counter() + PATIENCE
    while True:
        peer.send(_START)
        try:
            answer = peer.await_marks(b'"id":2,"result"')
        except RuntimeError:
            if time.perf_counter() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            login_id, port = _ID.search(answer), _PORT.search(answer)
            assert login_id is not None
            assert port is not None
            return Login(_CANCEL % login_id[1], int(port[1]))


def cycle(peer: Peer) -> Login:
    """Start to sign in and cancel it, with the reply and the notification."""
    while True:
        login = start_login(peer)
        peer.send(login.cancel)
        seen = peer.await_marks(ANSWERED)
        if CANCELED in seen:
            if COMPLETED not in seen:
                peer.await_marks(COMPLETED)
            return login
        # Somebody else on this machine has wanted the port, and has ended it before.
