"""A host whose tokens are refused is asked for others: who is, how often, what it may answer."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from codex_trio import testing
from codex_trio.errors import RpcError
from codex_trio.server import open_server
from tests.account.conftest import KEY, Witness, account, until
from tests.account.hosts import (
    HOST,
    MARY,
    TOKEN,
    USAGE,
    Asking,
    ask_backend,
    asked,
    bring_refused,
    brought,
    others,
    question,
    questions,
    settled,
    token_in_force,
)
from tests.account.signed_in import sign_in
from tests.checked import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient

SECRET = "sk-of-the-host"


@pytest.fixture
async def host(login_server: Server, login_client: WireClient, stand_in: StandIn) -> WireClient:
    """A client whose tokens are in force, and refused from now on."""
    await bring_refused(login_server, login_client, stand_in)
    return login_client


# --- who is asked, and what ---


async def test_the_host_is_asked_and_the_request_is_made_again(
    login_server: Server, host: WireClient, witness: Witness, stand_in: StandIn
) -> None:
    former = await token_in_force(host)
    later = brought(stand_in)
    async with others(login_server) as (_, heard), trio.open_nursery() as nursery:
        asking = Asking()
        nursery.start_soon(asking.ask, login_server)
        one = await question(host)
        assert one.params == {"reason": "unauthorized", "previousAccountId": "ws-grace"}
        await host.answer(one, later)
        assert await asking.result() == 200
        assert await token_in_force(host) == later["accessToken"]
        assert heard.told == []
    assert questions(witness) == 1
    assert asked(stand_in, USAGE) == [former, later["accessToken"]]
    assert asked(stand_in, TOKEN) == []


async def test_limits_are_read_with_the_new_token(host: WireClient, stand_in: StandIn) -> None:
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            await host.answer(await question(host), brought(stand_in))

        nursery.start_soon(answer)
        limits = await host.call("account/rateLimits/read")
    assert limits["rateLimits"]["primary"]["usedPercent"] == 12


async def test_whoever_has_brought_them_last_is_asked(
    login_server: Server, host: WireClient, witness: Witness, stand_in: StandIn
) -> None:
    async with others(login_server) as (later, _), trio.open_nursery() as nursery:
        await bring_refused(login_server, later, stand_in)
        nursery.start_soon(Asking().ask, login_server)
        await later.answer(await question(later), brought(stand_in))
    assert questions(witness) == 0


async def test_when_the_host_has_left_the_others_that_could_know_are_asked(
    login_server: Server, login_client: WireClient, stand_in: StandIn
) -> None:
    async with others(login_server) as (host, _):
        await bring_refused(login_server, host, stand_in)
    heard = Witness()
    async with (
        trio.open_nursery() as nursery,
        connect_plainly(login_server, heard),
        others(login_server) as (other, _),
    ):
        asking = Asking()
        nursery.start_soon(asking.ask, login_server)
        first, second = await question(login_client), await question(other)
        assert first.params == second.params
        await other.answer(second, brought(stand_in))
        assert await asking.result() == 200
        await login_client.answer(first, brought(stand_in, MARY))
        answer = await login_client.call("account/read", {})
        assert answer["account"]["email"] == "grace@example.com"
        assert questions(heard) == 0


async def test_of_the_others_one_that_has_none_does_not_speak_for_all(
    login_server: Server, login_client: WireClient, stand_in: StandIn
) -> None:
    async with others(login_server) as (host, _):
        await bring_refused(login_server, host, stand_in)
    async with (
        trio.open_nursery() as nursery,
        others(login_server) as (second, _),
        others(login_server) as (third, _),
    ):
        asking = Asking()
        nursery.start_soon(asking.ask, login_server)
        await login_client.refuse(await question(login_client), -32601, "what?")
        await second.answer(await question(second), {"accessToken": SECRET})
        await account(second)  # both have been heard
        await third.answer(await question(third), brought(stand_in))
        assert await asking.result() == 200


async def test_when_all_the_others_have_none_nobody_is_waited_for(
    login_server: Server, login_client: WireClient, stand_in: StandIn, still_clock: MockClock
) -> None:
    async with others(login_server) as (host, _):
        await bring_refused(login_server, host, stand_in)
    async with trio.open_nursery() as nursery:
        asking = Asking()
        async with others(login_server) as (second, _):
            nursery.start_soon(asking.ask, login_server)
            await login_client.refuse(await question(login_client), -32601, "what?")
            await question(second)
        assert await asking.result() == 401


@asynccontextmanager
async def connect_plainly(server: Server, watch: Witness) -> AsyncGenerator[WireClient]:
    """Connect as a client that knows nothing of what is experimental."""
    async with testing.connect(server, watch) as client:
        await client.initialize()
        watch.server = server
        yield client


async def test_a_host_that_leaves_while_it_is_asked_is_not_waited_for(
    login_server: Server, login_client: WireClient, stand_in: StandIn
) -> None:
    async with trio.open_nursery() as nursery:
        asking = Asking()
        async with others(login_server) as (host, _):
            await bring_refused(login_server, host, stand_in)
            nursery.start_soon(asking.ask, login_server)
            await question(host)
        await login_client.answer(await question(login_client), brought(stand_in))
        assert await asking.result() == 200


@pytest.mark.parametrize("plain", [False, True], ids=["nobody", "a plain client"])
async def test_when_nobody_can_be_asked_it_is_known_at_once(
    login_server: Server,
    stand_in: StandIn,
    still_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    plain: bool,
) -> None:
    async with others(login_server) as (host, _):
        await bring_refused(login_server, host, stand_in)
    if plain:
        async with connect(login_server) as client:
            await client.initialize()
            assert (await ask_backend(login_server)).status == 401
    else:
        assert (await ask_backend(login_server)).status == 401
    assert len(asked(stand_in, USAGE)) == 1
    assert "auth refresh request canceled: channel closed" in caplog.text


async def test_tokens_that_a_host_has_left_in_the_store_are_anybody_s(
    home: Path, login_server: Server, login_client: WireClient, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stored = json.loads((home / "auth.json").read_text())
    stored["auth_mode"] = HOST
    (home / "auth.json").write_text(json.dumps(stored))
    content = (home / "auth.json").read_bytes()
    assert await account(login_client) == "chatgpt"
    await settled(login_server)
    stand_in.expire_access_tokens()
    async with trio.open_nursery() as nursery:
        asking = Asking()
        nursery.start_soon(asking.ask, login_server)
        one = await question(login_client)
        assert one.params["previousAccountId"] == "fake-account"
        later = brought(stand_in)
        await login_client.answer(one, later)
        assert await asking.result() == 200
    assert await token_in_force(login_client) == later["accessToken"]
    assert (home / "auth.json").read_bytes() == content
    assert asked(stand_in, TOKEN) == []


# --- how often ---


async def test_however_many_requests_are_refused_it_is_asked_once(
    login_server: Server, host: WireClient, witness: Witness, stand_in: StandIn
) -> None:
    stand_in.hold(USAGE)
    everybody = [Asking() for _ in range(50)]
    async with trio.open_nursery() as nursery:
        for one in everybody:
            nursery.start_soon(one.ask, login_server)
        await stand_in.wait_request(USAGE, 50)
        stand_in.release(USAGE)
        asked_once = await question(host)
        await until(lambda: len(asked(stand_in, USAGE)) == 50)
        await host.answer(asked_once, brought(stand_in))
    assert {one.status for one in everybody} == {200}
    assert questions(witness) == 1


async def test_it_is_asked_again_when_the_new_tokens_end(
    login_server: Server, host: WireClient, witness: Witness, stand_in: StandIn
) -> None:
    for number in range(1, 4):
        async with trio.open_nursery() as nursery:
            asking = Asking()
            nursery.start_soon(asking.ask, login_server)
            await host.answer(await question(host), brought(stand_in))
            assert await asking.result() == 200
        stand_in.expire_access_tokens()
        assert questions(witness) == number


async def test_new_tokens_that_are_refused_too_are_given_up(
    login_server: Server, host: WireClient, witness: Witness, stand_in: StandIn
) -> None:
    later = brought(stand_in)
    stand_in.expire_access_tokens()
    async with trio.open_nursery() as nursery:
        asking = Asking()
        nursery.start_soon(asking.ask, login_server)
        await host.answer(await question(host), later)
        assert await asking.result() == 401
    assert questions(witness) == 1
    assert len(asked(stand_in, USAGE)) == 2
    assert await token_in_force(host) == later["accessToken"]


async def test_a_host_that_has_none_is_not_asked_for_a_moment(
    login_server: Server,
    host: WireClient,
    witness: Witness,
    stand_in: StandIn,
    still_clock: MockClock,
) -> None:
    everybody = [Asking() for _ in range(20)]
    async with trio.open_nursery() as nursery:
        for one in everybody:
            nursery.start_soon(one.ask, login_server)
        await host.refuse(await question(host), -32000, SECRET)
    assert {one.status for one in everybody} == {401}
    assert questions(witness) == 1
    status = await host.call("account/status/read")
    assert status["failure"] == {
        "message": "auth refresh request failed: code=-32000",
        "permanent": False,
    }
    still_clock.jump(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(everybody[0].ask, login_server)
        await host.answer(await question(host), brought(stand_in))
    assert everybody[0].status == 200
    status = await host.call("account/status/read")
    assert (status["failure"], status["standing"]) == (None, "verified")


# --- while it is asked ---


async def test_everything_else_goes_on_meanwhile(
    login_server: Server, host: WireClient, stand_in: StandIn
) -> None:
    async with trio.open_nursery() as nursery:
        limits: list[Any] = []

        async def read_limits() -> None:
            limits.append(await host.call("account/rateLimits/read"))

        nursery.start_soon(read_limits)
        one = await question(host)
        answer = await host.call("account/read", {"refreshToken": True})
        assert answer["account"]["email"] == "grace@example.com"
        assert await token_in_force(host) is not None
        status = await host.call("account/status/read")
        assert (status["source"], status["standing"]) == ("host", "refused")
        with pytest.raises(RpcError, match="External auth is active"):
            await host.call("account/login/start", KEY)
        assert limits == []
        await host.answer(one, brought(stand_in))
    assert len(limits) == 1


async def test_who_does_not_wait_any_more_leaves_the_question_to_the_others(
    login_server: Server, host: WireClient, witness: Witness, stand_in: StandIn
) -> None:
    async with trio.open_nursery() as nursery:
        staying = Asking()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as leaving:
                leaving.start_soon(Asking().ask, login_server)
                one = await question(host)
                nursery.start_soon(staying.ask, login_server)
                await until(lambda: len(asked(stand_in, USAGE)) == 2)
                scope.cancel()
        await wait_all_tasks_blocked()
        await host.answer(one, brought(stand_in))
        assert await staying.result() == 200
    assert questions(witness) == 1


async def test_when_nobody_waits_any_more_the_answer_still_counts(
    login_server: Server, host: WireClient, stand_in: StandIn
) -> None:
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as leaving:
            leaving.start_soon(Asking().ask, login_server)
            one = await question(host)
            scope.cancel()
    later = brought(stand_in)
    await host.answer(one, later)
    await account(host)
    assert await token_in_force(host) == later["accessToken"]


async def test_a_server_that_hangs_up_waits_for_no_host(
    login_settings: Settings, stand_in: StandIn, still_clock: MockClock
) -> None:
    asking = Asking()
    async with open_server(login_settings) as server, trio.open_nursery() as nursery:
        async with others(server) as (host, _):
            await bring_refused(server, host, stand_in)
            nursery.start_soon(asking.ask, server)
            await question(host)
            server.hang_up()
            assert await asking.result() == 401


async def test_a_server_that_ends_leaves_no_question(
    login_settings: Settings, stand_in: StandIn, still_clock: MockClock
) -> None:
    async with open_server(login_settings) as server:
        async with others(server) as (host, _):
            await bring_refused(server, host, stand_in)
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as leaving:
                    leaving.start_soon(Asking().ask, server)
                    await question(host)
                    scope.cancel()
            assert server.account.board.router.questions == 1
    assert server.account.board.router.questions == 0
