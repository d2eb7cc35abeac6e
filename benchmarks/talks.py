"""Servers in which threads are answered: turns, deltas, memory, interrupts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from benchmarks.conversations import conversing_home, running_host
from benchmarks.deltas import measure_deltas
from benchmarks.interrupts import measure_interrupts
from benchmarks.loaded import measure_loaded
from benchmarks.peers import SERVERS
from benchmarks.turns import measure_healed_turns, measure_turns

if TYPE_CHECKING:
    from collections.abc import Collection

    from benchmarks.figures import Results
    from benchmarks.plan import Effort

TALK_GROUPS: Final = frozenset(("loaded", "turns", "healed", "deltas", "interrupts"))


def measure_talks(results: Results, effort: Effort, groups: Collection[str]) -> None:
    """Measure one round: the same with every server, at the same host of models."""
    with running_host() as host:
        for program in SERVERS:
            name = program.name
            if "loaded" in groups:  # by itself: what was freed before would hide what is added
                with conversing_home(host) as home, home.running(program) as peer:
                    time.sleep(effort.settle)
                    measure_loaded(results, name, peer)
            if TALK_GROUPS.isdisjoint({*groups} - {"loaded"}):
                continue
            with conversing_home(host) as home, home.running(program) as peer:
                time.sleep(effort.settle)
                if "turns" in groups:
                    measure_turns(results, name, peer, host, effort.turns)
                if "healed" in groups:
                    measure_healed_turns(results, name, peer, effort.healed)
                if "deltas" in groups:
                    measure_deltas(results, name, peer, effort.answers)
                if "interrupts" in groups:
                    measure_interrupts(results, name, peer, effort.interrupts)
