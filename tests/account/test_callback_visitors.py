"""Who else comes to the callback of a login: several browsers, idle ones, none, and enemies."""

from __future__ import annotations

import resource
import socket
from functools import partial
from typing import TYPE_CHECKING

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from codex_trio.testing import Fault, Page, StandIn, WireClient
from tests.account.browsing import (
    FAILED,
    TOKEN,
    Begun,
    begin,
    count_exchanges,
    outcome_of,
    read_all,
    say,
)
from tests.account.conftest import SlowStore, cancel, is_free, left_in, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.server import Server

SIGNED_IN = "You may now close this page"


@pytest.fixture
def client(login_client: WireClient) -> WireClient:
    return login_client


@pytest.fixture
async def login(
    client: WireClient, login_server: Server, stand_in: StandIn
) -> AsyncGenerator[Begun]:
    yield await begin(client, stand_in)
    await login_server.account.desk.clear()  # the last page may still wait for its browser


@pytest.fixture
async def web() -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=None) as web:
        yield web


# --- who wants it to end ---


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}]
)
async def test_another_process_may_end_the_login(
    client: WireClient,
    login: Begun,
    stand_in: StandIn,
    web: httpx.AsyncClient,
    headers: dict[str, str],
) -> None:
    answer = await web.get(f"{login.url}/cancel?a=b", headers=headers)
    assert (answer.status_code, answer.text) == (200, "Login cancelled")
    assert answer.headers["connection"] == "close"
    assert await outcome_of(client, login) == f"{FAILED}Login cancelled"
    again = await begin(client, stand_in)  # which takes whatever port is free
    assert again.id != login.id


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "{url}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"User-Agent": "Mozilla/5.0 (Macintosh) Safari/605.1.15"},  # one that does not say
    ],
)
async def test_a_page_of_another_site_cannot_end_the_login(
    client: WireClient, login: Begun, web: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    sent = {name: value.format(url=login.url) for name, value in headers.items()}
    answer = await web.post(f"{login.url}/cancel", headers=sent)
    assert (answer.status_code, answer.text) == (403, "Forbidden")
    assert (await web.get(login.granted, follow_redirects=True)).status_code == 200
    assert await outcome_of(client, login) is None


async def test_who_ends_the_login_keeps_what_is_under_way_from_being_stored(
    client: WireClient, login: Begun, stand_in: StandIn, web: httpx.AsyncClient, home: Path
) -> None:
    stand_in.faults.add(TOKEN, Fault.hang())
    async with await say(login.granted) as browser:
        await stand_in.wait_request(TOKEN)
        assert (await web.get(f"{login.url}/cancel")).text == "Login cancelled"
        assert await outcome_of(client, login) == f"{FAILED}Login cancelled"
        await read_all(browser)  # nobody waits any more
    assert left_in(home) == []


async def test_a_browser_is_shown_that_somebody_else_has_ended_the_login(
    client: WireClient, login: Begun, stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.faults.add(TOKEN, Fault.hang())
    async with await say(login.granted) as browser:
        await stand_in.wait_request(TOKEN)
        assert (await web.get(f"{login.url}/cancel")).status_code == 200
        page = await read_all(browser)
    assert page.startswith(b"HTTP/1.1 200 ")
    assert b"Login cancelled" in page


async def test_it_is_too_late_to_end_a_login_whose_credentials_are_being_stored(
    login_server: Server,
    client: WireClient,
    login: Begun,
    stand_in: StandIn,
    web: httpx.AsyncClient,
) -> None:
    store = SlowStore.of(login_server)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(web.get, login.granted)
        await store.storing.wait()
        answer = await web.get(f"{login.url}/cancel")
        assert (answer.status_code, answer.text) == (409, "Too late to cancel")
        told = await client.call("account/login/cancel", {"loginId": login.id})
        assert told == {"status": "notFound"}
        store.go_on.set()
    assert await outcome_of(client, login) is None
    assert SIGNED_IN in (await web.get(f"{login.url}/success")).text


async def test_a_login_that_is_over_can_be_asked_for_its_port(
    client: WireClient, login: Begun, web: httpx.AsyncClient, home: Path
) -> None:
    assert (await web.get(login.granted)).status_code == 302
    assert await outcome_of(client, login) is None
    assert (await web.get(f"{login.url}/cancel")).text == "Login cancelled"
    await until(partial(is_free, login.port))
    assert (home / "auth.json").exists()  # and it is none the worse for it


async def test_who_asks_for_a_tunnel_gets_none(
    client: WireClient, login: Begun, caplog: pytest.LogCaptureFixture
) -> None:
    async with await say(f"{login.url}/cancel", "CONNECT") as wire:
        assert (await read_all(wire)).startswith(b"HTTP/1.1 405 ")
    assert await cancel(client, login.id) == "canceled"
    assert "failed" not in caplog.text


# --- several visitors, and none ---


@pytest.mark.parametrize("succeeds", [True, False])
async def test_a_second_redirect_waits_for_the_outcome_of_the_first(
    client: WireClient, login: Begun, stand_in: StandIn, succeeds: bool
) -> None:
    refusal = attrs.evolve(Fault.status(400), wait=0.1)
    stand_in.faults.add(TOKEN, Fault.delay(0.1) if succeeds else refusal)
    pages: list[Page] = []

    async def visit(url: str) -> None:
        pages.append(await stand_in.visit(url, follow=False))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(visit, login.granted)
        await stand_in.wait_request(TOKEN)
        nursery.start_soon(visit, login.granted)
        nursery.start_soon(visit, login.redirect(error="too_late"))
    assert (await outcome_of(client, login) is None) is succeeds
    assert [page.status for page in pages] == [302 if succeeds else 200] * 3
    assert len({page.text for page in pages}) == 1
    assert count_exchanges(stand_in) == 1


async def test_a_redirect_counts_even_if_the_browser_leaves_behind_it(
    client: WireClient, login: Begun, stand_in: StandIn
) -> None:
    stand_in.faults.add(TOKEN, Fault.delay(0.05))
    async with await say(login.granted):
        await stand_in.wait_request(TOKEN)
    assert await outcome_of(client, login) is None


async def test_who_has_nothing_to_say_holds_nothing_up(
    client: WireClient, login: Begun, stand_in: StandIn
) -> None:
    idle = []
    for said in (b"", b"", b"GET /auth/cal", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le"):
        wire = await trio.open_tcp_stream("127.0.0.1", login.port)
        await wire.send_all(said)
        idle.append(wire)
    started = trio.current_time()
    assert SIGNED_IN in (await stand_in.visit(login.granted)).text
    assert await outcome_of(client, login) is None
    for wire in idle:
        async with wire:
            assert await read_all(wire) == b""
    assert trio.current_time() - started < 2  # it does not wait until everybody may have gone
    await until(partial(is_free, login.port))


@pytest.fixture
def skipping_clock() -> MockClock:
    """A clock that goes as all others do, and can be told to jump."""
    return MockClock(rate=1.0)


async def test_a_browser_has_three_seconds_for_its_last_page(
    client: WireClient, login: Begun, stand_in: StandIn, skipping_clock: MockClock
) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", login.port) as idle:
        assert (await stand_in.visit(login.granted, follow=False)).status == 302
        assert await outcome_of(client, login) is None
        skipping_clock.jump(2)
        assert (await stand_in.visit(f"{login.url}/auth/callback")).status == 400
        skipping_clock.jump(1)
        assert await read_all(idle) == b""
    await until(partial(is_free, login.port))


async def test_a_browser_that_has_its_last_page_is_not_waited_for(
    client: WireClient, login: Begun, stand_in: StandIn
) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", login.port) as idle:
        page = await stand_in.visit(login.redirect(error="access_denied"))
        assert "access_denied" in page.text
        told_at = trio.current_time()
        assert await read_all(idle) == b""
        assert trio.current_time() - told_at < 2
    await until(partial(is_free, login.port))


# --- what the system refuses ---


async def test_a_browser_is_let_in_as_soon_as_a_file_can_be_opened(
    client: WireClient, login: Begun, caplog: pytest.LogCaptureFixture
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with trio.socket.socket() as browser:
        with socket.socket() as next_file:
            lowest = next_file.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        try:
            await browser.connect(("127.0.0.1", login.port))
            await until(lambda: "Too many open files" in caplog.text)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await browser.send(f"GET / HTTP/1.0\r\nHost: 127.0.0.1:{login.port}\r\n\r\n".encode())
        assert (await read_all(trio.SocketStream(browser))).startswith(b"HTTP/1.1 404 ")


async def test_a_callback_that_breaks_down_is_the_end_of_the_login(
    login_server: Server, client: WireClient, login: Begun, caplog: pytest.LogCaptureFixture
) -> None:
    (attempt,) = login_server.account.desk._attempts
    attempt.login._listener.socket.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
    assert await outcome_of(client, login) == f"{FAILED}Internal error"
    assert "a login failed: " in caplog.text
    await until(partial(is_free, login.port))
