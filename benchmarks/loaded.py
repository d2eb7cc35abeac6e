"""What threads take up that are loaded, and of which nobody wants anything at the moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from benchmarks.conversations import run_turn, start_thread
from benchmarks.upstream import SHORT
from benchmarks.weight import memory_of

if TYPE_CHECKING:
    from benchmarks.figures import Results
    from benchmarks.peers import Peer

MORE: Final = 20
"""Threads that are loaded beside the first one."""

_REST: Final = 0.5  # seconds


def measure_loaded(results: Results, name: str, peer: Peer) -> None:
    """Weigh a server with one thread, and with many; a turn has been run in each."""
    one = _weigh_with(peer, 1)
    results.add("thread_memory", name, one / 2**20)
    results.add("thread_each", name, (_weigh_with(peer, MORE) - one) / MORE / 1024)


def _weigh_with(peer: Peer, more: int) -> int:
    """Load more threads, and return the bytes of the process then."""
    for _ in range(more):
        run_turn(peer, start_thread(peer, SHORT))
    time.sleep(_REST)
    sizes = memory_of(peer.process.pid)
    return sizes.get("pss", sizes["rss"])
