"""What a host may answer that is asked for new tokens, and what has become of it then."""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from codex_trio.account.backend import SignedOutError
from codex_trio.errors import RpcError
from codex_trio.server import open_server
from codex_trio.testing import Fault, StandIn, WireClient
from tests.account.conftest import KEY, Witness, account, jump, left_in, until
from tests.account.hosts import (
    HOST,
    MARY,
    NOBODY,
    REFRESH,
    REVOKE,
    USAGE,
    Asking,
    ask_backend,
    asked,
    bring,
    bring_refused,
    brought,
    others,
    question,
    questions,
    token_in_force,
    updated,
)
from tests.account.signed_in import sign_in, stored_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.server import Server
    from codex_trio.settings import Settings

SECRET = "sk-of-the-host"


@pytest.fixture
async def host(login_server: Server, login_client: WireClient, stand_in: StandIn) -> WireClient:
    """A client whose tokens are in force, and refused from now on."""
    await bring_refused(login_server, login_client, stand_in)
    return login_client


# --- what is no answer ---


def saying(result: Any) -> Any:
    return lambda client, one: client.answer(one, result)


JWT = "e30.e30.x"
NO_ANSWERS = {
    "an error": lambda client, one: client.refuse(one, -32000, SECRET),
    "nothing": saying(None),
    "a list": saying([SECRET]),
    "a text": saying(SECRET),
    "no members": saying({}),
    "no account": saying({"accessToken": JWT}),
    "a number": saying({"accessToken": 5, "chatgptAccountId": SECRET}),
    "a plan of another type": saying(
        {"accessToken": JWT, "chatgptAccountId": SECRET, "chatgptPlanType": 1}
    ),
    "no token": saying({"accessToken": SECRET, "chatgptAccountId": SECRET}),
    "no payload": saying({"accessToken": f"a.{SECRET}.b", "chatgptAccountId": "ws"}),
}


