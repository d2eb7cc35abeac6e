"""Streams that go wrong, and what is said of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.errors import UpstreamError
from codex_trio.upstream import SilentError, UnreachableError, Upstream, open_upstream
from tests.conftest import PATIENCE
from tests.responses.hosts import (
    chunked,
    cut,
    head,
    open_model_host,
    reply,
    reset,
    then,
)
from tests.sites import SECRET, error, open_door, open_site
from tests.streams import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.settings import Settings
    from codex_trio.streaming import ReplyStream


@pytest.fixture
async def upstream(settings: Settings) -> AsyncGenerator[Upstream]:
    async with open_upstream(settings) as upstream:
        with trio.fail_after(PATIENCE):
            yield upstream


async def test_nobody_listens(upstream: Upstream) -> None:
    async with open_site() as site:
        pass
    caught = await refusal(upstream, f"http://127.0.0.1:{site.door.port}/x?{SECRET}")
    assert isinstance(caught, UnreachableError)
    assert caught.unsent
    reason = f"all attempts to connect to 127.0.0.1:{site.door.port} failed"
    assert str(caught) == error(f"http://127.0.0.1:{site.door.port}/x", reason)


async def test_a_name_that_nobody_has(upstream: Upstream) -> None:
    caught = await refusal(upstream, f"http://me:{SECRET}@nobody.invalid/x")
    assert isinstance(caught, UnreachableError)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://h/x", "not a http or https URL"),
        ("auth.example.com", "not a http or https URL"),
        ("", "not a http or https URL"),
        ("http:///path", "not a http or https URL"),
        ("http://[::1", "a URL that is none"),
        ("http://host:port/", "a URL that is none"),
        ("http://\u2603..b/", "a URL that is none"),
    ],
)
async def test_what_is_no_url(upstream: Upstream, url: str, reason: str) -> None:
    caught = await refusal(upstream, url)
    assert str(caught).endswith(f": {reason}")
    assert caught.unsent


@pytest.mark.parametrize("value", ["a\nb", "a\x00b", "\ud800"])
async def test_what_is_no_header(upstream: Upstream, value: str) -> None:
    async with open_model_host(reply()) as host:
        caught = await refusal(upstream, host.url, authorization=value)
        assert str(caught) == error(host.url, "a header that is none")
        assert caught.unsent
        assert host.asked == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (cut(), "the connection was lost"),
        (reset, "the connection was lost"),
        (cut(b"HTTP/1.1 200 OK\r\nX: "), "the connection was lost"),
        (b"\x00\x01 s3cret is not HTTP\r\n\r\n", "the reply is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: s3cret\r\n\r\n", "the reply is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"s" * 200_000, "the reply is no HTTP"),
        (head(transfer_encoding="gzip, chunked") + b"1\r\n", "the reply is no HTTP"),
    ],
)
async def test_what_is_no_reply_is_not_quoted(
    upstream: Upstream, said: bytes, reason: str
) -> None:
    async with open_model_host(said) as host:
        caught = await refusal(upstream, host.url)
        assert str(caught) == error(host.url, reason)
        assert not caught.unsent
        await host.door.wait_open(0)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (cut(head(content_length="9") + b"four"), "the connection was lost"),
        (cut(head(transfer_encoding="chunked") + chunked(b"four")), "the connection was lost"),
        (then(head(transfer_encoding="chunked"), b"4\r\nfour?\n"), "the reply is no HTTP"),
        (then(head(transfer_encoding="chunked") + b"s3cret\r\n"), "the reply is no HTTP"),
    ],
)
async def test_a_body_may_be_cut(upstream: Upstream, said: bytes, reason: str) -> None:
    async with open_model_host(said) as host:
        async with upstream.stream(host.url, headers={}, content=b"") as answer:
            with pytest.raises(UpstreamError, match=rf"^{reason}$"):
                await read_all(answer)
            with pytest.raises(UpstreamError, match=r"^the connection was lost$"):
                await answer.receive()
            assert not answer.ended
        await host.door.wait_open(0)


async def test_a_body_may_be_torn(upstream: Upstream) -> None:
    async def tear(wire: trio.abc.Stream) -> None:
        await wire.send_all(head() + b"four")
        await reset(wire)

    async with open_model_host(tear) as host:
        async with upstream.stream(host.url, headers={}, content=b"") as answer:
            with pytest.raises(UpstreamError, match=r"^the connection was lost$"):
                await read_all(answer)


async def test_who_does_not_want_a_long_body_may_say_why(upstream: Upstream) -> None:
    async def refuse(wire: trio.abc.Stream) -> None:
        await wire.receive_some(1)
        await wire.send_all(reply(413, b"too long"))  # and what was not read resets it

    async with open_door(refuse) as door:
        content = b"x" * 5_000_000
        async with upstream.stream(door.url, headers={}, content=content) as answer:
            assert (answer.status, await answer.read(100)) == (413, b"too long")


async def test_who_says_nothing_is_not_waited_for(upstream: Upstream) -> None:
    async with open_model_host(then()) as host:
        with pytest.raises(SilentError) as caught:
            async with upstream.stream(host.url, headers={}, content=b"", patience=0.05):
                pytest.fail("there is no reply")
        assert str(caught.value) == error(host.url, "no reply within 0.05 seconds")
        await host.door.wait_open(0)


async def read_all(answer: ReplyStream) -> None:
    while await answer.receive():
        pass


async def test_nothing_of_it_is_shown_or_logged(
    upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", "httpx")  # as configure_logging does: it logs whole URLs
    async with open_model_host(reply(body=SECRET.encode())) as host:
        url = host.url.replace("//", f"//me:{SECRET}@") + f"/?k={SECRET}"
        headers = {"authorization": SECRET}
        async with upstream.stream(url, headers=headers, content=SECRET.encode()) as answer:
            assert SECRET not in repr(answer)
        assert SECRET not in repr(upstream)
    assert SECRET not in caplog.text
