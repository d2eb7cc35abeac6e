"""How long a server takes to go when it is told to."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING, Final

from benchmarks.peers import SERVERS, running

if TYPE_CHECKING:
    from benchmarks.figures import Results
    from benchmarks.peers import Peer

_PATIENCE: Final = 30.0


def measure_ends(results: Results, settle: float) -> None:
    """Measure one round: every way to end, with every server."""
    for program in SERVERS:
        with running(program) as peer:
            peer.open()
            results.add("eof_early", program.name, _end_of_input(peer))
        for figure, end in (("eof", _end_of_input), ("sigterm", _terminate)):
            with running(program) as peer:
                peer.open()
                time.sleep(settle)
                results.add(figure, program.name, end(peer))


def _end_of_input(peer: Peer) -> float:
    assert peer.process.stdin is not None
    start = time.perf_counter()
    peer.process.stdin.close()
    return _until_gone(peer, start)


def _terminate(peer: Peer) -> float:
    start = time.perf_counter()
    peer.process.send_signal(signal.SIGTERM)
    return _until_gone(peer, start)


def _until_gone(peer: Peer, start: float) -> float:
    # Its output ends with the process. Waiting for that is exact; subprocess looks for the end
    # of a process at longer and longer intervals.
    with contextlib.suppress(EOFError):
        while peer.receive(_PATIENCE):
            pass
    return (time.perf_counter() - start) * 1000
