"""How soon a server lists threads of a home that has very many of them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.conversations import conversing_home, run_turn, running_host, start_thread
from benchmarks.peers import GENUINE, OURS, SERVERS
from benchmarks.rollouts import copy_rollout, link_rollouts
from benchmarks.upstream import SHORT

if TYPE_CHECKING:
    from benchmarks.figures import Results
    from benchmarks.peers import Peer
    from benchmarks.plan import Effort

_LIST: Final = b'{"id":%d,"method":"thread/list","params":{"limit":25,"modelProviders":[]}}\n'
_PAGE: Final = 25
_AGAIN: Final = 20


def measure_listing(results: Results, threads: int, rounds: int, effort: Effort) -> None:
    """List the newest threads, at first and again, in homes with the same files."""
    with running_host() as host, ExitStack() as stack:
        homes = {one.name: stack.enter_context(conversing_home(host)) for one in SERVERS}
        ours, genuine = homes[OURS.name], homes[GENUINE.name]
        with ours.running(OURS) as peer:
            run_turn(peer, start_thread(peer, SHORT))
        (template,) = ours.path.rglob("rollout-*.jsonl")
        copy_rollout(template, ours.path, threads - 1)
        link_rollouts(ours.path, genuine.path)
        # What a server finds out about files that it has never seen does not count.
        for number in range(rounds + 1):
            for program in SERVERS:
                with homes[program.name].running(program) as peer:
                    time.sleep(effort.settle)
                    first, *others = [_list(peer, one) for one in range(10, 10 + 1 + _AGAIN)]
                if number:
                    results.add("list_first", program.name, first * 1000)
                    results.add("list_again", program.name, median(others) * 1000)


def _list(peer: Peer, number: int) -> float:
    start = time.perf_counter()
    peer.send(_LIST % number)
    answer = peer.await_marks(b'"id":%d,"result"' % number)
    seconds = time.perf_counter() - start
    if (found := answer.count(b'"preview":"Say something')) != _PAGE:
        raise RuntimeError(f"{found} of {_PAGE} threads are listed")
    return seconds
