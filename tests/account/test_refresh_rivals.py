"""Tokens that somebody replaces or removes while the issuer renews them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from codex_trio.testing import Fault, StandIn, WireClient
from tests.account.conftest import KEY, left_in
from tests.account.renewals import (
    AGENT,
    OTHER,
    REVOKE,
    SOMEBODY,
    SOMEBODY_ELSE,
    SlowIssuer,
    account,
    asked,
    change_stored,
    open_slow_issuer,
    read_stored,
    renewed,
    sign_in_other,
    token,
    told,
    updated,
)
from tests.account.signed_in import sign_in, stored_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.settings import Settings

pytestmark = pytest.mark.usefixtures("alone")

MISMATCH = (
    "Your access token could not be refreshed because you have since logged out or signed in to"
    " another account. Please sign in again."
)


@pytest.fixture
async def slow_issuer(stand_in: StandIn) -> AsyncGenerator[SlowIssuer]:
    async with open_slow_issuer(stand_in) as issuer:
        yield issuer


@pytest.fixture
def login_settings(home: Path, stand_in: StandIn, slow_issuer: SlowIssuer) -> Settings:
    return stand_in.settings(home, watch_interval=float("inf"), refresh_url=slow_issuer.url)


async def sign_in_with_key(client: WireClient) -> None:
    await client.call("account/login/start", KEY)
    assert (await client.next_notification("account/login/completed"))["params"]["success"]


async def sign_in_through_browser(client: WireClient, stand_in: StandIn) -> None:
    stand_in.account = OTHER
    login = await client.call("account/login/start", {"type": "chatgpt"})
    page = await stand_in.visit(login["authUrl"])
    assert page.status == 200
    assert (await client.next_notification("account/login/completed"))["params"]["success"]


@pytest.mark.parametrize("way", ["a key", "a browser", "another process"])
async def test_whoever_signs_in_while_the_issuer_thinks_wins(
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    slow_issuer: SlowIssuer,
    way: str,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renewed, login_client)
        await slow_issuer.asked.wait()
        if way == "a key":
            await sign_in_with_key(login_client)
        elif way == "a browser":
            await sign_in_through_browser(login_client, stand_in)
        else:
            sign_in_other(home, stand_in)
        stored = read_stored(home)
        slow_issuer.answers.set()
    mode, plan = ("apikey", None) if way == "a key" else ("chatgpt", "pro")
    assert await updated(login_client) == (mode, plan)
    assert read_stored(home) == stored
    expected = {"type": "apiKey"} if way == "a key" else SOMEBODY_ELSE
    assert await account(login_client) == expected
    bearer = KEY["apiKey"] if way == "a key" else stored["tokens"]["access_token"]
    assert await token(login_client) == bearer
    # Nobody uses what has come too late, so nobody shall.
    revoked = [one.json["token"] for one in stand_in.requests if one.path == REVOKE]
    assert revoked == [slow_issuer.given["refresh_token"]]
    stand_in.account = attrs.evolve(OTHER, account_id="fake-account")
    assert stand_in.live_refresh_tokens() == []
    assert told(login_client) == []


async def test_whoever_signs_out_while_the_issuer_thinks_stays_signed_out(
    login_client: WireClient, home: Path, stand_in: StandIn, slow_issuer: SlowIssuer
) -> None:
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    answers = []

    async def ask() -> None:
        answers.append(await renewed(login_client))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await slow_issuer.asked.wait()
        assert await login_client.call("account/logout") == {}
        assert await updated(login_client) == (None, None)
        slow_issuer.answers.set()
    assert answers == [None]
    assert await account(login_client) is None
    assert await token(login_client) is None
    assert left_in(home) == []
    revoked = [one.json["token"] for one in stand_in.requests if one.path == REVOKE]
    assert revoked == [tokens.refresh_token, slow_issuer.given["refresh_token"]]
    assert told(login_client) == []


async def test_what_is_removed_outside_while_the_issuer_thinks_stays_removed(
    login_client: WireClient, home: Path, stand_in: StandIn, slow_issuer: SlowIssuer
) -> None:
    sign_in(home, stand_in.issue_tokens())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renewed, login_client)
        await slow_issuer.asked.wait()
        (home / "auth.json").unlink()
        slow_issuer.answers.set()
    assert left_in(home) == []
    assert await account(login_client) is None
    assert await updated(login_client) == (None, None)
    assert stand_in.live_refresh_tokens() == []


async def test_that_late_tokens_cannot_be_revoked_is_nobody_s_loss(
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    slow_issuer: SlowIssuer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(REVOKE, Fault.status(500))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renewed, login_client)
        await slow_issuer.asked.wait()
        await sign_in_with_key(login_client)
        slow_issuer.answers.set()
    (text,) = (one for one in caplog.messages if "too late" in one)
    assert text == (
        "tokens that came too late could not be revoked:"
        " the issuer answered with status 500 Internal Server Error"
    )
    assert await account(login_client) == {"type": "apiKey"}


async def test_who_has_renewed_the_same_tokens_without_a_lock_keeps_them(
    login_client: WireClient, home: Path, stand_in: StandIn, slow_issuer: SlowIssuer
) -> None:
    """An issuer may give twice, within moments; a revocation would end both."""
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renewed, login_client)
        await slow_issuer.asked.wait()
        theirs = attrs.evolve(tokens, refresh_token=f"{tokens.refresh_token}-2")
        sign_in(home, theirs)
        slow_issuer.answers.set()
    assert stored_tokens(home)["refresh_token"] == theirs.refresh_token
    assert await account(login_client) == SOMEBODY
    assert asked(stand_in, REVOKE) == 0


async def test_what_else_is_stored_meanwhile_stays(
    login_client: WireClient, home: Path, stand_in: StandIn, slow_issuer: SlowIssuer
) -> None:
    sign_in(home, stand_in.issue_tokens())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renewed, login_client)
        await slow_issuer.asked.wait()
        change_stored(home, OPENAI_API_KEY="sk-of-another")
        slow_issuer.answers.set()
    assert read_stored(home)["OPENAI_API_KEY"] == "sk-of-another"
    assert stored_tokens(home)["refresh_token"] == slow_issuer.given["refresh_token"]


# --- a request that is to be sent again ---


async def test_a_recovery_does_not_go_on_with_another_account(
    login_server: Server,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    slow_issuer: SlowIssuer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    assert await account(login_client) == SOMEBODY
    stand_in.expire_access_tokens()
    replies = []

    async def ask() -> None:
        replies.append(await login_server.account.backend.get("wham/usage", AGENT))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await slow_issuer.asked.wait()
        sign_in_other(home, stand_in)
        slow_issuer.answers.set()
    assert [one.status for one in replies] == [401]
    assert f"wham/usage was refused, and the token not renewed: {MISMATCH}" in caplog.messages
    assert await updated(login_client) == ("chatgpt", "pro")
    assert await account(login_client) == SOMEBODY_ELSE
