"""Sign-ins that are started and cancelled again and again: how fast, and what they leave."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from benchmarks.browser import SERVERS, cycle
from benchmarks.peers import OURS, running
from benchmarks.weight import Weight

if TYPE_CHECKING:
    from benchmarks.figures import Results
    from benchmarks.peers import Peer
    from benchmarks.plan import Effort

CYCLES: Final = 200
"""How many are counted for what they leave."""

_TURN: Final = 10  # cycles of one server before the other has its turn
_AT_ONCE: Final = 40  # cycles without a rest; the genuine server takes long for them


def measure_cycles(results: Results, effort: Effort) -> None:
    """Measure one round: both servers are running, and have their turns."""
    with ExitStack() as stack:
        peers = {one.name: stack.enter_context(running(one)) for one in SERVERS}
        for peer in peers.values():
            peer.open()
        time.sleep(effort.settle)
        before = {name: Weight.of(peer.process.pid) for name, peer in peers.items()}
        seconds = dict.fromkeys(peers, 0.0)
        for _ in range(CYCLES // _TURN):
            for name, peer in peers.items():
                seconds[name] += _time(peer, _TURN, patient=True)
        for name, peer in peers.items():
            results.add("cycles_free", name, CYCLES / seconds[name])
            growth = Weight.of(peer.process.pid).growth_since(before[name])
            for what, value in growth.items():
                results.add(f"cycles_{what}", name, value)
        # In one go: behind an impatient turn of the genuine server both ports may be taken.
        for name, peer in peers.items():
            results.add("cycles", name, _AT_ONCE / _time(peer, _AT_ONCE, patient=False))


def measure_endurance(results: Results, cycles: int) -> None:
    """Measure ours, once: what very many cycles add to what the first have added."""
    with running(SERVERS[0]) as peer:
        peer.open()
        for _ in range(CYCLES):
            cycle(peer)
        before = Weight.of(peer.process.pid)
        for _ in range(cycles):
            cycle(peer)
        for what, value in Weight.of(peer.process.pid).growth_since(before).items():
            results.add(f"endurance_{what}", OURS.name, value)


def _time(peer: Peer, cycles: int, *, patient: bool) -> float:
    """Go through so many cycles, and return the seconds that they have taken.

    A ``patient`` client starts when the last port is free, another one at once.
    """
    start = time.perf_counter()
    for _ in range(cycles):
        login = cycle(peer)
        if patient:
            login.await_left()
    return time.perf_counter() - start
