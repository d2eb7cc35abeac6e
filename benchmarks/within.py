"""Round trips within a process, beside what the genuine server has for that: standard streams."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.peers import GENUINE, OURS, SERVERS, running
from benchmarks.session import round_trips

if TYPE_CHECKING:
    from benchmarks.figures import Results
    from benchmarks.plan import Effort

OVER_STDIO: Final = "ours, over stdio"
"""A program beside the two, to compare with."""


def measure_inside(results: Results, effort: Effort) -> None:
    """Measure one round: within a process, then over the standard streams of both servers."""
    command = [sys.executable, "-m", "benchmarks.inside", str(effort.requests)]
    child = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    figures = json.loads(child.stdout)
    times = {}
    for program in SERVERS:
        with running(program) as peer:
            peer.open()
            time.sleep(effort.settle)
            round_trips(peer, effort.requests // 10)
            times[program.name] = median(round_trips(peer, effort.requests))
    for way, microseconds in figures.items():
        results.add(f"inside_{way}", OURS.name, microseconds)
        results.add(f"inside_{way}", GENUINE.name, times[GENUINE.name])
        results.add(f"inside_{way}", OVER_STDIO, times[OURS.name])
