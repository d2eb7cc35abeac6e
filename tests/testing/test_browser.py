"""The small browser: what it follows, and what it does not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.httpd import Answer, HttpRequest, HttpResponse, serve_http
from codex_trio.testing.browser import is_local, visit
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def open_site() -> AsyncGenerator[str]:
    """A site whose paths say what they do: ``/302/to`` leads to ``/to``; other paths tell."""

    async def answer(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        status, _, to = request.target.removeprefix("/").partition("/")
        if to == "away":
            to = "https://example.com/"
        elif to == "round":
            to = "/302/round"
        elif status == "hints":
            return b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nlate"
        elif status.isdecimal():
            to = f"/{to}"
        else:
            return HttpResponse.text(200, f"{request.method} {request.target} {request.body!r}")
        return HttpResponse(status=int(status), headers=(("Location", to),))

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, partial(serve_http, answer), [listener])
        with trio.fail_after(PATIENCE):  # noqa: ASYNC100 - the body waits
            yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def test_redirects_are_followed_unless_they_shall_not_be() -> None:
    async with open_site() as site:
        page = await visit(f"{site}/302/301/end?a=1")
        assert (page.status, page.url) == (200, f"{site}/end?a=1")
        assert page.text == "GET /end?a=1 b''"
        assert page.headers["content-type"].startswith("text/plain")
        page = await visit(f"{site}/302/end", follow=False)
        assert (page.status, page.url) == (302, f"{site}/302/end")
        assert (await visit(site)).text == "GET / b''"


@pytest.mark.parametrize(
    ("status", "text"), [(303, "GET /end b''"), (307, "POST /end b'a=b+c'")]
)
async def test_a_form_is_sent_and_sent_again_as_the_status_says(status: int, text: str) -> None:
    async with open_site() as site:
        assert (await visit(f"{site}/{status}/end", form={"a": "b c"})).text == text


async def test_what_leads_off_this_machine_is_returned() -> None:
    async with open_site() as site:
        page = await visit(f"{site}/302/away")
        assert (page.status, page.headers["location"]) == (302, "https://example.com/")


async def test_hints_are_not_the_answer() -> None:
    async with open_site() as site:
        page = await visit(f"{site}/hints")
        assert (page.status, page.text) == (200, "late")


async def test_nobody_goes_round_for_ever() -> None:
    async with open_site() as site:
        with pytest.raises(ConnectionError, match="more than 20 redirects"):
            await visit(f"{site}/302/round")


async def test_only_this_machine_is_visited() -> None:
    with pytest.raises(ValueError, match="this machine"):
        await visit("https://example.com/")


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost/", True),
        ("https://127.0.0.1:1/", True),
        ("http://[::1]:1/", True),
        ("http://127.0.0.1.example.com/", False),
        ("http://10.0.0.1/", False),
        ("file:///etc/passwd", False),
        ("/path", False),
    ],
)
def test_what_is_on_this_machine(url: str, local: bool) -> None:
    assert is_local(url) is local
