"""Several accounts in one server: connections with one know nothing of another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from codex_trio.account.credentials import Credentials
from codex_trio.account.storage import MemoryStore
from codex_trio.errors import RpcError
from codex_trio.testing.client import open_client
from codex_trio.transport.memory import memory_wire_pair
from tests.account.conftest import (
    BROWSER,
    DEVICE,
    KEY,
    NOT_COMPLETED,
    account,
    cancel,
    completed,
    find_free_port,
    is_free,
    left_in,
    port_of,
    start,
    until,
)
from tests.account.hosts import (
    GRACE,
    MARY,
    USAGE,
    asked,
    bring,
    brought,
    question,
    token_in_force,
    updated,
)
from tests.account.neighbours import in_use
from tests.account.parties import Party, joined
from tests.account.signed_in import sign_in, stored_tokens
from tests.cancellation import cancel_at_step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.scope import AccountScope
    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn


@pytest.fixture
def other_home(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    return folder


@pytest.fixture
def other_settings(login_settings: Settings, other_home: Path) -> Settings:
    return attrs.evolve(login_settings, codex_home=other_home)


@pytest.fixture
async def one(login_server: Server) -> AsyncGenerator[Party]:
    """Somebody with the account that the server has anyway."""
    async with joined(login_server, login_server.account) as party:
        yield party


@pytest.fixture
async def other(login_server: Server, other_settings: Settings) -> AsyncGenerator[Party]:
    """Somebody with an account of their own."""
    async with login_server.open_account(other_settings) as scope:
        async with joined(login_server, scope) as party:
            yield party


# --- nothing is told to another account ---


async def test_who_signs_in_and_out_is_told_to_their_own(
    one: Party, other: Party, stand_in: StandIn
) -> None:
    login = await start(one.client, BROWSER)
    await stand_in.visit(login["authUrl"])
    assert await updated(one.client) == {"authMode": "chatgpt", "planType": "plus"}
    await other.client.call("account/login/start", KEY)
    assert await updated(other.client) == {"authMode": "apikey", "planType": None}
    assert await account(one.client) == "chatgpt"
    assert await account(other.client) == "apiKey"
    await one.client.call("account/logout")
    assert await account(one.client) is None
    assert await account(other.client) == "apiKey"
    login_id = login["loginId"]
    assert one.told == [
        f"{login_id} has begun",
        f"{login_id}: None",
        "now chatgpt",
        "done",
        "done",
        "now None",
        "done",
    ]
    assert other.told == ["done", "None: None", "now apikey", "done", "done"]


async def test_what_others_store_is_told_to_their_own(
    one: Party, other: Party, stand_in: StandIn, home: Path, other_home: Path
) -> None:
    for party in (one, other):
        assert await account(party.client) is None
    sign_in(other_home, stand_in.issue_tokens())
    assert await account(one.client) is None
    assert await account(other.client) == "chatgpt"
    assert one.told == ["done", "done"]
    assert other.told == ["done", "now chatgpt", "done"]
    assert left_in(home) == []


async def test_a_login_is_known_to_its_own_alone(one: Party, other: Party) -> None:
    login = await start(one.client, BROWSER)
    assert await cancel(other.client, login["loginId"]) == "notFound"
    with pytest.raises(RpcError, match="no login through a browser has this id"):
        await other.client.call(
            "account/login/complete",
            {"loginId": login["loginId"], "redirectUrl": "http://x/?state=y"},
        )
    assert await start(other.client, DEVICE)
    await other.client.call("account/login/start", KEY)
    assert one.told == [f"{login['loginId']} has begun"]
    assert await cancel(one.client, login["loginId"]) == "canceled"


async def test_a_host_is_asked_for_its_own_tokens(
    one: Party, other: Party, stand_in: StandIn
) -> None:
    await bring(one.client, brought(stand_in, GRACE))
    await bring(other.client, brought(stand_in, MARY))
    await until(lambda: one.scope.routing.current and other.scope.routing.current)
    stand_in.expire_access_tokens()
    async with trio.open_nursery() as nursery:
        for party in (one, other):
            nursery.start_soon(party.client.call, "account/rateLimits/read")
        first, second = await question(one.client), await question(other.client)
        assert first.id == second.id == 0
        assert first.params["previousAccountId"] == "ws-grace"
        assert second.params["previousAccountId"] == "ws-mary"
        grace, mary = brought(stand_in, GRACE), brought(stand_in, MARY)
        await one.client.answer(first, grace)
        await one.client.answer(first, grace)  # which is no answer to the other question
        await other.client.answer(second, mary)
    assert await token_in_force(one.client) == grace["accessToken"]
    assert await token_in_force(other.client) == mary["accessToken"]
    assert set(asked(stand_in, USAGE)[2:]) == {grace["accessToken"], mary["accessToken"]}


async def test_when_its_host_has_left_another_account_s_clients_are_not_asked(
    one: Party, login_server: Server, other_settings: Settings, stand_in: StandIn
) -> None:
    async with login_server.open_account(other_settings) as scope:
        async with joined(login_server, scope) as host:
            await bring(host.client, brought(stand_in))
            await until(lambda: scope.routing.current)
        stand_in.expire_access_tokens()
        reply = await scope.backend.get("wham/usage", {"user-agent": "test"})
        assert reply.status == 401
    assert one.told == []


# --- each has its own store ---


async def test_each_is_stored_in_its_own_home(
    one: Party, other: Party, stand_in: StandIn, home: Path, other_home: Path
) -> None:
    for party, where in ((one, home), (other, other_home)):
        login = await start(party.client, BROWSER)
        await stand_in.visit(login["authUrl"])
        assert await completed(party.client) == (login["loginId"], None)
        assert left_in(where) == ["auth.json"]
    assert stored_tokens(home) != stored_tokens(other_home)
    await one.client.call("account/logout")
    assert (left_in(home), left_in(other_home)) == ([], ["auth.json"])


async def test_an_embedder_brings_a_store(
    login_server: Server, login_settings: Settings, home: Path
) -> None:
    store = MemoryStore()
    await store.save(Credentials.of_api_key("sk-brought"))
    async with login_server.open_account(login_settings, store=store) as scope:
        async with joined(login_server, scope) as party:
            answer = await party.client.call("getAuthStatus", {"includeToken": True})
            assert answer["authToken"] == "sk-brought"
            await party.client.call("account/logout")
    assert await store.load() is None
    assert left_in(home) == []


async def test_two_with_one_home_are_like_two_processes(
    one: Party, login_server: Server, login_settings: Settings, stand_in: StandIn, home: Path
) -> None:
    sign_in(home, stand_in.issue_tokens())
    async with login_server.open_account(login_settings) as scope:
        async with joined(login_server, scope) as two, trio.open_nursery() as nursery:
            for party in (one, two):
                assert await account(party.client) == "chatgpt"
            stand_in.hold("/oauth/token")
            for party in (one, two) * 10:
                flag = {"refreshToken": True}
                nursery.start_soon(party.client.call, "account/read", flag)
            await stand_in.wait_request("/oauth/token")
            for party in (one, two):
                await account(party.client)
            stand_in.release("/oauth/token")
        assert [done.outcome for done in stand_in.exchanges] == ["rotated"]
        assert stand_in.live_refresh_tokens() == [stored_tokens(home)["refresh_token"]]


# --- ends ---


async def test_leaving_ends_its_login_and_no_other(
    one: Party,
    login_server: Server,
    other_settings: Settings,
    other_home: Path,
    stand_in: StandIn,
) -> None:
    login = await start(one.client, BROWSER)
    async with login_server.open_account(other_settings) as scope:
        async with joined(login_server, scope) as party:
            ended = await start(party.client, BROWSER)
            port = port_of(ended["authUrl"])
            assert not is_free(port)
    assert party.quiet
    assert is_free(port)
    assert left_in(other_home) == []
    assert login_server._accounts == {login_server.account}
    await stand_in.visit(login["authUrl"])
    assert await completed(one.client) == (login["loginId"], None)


async def test_the_sole_client_of_an_account_ends_its_login_alone(
    one: Party, login_server: Server, other_settings: Settings
) -> None:
    login = await start(one.client, BROWSER)
    async with (
        login_server.open_account(other_settings) as scope,
        trio.open_nursery() as nursery,
    ):
        ours, theirs = memory_wire_pair()
        nursery.start_soon(partial(login_server.serve, theirs, sole=True, account=scope))
        async with open_client(ours) as client:
            await client.initialize()
            ended = await start(client, BROWSER)
        await until(lambda: is_free(port_of(ended["authUrl"])))
        assert not is_free(port_of(login["authUrl"]))


async def test_a_server_that_hangs_up_hangs_up_on_all(
    one: Party, login_server: Server, other_settings: Settings
) -> None:
    async with login_server.open_account(other_settings) as scope:
        async with joined(login_server, scope) as party:
            logins = [await start(each.client, BROWSER) for each in (one, party)]
            login_server.hang_up()
            for each, login in zip((one, party), logins, strict=True):
                reason = NOT_COMPLETED["chatgpt"]
                assert await completed(each.client) == (login["loginId"], reason)
                with pytest.raises(trio.EndOfChannel):
                    await each.client.next_notification()
        async with login_server.open_account(other_settings) as late:
            _, theirs = memory_wire_pair()
            await login_server.serve(theirs, account=late)


async def test_an_error_in_the_block_comes_out_as_it_is(
    login_server: Server, other_settings: Settings
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with login_server.open_account(other_settings):
            raise ZeroDivisionError
    assert login_server._accounts == {login_server.account}


async def test_cancelled_at_any_step_nothing_of_it_is_left(
    login_server: Server, other_settings: Settings, other_home: Path
) -> None:
    scopes: list[AccountScope] = []

    async def work() -> None:
        async with login_server.open_account(other_settings) as scope:
            scopes.append(scope)
            async with joined(login_server, scope) as party:
                await start(party.client, BROWSER)
                await party.client.call("account/login/start", KEY)

    step, reached = 0, True
    while reached:
        step += 1
        reached = await cancel_at_step(work, step)
        assert login_server._accounts == {login_server.account}
        assert login_server._held_ports == set()
        assert not any(scope.desk._attempts for scope in scopes)
        assert [name for name in left_in(other_home) if name != "auth.json"] == []
    assert step > 10


# --- ports ---


@pytest.fixture
def two_ports(login_settings: Settings) -> tuple[int, int]:
    return find_free_port(), find_free_port()


async def test_two_accounts_sign_in_through_browsers_at_the_same_time(
    login_server: Server,
    other_settings: Settings,
    stand_in: StandIn,
    two_ports: tuple[int, int],
) -> None:
    settings = attrs.evolve(other_settings, login_callback_ports=two_ports)
    async with (
        login_server.open_account(settings, store=MemoryStore()) as first,
        login_server.open_account(settings, store=MemoryStore()) as second,
        joined(login_server, first) as one,
        joined(login_server, second) as two,
    ):
        logins = [await start(party.client, BROWSER) for party in (one, two)]
        assert tuple(port_of(login["authUrl"]) for login in logins) == two_ports
        for party, login in zip((one, two), logins, strict=True):
            await stand_in.visit(login["authUrl"])
            assert await completed(party.client) == (login["loginId"], None)
            assert await account(party.client) == "chatgpt"
        await until(lambda: not login_server._held_ports)
        again = await start(two.client, BROWSER)
        assert port_of(again["authUrl"]) == two_ports[0]


async def test_an_account_whose_ports_another_one_has_is_told_so(
    login_server: Server,
    other_settings: Settings,
    stand_in: StandIn,
    two_ports: tuple[int, int],
) -> None:
    port = two_ports[0]
    settings = attrs.evolve(other_settings, login_callback_ports=(port,))
    async with (
        login_server.open_account(settings, store=MemoryStore()) as first,
        login_server.open_account(settings, store=MemoryStore()) as second,
        joined(login_server, first) as one,
        joined(login_server, second) as two,
    ):
        login = await start(one.client, BROWSER)
        with pytest.raises(RpcError) as caught:
            await start(two.client, BROWSER)
        assert caught.value.message == f"failed to start login server: {in_use(port)}"
        again = await start(one.client, BROWSER)  # in the place of its own
        cancelled = "Login server error: Login cancelled"
        assert await completed(one.client) == (login["loginId"], cancelled)
        await stand_in.visit(again["authUrl"])
        assert await completed(one.client) == (again["loginId"], None)
