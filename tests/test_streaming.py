"""Replies that are read while they arrive: what is sent, what comes back, what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from codex_trio.upstream import Upstream, open_upstream
from tests.conftest import PATIENCE
from tests.responses.hosts import (
    END,
    chunked,
    cut,
    head,
    open_model_host,
    reply,
    then,
)
from tests.sites import SECRET, error
from tests.streams import fetch, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.settings import Settings


@pytest.fixture
async def upstream(settings: Settings) -> AsyncGenerator[Upstream]:
    async with open_upstream(settings) as upstream:
        with trio.fail_after(PATIENCE):
            yield upstream


# --- what is sent, and what comes back ---


async def test_it_says_what_it_is_told_and_nothing_of_itself(upstream: Upstream) -> None:
    async with open_model_host(reply(body=b"ok")) as host:
        url = f"{host.url}/v1/responses?a=b%20c"
        assert await fetch(upstream, url, b"body", originator="é") == (200, b"ok")
    (asked,) = host.asked
    assert asked.line == "POST /v1/responses?a=b%20c HTTP/1.1"
    assert asked.headers == {
        "host": host.url.removeprefix("http://"),
        "accept": "*/*",
        "connection": "keep-alive",
        "originator": "é",
        "content-length": "4",
    }
    assert asked.body == b"body"


async def test_a_url_may_have_a_user_and_odd_characters(upstream: Upstream) -> None:
    async with open_model_host(reply()) as host:
        await fetch(upstream, host.url.replace("//", "//me:p%40ss@"))
        await fetch(upstream, host.url.replace("//", "//me@"), authorization="Bearer x")
        await fetch(upstream, f"{host.url}/a b/ü?q=é&x=%20#part")
    assert [asked.headers.get("authorization") for asked in host.asked] == [
        "Basic bWU6cEBzcw==",
        "Bearer x",
        None,
    ]
    assert host.asked[0].line == "POST / HTTP/1.1"
    assert host.asked[2].line == "POST /a%20b/%C3%BC?q=%C3%A9&x=%20 HTTP/1.1"


async def test_the_head_comes_before_the_body(upstream: Upstream) -> None:
    more = trio.Event()

    async def slowly(wire: trio.abc.Stream) -> None:
        await wire.send_all(head(transfer_encoding="chunked", x_a="1") + chunked(b"one"))
        await more.wait()
        await wire.send_all(chunked(b"two") + END)

    async with open_model_host(slowly) as host:
        async with upstream.stream(host.url, headers={}, content=b"") as answer:
            assert (answer.status, answer.headers["x-a"], answer.ended) == (200, "1", False)
            assert await answer.receive() == b"one"
            more.set()
            assert await answer.receive() == b"two"
            assert await answer.receive() == b""
            assert answer.ended
            assert await answer.receive() == b""
            assert SECRET not in repr(answer)


async def test_what_brings_nothing_of_the_body_is_waited_beyond(upstream: Upstream) -> None:
    async def slowly(wire: trio.abc.Stream) -> None:
        await wire.send_all(head(transfer_encoding="chunked"))
        for byte in chunked(b"one") + END:
            await trio.testing.wait_all_tasks_blocked()
            await wire.send_all(bytes([byte]))

    async with open_model_host(slowly) as host:
        async with upstream.stream(host.url, headers={}, content=b"") as answer:
            assert [await answer.receive() for _ in range(4)] == [b"o", b"n", b"e", b""]


async def test_headers_that_come_twice_are_joined(upstream: Upstream) -> None:
    said = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\ncontent-length: 0\r\n\r\n"
    async with open_model_host(said) as host:
        async with upstream.stream(host.url, headers={}, content=b"") as answer:
            assert answer.headers == {"x-a": "1, 2", "content-length": "0"}


async def test_interim_replies_are_passed_over(upstream: Upstream) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    async with open_model_host(early * 3 + reply(body=b"ok")) as host:
        assert await fetch(upstream, host.url) == (200, b"ok")


@pytest.mark.parametrize("status", [201, 301, 401, 500, 599])
async def test_every_status_is_a_reply(upstream: Upstream, status: int) -> None:
    async with open_model_host(reply(status, b"why")) as host:
        assert await fetch(upstream, host.url) == (status, b"why")


async def test_so_much_is_read_and_no_more(upstream: Upstream) -> None:
    async with open_model_host(then(head() + b"x" * 100_000)) as host:
        async with upstream.stream(host.url, headers={}, content=b"") as answer:
            assert await answer.read(10) == b"x" * 10


async def test_a_long_body_is_sent(upstream: Upstream) -> None:
    async with open_model_host(reply()) as host:
        await fetch(upstream, host.url, b"x" * 3_000_000)
    assert host.asked[0].body == b"x" * 3_000_000


# --- what is kept ---


async def test_no_cookies_are_kept(upstream: Upstream) -> None:
    async with open_model_host(reply(set_cookie="session=1; Path=/")) as host:
        await fetch(upstream, host.url)
        await fetch(upstream, host.url)
    assert all("cookie" not in asked.headers for asked in host.asked)


async def test_who_asks_nobody_has_nothing_to_close(settings: Settings) -> None:
    async with open_upstream(settings):
        pass


@pytest.mark.parametrize(
    "said",
    [
        reply(body=b"whole"),
        reply(204),
        reply(401, b"no"),
        head(transfer_encoding="chunked") + chunked(b"a", b"b") + END,
    ],
)
async def test_a_reply_read_to_its_end_gives_its_connection_back(
    upstream: Upstream, said: bytes
) -> None:
    async with open_model_host(said) as host:
        for _ in range(3):
            await fetch(upstream, host.url)
        assert (host.door.opened, host.door.open) == (1, 1)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        reply(body=b"whole", connection="close"),
        cut(head() + b"to the end"),
    ],
)
async def test_some_connections_are_not_kept(upstream: Upstream, said: bytes) -> None:
    async with open_model_host(said) as host:
        for _ in range(2):
            await fetch(upstream, host.url)
            await host.door.wait_open(0)
        assert host.door.opened == 2


async def test_a_reply_that_is_left_early_closes_its_connection(upstream: Upstream) -> None:
    async with open_model_host(then(head() + b"x" * 1_000_000)) as host:
        async with upstream.stream(host.url, headers={}, content=b"") as answer:
            await answer.receive()
        await host.door.wait_open(0)


async def test_several_at_a_time_have_connections_of_their_own(upstream: Upstream) -> None:
    async with open_model_host(then(head(content_length="2") + b"ok")) as host:
        async with (
            upstream.stream(host.url, headers={}, content=b"") as one,
            upstream.stream(host.url, headers={}, content=b"") as other,
        ):
            assert (await one.read(9), await other.read(9)) == (b"ok", b"ok")
            assert host.door.open == 2
        assert host.door.open == 2  # both are kept


async def test_a_host_that_has_closed_what_was_kept_is_asked_anew(upstream: Upstream) -> None:
    async with open_model_host(cut(reply(body=b"ok"))) as host:
        for _ in range(3):
            assert await fetch(upstream, host.url) == (200, b"ok")
            await host.door.wait_open(0)
        assert host.door.opened == 3


async def test_a_host_that_closes_it_at_this_moment_is_lost(upstream: Upstream) -> None:
    """Whether that is worth another try is the affair of who asks."""
    async with open_model_host(reply(body=b"ok"), cut()) as host:
        await fetch(upstream, host.url)
        caught = await refusal(upstream, host.url)
        assert str(caught) == error(host.url, "the connection was lost")
        assert (host.door.opened, len(host.asked)) == (1, 2)


async def test_leaving_closes_what_was_kept(settings: Settings) -> None:
    with trio.fail_after(PATIENCE):
        async with open_model_host(reply()) as host:
            async with open_upstream(settings) as upstream:
                await fetch(upstream, host.url)
                assert host.door.open == 1
            await host.door.wait_open(0)


# --- redirects ---


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_within_a_host_is_followed(upstream: Upstream, status: int) -> None:
    moved = reply(status, location="../elsewhere?x")
    async with open_model_host(moved, reply(body=b"ok")) as host:
        url = f"{host.url}/v1/responses"
        assert await fetch(upstream, url, b"body", authorization="x") == (200, b"ok")
        assert host.door.opened == 1
    first, second = host.asked
    assert second.line == "POST /elsewhere?x HTTP/1.1"
    assert (second.body, second.headers) == (first.body, first.headers)


@pytest.mark.parametrize(
    ("status", "location"),
    [
        (307, "http://127.0.0.2:{port}/"),
        (307, "http://127.0.0.1:9/"),
        (308, "https://127.0.0.1:{port}/"),
        (307, "ftp://127.0.0.1:{port}/"),
        (302, "/elsewhere"),
        (303, "/elsewhere"),
    ],
)
async def test_nobody_else_is_told_anything(
    upstream: Upstream, status: int, location: str
) -> None:
    async with open_model_host(b"") as host, open_model_host(reply()) as other:
        host.say(reply(status, b"there", location=location.format(port=other.door.port)))
        assert await fetch(upstream, host.url) == (status, b"there")
        assert len(host.asked) == 1
        assert other.asked == []


async def test_a_redirect_that_says_not_where_is_a_reply(upstream: Upstream) -> None:
    async with open_model_host(reply(307)) as host:
        assert await fetch(upstream, host.url) == (307, b"")


async def test_a_redirect_may_lead_nowhere(upstream: Upstream) -> None:
    async with open_model_host(reply(307, location="http://[::1")) as host:
        caught = await refusal(upstream, host.url)
        assert str(caught) == error(host.url, "the reply is no HTTP")


async def test_redirects_have_an_end(upstream: Upstream) -> None:
    async with open_model_host(reply(307, location="/round")) as host:
        caught = await refusal(upstream, host.url)
        assert str(caught) == error(host.url, "too many redirects")
        assert len(host.asked) == 5
