"""Tokens that the issuer refuses for good: that is remembered until there are others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.server import open_server
from codex_trio.testing import Ending, Fault, StandIn, WireClient
from tests.account.conftest import KEY
from tests.account.renewals import (
    SOMEBODY,
    SOMEBODY_ELSE,
    TOKEN,
    account,
    asked,
    failure,
    outcomes,
    read_stored,
    renewed,
    sign_in_for,
    sign_in_other,
    thread_clock,
    token,
    told,
)
from tests.account.signed_in import sign_in
from tests.checked import connect

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.settings import Settings

pytestmark = pytest.mark.usefixtures("alone")

OUTDATED = "Your access token could not be refreshed"
SIGN_IN = "Please log out and sign in again."
TEXTS = {
    "expired": f"{OUTDATED} because your refresh token has expired. {SIGN_IN}",
    "reused": f"{OUTDATED} because your refresh token was already used. {SIGN_IN}",
    "invalidated": f"{OUTDATED} because your refresh token was revoked. {SIGN_IN}",
    "invalid_grant": f"{OUTDATED}. {SIGN_IN}",
}


@pytest.fixture
def patient_clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    return thread_clock(monkeypatch)


@pytest.mark.parametrize("ending", TEXTS)
async def test_a_refusal_for_good_is_remembered(
    patient_clock: MockClock,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    ending: Ending,
) -> None:
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    former = read_stored(home)
    stand_in.end_refresh_tokens(ending)
    for _ in range(3):
        assert await renewed(login_client) is None
        assert await account(login_client) is None
        for more in ({}, {"includeToken": True}, {"refreshToken": True, "includeToken": True}):
            answer = await login_client.call("getAuthStatus", more)
            assert (answer["authMethod"], answer["authToken"]) == ("chatgpt", None)
        failed = {"message": TEXTS[ending], "permanent": True}
        assert await failure(login_client) == failed
    assert outcomes(stand_in) == [ending]
    assert told(login_client) == []
    assert read_stored(home) == former
    # Nobody has said anything against the access token.
    assert (await login_client.call("account/rateLimits/read"))["rateLimits"]


@pytest.mark.parametrize("code", ["expired", "reused", "invalidated"])
@pytest.mark.parametrize(
    "shape",
    [
        lambda code: Fault.status(401, {"error": {"code": code.upper(), "message": "secret"}}),
        lambda code: Fault.status(400, {"error": code}),
        lambda code: Fault.status(403, {"code": code}),
        lambda code: Fault.status(500, {"error": {"message": "x"}, "code": code}),
    ],
    ids=["in capitals", "as OAuth", "at the top", "beside"],
)
async def test_a_code_is_found_where_the_original_looks_for_it(
    patient_clock: MockClock,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    code: str,
    shape: Any,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(TOKEN, shape(f"refresh_token_{code}"))
    assert await renewed(login_client) is None
    assert await failure(login_client) == {"message": TEXTS[code], "permanent": True}


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(401),
        Fault.status(401, "<html>", "text/html"),
        Fault.status(401, {"error": {"code": "something_new"}}),
        Fault.status(401, {"error": None, "code": 5}),
        Fault.status(400, {"error": {"code": "INVALID_GRANT"}}),
        Fault.status(400, {"error": "invalid_grant", "error_description": "secret"}),
    ],
)
async def test_a_refusal_needs_no_reason(
    login_client: WireClient, home: Path, stand_in: StandIn, fault: Fault
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(TOKEN, fault)
    for _ in range(2):
        assert await renewed(login_client) is None
    text = TEXTS["invalid_grant"]
    assert await failure(login_client) == {"message": text, "permanent": True}
    assert asked(stand_in) == 1


@pytest.mark.parametrize("how", ["others renew", "somebody else", "a key", "signing in again"])
async def test_other_credentials_begin_anew(
    login_client: WireClient, home: Path, stand_in: StandIn, how: str
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.end_refresh_tokens("invalidated")
    assert await renewed(login_client) is None
    expected: dict[str, Any] = SOMEBODY
    if how == "others renew":
        sign_in(home, stand_in.issue_tokens())
    elif how == "somebody else":
        sign_in_other(home, stand_in)
        expected = SOMEBODY_ELSE
    elif how == "a key":
        await login_client.call("account/login/start", KEY)
        expected = {"type": "apiKey"}
    else:
        login = await login_client.call("account/login/start", {"type": "chatgpt"})
        await stand_in.visit(login["authUrl"])
        await login_client.next_notification("account/updated")
    assert await account(login_client) == expected
    assert await failure(login_client) is None
    assert await renewed(login_client) == expected
    assert outcomes(stand_in) == ["invalidated", *["rotated"] * (how != "a key")]


async def test_every_process_finds_out_for_itself(
    login_client: WireClient, home: Path, stand_in: StandIn, login_settings: Settings
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.end_refresh_tokens("expired")
    assert await renewed(login_client) is None
    async with open_server(login_settings) as server, connect(server) as client:
        await client.initialize()
        assert await account(client) == SOMEBODY
        for _ in range(2):
            assert await renewed(client) is None
    assert outcomes(stand_in) == ["expired", "expired"]


async def test_a_token_that_has_ended_for_good_is_asked_for_once(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in_for(home, stand_in, 0)
    stand_in.end_refresh_tokens("expired")
    for _ in range(3):
        assert await token(login_client) is None
    assert outcomes(stand_in) == ["expired"]
