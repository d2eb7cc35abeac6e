"""What a turn takes beyond what its host of models takes."""

from __future__ import annotations

from statistics import median, quantiles
from typing import TYPE_CHECKING, Final

from benchmarks.conversations import run_turn, start_thread
from benchmarks.upstream import ONCE, SHORT

if TYPE_CHECKING:
    from benchmarks.conversations import Host, Times
    from benchmarks.figures import Results
    from benchmarks.peers import Peer

_WARM_UPS: Final = 5


def measure_turns(results: Results, name: str, peer: Peer, host: Host, count: int) -> None:
    """Run turns in one thread, one after the other."""
    alone = host.ask(SHORT, count)
    own_first = median(one.first for one in alone)
    own = median(one.completed for one in alone)
    results.add("turn_host", name, own * 1e6)
    times = _run_turns(peer, SHORT, count)
    first = [one.first - own_first for one in times]
    completed = [one.completed - own for one in times]
    for figure, seconds in (("turn_first", first), ("turn", completed)):
        cuts = quantiles(seconds, n=100)
        results.add(f"{figure}_p50", name, cuts[49] * 1000)
        results.add(f"{figure}_p99", name, cuts[98] * 1000)


def measure_healed_turns(results: Results, name: str, peer: Peer, count: int) -> None:
    """Run turns, each of them with a token that is refused, and has to be renewed."""
    times = [one.completed for one in _run_turns(peer, ONCE, count)]
    results.add("turn_healed_p50", name, median(times) * 1000)


def _run_turns(peer: Peer, answer: str, count: int) -> list[Times]:
    line = start_thread(peer, answer)
    for _ in range(_WARM_UPS):
        run_turn(peer, line)
    return [run_turn(peer, line) for _ in range(count)]
