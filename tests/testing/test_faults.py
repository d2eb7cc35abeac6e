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

if TYPE_CHECKING:
    from trio.testing import MockClock

    from codex_trio.testing import StandIn

PATH = "/backend-api/wham/usage"


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
