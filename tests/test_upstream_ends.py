"""Questions that take too long, are cut, or are left behind: nothing of them stays open."""

from __future__ import annotations

import gc
import math
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from codex_trio import upstream as upstream_module
from codex_trio.upstream import Upstream, open_upstream
from tests.cancellation import cancel_at_step
from tests.conftest import PATIENCE
from tests.sites import error, listen_only, open_door, open_site, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.settings import Settings


@pytest.fixture
def patient_clock() -> MockClock:
    """A clock that jumps when nobody does anything, and gives sockets and threads time to."""
    return MockClock(autojump_threshold=0.05)


@pytest.fixture
async def upstream(settings: Settings) -> AsyncGenerator[Upstream]:
    async with open_upstream(settings) as upstream:
        with trio.fail_after(PATIENCE):
            yield upstream


# --- time ---


async def test_a_question_has_its_time(settings: Settings, patient_clock: MockClock) -> None:
    async with open_site() as site, open_door(listen_only) as silent:
        async with open_upstream(settings) as upstream:
            await upstream.post(site.url, json={}, patience=math.inf)  # with its loading
            for given, seconds in (({}, 60), ({"patience": 2.5}, 2.5)):
                begin = trio.current_time()
                text = await refusal(upstream, silent.url, json={}, **given)
                assert text == error(silent.url, f"no reply within {seconds:g} seconds")
                assert trio.current_time() - begin == pytest.approx(seconds, abs=0.1)
                await silent.wait_open(0)


async def test_a_reply_that_trickles_has_no_more_time_for_it(
    settings: Settings, patient_clock: MockClock
) -> None:
    async def trickle(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await trio.sleep(1)
            await stream.send_all(b"x")

    async with open_site() as site, open_door(trickle) as slow:
        async with open_upstream(settings) as upstream:
            await upstream.post(site.url, json={}, patience=math.inf)
            text = await refusal(upstream, slow.url, json={}, patience=10)
            assert text == error(slow.url, "no reply within 10 seconds")


# --- the end ---


async def test_a_cancelled_question_closes_its_connection(upstream: Upstream) -> None:
    async with open_door(listen_only) as door, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: upstream.post(door.url, json={}))
        await door.wait_open(1)
        nursery.cancel_scope.cancel(reason="the test changes its mind")
    async with open_door(listen_only) as door:
        with trio.move_on_after(0) as scope:
            await upstream.post(door.url, json={})
        assert scope.cancelled_caught
        assert door.opened == 0


@pytest.mark.parametrize("secure", [True, False])
async def test_a_question_that_is_cut_leaves_no_socket_to_the_collector(
    upstream: Upstream, secure: bool
) -> None:
    """Also while the far end says nothing to our greeting."""
    async with open_site() as site:
        await upstream.post(site.url, json={})
    async with open_door(listen_only) as door:
        gc.collect()
        gc.disable()
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                with trio.CancelScope() as scope:
                    async with trio.open_nursery() as nursery:
                        url = door.url.replace("http:", "https:") if secure else door.url
                        nursery.start_soon(lambda: upstream.post(url, json={}))
                        await door.wait_open(1)
                        await trio.testing.wait_all_tasks_blocked(0.02)
                        scope.cancel(reason="the test changes its mind")
                with trio.move_on_after(0.3):
                    await door.wait_open(0)
                open_still = door.open
                gc.collect()
        finally:
            gc.enable()
    assert (open_still, [str(one.message) for one in said]) == (0, [])


async def test_a_question_may_be_cut_at_every_step(settings: Settings) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        async with open_site() as site, open_upstream(settings) as upstream:
            step = 1
            while await cancel_at_step(lambda: upstream.post(site.url, json={}), step):
                step += 1
            await upstream.post(site.url, json={})
            assert site.door.open == 1
            gc.collect()
    assert step > 5
    assert not said


async def test_leaving_closes_what_was_kept(settings: Settings) -> None:
    with trio.fail_after(PATIENCE):
        async with open_site() as site:
            async with open_upstream(settings) as upstream:
                await upstream.post(site.url, json={})
                assert site.door.open == 1
            await site.door.wait_open(0)


async def test_leaving_closes_even_when_it_is_cancelled(settings: Settings) -> None:
    with trio.fail_after(PATIENCE):
        async with open_site() as site:
            with trio.CancelScope() as scope:
                async with open_upstream(settings) as upstream:
                    await upstream.post(site.url, json={})
                    scope.cancel(reason="the test changes its mind")
            await site.door.wait_open(0)


async def test_a_client_is_made_once_even_if_two_ask_at_once(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    make = upstream_module._open_client

    def count(settings: Settings) -> Any:
        made.append(settings)
        return make(settings)

    monkeypatch.setattr(upstream_module, "_open_client", count)
    async with open_site() as site, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(lambda: upstream.post(site.url, json={}))
    assert len(made) == 1


async def test_it_does_not_hold_the_others_up_when_the_first_gives_up(
    upstream: Upstream,
) -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        with trio.move_on_after(0.001):
            await upstream.post(site.url, json={})
        nursery.start_soon(lambda: upstream.post(site.url, json={}))
    assert site.requests
