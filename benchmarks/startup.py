"""How long a client waits for its first answer: with files in memory, and on disk."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cold import cold_programs
from benchmarks.peers import IMPORTS, SERVERS, running

if TYPE_CHECKING:
    from benchmarks.figures import Results
    from benchmarks.peers import Peer


def measure_warm(results: Results, rounds: int, warm_ups: int) -> None:
    """Start each server again and again; beside them, bare Python with our main imports."""
    for number in range(-warm_ups, rounds):
        times = {}
        for program in SERVERS:
            with running(program) as peer:
                times[program.name] = peer.open()
        with running(IMPORTS) as peer:
            peer.await_marks(b"ready")
            times[IMPORTS.name] = time.perf_counter() - peer.started
        if number >= 0:
            for name, seconds in times.items():
                results.add("spawn", name, seconds * 1000)


def measure_cold(results: Results, rounds: int, warm_ups: int) -> None:
    """Start each server with none of its files in memory."""
    if sys.platform != "linux":
        results.skipped.append(
            "start with files on disk, which takes posix_fadvise and the /proc of Linux"
        )
        return
    with cold_programs() as programs:
        for number in range(-warm_ups, rounds):
            for cold in programs:
                cold.forget_files()
                with running(cold.program) as peer:
                    seconds, read = peer.open(), _read_from_disk(peer)
                if number >= 0:
                    results.add("cold", cold.program.name, seconds * 1000)
                    if read is not None:
                        results.add("cold_read", cold.program.name, read / 2**20)


def _read_from_disk(peer: Peer) -> int | None:
    """How many bytes a process has had fetched: the proof that its files were not in memory."""
    try:
        text = Path(f"/proc/{peer.process.pid}/io").read_text(encoding="ascii")
    except OSError:
        return None
    counters = dict(line.split(": ") for line in text.splitlines())
    return int(counters["read_bytes"])
