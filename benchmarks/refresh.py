"""Renewing tokens: many who want it at once, in processes with one home; and what one costs."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from statistics import median
from threading import Timer
from typing import TYPE_CHECKING, Any, Final

from benchmarks.accounts import signed_in_home
from benchmarks.peers import PATIENCE, SERVERS

if TYPE_CHECKING:
    from benchmarks.accounts import Home
    from benchmarks.figures import Results
    from benchmarks.peers import Peer
    from benchmarks.plan import Effort

PROCESSES: Final = 8
TASKS: Final = 50
"""Requests in each of them."""

HANGING: Final = 1.0
"""Seconds for which the issuer does not answer, while others ask for the account."""

_LATENCY: Final = 0.2  # seconds the issuer takes to answer the first who ask
_TOKEN: Final = "/oauth/token"

_FORCE: Final = b'{"id":%d,"method":"account/read","params":{"refreshToken":true}}\n'
_FORCE_STATUS: Final = (
    b'{"id":%d,"method":"getAuthStatus","params":{"includeToken":true,"refreshToken":true}}\n'
)
_READ: Final = b'{"id":%d,"method":"account/read","params":{}}\n'
_STATUS: Final = b'{"id":%d,"method":"getAuthStatus","params":{"includeToken":true}}\n'


def measure_herd(results: Results, rounds: int) -> None:
    """Let all processes be asked for new tokens at once, again and again."""
    for program in SERVERS:
        with signed_in_home() as home, ExitStack() as stack:
            # One after the other: the genuine server makes its databases at its first start.
            peers = [stack.enter_context(home.running(program)) for _ in range(PROCESSES)]
            signed_in = True
            for _ in range(rounds):
                if not signed_in:
                    _sign_in_again(home, peers)
                exchanges, losers = _stampede(home, peers)
                signed_in = not losers
                results.add("refresh_exchanges", program.name, exchanges)
                results.add("refresh_losers", program.name, losers)


def measure_refreshes(results: Results, effort: Effort) -> None:
    """Measure one round: what a refresh takes, and what others wait while one hangs."""
    for program in SERVERS:
        with signed_in_home() as home, home.running(program) as peer:
            time.sleep(effort.settle)
            results.add("refresh", program.name, _refreshes(peer, effort.refreshes))
            results.add("refresh_read", program.name, _read_meanwhile(home, peer))


def _stampede(home: Home, peers: list[Peer]) -> tuple[int, int]:
    """Force a refresh everywhere; returns the exchanges, and who has no new token then."""
    before = len(home.issuer.exchanges())
    home.issuer.hold(_TOKEN)
    for peer in peers:
        peer.send(b"".join(_FORCE % number for number in range(100, 100 + TASKS)))
    time.sleep(_LATENCY)
    home.issuer.release(_TOKEN)
    for peer in peers:
        _answers(peer, TASKS)
    token = home.token()
    losers = 0
    for peer in peers:
        peer.send(_STATUS % 2)
        (answer,) = _answers(peer, 1)
        losers += answer["result"]["authToken"] != token
    return len(home.issuer.exchanges()) - before, losers


def _sign_in_again(home: Home, peers: list[Peer]) -> None:
    home.sign_in()
    for peer in peers:
        # The genuine server looks at the store only now, and then does not ask for more.
        peer.send(_FORCE % 3)
        _answers(peer, 1)


def _refreshes(peer: Peer, count: int) -> float:
    """Renew tokens one after the other; returns the milliseconds of the middle one."""
    times = []
    for number in range(10, 10 + count):
        start = time.perf_counter()
        peer.send(_FORCE_STATUS % number)
        peer.await_marks(b'"id":%d,"result"' % number)
        times.append((time.perf_counter() - start) * 1000)
    return median(times)


def _read_meanwhile(home: Home, peer: Peer) -> float:
    """Read the account while a refresh hangs; returns the milliseconds of the longest."""
    home.issuer.hold(_TOKEN)
    peer.send(_FORCE_STATUS % 3)
    release = Timer(HANGING, home.issuer.release, (_TOKEN,))
    release.start()
    times: list[float] = []
    said = b""
    while release.is_alive():
        start = time.perf_counter()
        number = 10 + len(times)
        peer.send(_READ % number)
        said += peer.await_marks(b'"id":%d,"result"' % number)
        times.append(time.perf_counter() - start)
    if b'"id":3,"result"' not in said:
        peer.await_marks(b'"id":3,"result"')
    return max(times) * 1000


def _answers(peer: Peer, count: int) -> list[dict[str, Any]]:
    """Read so many answers, good or bad ones."""
    answers: list[dict[str, Any]] = []
    rest, deadline = b"", time.perf_counter() + PATIENCE
    while len(answers) < count or rest:
        if not (chunk := peer.receive(max(0.0, deadline - time.perf_counter()))):
            raise RuntimeError(f"{len(answers)} of {count} answers have come")
        *lines, rest = (rest + chunk).split(b"\n")
        answers += (message for message in map(json.loads, lines) if "id" in message)
    return answers
