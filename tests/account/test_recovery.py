"""What is done when the backend refuses a token, and how an account's backend is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from codex_trio.account.backend import SignedOutError
from codex_trio.errors import UpstreamError
from codex_trio.server import Server, open_server
from codex_trio.testing import Fault, StandIn, WireClient
from tests.account.conftest import KEY
from tests.account.renewals import (
    AGENT,
    SOMEBODY,
    TOKEN,
    USAGE,
    account,
    asked,
    change_stored,
    outcomes,
    sign_in_for,
    sign_in_other,
    status,
    thread_clock,
)
from tests.account.signed_in import sign_in, stored_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.upstream import Reply

pytestmark = pytest.mark.usefixtures("alone")

MISMATCH = (
    "Your access token could not be refreshed because you have since logged out or signed in to"
    " another account. Please sign in again."
)
REVOKED = (
    "Your access token could not be refreshed because your refresh token was revoked."
    " Please log out and sign in again."
)
EXHAUSTED = "No more recovery steps available."
REFUSED = Fault.status(401)


@pytest.fixture
def patient_clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    return thread_clock(monkeypatch)


async def ask(server: Server, *, patience: float = 60.0, recover: bool = True) -> Reply:
    backend = server.account.backend
    return await backend.get("wham/usage", AGENT, patience=patience, recover=recover)


def shown(stand_in: StandIn) -> list[str]:
    """The tokens that the backend has been shown."""
    requests = [one for one in stand_in.requests if one.path == USAGE]
    return [one.headers["authorization"].removeprefix("Bearer ") for one in requests]


# --- how it is asked ---


async def test_the_backend_is_shown_the_token_and_the_workspace(
    login_server: Server, home: Path, stand_in: StandIn
) -> None:
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    assert (await ask(login_server)).status == 200
    (request,) = stand_in.requests
    assert request.headers["authorization"] == f"Bearer {tokens.access_token}"
    assert request.headers["chatgpt-account-id"] == "fake-account"
    assert request.headers["user-agent"] == AGENT["user-agent"]
    assert "originator" not in request.headers


@pytest.mark.parametrize("account_id", ["a\nb", "a\x00b", None])
async def test_a_workspace_that_cannot_be_said_is_not(
    login_server: Server, home: Path, stand_in: StandIn, account_id: str | None
) -> None:
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    stored = {**attrs.asdict(tokens), "account_id": account_id}
    change_stored(home, tokens=stored)
    assert (await ask(login_server)).status == 200
    (request,) = stand_in.requests
    assert "chatgpt-account-id" not in request.headers


async def test_another_host_calls_it_otherwise(home: Path, stand_in: StandIn) -> None:
    sign_in(home, stand_in.issue_tokens())
    settings = stand_in.settings(home, chatgpt_base_url=stand_in.url)
    async with open_server(settings) as server:
        assert (await ask(server)).status == 200
    assert [one.path for one in stand_in.requests] == ["/api/codex/usage"]


async def test_nobody_and_a_key_have_no_backend(
    login_server: Server, login_client: WireClient, stand_in: StandIn
) -> None:
    for _ in range(2):
        with pytest.raises(SignedOutError, match=r"Nobody is signed in with ChatGPT\."):
            await ask(login_server)
        await login_client.call("account/login/start", KEY)
    assert stand_in.requests == []


async def test_without_tokens_it_is_asked_in_nobody_s_name(
    login_server: Server, home: Path, stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """As in 0.163.0, where there is a file that says no more than that."""
    (home / "auth.json").write_text("{}", encoding="utf-8")
    assert (await ask(login_server)).status == 401
    (request,) = stand_in.requests
    assert "authorization" not in request.headers
    (text,) = caplog.messages
    assert text.endswith("Failed to refresh token: there is no refresh token")


@pytest.mark.parametrize("fault", [Fault.drop(), Fault.hang()], ids=["dropped", "silent"])
async def test_a_host_that_cannot_be_asked_says_nothing_of_a_token(
    patient_clock: MockClock,
    login_server: Server,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    fault: Fault,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(USAGE, fault)
    begin = trio.current_time()
    with pytest.raises(UpstreamError):
        await ask(login_server, patience=5)
    assert trio.current_time() - begin <= 5.1
    assert (await status(login_client))["standing"] == "present"
    assert asked(stand_in) == 0


# --- what is known of a token ---


async def test_it_is_known_whether_a_token_counts(
    login_server: Server, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    before = await status(login_client)
    assert (before["standing"], before["checkedAt"]) == ("present", None)
    stand_in.faults.add(USAGE, Fault.status(500))
    await ask(login_server)
    assert (await status(login_client))["standing"] == "present"
    await ask(login_server)
    now = await status(login_client)
    assert now["standing"] == "verified"
    assert isinstance(now["checkedAt"], int)
    stand_in.faults.add(USAGE, Fault.status(500), REFUSED)
    await ask(login_server)
    assert (await status(login_client))["standing"] == "verified"
    assert (await ask(login_server, recover=False)).status == 401
    assert (await status(login_client))["standing"] == "refused"
    assert asked(stand_in) == 0
    sign_in(home, stand_in.issue_tokens())
    assert (await status(login_client))["standing"] == "present"


# --- what is done ---


async def test_a_token_that_others_have_renewed_is_tried_first(
    login_server: Server, home: Path, stand_in: StandIn
) -> None:
    former, newer = stand_in.issue_tokens(), stand_in.issue_tokens()
    sign_in(home, former)
    stand_in.faults.add(USAGE, REFUSED)
    stand_in.hold(USAGE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_usage, login_server)
        await stand_in.wait_request(USAGE)
        sign_in(home, newer)
        stand_in.release(USAGE)
    assert shown(stand_in) == [former.access_token, newer.access_token]
    assert asked(stand_in) == 0


async def expect_usage(server: Server) -> None:
    assert (await ask(server)).status == 200


async def test_if_that_is_refused_too_it_is_renewed(
    login_server: Server, home: Path, stand_in: StandIn
) -> None:
    former, newer = stand_in.issue_tokens(), stand_in.issue_tokens()
    sign_in(home, former)
    stand_in.faults.add(USAGE, REFUSED, REFUSED)
    stand_in.hold(USAGE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_usage, login_server)
        await stand_in.wait_request(USAGE)
        sign_in(home, newer)
        stand_in.release(USAGE)
    (*tried, last) = shown(stand_in)
    assert tried == [former.access_token, newer.access_token]
    assert last == stored_tokens(home)["access_token"]
    assert outcomes(stand_in) == ["rotated"]


async def test_without_newer_ones_it_is_renewed_at_once(
    login_server: Server, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    former = stand_in.issue_tokens()
    sign_in(home, former)
    stand_in.expire_access_tokens()
    await expect_usage(login_server)
    assert shown(stand_in) == [former.access_token, stored_tokens(home)["access_token"]]
    assert outcomes(stand_in) == ["rotated"]
    assert (await status(login_client))["standing"] == "verified"


async def test_what_is_refused_after_all_is_refused(
    login_server: Server,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(USAGE, REFUSED, REFUSED)
    assert (await ask(login_server)).status == 401
    assert asked(stand_in, USAGE) == 2
    assert outcomes(stand_in) == ["rotated"]
    assert caplog.messages == [
        f"wham/usage was refused, and the token not renewed: {EXHAUSTED}"
    ]
    assert (await status(login_client))["standing"] == "refused"
    assert await account(login_client) == SOMEBODY


async def test_whoever_refuses_an_account_for_good_does_not_have_it_renewed_for_ever(
    login_server: Server, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(USAGE, *[REFUSED] * 7)
    for times in (2, 3, 4):
        assert (await ask(login_server)).status == 401
        assert asked(stand_in, USAGE) == times
    assert outcomes(stand_in) == ["rotated"]
    # What is asked elsewhere, or with another token, is another matter.
    stand_in.expire_access_tokens()
    backend = login_server.account.backend
    assert (await backend.get("wham/accounts/check", AGENT)).status == 200
    assert outcomes(stand_in) == ["rotated", "rotated"]
    assert (await ask(login_server)).status == 401
    assert (asked(stand_in, USAGE), asked(stand_in)) == (6, 3)
    sign_in(home, stand_in.issue_tokens())
    assert (await ask(login_server)).status == 200


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault.status(500), "Failed to refresh token: 500 Internal Server Error"),
        (Fault.status(401, {"error": {"code": "refresh_token_invalidated"}}), REVOKED),
    ],
    ids=["for the moment", "for good"],
)
async def test_what_cannot_be_renewed_is_refused(
    login_server: Server,
    home: Path,
    stand_in: StandIn,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    text: str,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.expire_access_tokens()
    stand_in.faults.add(TOKEN, fault)
    assert (await ask(login_server)).status == 401
    assert asked(stand_in, USAGE) == asked(stand_in) == 1
    assert caplog.messages == [f"wham/usage was refused, and the token not renewed: {text}"]
    # The next request begins anew, with whatever there is by then.
    permanent = text is REVOKED
    assert (await ask(login_server)).status == (401 if permanent else 200)
    assert asked(stand_in) == (1 if permanent else 2)


@pytest.mark.parametrize("how", ["somebody else", "nobody", "a key"])
async def test_another_account_s_token_is_no_token_for_the_request(
    login_server: Server,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(USAGE, REFUSED)
    stand_in.hold(USAGE)
    replies = []

    async def keep() -> None:
        replies.append(await ask(login_server))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep)
        await stand_in.wait_request(USAGE)
        if how == "somebody else":
            sign_in_other(home, stand_in)
        elif how == "nobody":
            (home / "auth.json").unlink()
        else:
            await login_client.call("account/login/start", KEY)
        stand_in.release(USAGE)
    assert [one.status for one in replies] == [401]
    assert asked(stand_in, USAGE) == 1
    assert asked(stand_in) == 0
    assert caplog.messages == [f"wham/usage was refused, and the token not renewed: {MISMATCH}"]


async def test_a_token_is_renewed_before_it_is_shown_if_its_time_has_come(
    login_server: Server, home: Path, stand_in: StandIn
) -> None:
    former = sign_in_for(home, stand_in, 100)
    await expect_usage(login_server)
    assert shown(stand_in) == [stored_tokens(home)["access_token"]]
    assert shown(stand_in) != [former.access_token]
