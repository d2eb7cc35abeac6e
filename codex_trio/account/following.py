"""Background work for an account, for as long as that account is the one in force."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import attrs
import trio

K = TypeVar("K", bound=Hashable)


@attrs.define(eq=False)
class Following(Generic[K]):
    """Does some work for one key at a time, and begins anew when there is another.

    ::

        follow
        └─ work(key)        cut as soon as a notice finds that the key is another one

    Args:
        key: says for whom there is work now, None when for nobody. Never waits.
        work: what is done, also for nobody; it may end, or go on until it is cut.
    """

    _key: Callable[[], K | None]
    _work: Callable[[K | None], Awaitable[None]]
    _noticed: trio.Event = attrs.field(factory=trio.Event, init=False)

    def notice(self) -> None:
        """Look soon whether there is another key. Never waits."""
        self._noticed.set()

    async def follow(self) -> None:
        """Do the work until cancelled, which cuts it."""
        while True:
            key = self._key()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._work, key)
                while True:
                    await self._noticed.wait()
                    self._noticed = trio.Event()
                    if self._key() != key:
                        break
                nursery.cancel_scope.cancel(reason="somebody else is in force")