@pytest.mark.parametrize("say", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_what_is_no_answer_changes_nothing(
    login_server: Server,
    host: WireClient,
    witness: Witness,
    stand_in: StandIn,
    caplog: pytest.LogCaptureFixture,
    say: Any,
) -> None:
    former = await token_in_force(host)
    witness.forget()
    async with others(login_server) as (other, heard), trio.open_nursery() as nursery:

        async def read_limits() -> None:
            with pytest.raises(RpcError, match="401 Unauthorized"):
                await other.call("account/rateLimits/read")

        nursery.start_soon(read_limits)
        await say(host, await question(host))
        await until(lambda: len(heard.told) == 1)
    assert questions(witness) == 1
    assert witness.told == [REFRESH]
    assert SECRET not in json.dumps(heard.seen)
    assert SECRET not in caplog.text
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert await token_in_force(host) == former


async def test_another_workspace_than_allowed_is_no_answer(
    login_settings: Settings, stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    settings = attrs.evolve(login_settings, forced_workspaces=("ws-grace", "ws2"))
    async with open_server(settings) as server, others(server) as (host, heard):
        former = brought(stand_in)
        await bring_refused(server, host, stand_in, former)
        async with trio.open_nursery() as nursery:
            asking = Asking()
            nursery.start_soon(asking.ask, server)
            await host.answer(await question(host), brought(stand_in, chatgptAccountId=SECRET))
            assert await asking.result() == 401
        assert await token_in_force(host) == former["accessToken"]
        assert questions(heard) == 1
    assert 'another workspace than one of workspace(s) ["ws-grace", "ws2"]' in caplog.text
    assert SECRET not in caplog.text


async def test_no_answer_is_waited_for_ten_seconds_and_comes_too_late_then(
    login_server: Server,
    host: WireClient,
    witness: Witness,
    stand_in: StandIn,
    still_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    former = await token_in_force(host)
    async with trio.open_nursery() as nursery:
        asking = Asking()
        nursery.start_soon(asking.ask, login_server)
        one = await question(host)
        before = trio.current_time()
        jump(still_clock)
        assert await asking.result() == 401
        assert trio.current_time() - before == pytest.approx(10, abs=0.5)
        still_clock.autojump_threshold = math.inf
        still_clock.jump(1)
    assert "auth refresh request timed out after 10s" in caplog.text
    await host.answer(one, brought(stand_in))
    assert await account(host) == "chatgpt"
    assert await token_in_force(host) == former
    # The next one that is refused has it asked again.
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Asking().ask, login_server)
        again, later = await question(host), brought(stand_in)
        await host.answer(one, brought(stand_in, MARY))
        await host.answer(again, later)
    assert await token_in_force(host) == later["accessToken"]
    assert questions(witness) == 2


# --- what has changed when it answers ---


async def test_a_host_may_answer_with_another_account(
    login_server: Server, host: WireClient, stand_in: StandIn
) -> None:
    async with trio.open_nursery() as nursery:
        asking = Asking()
        nursery.start_soon(asking.ask, login_server)
        await host.answer(await question(host), brought(stand_in, MARY))
        assert await asking.result() == 200
        assert await updated(host) == {"authMode": HOST, "planType": "go"}
    answer = await host.call("account/read", {})
    assert answer["account"]["email"] == "mary@example.com"
    last = [one for one in stand_in.requests if one.path == USAGE][-1]
    assert last.headers["chatgpt-account-id"] == "ws-mary"


async def test_a_host_may_answer_with_another_plan(
    login_server: Server, host: WireClient, stand_in: StandIn
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Asking().ask, login_server)
        later = brought(stand_in, chatgptPlanType="EDUCATION")
        await host.answer(await question(host), later)
        assert await updated(host) == {"authMode": HOST, "planType": "edu"}


async def test_tokens_of_the_same_account_are_no_news(
    login_server: Server, host: WireClient, witness: Witness, stand_in: StandIn
) -> None:
    witness.forget()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Asking().ask, login_server)
        await host.answer(await question(host), brought(stand_in))
    await account(host)
    assert witness.told == [REFRESH, "done"]


@pytest.mark.parametrize("stored", [False, True], ids=["nobody", "a stored login"])
async def test_an_answer_after_signing_out_signs_nobody_in(
    login_server: Server, host: WireClient, stand_in: StandIn, home: Path, stored: bool
) -> None:
    if stored:
        sign_in(home, stand_in.issue_tokens())
    async with trio.open_nursery() as nursery:
        asking = Asking()
        nursery.start_soon(asking.ask, login_server)
        one = await question(host)
        assert await host.call("account/logout") == {}
        assert await updated(host) == NOBODY
        await host.answer(one, brought(stand_in))
        assert await asking.result() == 401
    assert await account(host) is None
    assert left_in(home) == []
    assert asked(stand_in, REVOKE) == []
    with pytest.raises(SignedOutError):
        await ask_backend(login_server)


async def test_an_answer_after_signing_in_otherwise_is_dropped(
    login_server: Server, host: WireClient, stand_in: StandIn, home: Path
) -> None:
    async with trio.open_nursery() as nursery:
        asking = Asking()
        nursery.start_soon(asking.ask, login_server)
        one = await question(host)
        await host.call("account/logout")
        await host.call("account/login/start", KEY)
        await host.answer(one, brought(stand_in))
        assert await asking.result() == 401
    assert await account(host) == "apiKey"
    assert stand_in.exchanges == []


async def bring_others(host: WireClient, one: Any, stand_in: StandIn) -> dict[str, Any]:
    later = brought(stand_in)
    await bring(host, later)
    return later


ANSWERS_NEVERTHELESS = {
    "an answer": lambda host, one, stand_in: host.answer(one, brought(stand_in, MARY)),
    "an error": lambda host, one, stand_in: host.refuse(one, -32000, "see there"),
    "no tokens": lambda host, one, stand_in: host.answer(one, {}),
    "nothing": None,
}


@pytest.mark.parametrize("say", ANSWERS_NEVERTHELESS.values(), ids=ANSWERS_NEVERTHELESS)
async def test_tokens_that_are_brought_meanwhile_are_the_answer(
    login_server: Server,
    host: WireClient,
    stand_in: StandIn,
    still_clock: MockClock,
    say: Any,
) -> None:
    async with trio.open_nursery() as nursery:
        asking = Asking()
        nursery.start_soon(asking.ask, login_server)
        one = await question(host)
        later = await bring_others(host, one, stand_in)
        if say is None:
            jump(still_clock)
        else:
            await say(host, one, stand_in)
        assert await asking.result() == 200
    assert await token_in_force(host) == later["accessToken"]
    assert asked(stand_in, USAGE)[-1] == later["accessToken"]


async def test_the_stored_login_is_renewed_as_ever_once_the_host_has_gone(
    login_settings: Settings, stand_in: StandIn, home: Path
) -> None:
    sign_in(home, stand_in.issue_tokens())
    async with open_server(login_settings) as server, others(server) as (host, heard):
        await bring_refused(server, host, stand_in)
        stand_in.faults.add(USAGE, Fault.none())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Asking().ask, server)
            await host.refuse(await question(host), -32000, "no")
    async with open_server(login_settings) as server, others(server) as (client, heard):
        assert (await ask_backend(server)).status == 200
        assert questions(heard) == 0
        assert await token_in_force(client) == stored_tokens(home)["access_token"]
    assert [one.outcome for one in stand_in.exchanges] == ["rotated"]
