"""Streams that are cut, however stuck the host is: nothing of them stays open."""

from __future__ import annotations

import gc
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from codex_trio.errors import UpstreamError
from codex_trio.upstream import SilentError, Upstream, open_upstream
from tests.cancellation import cancel_at_step
from tests.conftest import PATIENCE
from tests.responses.hosts import END, chunked, head, open_model_host, reply, then
from tests.sites import listen_only, open_door, open_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from codex_trio.settings import Settings
    from tests.sites import Door

AT_ONCE = 0.05
"""Seconds in which a stream that is cut must be gone."""


@pytest.fixture
async def upstream(settings: Settings) -> AsyncGenerator[Upstream]:
    async with open_upstream(settings) as upstream:
        with trio.fail_after(PATIENCE):
            await warm_up(upstream)
            yield upstream


async def warm_up(upstream: Upstream) -> None:
    """Let it load what it needs, which takes its time once."""
    async with open_model_host(reply(connection="close")) as host:
        await read(upstream, host.url)


def through(settings: Settings, door: Door) -> Settings:
    """Ask everybody through a proxy, but for who is asked directly on loopback."""
    proxies = {"all": door.url, "no": "127.0.0.1"}
    return attrs.evolve(settings, proxies=proxies)


@contextmanager
def no_warnings() -> Generator[None]:
    """Nothing may be left to the collector."""
    gc.collect()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(one.message) for one in said] == []


async def read(upstream: Upstream, url: str, content: bytes = b"{}") -> None:
    async with upstream.stream(url, headers={}, content=content) as answer:
        while await answer.receive():
            pass


