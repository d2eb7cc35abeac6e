"""What a running server costs: its memory, its round trips, its logins."""

from __future__ import annotations

import time
from statistics import quantiles
from typing import TYPE_CHECKING, Final

from benchmarks.peers import LOOP, SERVERS, running
from benchmarks.pipeline import pipelined, read_lines
from benchmarks.weight import memory_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from benchmarks.figures import Results
    from benchmarks.peers import Peer
    from benchmarks.plan import Effort

SESSION_GROUPS: Final = frozenset(("memory", "roundtrip", "pipelined", "login"))

IN_FLIGHT: Final = (1, 16, 256)

_LONGEST: Final = 60.0  # seconds after which a server has had enough requests of one kind


def measure_session(results: Results, effort: Effort, groups: Collection[str]) -> None:
    """Measure one round: the same with every server, one server after the other."""
    for program in SERVERS:
        with running(program) as peer:
            peer.open()
            # The genuine server goes on starting after its first answers; that must not count.
            time.sleep(effort.settle)
            if "memory" in groups:
                for figure, size in memory_of(peer.process.pid).items():
                    results.add(figure, program.name, size / 2**20)
            if "roundtrip" in groups:
                round_trips(peer, effort.requests // 10)
                times = quantiles(round_trips(peer, effort.requests), n=100)
                results.add("p50", program.name, times[49])
                results.add("p99", program.name, times[98])
            if "pipelined" in groups:
                for count in IN_FLIGHT:
                    flow = pipelined(peer, count, effort.seconds)
                    results.add(f"flight_{count}", program.name, flow.per_second)
                    results.add(f"refused_{count}", program.name, flow.refused_share * 100)
            if "login" in groups:
                results.add("login", program.name, _logins(peer, effort.logins))
    if "pipelined" in groups:
        with running(LOOP) as peer:
            pipelined(peer, 1, effort.seconds / 10)
            flow = pipelined(peer, IN_FLIGHT[-1], effort.seconds)
            results.add(f"flight_{IN_FLIGHT[-1]}", LOOP.name, flow.per_second)


def round_trips(peer: Peer, count: int) -> list[float]:
    """Ask, wait for the answer, ask again; returns the microseconds of each."""
    clock, times, deadline = time.perf_counter_ns, [], time.perf_counter() + _LONGEST
    for line in read_lines(count):
        start = clock()
        peer.send(line)
        while b'"result"' not in (chunk := peer.receive()):
            if not chunk or b'"error"' in chunk:
                raise RuntimeError(f"no answer to account/read, but {chunk!r}")
        end = clock()
        times.append((end - start) / 1000)
        if not chunk.endswith(b"\n"):
            peer.await_marks(b"\n")
        if time.perf_counter() > deadline:
            break
    return times


def _logins(peer: Peer, most: int) -> float:
    """Sign in and out with an API key; returns how often in a second."""
    start = time.perf_counter()
    for number in range(most):
        login, logout = 10 + 2 * number, 11 + 2 * number
        peer.send(
            b'{"id":%d,"method":"account/login/start",'
            b'"params":{"type":"apiKey","apiKey":"sk-benchmarks"}}\n' % login
        )
        peer.await_marks(
            b'"id":%d,"result"' % login, b'"account/login/completed"', b'"account/updated"'
        )
        peer.send(b'{"id":%d,"method":"account/logout"}\n' % logout)
        peer.await_marks(b'"id":%d,"result"' % logout, b'"account/updated"')
        if (passed := time.perf_counter() - start) > _LONGEST:
            break
    return (number + 1) / passed
