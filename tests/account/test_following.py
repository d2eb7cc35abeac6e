"""Work that goes with an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from codex_trio.account.following import Following

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Scene:
    """Somebody is in force, and what is done for them is written down."""

    def __init__(self) -> None:
        self.key: str | None = None
        self.done: list[str] = []
        self.following = Following(lambda: self.key, self.work)

    async def work(self, key: str | None) -> None:
        self.done.append(f"for {key}")
        if key == "short":
            return
        try:
            await trio.sleep_forever()
        finally:
            self.done.append(f"{key} cut")

    async def turn(self, key: str | None) -> list[str]:
        self.key = key
        self.following.notice()
        self.following.notice()
        await wait_all_tasks_blocked()
        done, self.done = self.done, []
        return done


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    scene = Scene()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.following.follow)
        yield scene
        nursery.cancel_scope.cancel(reason="the test is over")


async def test_work_is_cut_when_it_is_somebody_else_s_turn(scene: Scene) -> None:
    await wait_all_tasks_blocked()
    assert scene.done == ["for None"]
    scene.done.clear()
    assert await scene.turn("a") == ["None cut", "for a"]
    assert await scene.turn("a") == []
    assert await scene.turn("short") == ["a cut", "for short"]
    assert await scene.turn("short") == []
    assert await scene.turn("a") == ["for a"]
    assert await scene.turn(None) == ["a cut", "for None"]


async def test_who_comes_back_before_anybody_looks_was_never_gone(scene: Scene) -> None:
    await scene.turn("a")
    scene.key = "b"
    scene.following.notice()
    assert await scene.turn("a") == []


async def test_it_ends_with_who_follows() -> None:
    scene = Scene()
    scene.following.notice()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.following.follow)
        await wait_all_tasks_blocked()
        await scene.turn("a")
        nursery.cancel_scope.cancel(reason="the test is over")
    assert scene.done == ["a cut"]
