"""How long a client waits for its answers while another one floods the server."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from statistics import quantiles
from typing import TYPE_CHECKING, Final

from benchmarks.flood import DEAF, GREEDY
from benchmarks.pipeline import read_lines

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.figures import Results
    from benchmarks.peers import Peer
    from benchmarks.sockets import Listener

PAUSE: Final = 0.005
"""Seconds between two requests: others ask for what they need, and then think."""

_MOST: Final = 100_000
_LEAD: Final = 0.5  # seconds that the flood has before


def measure_fairness(results: Results, name: str, listener: Listener, seconds: float) -> None:
    """Measure alone, beside one who reads nothing, and beside one who is greedy."""
    with listener.connected() as peer:
        peer.open()
        _measure(results, name, peer, "alone", seconds)
        for manner in (DEAF, GREEDY):
            with _flooded(listener.port, manner):
                _measure(results, name, peer, manner, seconds)


def _measure(results: Results, name: str, peer: Peer, figure: str, seconds: float) -> None:
    times, refused = _ask(peer, seconds)
    # One that is always refused has waited in vain all the time.
    middles = quantiles(times, n=100) if len(times) > 1 else [seconds * 1000] * 99
    results.add(f"beside_{figure}_p50", name, middles[49])
    results.add(f"beside_{figure}_p99", name, middles[98])
    results.add(f"beside_{figure}_refused", name, refused * 100)


def _ask(peer: Peer, seconds: float) -> tuple[list[float], float]:
    """Ask one after the other; returns the milliseconds of good answers, and the others' share."""
    clock, times, refused = time.perf_counter, [], 0
    end = clock() + seconds
    for line in read_lines(_MOST):
        mark = line[: line.index(b",")]
        start = clock()
        if start > end:
            break
        peer.send(line)
        while mark[1:] not in (chunk := peer.receive()):
            if not chunk:
                raise RuntimeError("no answer to account/read beside a flood")
        if b'"result"' in chunk:
            times.append((clock() - start) * 1000)
        else:
            refused += 1
        time.sleep(PAUSE)
    return times, refused / (len(times) + refused)


@contextmanager
def _flooded(port: int, manner: str) -> Generator[None]:
    command = [sys.executable, "-m", "benchmarks.flood", str(port), manner]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(_LEAD)
        yield
        child.stdin.close()
