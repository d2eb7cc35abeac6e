"""Cutting a turn just before one of the steps that its tasks take."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from codex_trio.threads.turn import Turn

WORK = "Turn._try"
"""The task in which a turn's work is done."""

WHOLE = "Threads._run"
"""The task that runs a turn."""


class AtStep(trio.abc.Instrument):
    """Calls something just before the n-th step of a task that is named by its function."""

    def __init__(self, of: str, step: int, act: Callable[[object], None]) -> None:
        self._of, self._step, self._act = of, step, act
        self._steps: Counter[trio.lowlevel.Task] = Counter()
        self.reached = False

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.reached or task.coro.__qualname__ != self._of:
            return
        self._steps[task] += 1
        if self._steps[task] == self._step:
            self.reached = True
            frame = task.coro.cr_frame
            assert frame is not None
            self._act(frame.f_locals)


@contextmanager
def at_step(of: str, step: int, act: Callable[[object], None]) -> Generator[AtStep]:
    """Watch out for the step within the block."""
    instrument = AtStep(of, step, act)
    trio.lowlevel.add_instrument(instrument)
    try:
        yield instrument
    finally:
        trio.lowlevel.remove_instrument(instrument)


def turn_in(of: str, names: dict[str, object]) -> Turn:
    """Find the turn among the names of its task."""
    turn: Turn = names["turn" if of == WHOLE else "self"]  # type: ignore[assignment]  # it is one
    return turn
