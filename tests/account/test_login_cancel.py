"""Cancelling a login at any moment: what is answered is true, and nothing is left."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import trio

from codex_trio.rpc.client import Client
from codex_trio.testing import Fault
from tests.account.conftest import (
    BROWSER,
    DEVICE,
    KEY,
    NOT_COMPLETED,
    SlowStore,
    Witness,
    account,
    cancel,
    completed,
    in_short,
    is_free,
    is_quiet,
    jump,
    left_in,
    port_of,
    start,
    until,
)
from tests.checked import connect

if TYPE_CHECKING:
    from collections.abc import Sized
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.testing import StandIn, WireClient

EXCHANGE = "/oauth/token"

either = pytest.mark.parametrize("way", [BROWSER, DEVICE], ids=["browser", "device"])


async def approve(
    client: WireClient, stand_in: StandIn, way: dict[str, str], nursery: trio.Nursery
) -> Any:
    """Begin to sign in, and have the user approve."""
    login = await start(client, way)
    if way is DEVICE:
        stand_in.approve_device(login["userCode"])
    else:
        nursery.start_soon(browse, stand_in, login["authUrl"])
    return login


async def browse(stand_in: StandIn, url: str) -> None:
    """Follow a URL, whatever becomes of it."""
    with suppress(OSError):  # the callback may have gone
        await stand_in.visit(url)


def are_three(said: Sized) -> bool:
    return len(said) == 3


def request(request_id: str, method: str, params: Any = None) -> dict[str, Any]:
    return {"id": request_id, "method": method, "params": params}


# --- before the point of no return ---


@either
@pytest.mark.parametrize("fault", [Fault.hang(), Fault.delay(0.05)], ids=["hung", "slow"])
async def test_while_tokens_are_fetched_nothing_is_stored(
    login_client: WireClient,
    login_server: Server,
    witness: Witness,
    stand_in: StandIn,
    home: Path,
    way: dict[str, str],
    fault: Fault,
) -> None:
    stand_in.faults.add(EXCHANGE, fault)
    async with trio.open_nursery() as nursery:
        login = await approve(login_client, stand_in, way, nursery)
        await stand_in.wait_request(EXCHANGE)
        witness.forget()
        assert await cancel(login_client, login["loginId"]) == "canceled"
        error = NOT_COMPLETED[way["type"]]
        assert await completed(login_client) == (login["loginId"], error)
    assert witness.story == [("canceled", True), (f"{login['loginId']}: {error}", True)]
    assert await account(login_client) is None
    assert left_in(home) == []


async def test_the_browser_of_a_login_that_is_cancelled_is_not_left_waiting(
    login_client: WireClient, stand_in: StandIn
) -> None:
    stand_in.faults.add(EXCHANGE, Fault.hang())
    login = await start(login_client)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(browse, stand_in, login["authUrl"])
        await stand_in.wait_request(EXCHANGE)
        await cancel(login_client, login["loginId"])


# --- behind it ---


@either
async def test_while_it_is_being_stored_it_is_too_late(
    login_client: WireClient,
    login_server: Server,
    witness: Witness,
    stand_in: StandIn,
    home: Path,
    way: dict[str, str],
) -> None:
    disk = SlowStore.of(login_server)
    async with trio.open_nursery() as nursery:
        login = await approve(login_client, stand_in, way, nursery)
        await disk.storing.wait()
        assert await cancel(login_client, login["loginId"]) == "notFound"
        assert await cancel(login_client, login["loginId"]) == "notFound"
        disk.go_on.set()
        assert await completed(login_client) == (login["loginId"], None)
        await login_client.next_notification("account/updated")
    assert await account(login_client) == "chatgpt"
    assert left_in(home) == ["auth.json"]


@either
async def test_signing_out_while_it_is_being_stored_comes_behind_it(
    login_client: WireClient,
    login_server: Server,
    witness: Witness,
    stand_in: StandIn,
    home: Path,
    way: dict[str, str],
) -> None:
    disk = SlowStore.of(login_server)
    async with trio.open_nursery() as nursery:
        login = await approve(login_client, stand_in, way, nursery)
        await disk.storing.wait()
        witness.forget()
        await login_client.send(request("out", "account/logout"))
        await until(lambda: login_server.account.desk._attempts[0]._cut)
        disk.go_on.set()
        await until(lambda: len(witness.told) == 4)
    assert witness.told == [f"{login['loginId']}: None", "now chatgpt", "done", "now None"]
    assert witness.story[2] == ("done", True)
    assert left_in(home) == []


@either
async def test_an_api_key_while_it_is_being_stored_comes_behind_it(
    login_client: WireClient,
    login_server: Server,
    witness: Witness,
    stand_in: StandIn,
    way: dict[str, str],
) -> None:
    disk = SlowStore.of(login_server)
    async with trio.open_nursery() as nursery:
        login = await approve(login_client, stand_in, way, nursery)
        await disk.storing.wait()
        witness.forget()
        await login_client.send(request("key", "account/login/start", KEY))
        await until(lambda: login_server.account.desk._attempts[0]._cut)
        disk.go_on.set()
        await until(lambda: len(witness.told) == 5)
    success = [f"{login['loginId']}: None", "now chatgpt"]
    assert witness.told == [*success, "done", "None: None", "now apikey"]
    assert witness.story[2] == ("done", True)
    assert await account(login_client) == "apiKey"


async def test_a_newer_login_while_it_is_being_stored_begins_when_nothing_of_it_is_left(
    login_client: WireClient,
    login_server: Server,
    witness: Witness,
    stand_in: StandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = SlowStore.of(login_server)
    async with trio.open_nursery() as nursery:
        login = await approve(login_client, stand_in, BROWSER, nursery)
        await disk.storing.wait()
        (former,) = login_server.account.desk._attempts
        witness.forget()
        await login_client.send(request("newer", "account/login/start", DEVICE))
        await until(lambda: former._cut)
        said = listen_in(monkeypatch, port_of(login["authUrl"]))
        disk.go_on.set()
        await until(lambda: len(witness.told) == 3)
    assert f"{login['loginId']}: None" in witness.told
    assert [free for short, free in said if short.endswith("has begun")] == [True]


def listen_in(monkeypatch: pytest.MonkeyPatch, port: int) -> list[tuple[str, bool]]:
    """Note what is said to clients from now on, and whether a port is free at that moment."""
    said: list[tuple[str, bool]] = []
    say = Client.say

    def note(client: Client, message: bytes) -> None:
        said.append((in_short(json.loads(message)), is_free(port)))
        say(client, message)

    monkeypatch.setattr(Client, "say", note)
    return said


@either
async def test_who_ends_a_login_that_then_cannot_be_stored_is_answered_at_once(
    login_client: WireClient,
    login_server: Server,
    witness: Witness,
    stand_in: StandIn,
    home: Path,
    way: dict[str, str],
) -> None:
    disk = SlowStore.of(login_server)
    disk.full = True
    async with trio.open_nursery() as nursery:
        login = await approve(login_client, stand_in, way, nursery)
        await disk.storing.wait()
        witness.forget()
        await login_client.send(request("out", "account/logout"))
        await until(lambda: login_server.account.desk._attempts[0]._cut)
        disk.go_on.set()
        await until(lambda: len(witness.told) == 3)
    assert witness.told[0].startswith(f"{login['loginId']}: ")
    assert witness.told[1:] == ["done", "now None"]
    assert left_in(home) == []


async def test_a_login_that_is_too_late_while_it_is_being_stored_succeeds(
    still_clock: trio.testing.MockClock,
    login_client: WireClient,
    login_server: Server,
    stand_in: StandIn,
) -> None:
    disk = SlowStore.of(login_server)
    async with trio.open_nursery() as nursery:
        login = await approve(login_client, stand_in, BROWSER, nursery)
        await disk.storing.wait()
        jump(still_clock)
        await trio.sleep(601)
        disk.go_on.set()
        assert await completed(login_client) == (login["loginId"], None)
        await until(lambda: is_quiet(login_server))
    assert await account(login_client) == "chatgpt"


# --- at once with something else ---


@either
async def test_two_cancels_at_once_are_both_true(
    login_client: WireClient,
    login_server: Server,
    witness: Witness,
    way: dict[str, str],
) -> None:
    async with connect(login_server) as other:
        await other.initialize()
        login = (await start(login_client, way))["loginId"]
        witness.forget()
        async with trio.open_nursery() as nursery:
            for client in (login_client, login_client, other):
                nursery.start_soon(cancel, client, login)
        assert await completed(other) == (login, NOT_COMPLETED[way["type"]])
    assert witness.told[0] == "canceled"
    late = witness.told[witness.told.index(f"{login}: {NOT_COMPLETED[way['type']]}") + 1 :]
    assert set(late) <= {"notFound"}
    assert all(quiet for _, quiet in witness.story)


@pytest.mark.parametrize(
    "brought",
    [
        {"code": "c0de"},
        {"error": "access_denied"},
    ],
    ids=["a code", "an error"],
)
async def test_a_redirect_and_a_cancel_at_once(
    login_client: WireClient,
    login_server: Server,
    witness: Witness,
    monkeypatch: pytest.MonkeyPatch,
    brought: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both are read in the same step; in whichever order they run, `canceled` is true."""
    for _ in range(40):
        login = await start(login_client)
        state = parse_qs(urlsplit(login["authUrl"]).query)["state"][0]
        query = urlencode({**brought, "state": state})
        url = f"http://127.0.0.1:{port_of(login['authUrl'])}/auth/callback?{query}"
        with monkeypatch.context() as patch:
            said = listen_in(patch, port_of(login["authUrl"]))
            handed_in = {"loginId": login["loginId"], "redirectUrl": url}
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    login_client.send, request("a", "account/login/complete", handed_in)
                )
                nursery.start_soon(
                    login_client.send,
                    request("b", "account/login/cancel", {"loginId": login["loginId"]}),
                )
            await until(partial(are_three, said))
        (outcome,) = [short for short, _ in said if short.startswith(login["loginId"])]
        if ("canceled", True) in said:
            assert outcome.endswith(NOT_COMPLETED["chatgpt"])
        else:
            assert ("notFound", False) in said
        await login_server.account.desk.clear()  # it may wait for a browser to fetch a page
    assert not caplog.records
