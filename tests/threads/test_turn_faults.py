"""Faults of ours while a turn begins or ends: nobody waits for it for ever."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from codex_trio.rpc.work import Work
from codex_trio.threads.desk import Threads
from codex_trio.threads.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "what somebody has said"


class Faulty:
    """A chronicle with a fault at one place."""

    def __init__(self, at: str) -> None:
        self._at = at

    def __getattr__(self, name: str) -> Callable[..., None]:
        def act(*_: object) -> None:
            if name == self._at:
                raise ValueError(SECRET)

        return act


class Asked:
    """An interrupt, and what was answered."""

    answers = 0

    def reply(self, _: object) -> None:
        self.answers += 1


async def do_nothing() -> None:
    await trio.lowlevel.checkpoint()


async def flush() -> None:  # noqa: ASYNC124 - as that of a thread
    pass


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("at", ["begin", "settle", "end"])
async def test_a_fault_leaves_no_turn_behind(
    caplog: pytest.LogCaptureFixture, at: str, interrupted: bool
) -> None:
    thread: Any = SimpleNamespace(chronicle=Faulty(at), flush=flush, turn=None)
    terms: Any = None
    turn = thread.turn = Turn(thread, terms, "answer", {})
    asked: Any = Asked()
    if interrupted:
        turn.interrupt(asked)
    nothing: Any = None
    async with trio.open_nursery() as nursery:
        threads = Threads(nothing, nothing, Work(), nursery, nothing)
        with caplog.at_level(logging.ERROR):
            await threads._run(turn, do_nothing)
    assert turn.ended.is_set()
    assert thread.turn is None
    assert asked.answers == interrupted
    assert "a turn could not be ended" in caplog.text
    assert SECRET not in caplog.text


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def test_a_thread_that_cannot_be_unloaded_keeps_no_other_loaded(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    looked: list[str] = []

    def is_idle(name: str) -> bool:
        looked.append(name)
        raise ValueError(SECRET)

    def thread(name: str) -> Any:
        return SimpleNamespace(id=name, is_idle=lambda _: is_idle(name))

    nothing: Any = None
    async with trio.open_nursery() as nursery:
        threads = Threads(nothing, nothing, Work(), nursery, nothing)
        for name in ("one", "two"):
            threads.load(thread(name))
        with pytest.raises(ValueError, match="loaded once"):
            threads.load(thread("one"))
        with caplog.at_level(logging.ERROR):
            nursery.start_soon(threads.sweep)
            await trio.sleep(130)
        nursery.cancel_scope.cancel()
    assert looked == ["one", "two"] * 2
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text
