"""How fast an answer goes through a server, and what every piece of it costs."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Final

import attrs
import orjson
import psutil

from benchmarks.conversations import DELTA_TOLD, TURN_COMPLETED, start_thread
from benchmarks.upstream import DELTAS, LONG, MEDIUM, PACED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import Results
    from benchmarks.peers import Peer

THREADS: Final = 32
"""How many threads are answered at once."""

_TIMES_MANY: Final = 2


def measure_deltas(results: Results, name: str, peer: Peer, count: int) -> None:
    """Let long answers through: one after the other, many at once, and as models give them."""
    one = [start_thread(peer, LONG)]
    many = [start_thread(peer, MEDIUM) for _ in range(THREADS)]
    paced = [start_thread(peer, PACED)]
    _stream(peer, one, LONG)
    flows = [_stream(peer, one, LONG) for _ in range(count)]
    results.add("deltas", name, median(flow.per_second for flow in flows))
    results.add("deltas_told", name, median(flow.told for flow in flows))
    # A process's time is counted in hundredths of a second, which is too little for one answer.
    results.add("delta_cpu", name, _processor_time(flows) * 1e6)
    results.add("delta_cpu_paced", name, _processor_time([_stream(peer, paced, PACED)]) * 1e6)
    flows = [_stream(peer, many, MEDIUM) for _ in range(_TIMES_MANY)]
    seconds = sum(flow.seconds for flow in flows)
    results.add("deltas_many", name, sum(flow.deltas for flow in flows) / seconds)


@attrs.frozen
class _Flow:
    """What has come through."""

    deltas: int
    """Of the model."""
    told: int
    """Notifications in which they came."""
    seconds: float
    """From the first to the last."""
    processor: float
    """Seconds of processors that the server has taken, from the request to the end."""

    @property
    def per_second(self) -> float:
        return self.deltas / self.seconds


def _stream(peer: Peer, lines: Sequence[bytes], answer: str) -> _Flow:
    """Run a turn in each of some threads, at once.

    Nothing is looked at but the ends of turns, before everything has come.
    """
    process = psutil.Process(peer.process.pid)
    before, owed, rest = _processor(process), len(lines), b""
    arrived: list[tuple[float, bytes]] = []
    peer.send(b"".join(lines))
    while owed or rest:
        chunk = peer.receive()
        arrived.append((time.perf_counter(), chunk))
        if not chunk:
            raise RuntimeError(f"{owed} turns do not end")
        # A turn ends with a line that is not long; it may come in two pieces.
        end = chunk.rfind(b"\n") + 1
        owed -= (rest + chunk[:end]).count(TURN_COMPLETED) if end else 0
        rest = chunk[end:] if end else rest + chunk
    processor = _processor(process) - before
    whole = b"".join(chunk for _, chunk in arrived)
    told = [orjson.loads(line) for line in whole.splitlines() if DELTA_TOLD in line]
    deltas = sum(one["params"]["delta"].count("word") for one in told)
    if deltas != len(lines) * DELTAS[answer]:
        raise RuntimeError(f"{deltas} deltas of {len(lines)} times {DELTAS[answer]}")
    times = [moment for moment, chunk in arrived if DELTA_TOLD in chunk]
    return _Flow(deltas, len(told), times[-1] - times[0], processor)


def _processor_time(flows: Sequence[_Flow]) -> float:
    """Return the seconds that a delta has taken."""
    return sum(flow.processor for flow in flows) / sum(flow.deltas for flow in flows)


def _processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
