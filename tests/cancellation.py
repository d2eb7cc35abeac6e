"""Cancelling a piece of work at every step that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class _CancelAtStep(trio.abc.Instrument):
    """Cuts a scope just before a task takes its n-th step."""

    def __init__(self, task: trio.lowlevel.Task, scope: trio.CancelScope, step: int) -> None:
        self._task, self._scope, self._left = task, scope, step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self._scope.cancel(reason="a test cancels here")


async def cancel_at_step(work: Callable[[], Awaitable[object]], step: int) -> bool:
    """Run some work, cancelled just before its n-th step; true if it came that far."""
    reached = False

    async def run() -> None:
        nonlocal reached
        with trio.CancelScope() as scope:
            instrument = _CancelAtStep(trio.lowlevel.current_task(), scope, step)
            trio.lowlevel.add_instrument(instrument)
            try:
                await work()
            finally:
                trio.lowlevel.remove_instrument(instrument)
        reached = scope.cancel_called

    async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - a task to count steps of
        nursery.start_soon(run)
    return reached
