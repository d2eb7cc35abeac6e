"""Tokens that others have renewed, replaced or removed when we look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.account import refresh
from codex_trio.server import open_server
from codex_trio.testing import Fault, StandIn, WireClient
from tests.account.conftest import until
from tests.account.renewals import (
    AGENT,
    SOMEBODY,
    SOMEBODY_ELSE,
    TOKEN,
    account,
    asked,
    failure,
    outcomes,
    renewed,
    sign_in_other,
    thread_clock,
    token,
    told,
    updated,
)
from tests.account.signed_in import sign_in, stored_tokens
from tests.checked import connect

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.server import Server

pytestmark = pytest.mark.usefixtures("alone")

REUSED = Fault.status(401, {"error": {"code": "refresh_token_reused"}})


@pytest.fixture
def patient_clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    return thread_clock(monkeypatch)


@pytest.mark.parametrize("question", ["account/read", "getAuthStatus"])
async def test_tokens_that_others_have_renewed_are_taken_on(
    login_client: WireClient, home: Path, stand_in: StandIn, question: str
) -> None:
    sign_in(home, stand_in.issue_tokens())
    assert await account(login_client) == SOMEBODY
    newer = stand_in.issue_tokens()
    sign_in(home, newer)
    await login_client.call(question, {})
    assert await token(login_client) == newer.access_token
    assert asked(stand_in) == 0
    assert told(login_client) == []


async def test_what_others_store_while_we_wait_for_the_lock_is_enough(
    login_server: Server, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    assert await account(login_client) == SOMEBODY
    lock = login_server.account.auth.renewal_lock
    async with trio.open_nursery() as nursery:
        async with lock.held(1):
            nursery.start_soon(renewed, login_client)
            await until(lambda: login_server.account.backend._refresher._alone.locked())
            newer = stand_in.issue_tokens()
            sign_in(home, newer)
    assert await token(login_client) == newer.access_token
    assert asked(stand_in) == 0


async def test_a_lock_that_others_hold_for_too_long_is_told(
    login_server: Server,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    monkeypatch.setattr(refresh, "_LOCK_PATIENCE", 0.05)
    async with open_server(login_server.settings) as other:
        async with other.account.auth.renewal_lock.held(1):
            assert await renewed(login_client) == SOMEBODY
    text = "Failed to refresh token: others hold auth.json.renewal for too long"
    assert await failure(login_client) == {"message": text, "permanent": False}
    assert asked(stand_in) == 0
    assert await renewed(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated"]
    assert await failure(login_client) is None


async def test_another_account_is_taken_on_and_announced(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    assert await account(login_client) == SOMEBODY
    sign_in_other(home, stand_in)
    assert await account(login_client) == SOMEBODY_ELSE
    assert await updated(login_client) == ("chatgpt", "pro")
    assert asked(stand_in) == 0
    assert told(login_client) == []


async def test_another_account_s_tokens_are_not_renewed_in_the_name_of_the_former(
    login_client: WireClient, login_server: Server, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    former = login_server.account.auth.current
    assert await account(login_client) == SOMEBODY
    former = login_server.account.auth.current
    assert former is not None
    tokens = sign_in_other(home, stand_in)
    await login_server.account.backend._refresher.refresh(former, AGENT)
    assert asked(stand_in) == 0
    assert stored_tokens(home)["refresh_token"] == tokens.refresh_token


async def test_what_is_removed_outside_is_signed_out_and_announced(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    assert await account(login_client) == SOMEBODY
    (home / "auth.json").unlink()
    assert await renewed(login_client) is None
    assert await updated(login_client) == (None, None)
    assert await token(login_client) is None
    assert asked(stand_in) == 0


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"\xff", b'{"tokens": 1}'])
async def test_garbage_changes_nothing_and_heals(
    login_client: WireClient, home: Path, stand_in: StandIn, content: bytes
) -> None:
    """The original writes in place, so whoever reads at that moment finds half of it."""
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    assert await account(login_client) == SOMEBODY
    (home / "auth.json").write_bytes(content)
    assert await account(login_client) == SOMEBODY
    assert await token(login_client) == tokens.access_token
    assert (await failure(login_client))["permanent"] is False
    # Where nothing can be read, nothing is stored: a token that is good is not risked.
    assert await renewed(login_client) == SOMEBODY
    assert asked(stand_in) == 0
    assert (home / "auth.json").read_bytes() == content
    sign_in(home, tokens)
    assert await account(login_client) == SOMEBODY
    assert await failure(login_client) is None
    assert await renewed(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated"]
    assert told(login_client) == []


async def test_what_is_garbage_from_the_beginning_is_nobody_until_it_heals(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    (home / "auth.json").write_bytes(b"{")
    assert await renewed(login_client) is None
    failed = await failure(login_client)
    assert failed == {
        "message": "not valid JSON, or a key that is repeated",
        "permanent": False,
    }
    sign_in(home, stand_in.issue_tokens())
    assert await account(login_client) == SOMEBODY
    assert await updated(login_client) == ("chatgpt", "plus")


async def test_a_server_looks_by_itself_what_others_have_stored(
    patient_clock: MockClock, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    async with open_server(stand_in.settings(home)) as server, connect(server) as client:
        await client.initialize()
        begin = trio.current_time()
        sign_in_other(home, stand_in)  # nobody has been told of the former one
        await trio.sleep(5)
        assert told(client) == []
        sign_in(home, stand_in.issue_tokens())
        assert await updated(client) == ("chatgpt", "plus")
        (home / "auth.json").unlink()
        assert await updated(client) == (None, None)
        assert trio.current_time() - begin <= 10


# --- who knows no lock ---


async def ask_and_sleep(
    client: WireClient,
    stand_in: StandIn,
    seconds: float,
    answers: list[Any],
    nursery: trio.Nursery,
) -> None:
    """Ask for new tokens that have been used already, and let somebody look for them a while."""
    stand_in.faults.add(TOKEN, REUSED)

    async def ask() -> None:
        answers.append(await renewed(client))

    nursery.start_soon(ask)
    await stand_in.wait_request(TOKEN)
    await trio.sleep(seconds)
    assert not answers


async def test_a_token_that_somebody_has_used_before_is_looked_for_in_the_store(
    patient_clock: MockClock, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    theirs = stand_in.issue_tokens()
    answers: list[Any] = []
    async with trio.open_nursery() as nursery:
        await ask_and_sleep(login_client, stand_in, 0.9, answers, nursery)
        sign_in(home, theirs)
    assert answers == [SOMEBODY]
    assert await token(login_client) == theirs.access_token
    assert await failure(login_client) is None
    assert asked(stand_in) == 1
    assert told(login_client) == []


async def test_whoever_has_used_it_may_be_somebody_else_by_now(
    patient_clock: MockClock, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    answers: list[Any] = []
    async with trio.open_nursery() as nursery:
        await ask_and_sleep(login_client, stand_in, 0.2, answers, nursery)
        sign_in_other(home, stand_in)
    assert answers == [SOMEBODY_ELSE]
    assert await updated(login_client) == ("chatgpt", "pro")


async def test_when_nobody_stores_what_it_was_used_for_it_is_lost(
    patient_clock: MockClock, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    answers: list[Any] = []
    begin = trio.current_time()
    async with trio.open_nursery() as nursery:
        await ask_and_sleep(login_client, stand_in, 1.5, answers, nursery)
    assert trio.current_time() - begin < 2
    assert answers == [None]
    assert (await failure(login_client))["permanent"] is True