async def cut_when_stuck(upstream: Upstream, door: Door, url: str, content: bytes) -> None:
    """Ask, cut that when nothing moves any more, and be rid of it at once."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, upstream, url, content)
        await door.wait_open(1)
        await wait_all_tasks_blocked(0.02)
        begin = trio.current_time()
        nursery.cancel_scope.cancel(reason="the test changes its mind")
    await door.wait_open(0)
    assert trio.current_time() - begin < AT_ONCE


@pytest.mark.parametrize("secure", [False, True])
async def test_a_host_that_says_nothing(upstream: Upstream, secure: bool) -> None:
    async with open_door(listen_only) as door:
        url = door.url.replace("http:", "https:") if secure else door.url
        with no_warnings():
            await cut_when_stuck(upstream, door, url, b"{}")


@pytest.mark.parametrize("size", [2, 10_000_000])
async def test_a_host_that_reads_nothing(upstream: Upstream, size: int) -> None:
    """Its end of the connection sees that we have gone as soon as it looks."""
    stuck, seen = trio.Event(), trio.Event()

    async def look_later(stream: trio.abc.Stream) -> None:
        await stuck.wait()
        try:
            while await stream.receive_some():
                pass
        except trio.BrokenResourceError:
            pass
        seen.set()

    async with open_door(look_later) as door:
        with no_warnings():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, upstream, door.url, b"x" * size)
                await door.wait_open(1)
                await wait_all_tasks_blocked(0.02)
                begin = trio.current_time()
                nursery.cancel_scope.cancel(reason="the test changes its mind")
            assert trio.current_time() - begin < AT_ONCE
            stuck.set()
            await seen.wait()


async def test_a_stream_that_has_stopped(upstream: Upstream) -> None:
    said = then(head(transfer_encoding="chunked") + chunked(b"and now"))
    async with open_model_host(said) as host:
        with no_warnings():
            await cut_when_stuck(upstream, host.door, host.url, b"{}")


async def test_a_proxy_that_says_nothing(settings: Settings) -> None:
    async with open_door(listen_only) as door:
        proxied = through(settings, door)
        async with open_upstream(proxied) as upstream:
            await warm_up(upstream)
            for url in ("http://auth.invalid/", "https://auth.invalid/"):
                with no_warnings(), trio.fail_after(PATIENCE):
                    await cut_when_stuck(upstream, door, url, b"{}")


async def test_a_tunnel_to_nobody(settings: Settings) -> None:
    async with open_door(listen_only) as site, open_proxy(site.port) as (_, door):
        proxied = through(settings, door)
        async with open_upstream(proxied) as upstream:
            await warm_up(upstream)
            with no_warnings(), trio.fail_after(PATIENCE):
                await cut_when_stuck(upstream, door, "https://auth.invalid/", b"{}")


async def test_it_may_be_cut_at_every_step(settings: Settings) -> None:
    said = head(transfer_encoding="chunked") + chunked(b"one", b"two") + END

    async def slowly(wire: trio.abc.Stream) -> None:
        for at in range(0, len(said), 40):
            await wire.send_all(said[at : at + 40])
            await trio.lowlevel.checkpoint()

    with trio.fail_after(PATIENCE):
        with no_warnings():
            async with open_model_host(slowly) as host, open_upstream(settings) as upstream:
                step = 1
                while await cancel_at_step(
                    lambda: read(upstream, host.url, b"x" * 200_000), step
                ):
                    step += 1
                    await host.door.wait_open(0)
                await host.door.wait_open(0)
    assert step > 8


async def test_a_cut_call_leaves_nothing_to_be_read(upstream: Upstream) -> None:
    """What was not read to its end must not look as if it was."""
    said = then(head(transfer_encoding="chunked") + chunked(b"one", b"two"))
    async with open_model_host(said) as host:
        async with upstream.stream(host.url, headers={}, content=b"") as answer:
            with trio.move_on_after(0.02) as scope:
                await answer.read(100)
            assert scope.cancelled_caught
            for _ in range(2):
                with pytest.raises(UpstreamError, match=r"^the connection was lost$"):
                    await answer.receive()
            assert not answer.ended
        await host.door.wait_open(0)


async def test_nothing_is_read_of_a_reply_that_was_left(upstream: Upstream) -> None:
    async with open_model_host(then(head() + b"one")) as host:
        async with upstream.stream(host.url, headers={}, content=b"") as answer:
            pass
        with pytest.raises(UpstreamError, match=r"^the connection was lost$"):
            await answer.receive()
        await host.door.wait_open(0)


async def test_leaving_by_an_error_closes_it(upstream: Upstream) -> None:
    async with open_model_host(then(head() + b"x")) as host:
        with pytest.raises(ZeroDivisionError):
            async with upstream.stream(host.url, headers={}, content=b""):
                raise ZeroDivisionError
        await host.door.wait_open(0)


async def test_a_first_question_that_is_cut_holds_nobody_up(settings: Settings) -> None:
    async with open_model_host(reply()) as host, open_upstream(settings) as upstream:
        with trio.move_on_after(0):
            await read(upstream, host.url)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(read, upstream, host.url)
        assert len(host.asked) == 3


# --- time ---


@pytest.fixture
def patient_clock() -> MockClock:
    """A clock that jumps when nobody does anything, and gives sockets and threads time to."""
    return MockClock(autojump_threshold=0.05)


async def test_a_host_has_its_time_to_begin(
    settings: Settings, patient_clock: MockClock
) -> None:
    async def begin_late(wire: trio.abc.Stream) -> None:
        await trio.sleep(9)
        await wire.send_all(head(content_length="1"))
        await trio.sleep(1000)
        await wire.send_all(b"x")

    async with open_model_host(begin_late) as host, open_upstream(settings) as upstream:
        async with upstream.stream(host.url, headers={}, content=b"", patience=10) as answer:
            begin = trio.current_time()
            assert await answer.read(2) == b"x"
            assert trio.current_time() - begin == pytest.approx(1000, abs=0.5)
        begin = trio.current_time()
        with pytest.raises(SilentError):
            async with upstream.stream(host.url, headers={}, content=b"", patience=5):
                pytest.fail("there is no reply")
        assert trio.current_time() - begin == pytest.approx(5, abs=0.5)
        await host.door.wait_open(0)
