"""A disk that hangs while a conversation is recorded."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import trio

from tests.threads.cutting import at_step

if TYPE_CHECKING:
    from collections.abc import Generator

    from codex_trio.threads.rollout import Rollout


@attrs.define(eq=False)
class Hang:
    """All threads that may write to the disk are taken, from the next lines on."""

    _limiter: trio.CapacityLimiter | None = None
    _borrowers: list[object] = attrs.field(factory=list)
    _begun: trio.Event = attrs.field(factory=trio.Event)

    def begin(self, names: object) -> None:
        rollout: Rollout = names["self"]  # type: ignore[index]  # those of the task
        limiter = self._limiter = rollout._threads
        assert limiter is not None
        while limiter.available_tokens:
            self._borrowers.append(object())
            limiter.acquire_on_behalf_of_nowait(self._borrowers[-1])
        self._begun.set()

    async def begun(self) -> None:
        """Wait until lines are to be written."""
        await self._begun.wait()

    def end(self) -> None:
        """Let the lines be written."""
        while self._borrowers:
            assert self._limiter is not None  # it has been taken
            self._limiter.release_on_behalf_of(self._borrowers.pop())


@contextmanager
def hung_disk() -> Generator[Hang]:
    """Have the disk hang, from the next lines on, until it is let go or the block ends."""
    hang = Hang()
    with at_step("Rollout._write", 1, hang.begin):
        try:
            yield hang
        finally:
            hang.end()
