"""Asking hosts on the network: what is sent, what may go wrong, and what is said of it."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio import upstream as module
from codex_trio.httpd import HttpResponse
from codex_trio.upstream import MAX_REPLY, Reply, Upstream, open_upstream
from tests.conftest import PATIENCE
from tests.sites import SECRET, error, open_door, open_site, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.httpd import Answer, HttpRequest
    from codex_trio.settings import Settings


@pytest.fixture
async def upstream(settings: Settings) -> AsyncGenerator[Upstream]:
    async with open_upstream(settings) as upstream:
        with trio.fail_after(PATIENCE):
            yield upstream


# --- what is sent, and what comes back ---


async def test_a_form_is_sent_with_nothing_of_ourselves(upstream: Upstream) -> None:
    async with open_site() as site:
        reply = await upstream.post(f"{site.url}/a?b=c", form={"x": "1 2", "y": "ü&="})
    assert (reply.status, reply.body, reply.succeeded) == (200, b"ok", True)
    (request,) = site.requests
    assert (request.method, request.target) == ("POST", "/a?b=c")
    assert request.body == b"x=1+2&y=%C3%BC%26%3D"
    assert request.headers == {
        "host": site.url.removeprefix("http://"),
        "accept": "*/*",
        "connection": "keep-alive",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": "20",
    }


async def test_a_question_need_not_send_anything(upstream: Upstream) -> None:
    async with open_site() as site:
        reply = await upstream.get(f"{site.url}/a", headers={"originator": "me"})
    assert (reply.status, reply.body) == (200, b"ok")
    (request,) = site.requests
    assert (request.method, request.target, request.body) == ("GET", "/a", b"")
    assert request.headers["originator"] == "me"


async def test_json_is_sent_with_the_headers_that_are_given(upstream: Upstream) -> None:
    async with open_site() as site:
        await upstream.post(site.url, json={"a": None}, headers={"originator": "me"})
    (request,) = site.requests
    assert request.body == b'{"a":null}'
    assert request.headers["content-type"] == "application/json"
    assert request.headers["originator"] == "me"
    assert "user-agent" not in request.headers


@pytest.mark.parametrize("value", ["é", "Клиент", "a\u2028b"])
async def test_a_header_need_not_be_ascii(upstream: Upstream, value: str) -> None:
    async with open_site() as site:
        await upstream.post(site.url, json={}, headers={"originator": value})
    sent = site.requests[0].headers["originator"]
    assert sent.encode("latin-1").decode() == value


async def test_several_questions_share_a_connection(upstream: Upstream) -> None:
    async with open_site() as site:
        for _ in range(3):
            await upstream.post(site.url, json={})
        assert site.door.opened == 1


async def test_nothing_is_kept_from_one_question_to_the_next(upstream: Upstream) -> None:
    async def answer(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return HttpResponse(headers=(("Set-Cookie", "session=1; Path=/"),))

    async with open_site(answer) as site:
        await upstream.post(site.url, json={})
        await upstream.post(site.url, json={})
    assert all("cookie" not in request.headers for request in site.requests)


@pytest.mark.parametrize(
    ("status", "line"),
    [(200, "200 OK"), (204, "204 No Content"), (404, "404 Not Found"), (599, "599")],
)
async def test_every_status_is_a_reply(upstream: Upstream, status: int, line: str) -> None:
    async def answer(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return HttpResponse(status=status)

    async with open_site(answer) as site:
        reply = await upstream.post(site.url, json={})
    assert (reply.status, reply.status_line) == (status, line)
    assert reply.succeeded == (status < 300)


def test_a_reply_shows_no_body() -> None:
    reply = Reply(status=200, body=b'{"access_token":"s3cret"}')
    assert SECRET not in repr(reply)
    assert reply.json() == {"access_token": SECRET}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"NaN"])
def test_a_body_that_is_no_json_is_nothing(body: bytes) -> None:
    assert Reply(status=200, body=body).json() is None


# --- redirects ---


async def lead(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
    """Lead on as the path says: ``/307/to`` to ``/to``, ``/303/?to=url`` anywhere."""
    status, _, rest = request.path.removeprefix("/").partition("/")
    if not status.isdecimal():
        return HttpResponse.text(200, f"{request.method} {request.body!r}")
    location = request.query.get("to", f"/{rest}")
    return HttpResponse(status=int(status), headers=(("Location", location),))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/307/308/end", "POST b'{\"a\":1}'"),
        ("/303/end", "GET b''"),
        ("/302/end", "GET b''"),
        ("/307/?to=end", "POST b'{\"a\":1}'"),
    ],
)
async def test_redirects_are_followed(upstream: Upstream, path: str, text: str) -> None:
    async with open_site(lead) as site:
        assert (await upstream.post(site.url + path, json={"a": 1})).body.decode() == text


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("/307/?to=round", "too many redirects"),
        ("ftp://host/", "not a http or https URL"),
        ("mailto:somebody", "a URL that is none"),
        ("?" * 70_000, "the reply is no HTTP"),
        ("http://a:b:c/", "the reply is no HTTP"),
    ],
)
async def test_a_redirect_may_lead_nowhere(upstream: Upstream, to: str, reason: str) -> None:
    async def answer(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        location = "/round" if "round" in to else to
        return HttpResponse(status=307, headers=(("Location", location),))

    async with open_site(answer) as site:
        url = f"{site.url}/a"
        assert await refusal(upstream, url, json={"code": SECRET}) == error(url, reason)


@pytest.mark.parametrize("to", ["//" + "a" * 70 + ".invalid/", "//a..b/"])
async def test_a_redirect_may_lead_to_no_name(upstream: Upstream, to: str) -> None:
    async with open_site(lead) as site:
        await refusal(upstream, f"{site.url}/307/?to={to}", json={})


# --- what goes wrong ---


async def test_nobody_listens(upstream: Upstream) -> None:
    async with open_site() as site:
        pass
    url = f"http://127.0.0.1:{site.door.port}/token"
    text = await refusal(upstream, f"{url}?code={SECRET}#f", json={"code": SECRET})
    assert text == error(url, f"all attempts to connect to 127.0.0.1:{site.door.port} failed")


async def test_a_name_that_nobody_has(upstream: Upstream) -> None:
    text = await refusal(upstream, f"http://me:{SECRET}@nobody.invalid/x", json={})
    assert text.startswith(error("http://nobody.invalid/x", "[Errno "))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\x00\x01 this is not HTTP s3cret\r\n\r\n", "the reply is no HTTP"),
        (b"HTTP/1.1 200 s3cret\r\nContent-Length: s3cret\r\n\r\n", "the reply is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ns3cret", "the reply is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"s" * 200_000, "the reply is no HTTP"),
    ],
)
async def test_what_is_no_reply_is_not_quoted(
    upstream: Upstream, caplog: pytest.LogCaptureFixture, answer: bytes, reason: str
) -> None:
    async def garbage(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return answer

    async with open_site(garbage) as site:
        assert await refusal(upstream, site.url, json={}) == error(site.url, reason)
    assert SECRET not in caplog.text


async def test_a_connection_that_is_closed_without_a_word(upstream: Upstream) -> None:
    async def drop(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return b""

    async with open_site(drop) as site:
        text = await refusal(upstream, site.url, json={"code": SECRET})
    assert text == error(site.url, "the connection was lost")


async def test_a_connection_that_is_reset(upstream: Upstream) -> None:
    async def reset(stream: trio.abc.Stream) -> None:  # noqa: ASYNC124 - a handler
        assert isinstance(stream, trio.SocketStream)
        while SECRET.encode() not in await stream.receive_some():
            pass
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)

    async with open_door(reset) as door:
        text = await refusal(upstream, door.url, json={"code": SECRET})
    assert text == error(door.url, "the connection was lost")


async def test_a_host_that_has_closed_what_we_kept_is_asked_anew(upstream: Upstream) -> None:
    async def once(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    async with open_site(once) as site:
        for _ in range(3):
            assert (await upstream.post(site.url, json={})).body == b"ok"
            await site.door.wait_open(0)
        assert site.door.opened == 3


async def test_a_reply_without_end_is_given_up(upstream: Upstream) -> None:
    async def endless(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(bytes(2**16))

    async with open_door(endless) as door:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            text = await refusal(upstream, door.url, json={})
            assert text == error(door.url, f"the reply exceeds {MAX_REPLY} bytes")
            await door.wait_open(0)
            gc.collect()
    assert not said


async def test_the_longest_reply(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPLY", 10)

    async def answer(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return HttpResponse(body=b"x" * 10)

    async with open_site(answer) as site:
        assert len((await upstream.post(site.url, json={})).body) == 10


@pytest.mark.parametrize("url", ["auth.example.com", "ftp://h/x", "", "http:///path"])
async def test_an_url_of_another_kind(upstream: Upstream, url: str) -> None:
    assert (await refusal(upstream, url, json={})).endswith(": not a http or https URL")


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://host:port/",
        "http://a..b/",
        "http://" + "a" * 70 + ".invalid/",
        "http://b\u2603\u200d.invalid/",
    ],
)
async def test_an_url_that_is_none(upstream: Upstream, url: str) -> None:
    await refusal(upstream, url, json={})


# --- secrets ---


async def test_nothing_of_a_question_is_logged(
    upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", "httpx")  # as configure_logging does: it logs whole URLs
    async with open_site() as site:
        url = site.url.replace("//", f"//me:{SECRET}@")
        await upstream.post(f"{url}/?token={SECRET}", form={"code": SECRET})
        await upstream.post(site.url, json={"token": SECRET}, headers={"x": SECRET})
    assert SECRET not in caplog.text
    assert SECRET not in repr(upstream)


async def test_the_body_of_a_redirect_is_not_read(upstream: Upstream) -> None:
    async def answer(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        if request.path == "/there":
            return HttpResponse.text(200, "here")
        head = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 99999999\r\n\r\n"
        return head + b"x" * 4096  # and no more: who waits for the rest waits for ever

    async with open_site(answer) as site:
        with trio.fail_after(5):
            assert (await upstream.post(f"{site.url}/a", json={})).body == b"here"
