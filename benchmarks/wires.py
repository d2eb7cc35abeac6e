"""Servers that listen for websockets: many connections, busy ones, unfair ones."""

from __future__ import annotations

import resource
import sys
import time
from typing import TYPE_CHECKING, Final

from benchmarks.browser import cycle
from benchmarks.fairness import measure_fairness
from benchmarks.guests import Guests
from benchmarks.pipeline import pipelined
from benchmarks.sockets import LISTENERS, listening
from benchmarks.weight import Weight, memory_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from benchmarks.figures import Results
    from benchmarks.plan import Effort
    from benchmarks.sockets import Listener

WIRE_GROUPS: Final = frozenset(("held", "websocket", "beside"))

IN_FLIGHT: Final = (1, 16, 256)

REST: Final = 1.0
"""Seconds in which a server may put in order what it has, before it is weighed."""

_SPARE: Final = 100  # files besides connections
_CYCLES: Final = 40


def measure_wires(
    results: Results, effort: Effort, connections: int, groups: Collection[str]
) -> None:
    """Measure one round: the same with every server, one server after the other."""
    if sys.platform != "linux":
        results.skipped.append("websockets, which takes the epoll and the /proc of Linux")
        return
    _allow_files(connections + _SPARE)
    for program in LISTENERS:
        name = program.name
        with listening(program) as listener:
            with listener.connected() as peer:
                peer.open()
            time.sleep(effort.settle)
            if "held" in groups:
                _measure_held(results, name, listener, connections, effort.seconds)
            if "websocket" in groups:
                _measure_one(results, name, listener, effort.seconds / 2)
            if "beside" in groups:
                measure_fairness(results, name, listener, effort.seconds)


def _measure_held(
    results: Results, name: str, listener: Listener, connections: int, seconds: float
) -> None:
    """Open connections and weigh them, have them ask, and see what they leave."""
    pid, some = listener.process.pid, connections // 10
    before, empty = Weight.of(pid), _memory(pid)
    with Guests(listener.port) as guests:
        guests.open(1, introduced=True)
        results.add("held_1", name, _memory(pid) / 2**20)
        guests.open(some - 1, introduced=True)
        results.add("held_100", name, _memory(pid) / 2**20)
        taken = guests.open(connections - some, introduced=True)
        results.add("opened", name, (connections - some) / taken)
        held = _memory(pid)
        results.add("held_1000", name, held / 2**20)
        results.add("held_each", name, (held - empty) / 2**10 / connections)
        _measure_answers(results, name, guests, "1000", seconds)
        results.add("held_asked", name, (_memory(pid) - empty) / 2**10 / connections)
    kept = _memory(pid)
    results.add("held_kept", name, (kept - empty) / 2**20)
    for count, key in ((some, "100"), (1, "1")):
        with Guests(listener.port) as guests:
            guests.open(count, introduced=True)
            _measure_answers(results, name, guests, key, seconds / 2)
    with Guests(listener.port) as guests:
        results.add("upgraded", name, connections / guests.open(connections, introduced=False))
    with Guests(listener.port) as guests:
        guests.open(connections, introduced=True)
        guests.ask(0)
    results.add("held_again", name, (_memory(pid) - kept) / 2**20)
    growth = Weight.of(pid).growth_since(before)
    results.add("held_threads", name, growth["threads"])
    results.add("held_files", name, growth["files"])


def _measure_answers(
    results: Results, name: str, guests: Guests, key: str, seconds: float
) -> None:
    flow = guests.ask(seconds)
    total = flow.good + flow.refused + flow.lost
    results.add(f"answers_{key}", name, flow.per_second)
    results.add(f"answers_refused_{key}", name, flow.refused / total * 100)
    results.add(f"answers_lost_{key}", name, flow.lost / total * 100)


def _measure_one(results: Results, name: str, listener: Listener, seconds: float) -> None:
    """Measure one connection: what is over stdio in a line of its own elsewhere."""
    with listener.connected() as peer:
        peer.open()
        for count in IN_FLIGHT:
            flow = pipelined(peer, count, seconds)
            results.add(f"websocket_{count}", name, flow.per_second)
            results.add(f"websocket_refused_{count}", name, flow.refused_share * 100)
        start = time.perf_counter()
        for _ in range(_CYCLES):
            cycle(peer)
        results.add("websocket_cycles", name, _CYCLES / (time.perf_counter() - start))


def _memory(pid: int) -> int:
    """Weigh a process that has had a moment to put in order what it has."""
    time.sleep(REST)
    return memory_of(pid)["pss"]


def _allow_files(files: int) -> None:
    """Have this process and its children open so many, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        files = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
