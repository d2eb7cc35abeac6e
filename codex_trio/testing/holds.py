"""Who waits in the stand-in, and for what."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@attrs.define(eq=False)
class News:
    """Wakes those who wait until something is so."""

    _lot: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    def tell(self) -> None:
        """Let everybody look again."""
        self._lot.unpark_all()

    async def wait(self, find: Callable[[], T | None]) -> T:
        """Return what is found, as soon as it is."""
        await trio.lowlevel.checkpoint()
        while (found := find()) is None:
            await self._lot.park()
        return found


@attrs.define(eq=False)
class Holds:
    """What is kept waiting, by name, until it is let go.

    A name that has been let go keeps nobody waiting, until it is held again.
    """

    _news: News
    _events: dict[str, trio.Event] = attrs.field(factory=dict, init=False)
    _waiting: Counter[str] = attrs.field(factory=Counter, init=False)

    def hold(self, name: str) -> None:
        """Keep waiting who comes to a name from now on."""
        if name not in self._events or self._events[name].is_set():
            self._events[name] = trio.Event()

    def release(self, name: str) -> None:
        """Let go who waits for a name, and who comes later."""
        self._events.setdefault(name, trio.Event()).set()

    def clear(self) -> None:
        """Let go everybody, and forget all names."""
        for event in self._events.values():
            event.set()
        self._events.clear()

    async def pass_held(self, name: str) -> None:
        """Wait where a name is held; where it is not, go on."""
        if name in self._events:
            await self.pass_new(name)

    async def pass_new(self, name: str) -> None:
        """Wait for a name, which is held by that unless it has been let go."""
        event = self._events.setdefault(name, trio.Event())
        self._waiting[name] += 1
        self._news.tell()
        try:
            await event.wait()
        finally:
            self._waiting[name] -= 1

    async def wait_held(self, name: str, number: int = 1) -> None:
        """Return as soon as so many wait for a name."""
        await self._news.wait(lambda: self._waiting[name] >= number or None)
