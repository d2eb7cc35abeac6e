"""Tokens that a host application owns: how they are taken on, and what they keep from view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.server import open_server
from codex_trio.testing import StandIn, WireClient, make_jwt
from tests.account.conftest import (
    BROWSER,
    DEVICE,
    KEY,
    Witness,
    account,
    completed,
    left_in,
    open_witness,
)
from tests.account.hosts import (
    GRACE,
    HOST,
    NOBODY,
    UPDATED,
    bring,
    brought,
    refusal,
    token_in_force,
    updated,
)
from tests.account.signed_in import sign_in, stored_tokens
from tests.checked import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.settings import Settings

ACTIVE = (
    "External auth is active. Use account/login/start (chatgptAuthTokens) to update it or"
    " account/logout to clear it."
)


@pytest.fixture
async def other(login_server: Server) -> AsyncGenerator[WireClient]:
    """Another client of ``login_server``, which is experimental as well."""
    async with open_witness(login_server, Witness()) as client:
        yield client


# --- taking them on ---


async def test_a_host_signs_in_at_once_and_everybody_is_told(
    login_client: WireClient, other: WireClient, witness: Witness, stand_in: StandIn, home: Path
) -> None:
    await bring(login_client, brought(stand_in))
    for client in (login_client, other):
        assert await completed(client) == (None, None)
        assert await updated(client) == UPDATED
    assert witness.told == ["done", "None: None", f"now {HOST}"]
    assert left_in(home) == []
    assert stand_in.exchanges == []


async def test_everybody_sees_the_account(
    login_client: WireClient, other: WireClient, stand_in: StandIn
) -> None:
    tokens = brought(stand_in)
    await bring(login_client, tokens)
    for client in (login_client, other):
        answer = await client.call("account/read", {"refreshToken": True})
        assert answer["account"] == {
            "type": "chatgpt",
            "email": "grace@example.com",
            "planType": "pro",
        }
        for flags in ({}, {"refreshToken": True}):
            status = await client.call("getAuthStatus", {"includeToken": True, **flags})
            assert status == {
                "authMethod": HOST,
                "authToken": tokens["accessToken"],
                "requiresOpenaiAuth": True,
            }
    assert stand_in.exchanges == []


async def test_it_is_for_experimental_clients(login_server: Server, stand_in: StandIn) -> None:
    async with connect(login_server) as client:
        await client.initialize()
        assert await refusal(client, {"type": HOST, **brought(stand_in)}) == (
            -32600,
            "account/login/start.chatgptAuthTokens requires experimentalApi capability",
        )
        assert await account(client) is None


@pytest.mark.parametrize("name", ["accessToken", "chatgptAccountId"])
@pytest.mark.parametrize("value", [None, 5])
async def test_what_is_missing_is_named(
    login_client: WireClient, stand_in: StandIn, name: str, value: int | None
) -> None:
    params = {"type": HOST, **brought(stand_in)}
    del params[name]
    code, message = await refusal(login_client, params)
    assert (code, message) == (-32600, f"Invalid request: missing field `{name}`")
    code, message = await refusal(login_client, {**params, name: value})
    assert code == -32600
    assert message.startswith("Invalid request: invalid type: ")


@pytest.mark.parametrize(
    ("claimed", "said", "plan"),
    [
        ("plus", None, "plus"),
        (None, None, "unknown"),
        ("odd", None, "unknown"),
        ("plus", "PRO", "pro"),
        ("plus", "Education", "edu"),
        ("plus", "hc", "enterprise"),
        ("plus", "odd", "unknown"),
        ("plus", "", "unknown"),
        ("plus", " pro", "unknown"),
    ],
)
async def test_the_plan_is_what_the_host_says_or_else_the_token(
    login_client: WireClient,
    stand_in: StandIn,
    claimed: str | None,
    said: str | None,
    plan: str,
) -> None:
    account = attrs.evolve(GRACE, plan=claimed)
    await bring(login_client, brought(stand_in, account, chatgptPlanType=said))
    assert (await updated(login_client))["planType"] == plan
    answer = await login_client.call("account/read", {})
    assert answer["account"]["planType"] == plan


async def test_a_token_may_say_nothing_of_anybody(login_client: WireClient) -> None:
    bare = {"accessToken": make_jwt({}), "chatgptAccountId": "ws"}
    await bring(login_client, bare)
    answer = await login_client.call("account/read", {})
    assert answer["account"] == {"type": "chatgpt", "email": None, "planType": "unknown"}
    assert await token_in_force(login_client) == bare["accessToken"]


async def test_a_token_that_has_ended_is_the_host_s_affair(
    login_client: WireClient, stand_in: StandIn
) -> None:
    ended = attrs.evolve(GRACE, token_lifetime=0)
    tokens = brought(stand_in, ended)
    await bring(login_client, tokens)
    assert await token_in_force(login_client) == tokens["accessToken"]
    assert stand_in.exchanges == []


async def test_the_workspace_is_the_one_that_the_host_says(
    login_server: Server, login_client: WireClient, stand_in: StandIn
) -> None:
    await bring(login_client, brought(stand_in, chatgptAccountId="ws-other"))
    await login_client.call("account/rateLimits/read")
    asked = await stand_in.wait_request("/backend-api/wham/usage")
    assert asked.headers["chatgpt-account-id"] == "ws-other"


async def test_bringing_others_replaces_them_and_is_told_alike(
    login_client: WireClient, other: WireClient, stand_in: StandIn, witness: Witness
) -> None:
    await bring(login_client, brought(stand_in))
    assert await updated(login_client) == UPDATED
    witness.forget()
    later = brought(stand_in, attrs.evolve(GRACE, plan="go"))
    await bring(other, later)
    assert (await updated(login_client))["planType"] == "go"
    assert witness.told == ["None: None", f"now {HOST}"]
    assert await token_in_force(login_client) == later["accessToken"]


# --- what it hides ---


async def test_the_stored_login_is_hidden_and_stays(
    login_client: WireClient, stand_in: StandIn, home: Path
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stored = (home / "auth.json").read_bytes()
    await bring(login_client, brought(stand_in))
    answer = await login_client.call("account/read", {"refreshToken": True})
    assert answer["account"]["email"] == "grace@example.com"
    assert (home / "auth.json").read_bytes() == stored
    assert stand_in.exchanges == []


async def test_what_others_store_stays_hidden_and_untold(
    login_client: WireClient, stand_in: StandIn, home: Path, witness: Witness
) -> None:
    await bring(login_client, brought(stand_in))
    assert await updated(login_client) == UPDATED
    witness.forget()
    sign_in(home, stand_in.issue_tokens())
    answer = await login_client.call("account/read", {"refreshToken": True})
    assert answer["account"]["email"] == "grace@example.com"
    (home / "auth.json").unlink()
    assert await account(login_client) == "chatgpt"
    assert witness.told == ["done", "done"]


async def test_a_renewal_of_the_stored_login_goes_on_behind_it(
    login_client: WireClient, stand_in: StandIn, home: Path, witness: Witness
) -> None:
    sign_in(home, stand_in.issue_tokens())
    assert await account(login_client) == "chatgpt"
    stand_in.hold("/oauth/token")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(login_client.call, "account/read", {"refreshToken": True})
        await stand_in.wait_request("/oauth/token")
        tokens = brought(stand_in)
        await bring(login_client, tokens)
        assert await updated(login_client) == UPDATED
        witness.forget()
        stand_in.release("/oauth/token")
    assert witness.told == ["done"]
    assert await token_in_force(login_client) == tokens["accessToken"]
    assert stand_in.live_refresh_tokens() == [stored_tokens(home)["refresh_token"]]


async def test_a_restart_shows_the_stored_login_again(
    login_settings: Settings, stand_in: StandIn, home: Path
) -> None:
    sign_in(home, stand_in.issue_tokens())
    for _ in range(2):
        async with (
            open_server(login_settings) as server,
            open_witness(server, Witness()) as one,
        ):
            answer = await one.call("account/read", {})
            assert answer["account"]["email"] == "ada@example.com"
            await bring(one, brought(stand_in))
            answer = await one.call("account/read", {})
            assert answer["account"]["email"] == "grace@example.com"


# --- other ways while they are in force ---


@pytest.mark.parametrize("way", [BROWSER, DEVICE, KEY], ids=["browser", "device", "key"])
async def test_nobody_signs_in_in_another_way_meanwhile(
    login_client: WireClient, other: WireClient, stand_in: StandIn, way: dict[str, str]
) -> None:
    await bring(login_client, brought(stand_in))
    for client in (login_client, other):
        assert await refusal(client, way) == (-32600, ACTIVE)
    assert await account(login_client) == "chatgpt"


async def test_signing_out_ends_both_and_revokes_nothing(
    login_client: WireClient, other: WireClient, stand_in: StandIn, home: Path, witness: Witness
) -> None:
    sign_in(home, stand_in.issue_tokens())
    await bring(login_client, brought(stand_in))
    assert await updated(login_client) == UPDATED
    witness.forget()
    assert await other.call("account/logout") == {}
    assert await updated(other) == UPDATED
    for client in (login_client, other):
        assert await updated(client) == NOBODY
        assert await account(client) is None
    assert left_in(home) == []
    assert "/oauth/revoke" not in [one.path for one in stand_in.requests]
    await login_client.call("account/login/start", KEY)
    assert await account(login_client) == "apiKey"


async def test_while_signing_out_fails_they_stay(
    login_server: Server, login_client: WireClient, stand_in: StandIn, home: Path
) -> None:
    tokens = brought(stand_in)
    await bring(login_client, tokens)
    (home / "auth.json").mkdir()
    with pytest.raises(RpcError, match="logout failed"):
        await login_client.call("account/logout")
    assert await token_in_force(login_client) == tokens["accessToken"]
