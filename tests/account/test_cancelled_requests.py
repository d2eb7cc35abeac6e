"""Requests about the account that are cancelled at every step: whole, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.server import Server, open_server
from codex_trio.testing import Fault, no_leaks
from tests.account.conftest import (
    BROWSER,
    DEVICE,
    KEY,
    SlowStore,
    account,
    cancel,
    completed,
    is_free,
    is_quiet,
    left_in,
    start,
    until,
)
from tests.checked import connect
from tests.cutting import CANCELLED, answer_of, cancelled_at

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient

START = "account/login/start"
USERCODE = "/api/accounts/deviceauth/usercode"


@pytest.mark.parametrize("way", [BROWSER, DEVICE], ids=["browser", "device"])
async def test_a_start_that_is_cancelled_leaves_no_login(
    login_settings: Settings, way: dict[str, str]
) -> None:
    step, reached, cut = 0, True, 0
    async with open_server(login_settings) as server, connect(server) as client:
        await client.initialize()
        while reached:
            step += 1
            with cancelled_at(START, step) as at:
                answer = await answer_of(client, START, way)
            reached = at.reached
            if answer == CANCELLED:
                cut += 1
                await until(lambda: is_quiet(server))
            else:
                assert await cancel(client, answer["loginId"]) == "canceled"
                assert (await completed(client))[0] == answer["loginId"]
            for port in login_settings.login_callback_ports:
                assert port == 0 or is_free(port)
        assert cut > 1
        assert not client._notifications._messages


async def test_a_start_that_waits_for_its_code_is_cancelled_at_once(
    login_client: WireClient, login_server: Server, stand_in: StandIn
) -> None:
    stand_in.faults.add(USERCODE, Fault.hang())
    await login_client.send({"id": "mine", "method": START, "params": DEVICE})
    await until(lambda: [one for one in stand_in.requests if one.path == USERCODE])
    await login_client.notify("$/cancelRequest", {"id": "mine"})
    await until(lambda: is_quiet(login_server))
    begun = await start(login_client, DEVICE)
    assert await cancel(login_client, begun["loginId"]) == "canceled"


async def test_a_key_is_stored_or_it_is_not(login_settings: Settings) -> None:
    step, reached, outcomes = 0, True, set()
    while reached:
        step += 1
        async with open_server(login_settings) as server, connect(server) as client:
            await client.initialize()
            with cancelled_at(START, step) as at:
                answer = await answer_of(client, START, KEY)
            reached = at.reached
            outcomes.add(str(answer))
            stored = left_in(login_settings.codex_home)
            if answer == CANCELLED:
                assert (await account(client), stored) == (None, [])
            else:
                assert (await account(client), stored) == ("apiKey", ["auth.json"])
                assert await completed(client) == (None, None)
            await client.call("account/logout")
    assert len(outcomes) == 2


async def test_what_is_being_stored_is_stored_and_said_so(
    login_server: Server, login_client: WireClient
) -> None:
    disk = SlowStore.of(login_server)
    answers: list[Any] = []

    async def sign_in() -> None:
        answers.append(await login_client.call(START, KEY))

    async with trio.open_nursery() as nursery, disk.freed():
        nursery.start_soon(sign_in)
        await disk.storing.wait()
        for request_id in range(10):
            await login_client.notify("$/cancelRequest", {"id": request_id})
        await trio.testing.wait_all_tasks_blocked()
        assert not answers
    assert answers == [{"type": "apiKey"}]
    assert await account(login_client) == "apiKey"


async def test_a_sign_out_happens_or_it_does_not(login_settings: Settings) -> None:
    step, reached, outcomes = 0, True, set()
    async with open_server(login_settings) as server, connect(server) as client:
        await client.initialize()
        while reached:
            step += 1
            await start(client, KEY)
            with cancelled_at("account/logout", step) as at:
                answer = await answer_of(client, "account/logout", None)
            reached = at.reached
            outcomes.add(str(answer))
            expected = "apiKey" if answer == CANCELLED else None
            assert await account(client) == expected
    assert outcomes == {CANCELLED, "{}"}


async def test_a_cancel_that_is_cancelled_has_ended_the_login_all_the_same(
    login_settings: Settings,
) -> None:
    step, reached, outcomes = 0, True, set()
    async with open_server(login_settings) as server, connect(server) as client:
        await client.initialize()
        while reached:
            step += 1
            login_id = (await start(client))["loginId"]
            with cancelled_at("account/login/cancel", step) as at:
                answer = await answer_of(client, "account/login/cancel", {"loginId": login_id})
            reached = at.reached
            outcomes.add(str(answer))
            assert (await completed(client))[0] == login_id
            await until(lambda: is_quiet(server))
    # As a rule the login has ended before the request has, and that has been answered then.
    assert outcomes <= {CANCELLED, "{'status': 'canceled'}"}


async def test_a_question_to_a_host_that_is_cancelled_leaves_no_connection(
    home: Path, stand_in: StandIn
) -> None:
    settings = stand_in.settings(home)
    async with no_leaks(), open_server(settings) as server:
        async with connect(server) as client:
            await client.initialize()
            stand_in.device.approve_after = 0
            await start(client, DEVICE)
            await completed(client)
            step, reached, outcomes = 0, True, set()
            while reached and step < 60:
                step += 1
                with cancelled_at("account/rateLimits/read", step) as at:
                    answer = await answer_of(client, "account/rateLimits/read", None)
                reached = at.reached
                outcomes.add(answer if isinstance(answer, str) else "told")
            assert outcomes == {CANCELLED, "told"}
