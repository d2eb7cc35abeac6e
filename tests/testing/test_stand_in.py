"""The stand-in as a server: what it remembers, where it is, and what is left of it."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import TYPE_CHECKING

import httpx
import pytest
import trio
import trio.testing
import trustme

from codex_trio.testing import Fault, StandIn, open_stand_in
from tests.testing.conftest import port_of

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/backend-api/wham/usage"


async def test_every_request_is_recorded(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.faults.add("/form", Fault.drop())
    with suppress(httpx.RemoteProtocolError):
        await web.post("/form?a=1", data={"b": "2", "c": ""})
    await web.put("/json", json={"d": 3}, headers={"X-Test": "yes"})
    form, json = stand_in.requests
    assert (form.method, form.path, form.query) == ("POST", "/form", {"a": "1"})
    assert form.form == form.fields == {"b": "2", "c": ""}
    with pytest.raises(ValueError, match="unexpected character"):
        _ = form.json
    assert (json.method, json.json, json.fields) == ("PUT", {"d": 3}, {"d": 3})
    assert json.headers["x-test"] == "yes"
    assert form.at <= json.at <= trio.current_time()


async def test_a_request_can_be_waited_for(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    async with trio.open_nursery() as nursery:
        for body in (b"1", b"2", b"3"):
            await web.post("/a", content=body)
        for number in (1, 3, 4):
            nursery.start_soon(stand_in.wait_request, "/a", number)
        assert (await stand_in.wait_request("/a")).body == b"1"
        assert (await stand_in.wait_request("/a", 3)).body == b"3"
        await trio.testing.wait_all_tasks_blocked()
        await web.post("/b", content=b"4")
        await web.post("/a", content=b"5")


@pytest.mark.parametrize("by_reset", [False, True])
async def test_requests_can_be_held_until_they_are_released(
    stand_in: StandIn, web: httpx.AsyncClient, by_reset: bool
) -> None:
    answered: list[int] = []

    async def ask() -> None:
        answered.append((await web.get(PATH)).status_code)

    stand_in.hold(PATH)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
        await stand_in.wait_request(PATH, 2)
        assert (await web.get("/else")).status_code == 404
        assert answered == []
        if by_reset:
            stand_in.reset()
        else:
            stand_in.release(PATH)
    await ask()
    assert answered == [401, 401, 401]


# --- the server ---


async def test_it_can_be_an_https_server(home: Path) -> None:
    authority = trustme.CA()
    context = SSLContext(PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with open_stand_in(tls=context) as stand_in:
        assert stand_in.url.startswith("https://127.0.0.1:")
        assert (await stand_in.visit(f"{stand_in.url}/codex/device")).status == 200
        assert stand_in.settings(home).issuer == stand_in.url
        with pytest.raises(OSError, match="does not answer in HTTP"):
            await stand_in.visit(stand_in.url.replace("https", "http"))


async def test_a_port_can_be_asked_for() -> None:
    async with open_stand_in() as one:
        port = port_of(one.url)
        with pytest.raises(OSError, match="in use"):
            async with open_stand_in(port):
                pytest.fail("two cannot have it")
    async with open_stand_in(port) as other:
        assert other.url == one.url


async def test_an_exception_leaves_the_block_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with open_stand_in():
            raise KeyError


async def test_a_cancelled_block_leaves_nothing() -> None:
    with trio.CancelScope() as scope:
        async with open_stand_in() as stand_in:
            scope.cancel()
            await trio.sleep_forever()
    async with open_stand_in(port_of(stand_in.url)):
        pass


async def test_a_server_is_led_to_it(stand_in: StandIn, home: Path) -> None:  # noqa: ASYNC124 - its fixture is Trio's
    settings = stand_in.settings(home, originator="us", login_callback_ports=(1, 2))
    assert settings.codex_home == home
    assert settings.issuer == stand_in.url
    assert settings.refresh_url == f"{stand_in.url}/oauth/token"
    assert settings.chatgpt_base_url == f"{stand_in.url}/backend-api"
    assert settings.revoke_url == f"{stand_in.url}/oauth/revoke"
    assert (settings.originator, settings.login_callback_ports) == ("us", (1, 2))
    assert stand_in.settings(home).login_callback_ports == (0,)
    assert set(stand_in.environ.values()) == {
        stand_in.url,
        f"{stand_in.url}/oauth/token",
        f"{stand_in.url}/oauth/revoke",
    }
    assert tomllib.loads(stand_in.config + "more = 1\n") == {
        "chatgpt_base_url": f"{stand_in.url}/backend-api",
        **settings.config,
        "more": 1,
    }
