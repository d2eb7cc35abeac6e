"""Calls that may hang, in worker threads and under a deadline."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import trio

from codex_trio.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE: Final = 5.0
"""Seconds that a call may take, unless somebody says otherwise."""

_HANGING: Final = 4


@attrs.define(eq=False)
class Worker:
    """Makes blocking calls for somebody, one at a time, and leaves those behind that are late.

    A thread cannot be stopped: one that is left behind goes on, and the end of the process does
    not wait for it. A few questions may hang like that, then further ones fail at once. A
    change that hangs may yet be made, at any time, so no other is begun before it has ended.

    Args:
        name: who is called, for the texts of errors.
        patience: seconds that a call may take, waiting for its turn included.
    """

    _name: str
    _patience: float = PATIENCE
    _turn: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _questions: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, _HANGING), init=False
    )
    _changes: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, 1), init=False
    )

    async def ask(self, step: Callable[[], T]) -> T:
        """Call a function that changes nothing; its thread is left behind when cancelled.

        Raises:
            StoreError: it is late, or those before it hang; and what the function raises.
        """
        return await self._call(step, self._questions)

    async def change(self, step: Callable[[], T]) -> T:
        """Call a function that changes something; cancelled before it has begun, or not at all.

        Raises:
            StoreError: it is late, in which case the text says whether it may have been made,
                or one before it hangs; and what the function raises.
        """
        return await self._call(step, self._changes)

    async def _call(self, step: Callable[[], T], threads: trio.CapacityLimiter) -> T:
        changes = threads is self._changes
        reason = f"{self._name} has not answered within {self._patience:g} s"
        with trio.move_on_after(self._patience) as scope:
            async with self._turn:
                # Whoever has a thread, but not the turn, was left behind.
                if threads.available_tokens == 0:
                    raise StoreError(f"{self._name} still hangs in an earlier call")
                if changes:
                    reason += "; whether it has made the change is not known"
                with trio.CancelScope(shield=changes, deadline=scope.deadline):
                    return await trio.to_thread.run_sync(
                        step, limiter=threads, abandon_on_cancel=True
                    )
        raise StoreError(reason)
