"""Work that outlives the request that has begun it, and is worth waiting for at the end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Generator


@attrs.define(eq=False)
class Work:
    """Knows what is under way: turns, and requests that may begin one."""

    things: dict[Any, float] = attrs.field(factory=dict, init=False)
    """What that is, and when it began, on Trio's clock."""
    _done: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    @property
    def count(self) -> int:
        """How much is under way."""
        return len(self.things)

    def begin(self, thing: object) -> None:
        """Count something as under way, until ``end``."""
        self.things[thing] = trio.current_time()

    def end(self, thing: object) -> None:
        """Count it no more; what is not counted is no matter."""
        if self.things.pop(thing, None) is not None and not self.things:
            self._done.unpark_all()

    @contextmanager
    def under_way(self, thing: object) -> Generator[None]:
        """Count something as under way within the block."""
        self.begin(thing)
        try:
            yield
        finally:
            self.end(thing)

    async def wait_done(self) -> None:
        """Return as soon as nothing is under way."""
        await trio.lowlevel.checkpoint()
        while self.things:
            await self._done.park()
