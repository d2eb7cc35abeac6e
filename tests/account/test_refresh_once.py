"""However many want new tokens, and whoever of them stays: the issuer is asked once."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import trio

from codex_trio.testing import Fault, StandIn, WireClient
from tests.account.conftest import until
from tests.account.renewals import (
    AGENT,
    SOMEBODY,
    TOKEN,
    USAGE,
    account,
    asked,
    failure,
    outcomes,
    renewed,
    sign_in_for,
    token,
)
from tests.account.signed_in import sign_in, stored_tokens
from tests.checked import connect

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server

pytestmark = pytest.mark.usefixtures("alone")

Question: TypeAlias = "tuple[str, Any]"

READ_ANEW: Question = ("account/read", {"refreshToken": True})
STATUS: Question = ("getAuthStatus", {"includeToken": True})
STATUS_ANEW: Question = ("getAuthStatus", {"includeToken": True, "refreshToken": True})
LIMITS: Question = ("account/rateLimits/read", None)


# --- once ---


@pytest.mark.parametrize(
    "questions",
    [(READ_ANEW,), (STATUS_ANEW,), (STATUS,), (LIMITS,), (READ_ANEW, STATUS, LIMITS)],
)
async def test_fifty_who_ask_at_once_ask_the_issuer_once(
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    questions: tuple[Question, ...],
) -> None:
    former = sign_in_for(home, stand_in, 0)
    stand_in.hold(TOKEN)
    async with trio.open_nursery() as nursery:
        for number in range(50):
            question = questions[number % len(questions)]
            nursery.start_soon(partial(login_client.call, *question))
        await stand_in.wait_request(TOKEN)
        # Answered behind those, and not kept waiting by them.
        assert await account(login_client) == SOMEBODY
        stand_in.release(TOKEN)
    assert outcomes(stand_in) == ["rotated"]
    assert await token(login_client) == stored_tokens(home)["access_token"]
    assert await token(login_client) != former.access_token


async def test_tokens_that_are_refused_at_once_are_renewed_once(
    login_server: Server, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.expire_access_tokens()
    backend = login_server.account.backend
    replies = []

    async def ask() -> None:
        replies.append(await backend.get("wham/usage", AGENT))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
    assert [reply.status for reply in replies] == [200] * 20
    assert outcomes(stand_in) == ["rotated"]
    assert asked(stand_in, USAGE) == 40


@pytest.mark.parametrize("how", ["the same", "one forced, one refused"])
async def test_who_comes_while_others_wait_finds_what_they_have_got(
    login_client: WireClient, login_server: Server, home: Path, stand_in: StandIn, how: str
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.hold(TOKEN)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renewed, login_client)
        await stand_in.wait_request(TOKEN)
        if how == "the same":
            nursery.start_soon(renewed, login_client)
        else:
            stand_in.expire_access_tokens()
            nursery.start_soon(login_server.account.backend.get, "wham/usage", AGENT)
            await stand_in.wait_request(USAGE)
        stand_in.release(TOKEN)
    assert outcomes(stand_in) == ["rotated"]


async def test_a_failure_is_told_to_everybody_who_waits(
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(TOKEN, Fault.status(503))
    stand_in.hold(TOKEN)
    answers = []

    async def ask() -> None:
        answers.append(await renewed(login_client))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
        await stand_in.wait_request(TOKEN)
        await account(login_client)
        stand_in.release(TOKEN)
    assert answers == [SOMEBODY] * 5
    assert asked(stand_in) == 1
    text = "account/read: Failed to refresh token: 503 Service Unavailable"
    assert caplog.messages.count(text) == 5


async def test_a_refusal_for_good_is_one_for_those_who_wait_in_line(
    login_client: WireClient, login_server: Server, home: Path, stand_in: StandIn
) -> None:
    """One has said that it shall be, another one was refused."""
    sign_in(home, stand_in.issue_tokens())
    stand_in.expire_access_tokens()
    stand_in.end_refresh_tokens("expired")
    stand_in.hold(TOKEN)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renewed, login_client)
        await stand_in.wait_request(TOKEN)
        nursery.start_soon(login_server.account.backend.get, "wham/usage", AGENT)
        refresher = login_server.account.backend._refresher
        await until(lambda: len(refresher._flights._flying) == 2)
        stand_in.release(TOKEN)
    assert outcomes(stand_in) == ["expired"]
    assert (await failure(login_client))["permanent"] is True


# --- those who wait are cancelled ---


async def test_a_client_that_leaves_while_it_waits_leaves_the_others_their_tokens(
    login_server: Server, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.hold(TOKEN)
    answers = []

    async def ask() -> None:
        answers.append(await renewed(login_client))

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as leaver:
            leaver.start_soon(ask_and_leave, login_server)
            await stand_in.wait_request(TOKEN)
            nursery.start_soon(ask)
            await account(login_client)
            leaver.cancel_scope.cancel(reason="the client is cut off")
        assert not answers
        stand_in.release(TOKEN)
    assert answers == [SOMEBODY]
    assert outcomes(stand_in) == ["rotated"]


async def test_tokens_are_stored_even_if_all_who_wait_for_them_have_left(
    login_server: Server, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    former = stand_in.issue_tokens()
    sign_in(home, former)
    stand_in.hold(TOKEN)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask_and_leave, login_server)
        await stand_in.wait_request(TOKEN)
        nursery.cancel_scope.cancel(reason="the clients are cut off")
    stand_in.release(TOKEN)
    await until(lambda: stored_tokens(home)["refresh_token"] != former.refresh_token)
    assert stand_in.live_refresh_tokens() == [stored_tokens(home)["refresh_token"]]
    assert await token(login_client) == stored_tokens(home)["access_token"]
    assert outcomes(stand_in) == ["rotated"]


async def ask_and_leave(server: Server) -> None:
    async with connect(server) as client:
        await client.initialize()
        await renewed(client)
