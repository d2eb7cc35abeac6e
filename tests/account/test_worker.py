"""Calls that hang: who waits for them, for how long, and what is not begun meanwhile."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from codex_trio.account.worker import Worker
from codex_trio.errors import StoreError
from tests.account.conftest import until
from tests.cancellation import cancel_at_step

if TYPE_CHECKING:
    from collections.abc import Generator

    from trio.testing import MockClock


@attrs.define(eq=False)
class Door:
    """What calls wait behind until it is opened."""

    opened: threading.Event = attrs.field(factory=threading.Event)
    came: int = 0
    left: int = 0

    def pass_through(self) -> str:
        self.came += 1
        self.opened.wait()
        self.left += 1
        return "through"


@pytest.fixture
def door() -> Generator[Door]:
    door = Door()
    yield door
    door.opened.set()


@pytest.fixture
def clock(patient_clock: MockClock) -> MockClock:
    return patient_clock


LATE = "the post has not answered within 5 s"


async def test_a_late_question_is_left_behind(clock: MockClock, door: Door) -> None:
    worker = Worker("the post")
    with pytest.raises(StoreError, match=f"^{LATE}$"):
        await worker.ask(door.pass_through)
    assert clock.current_time() == pytest.approx(5)
    assert (door.came, door.left) == (1, 0)
    assert await worker.ask(lambda: "answer") == "answer"


async def test_when_a_few_questions_hang_the_next_fails_at_once(
    clock: MockClock, door: Door
) -> None:
    worker = Worker("the post")
    for _ in range(4):
        with pytest.raises(StoreError, match=LATE):
            await worker.ask(door.pass_through)
    before = clock.current_time()
    with pytest.raises(StoreError, match=r"^the post still hangs in an earlier call$"):
        await worker.ask(door.pass_through)
    assert (clock.current_time(), door.came) == (before, 4)
    door.opened.set()
    await until(lambda: worker._questions.available_tokens == 4)
    assert await worker.ask(door.pass_through) == "through"


async def test_no_change_is_begun_while_one_may_yet_be_made(
    clock: MockClock, door: Door
) -> None:
    worker = Worker("the post")
    unknown = f"^{LATE}; whether it has made the change is not known$"
    with pytest.raises(StoreError, match=unknown):
        await worker.change(door.pass_through)
    before = clock.current_time()
    with pytest.raises(StoreError, match="still hangs"):
        await worker.change(door.pass_through)
    assert (clock.current_time(), door.came) == (before, 1)
    assert await worker.ask(lambda: "answer") == "answer"
    door.opened.set()
    await until(lambda: worker._changes.available_tokens)
    assert await worker.change(door.pass_through) == "through"


async def test_who_waits_behind_a_call_that_hangs_is_told_at_the_same_time(
    clock: MockClock, door: Door
) -> None:
    """And that nothing has been changed: it was not its turn."""
    worker = Worker("the post")
    told: list[str] = []

    async def change() -> None:
        with pytest.raises(StoreError) as error:
            await worker.change(door.pass_through)
        told.append(str(error.value))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(change)
    assert sorted(told) == [LATE, LATE, f"{LATE}; whether it has made the change is not known"]
    assert clock.current_time() == pytest.approx(5)
    assert door.came == 1


async def test_a_cancelled_question_waits_for_nobody(door: Door) -> None:
    worker = Worker("the post")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.ask, door.pass_through)
        await until(lambda: door.came)
        nursery.cancel_scope.cancel(reason="a test")
    assert door.left == 0


async def test_a_change_that_has_begun_is_not_cancelled(door: Door) -> None:
    worker = Worker("the post")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.change, door.pass_through)
        await until(lambda: door.came)
        nursery.cancel_scope.cancel(reason="a test")
        door.opened.set()
    assert door.left == 1


async def test_a_change_that_hangs_holds_up_a_cancellation_until_its_deadline(
    clock: MockClock, door: Door
) -> None:
    worker = Worker("the post", patience=2.5)
    async with trio.open_nursery() as nursery:

        async def change() -> None:
            with pytest.raises(StoreError, match=r"not answered within 2\.5 s; whether"):
                await worker.change(door.pass_through)

        nursery.start_soon(change)
        await until(lambda: door.came)
        nursery.cancel_scope.cancel(reason="a test")
    assert clock.current_time() == pytest.approx(2.5)


async def test_a_change_is_cancelled_before_it_or_not_at_all() -> None:
    step, reached = 0, True
    while reached:
        step += 1
        worker, story = Worker("the post"), list[str]()

        async def change(worker: Worker = worker, story: list[str] = story) -> None:
            await worker.change(partial(story.append, "made"))
            story.append("told")

        reached = await cancel_at_step(change, step)
        assert story in ([], ["made", "told"])
    assert story


async def test_what_a_call_raises_is_what_comes_out() -> None:
    worker = Worker("the post")

    def fail() -> None:
        raise StoreError("no stamp")

    with pytest.raises(StoreError, match=r"^no stamp$"):
        await worker.ask(fail)
    with pytest.raises(StoreError, match=r"^no stamp$"):
        await worker.change(fail)
