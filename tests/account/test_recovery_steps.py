"""The steps of a recovery, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.errors import RefreshError
from codex_trio.testing import Fault, StandIn, Tokens, WireClient
from tests.account.conftest import KEY
from tests.account.renewals import (
    AGENT,
    TOKEN,
    outcomes,
    sign_in_other,
    token,
)
from tests.account.signed_in import sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.account.recovery import Recovery
    from codex_trio.server import Server

pytestmark = pytest.mark.usefixtures("alone")

MISMATCH = (
    "Your access token could not be refreshed because you have since logged out or signed in to"
    " another account. Please sign in again."
)
EXHAUSTED = "No more recovery steps available."


@pytest.fixture
def tokens(home: Path, stand_in: StandIn) -> Tokens:
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    return tokens


@pytest.fixture
async def recovery(login_server: Server, tokens: Tokens) -> Recovery:
    await login_server.account.auth.ready()
    return recovery_of(login_server)


def recovery_of(server: Server) -> Recovery:
    current = server.account.auth.current
    assert current is not None
    return server.account.backend._recoveries.of(current, AGENT)


async def test_a_step_that_has_failed_may_be_tried_again(
    recovery: Recovery, stand_in: StandIn, tokens: Tokens
) -> None:
    stand_in.faults.add(TOKEN, Fault.status(500), Fault.status(503))
    for status_line in ("500 Internal Server Error", "503 Service Unavailable"):
        with pytest.raises(RefreshError, match=status_line) as caught:
            await recovery.next()
        assert not caught.value.permanent
        assert not recovery.exhausted
    credentials = await recovery.next()
    assert credentials.bearer != tokens.access_token
    assert recovery.exhausted
    with pytest.raises(RefreshError, match=EXHAUSTED) as caught:
        await recovery.next()
    assert caught.value.permanent


@pytest.mark.parametrize("before", ["reload", "refresh"])
async def test_another_account_ends_it(
    recovery: Recovery, home: Path, stand_in: StandIn, before: str
) -> None:
    if before == "refresh":
        stand_in.faults.add(TOKEN, Fault.status(500))
        with pytest.raises(RefreshError, match="500"):
            await recovery.next()
    sign_in_other(home, stand_in)
    for text in (MISMATCH, EXHAUSTED):
        with pytest.raises(RefreshError) as caught:
            await recovery.next()
        assert str(caught.value) == text
        assert caught.value.permanent
        assert recovery.exhausted
    assert outcomes(stand_in) == []


async def test_a_key_has_no_steps(login_server: Server, login_client: WireClient) -> None:
    await login_client.call("account/login/start", KEY)
    recovery = recovery_of(login_server)
    assert recovery.exhausted
    with pytest.raises(RefreshError, match=EXHAUSTED):
        await recovery.next()


async def test_a_host_is_asked_once(
    login_server: Server, login_client: WireClient, stand_in: StandIn
) -> None:
    former, newer = stand_in.issue_access_token(), stand_in.issue_access_token()
    params = {"accessToken": former, "chatgptAccountId": "fake-account"}
    await login_client.call("account/login/start", {"type": "chatgptAuthTokens", **params})
    recovery = recovery_of(login_server)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recovery.next)
        question = await login_client.next_question()
        await login_client.answer(question, {**params, "accessToken": newer})
    assert await token(login_client) == newer
    assert recovery.exhausted
