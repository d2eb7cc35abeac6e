"""Requests that must not overtake each other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Hashable


@attrs.define(eq=False)
class Place:
    """One request's place in a lane; ``leave`` must be called, whatever happens."""

    _lanes: Lanes
    _key: Hashable
    shared: bool
    admitted: bool = attrs.field(default=False, init=False)
    _left: bool = attrs.field(default=False, init=False)
    _called: trio.Event | None = attrs.field(default=None, init=False)

    async def wait_admitted(self) -> None:
        """Wait until it is this request's turn; a cancelled call keeps the place."""
        if not self.admitted:
            self._called = trio.Event()
            await self._called.wait()

    def admit(self) -> None:
        """Tell the request that it is its turn."""
        self.admitted = True
        if self._called is not None:
            self._called.set()

    def leave(self) -> None:
        """Let the next one in, or give up waiting; the second time does nothing."""
        if not self._left:
            self._left = True
            self._lanes.leave(self._key, self)


@attrs.define(eq=False)
class Lanes:
    """Admits requests with the same key one at a time, in the order they joined.

    Shared requests that follow one another are admitted together. Joining and leaving never
    wait, so the order is decided where requests are read, and not by the scheduler, which
    shuffles tasks on purpose.
    """

    _queues: dict[Hashable, deque[Place]] = attrs.field(factory=dict, init=False)

    def join(self, key: Hashable, *, shared: bool = False) -> Place:
        """Take the next place; it is admitted at once when nobody is in the way."""
        place = Place(self, key, shared)
        queue = self._queues.setdefault(key, deque())
        queue.append(place)
        self._admit(queue)
        return place

    def leave(self, key: Hashable, place: Place) -> None:
        """Give a place up, admitted or not."""
        queue = self._queues[key]
        queue.remove(place)
        if queue:
            self._admit(queue)
        else:
            del self._queues[key]

    def __len__(self) -> int:
        """Count the lanes in which somebody is."""
        return len(self._queues)

    @staticmethod
    def _admit(queue: deque[Place]) -> None:
        """Admit the first, and while all in front are shared, those behind it."""
        for index, place in enumerate(queue):
            if index and not (place.shared and queue[0].shared):
                break
            if not place.admitted:
                place.admit()
