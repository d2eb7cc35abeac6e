"""What a client waits for when it gives a sign-in up: the reply, the notification, the port."""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import quantiles
from typing import TYPE_CHECKING, Final

import attrs

from benchmarks.browser import ANSWERED, CANCELED, COMPLETED, SERVERS, cycle, start_login
from benchmarks.peers import running

if TYPE_CHECKING:
    from benchmarks.figures import Results
    from benchmarks.peers import Peer
    from benchmarks.plan import Effort

_WARM_UPS: Final = 5


_REST: Final = 2e-3  # seconds in which a sign-in that has begun comes to rest
_PAUSE: Final = 50e-6  # seconds between two looks at a port


def measure_cancels(results: Results, effort: Effort) -> None:
    """Measure one round: both servers are running, and cancel in turn."""
    with ExitStack() as stack:
        peers = {one.name: stack.enter_context(running(one)) for one in SERVERS}
        seen = {name: _Seen() for name in peers}
        for peer in peers.values():
            peer.open()
        time.sleep(effort.settle)
        for number in range(-_WARM_UPS, effort.cancels):
            for name, peer in peers.items():
                if number < 0:
                    cycle(peer).await_left()
                else:
                    # One after the other: who looks at a port all the time is in the way.
                    _listen(peer, seen[name])
                    _look(peer, seen[name])
    for name, one in seen.items():
        for figure in ("reply", "completed", "port"):
            times = quantiles(getattr(one, figure), n=100)
            results.add(f"cancel_{figure}_p50", name, times[49])
            results.add(f"cancel_{figure}_p99", name, times[98])
        results.add("cancel_held", name, 100 * one.held / len(one.reply))


@attrs.define
class _Seen:
    """What was seen of one server: microseconds from the request on, and a count."""

    reply: list[float] = attrs.field(factory=list)
    completed: list[float] = attrs.field(factory=list)
    port: list[float] = attrs.field(factory=list)
    held: int = 0
    """How often the port was not free when the reply came."""


def _listen(peer: Peer, seen: _Seen) -> None:
    """Cancel a sign-in and wait for what is said of that."""
    login = start_login(peer)
    time.sleep(_REST)
    start = time.perf_counter_ns()
    peer.send(login.cancel)
    said = peer.await_marks(ANSWERED)
    reply = completed = time.perf_counter_ns()
    left = login.has_left()
    if COMPLETED not in said:
        peer.await_marks(COMPLETED)
        completed = time.perf_counter_ns()
    if not left:
        login.await_left()
    if CANCELED in said:
        seen.reply.append((reply - start) / 1000)
        seen.completed.append((completed - start) / 1000)
        seen.held += not left


def _look(peer: Peer, seen: _Seen) -> None:
    """Cancel a sign-in and look when a server could listen on its port again."""
    login = start_login(peer)
    time.sleep(_REST)
    start = time.perf_counter_ns()
    peer.send(login.cancel)
    while not login.has_left():
        time.sleep(_PAUSE)
    seen.port.append((time.perf_counter_ns() - start) / 1000)
    said = peer.await_marks(ANSWERED)
    if COMPLETED not in said:
        peer.await_marks(COMPLETED)
