"""How soon a turn ends that is interrupted while its host of models says nothing more."""

from __future__ import annotations

import re
import time
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.conversations import DELTA_TOLD, TURN_COMPLETED, start_thread
from benchmarks.upstream import DELTAS, SILENT, STUCK

if TYPE_CHECKING:
    from benchmarks.figures import Results
    from benchmarks.peers import Peer

_INTERRUPT: Final = (
    b'{"id":6,"method":"turn/interrupt","params":{"threadId":"%b","turnId":"%b"}}\n'
)
_ANSWERED: Final = b'"id":6,"result"'
_THREAD: Final = re.compile(rb'"threadId":"([0-9a-f-]{36})"')
_TURN: Final = re.compile(rb'"turn":\{"id":"([0-9a-f-]{36})"')

_PAUSE: Final = 0.1  # seconds in which a request that hears nothing has arrived


def measure_interrupts(results: Results, name: str, peer: Peer, count: int) -> None:
    """Interrupt turns in the middle of their answers, and such that have no answer."""
    for figure, answer in (("interrupt", STUCK), ("interrupt_silent", SILENT)):
        line = start_thread(peer, answer)
        times = [_interrupt(peer, line, DELTAS.get(answer, 0)) for _ in range(count)]
        results.add(f"{figure}_reply", name, median(reply for reply, _ in times) * 1000)
        results.add(f"{figure}_completed", name, median(end for _, end in times) * 1000)


def _interrupt(peer: Peer, line: bytes, deltas: int) -> tuple[float, float]:
    """Start a turn and interrupt it; returns the seconds until the reply, and until its end."""
    peer.send(line)
    said = peer.await_marks(b'"id":5,"result"', b'"turn/started"')
    while said.count(DELTA_TOLD) < deltas:
        said += peer.await_marks(DELTA_TOLD)
    time.sleep(_PAUSE)
    thread, turn = _THREAD.search(line), _TURN.search(said)
    assert thread is not None
    assert turn is not None
    reply, said = None, b""
    start = time.perf_counter()
    peer.send(_INTERRUPT % (thread[1], turn[1]))
    while TURN_COMPLETED not in said or reply is None or not said.endswith(b"\n"):
        chunk = peer.receive()
        now = time.perf_counter()
        if not chunk:
            raise RuntimeError(f"a turn does not end: {said!r}")
        said += chunk
        if reply is None and _ANSWERED in said:
            reply = now - start
    return reply, now - start
