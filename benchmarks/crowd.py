"""A program: very many device-code logins at once, each of an account scope of its own.

They wait in this process; the issuer that they ask is in another.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from benchmarks.weight import Weight
from codex_trio import Settings
from codex_trio.account.auth import Auth
from codex_trio.account.device_code import open_device_code_login
from codex_trio.account.login import LoginDesk
from codex_trio.account.oauth import Issuer
from codex_trio.account.restrictions import Restrictions
from codex_trio.account.storage import MemoryStore
from codex_trio.testing import spawn_stand_in
from codex_trio.upstream import open_upstream

if TYPE_CHECKING:
    from collections.abc import Iterator


_INTERVAL: Final = "3600"  # seconds between two polls: each has asked once, and waits
_AT_A_TIME: Final = 4  # that are being started; more only wait for one another
_WARM_UPS: Final = 100
_NAP: Final = 1e-3  # seconds


async def main(url: str, logins: int) -> None:
    """Start them, weigh them, cancel them; prints the figures."""
    settings = Settings(codex_home=Path.cwd(), issuer=url, credentials_store="ephemeral")
    async with open_upstream(settings) as upstream, trio.open_nursery() as nursery:
        restrictions = Restrictions.of(settings)
        crowd = _Crowd(nursery, Issuer(settings, upstream, restrictions), restrictions)
        await crowd.start(_WARM_UPS)
        await crowd.cancel()
        before = Weight.of(os.getpid())
        await crowd.start(logins)
        memory = Weight.of(os.getpid()).memory - before.memory
        bystander = _Bystander()
        nursery.start_soon(bystander.run)
        await trio.sleep(10 * _NAP)
        bystander.worst = 0.0
        start = time.perf_counter()
        await crowd.cancel()
        seconds = time.perf_counter() - start
        await trio.sleep(10 * _NAP)  # it may still be waiting for its turn
        nursery.cancel_scope.cancel(reason="all is measured")
    assert crowd.outcomes == _WARM_UPS + logins
    figures = {
        "memory": memory / 1024 / logins,
        "cancel": seconds,
        "delay": bystander.worst * 1000,
    }
    print(json.dumps(figures))


@attrs.define(eq=False)
class _Crowd:
    """Login desks, at each of which one login waits."""

    _nursery: trio.Nursery
    _issuer: Issuer
    _restrictions: Restrictions
    _desks: list[LoginDesk] = attrs.field(factory=list, init=False)
    outcomes: int = attrs.field(default=0, init=False)

    async def start(self, logins: int) -> None:
        """Start so many; returns when all of them wait."""
        todo = iter(range(logins))
        async with trio.open_nursery() as nursery:
            for _ in range(_AT_A_TIME):
                nursery.start_soon(self._start_some, todo)
        await wait_all_tasks_blocked(0.5)

    async def cancel(self) -> None:
        """Cancel them, one desk after the other.

        Cancelling many at once would not be faster, and would keep everybody else waiting.
        """
        for desk in self._desks:
            await desk.clear()
        self._desks.clear()

    async def _start_some(self, todo: Iterator[int]) -> None:
        flow = partial(open_device_code_login, self._issuer)
        for _ in todo:
            auth = Auth(MemoryStore(), self._restrictions, math.inf)
            desk = LoginDesk(self._nursery, auth)
            await desk.start(desk.reserve(), flow, lambda _: None, self._count)
            self._desks.append(desk)

    def _count(self, _outcome: str | None) -> None:
        self.outcomes += 1


@attrs.define(eq=False)
class _Bystander:
    """Somebody else in the same process, who sleeps a little, again and again."""

    worst: float = attrs.field(default=0.0, init=False)
    """The most seconds by which it has slept too long."""

    async def run(self) -> None:
        while True:
            start = time.perf_counter()
            await trio.sleep(_NAP)
            self.worst = max(self.worst, time.perf_counter() - start - _NAP)


if __name__ == "__main__":
    with spawn_stand_in() as stand_in:
        stand_in.script({"device": {"interval": _INTERVAL}})
        trio.run(main, stand_in.url, int(sys.argv[1]))
