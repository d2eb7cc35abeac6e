"""Tokens that take the place of others: the host's, and those that the issuer gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from codex_trio.errors import StoreError
from tests.account.identities import API_KEY, OwnStore, Scene, signed_in
from tests.cancellation import cancel_at_step

if TYPE_CHECKING:
    from trio.testing import MockClock

    from codex_trio.account.credentials import Credentials


@pytest.fixture
def store() -> OwnStore:
    return OwnStore()


@pytest.fixture
def scene(store: OwnStore) -> Scene:
    return Scene(store)


# --- tokens that the host owns ---


async def test_what_the_host_owns_hides_what_is_stored(scene: Scene, store: OwnStore) -> None:
    hosted = signed_in("", mode="chatgptAuthTokens")
    await scene.auth.sign_in(API_KEY)
    scene.auth.host(hosted)
    assert scene.auth.current == hosted
    assert scene.auth.hosted
    assert not scene.auth.saved
    store.stored = None
    await scene.auth.look(again=True)
    assert scene.auth.current == hosted
    assert scene.told == []
    await scene.auth.sign_out()
    assert scene.auth.current is None


@pytest.mark.parametrize("where", ["memory", "store"])
async def test_the_host_s_new_tokens_take_the_place_of_those_they_are_for(
    scene: Scene, store: OwnStore, where: str
) -> None:
    hosted = signed_in("", mode="chatgptAuthTokens", plan="plus")
    if where == "memory":
        scene.auth.host(hosted)
    else:
        store.stored = hosted  # which an older server has left
        await scene.auth.look()
    assert scene.auth.hosted
    new = signed_in("", mode="chatgptAuthTokens", plan="pro")
    assert not scene.auth.renew_hosted(signed_in("", mode="chatgptAuthTokens"), new)
    assert scene.auth.current == hosted
    assert scene.auth.renew_hosted(hosted, new)
    assert scene.told == [scene.auth.current] == [new]


# --- renewing ---


async def test_renewed_tokens_come_for_those_that_are_still_stored(
    scene: Scene, store: OwnStore
) -> None:
    await scene.auth.sign_in(signed_in("r1"))
    assert store.stored is not None
    store.stored = attrs.evolve(store.stored, api_key="sk-of-others")
    assert await scene.auth.renew(signed_in("r1"), signed_in("r2"))
    assert store.stored == attrs.evolve(signed_in("r2"), api_key="sk-of-others")
    assert scene.auth.current == store.stored
    for other in (signed_in("r3"), API_KEY, None):
        store.stored = other
        assert not await scene.auth.renew(signed_in("r2"), signed_in("late"))
        assert scene.auth.current == store.stored == other
    assert scene.told == [API_KEY, None]


async def test_a_failure_does_not_bring_back_who_has_signed_out(
    scene: Scene, store: OwnStore
) -> None:
    for other in (None, API_KEY, signed_in("r9")):
        await scene.auth.sign_in(signed_in("r1"))
        if other is None:
            await scene.auth.sign_out()
        else:
            await scene.auth.sign_in(other)
        store.error = "gone"
        assert not await scene.auth.renew(signed_in("r1"), signed_in("r2"))
        store.error = None
        assert scene.auth.current == other


async def test_what_could_not_be_stored_is_when_it_can_be(
    scene: Scene, store: OwnStore, caplog: pytest.LogCaptureFixture
) -> None:
    await scene.auth.sign_in(signed_in("r1", plan="plus"))
    store.error = "full"
    followed = scene.followed
    for former, token in (("r1", "r2"), ("r2", "r3")):
        new = signed_in(token, plan="pro")
        assert await scene.auth.renew(signed_in(former), new)
        assert scene.auth.current == new
        assert scene.auth.unsaved
        assert not scene.auth.saved
    assert scene.followed > followed
    assert scene.told == [signed_in("r2", plan="pro")]
    assert caplog.messages == ["renewed tokens cannot be stored: full"] * 2
    with pytest.raises(StoreError, match="full"):
        await scene.auth.save_rest()
    store.error = None
    # What is stored is not what is in force, and not somebody's either.
    await scene.auth.look(again=True)
    assert scene.auth.current == signed_in("r3", plan="pro")
    for _ in range(2):
        await scene.auth.save_rest()
    assert store.stored == scene.auth.current == signed_in("r3", plan="pro")
    assert scene.auth.saved
    assert scene.auth.failure is None
    assert len(scene.told) == 1


@pytest.mark.parametrize("other", [None, API_KEY, signed_in("theirs", "other")], ids=repr)
async def test_whoever_is_stored_instead_wins_and_is_announced(
    scene: Scene, store: OwnStore, other: Credentials | None
) -> None:
    await scene.auth.sign_in(signed_in("r1"))
    store.error = "full"
    await scene.auth.renew(signed_in("r1"), signed_in("r2"))
    store.error, store.stored = None, other
    await scene.auth.save_rest()
    assert scene.auth.current == store.stored == other
    assert scene.told == [other]
    assert scene.auth.failure is None


@pytest.mark.parametrize("step", range(1, 8))
async def test_what_is_stored_later_may_be_cancelled(
    scene: Scene, store: OwnStore, step: int
) -> None:
    await scene.auth.sign_in(signed_in("r1"))
    store.error = "full"
    await scene.auth.renew(signed_in("r1"), signed_in("r2"))
    store.error = None
    await cancel_at_step(scene.auth.save_rest, step)
    assert scene.auth.unsaved == (store.stored == signed_in("r1"))
    assert scene.auth.current == signed_in("r2")


async def test_it_is_seen_from_time_to_time_what_others_have_stored(
    autojump_clock: MockClock, scene: Scene, store: OwnStore
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.auth.watch)
        store.error = "not today"
        await trio.sleep(5)
        assert scene.auth.failure == "not today"
        store.error, store.stored = None, signed_in("r1")
        await trio.sleep(10)
        assert scene.told == [signed_in("r1")]
        store.error = "full"
        await scene.auth.renew(signed_in("r1"), signed_in("r2"))
        await trio.sleep(10)
        assert scene.auth.failure == "full"
        store.error = None
        await trio.sleep(10)
        assert store.stored == signed_in("r2")
        assert scene.auth.saved
        nursery.cancel_scope.cancel(reason="the test is over")
