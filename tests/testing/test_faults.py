"""What goes wrong when it is told to."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from codex_trio.httpd import HttpResponse
from codex_trio.testing import Fault, open_stand_in
from tests.conftest import PATIENCE
from tests.testing.conftest import CLIENT_ID, USAGE, refresh_grant, refused

if TYPE_CHECKING:
    from trio.testing import MockClock

    from codex_trio.testing import StandIn

PATH = USAGE


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        ("busy", b"busy", "text/plain; charset=utf-8"),
        (b"\xff", b"\xff", "text/plain; charset=utf-8"),
        ({"a": [1]}, b'{"a":[1]}', "application/json"),
    ],
)
async def test_a_status_is_answered(
    stand_in: StandIn, web: httpx.AsyncClient, body: Any, sent: bytes, kind: str
) -> None:
    stand_in.faults.add(PATH, Fault.status(503, body))
    response = await web.get(PATH)
    assert (response.status_code, response.content) == (503, sent)
    assert response.headers["content-type"] == kind


async def test_a_status_may_name_its_content_type(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.faults.add(PATH, Fault.status(200, {}, "text/html"))
    assert (await web.get(PATH)).headers["content-type"] == "text/html"


async def test_faults_come_in_their_order_and_by_path(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.faults.add(PATH, Fault.status(500), Fault.none())
    stand_in.faults.add(PATH, Fault.status(502))
    stand_in.faults.add("/else", Fault.status(503))
    statuses = [(await web.get(PATH)).status_code for _ in range(4)]
    assert statuses == [500, 401, 502, 401]
    stand_in.faults.clear()
    assert (await web.get("/else")).status_code == 404


@pytest.mark.parametrize("fault", [Fault.drop(), Fault.garbage(), Fault.garbage(b"HTTP/1.1")])
async def test_a_connection_may_end_without_an_answer(
    stand_in: StandIn, web: httpx.AsyncClient, fault: Fault
) -> None:
    stand_in.faults.add(PATH, fault)
    with pytest.raises(httpx.RemoteProtocolError):
        await web.get(PATH)
    assert (await web.get(PATH)).status_code == 401


async def test_an_answer_may_come_later(
    autojump_clock: MockClock, stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.faults.add(PATH, Fault.delay(3), Fault(2, HttpResponse.text(418, "tea")))
    begin = trio.current_time()
    assert (await web.get(PATH)).status_code == 401
    assert trio.current_time() - begin == pytest.approx(3)
    assert (await web.get(PATH)).status_code == 418
    assert trio.current_time() - begin == pytest.approx(5)


async def test_whoever_asks_may_be_sent_elsewhere(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.faults.add(PATH, Fault.redirect("/else"), Fault.redirect("/more", 302))
    for status, place in ((307, "/else"), (302, "/more")):
        response = await web.get(PATH)
        assert (response.status_code, response.headers["location"]) == (status, place)


# --- what is done, and not heard of ---


@pytest.mark.parametrize("fault", [Fault.lose(), Fault.cut()])
async def test_what_was_done_may_not_be_heard_of(
    stand_in: StandIn, web: httpx.AsyncClient, fault: Fault
) -> None:
    grant = refresh_grant(stand_in.issue_tokens(CLIENT_ID).refresh_token)
    stand_in.faults.add("/oauth/token", fault)
    with pytest.raises(httpx.RemoteProtocolError):
        await web.post("/oauth/token", json=grant)
    assert [one.outcome for one in stand_in.exchanges] == ["rotated"]
    again = await web.post("/oauth/token", json=grant)
    assert refused(again) == (401, "refresh_token_reused")


async def test_what_was_done_may_be_held_back(
    autojump_clock: MockClock, stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    grant = refresh_grant(stand_in.issue_tokens(CLIENT_ID).refresh_token)
    stand_in.faults.add("/oauth/token", Fault.lose(wait=3))
    begin = trio.current_time()
    with pytest.raises(httpx.RemoteProtocolError):
        await web.post("/oauth/token", json=grant)
    assert trio.current_time() - begin == pytest.approx(3)
    assert [one.outcome for one in stand_in.exchanges] == ["rotated"]


async def test_an_answer_may_have_no_end(
    autojump_clock: MockClock, stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.faults.add(PATH, Fault.trickle())
    body = b""
    begin = trio.current_time()
    async with web.stream("GET", PATH) as response:
        assert response.status_code == 401
        with trio.move_on_after(3.5):
            async for chunk in response.aiter_raw():
                body += chunk
    assert trio.current_time() - begin == pytest.approx(3.5)
    assert body.startswith(b'{"error":')
    assert body.endswith(b"}   ")
    await trio.sleep(5)  # in which the stand-in sees that nobody listens
    assert (await web.get(PATH)).status_code == 401


async def test_whoever_hangs_is_let_go_at_the_end() -> None:
    lost = trio.Event()

    async def ask(url: str) -> None:
        with suppress(OSError):
            await stand_in.visit(url)
        lost.set()

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            async with open_stand_in() as stand_in:
                stand_in.faults.add(PATH, Fault.hang())
                nursery.start_soon(ask, stand_in.url + PATH)  # noqa: ASYNC111 - it is to be cut
                await stand_in.wait_request(PATH)
            await lost.wait()
    with pytest.raises(OSError, match="connect"):
        await stand_in.visit(stand_in.url)


@pytest.mark.parametrize("status", [100, 0, 777])
def test_a_status_is_an_answer(status: int) -> None:
    with pytest.raises(ValueError, match=str(status)):
        Fault.status(status)


def test_nobody_waits_for_less_than_nothing() -> None:
    with pytest.raises(ValueError, match="wait"):
        Fault.delay(-1)
