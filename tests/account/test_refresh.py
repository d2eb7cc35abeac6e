"""When tokens are renewed, what the issuer is asked then, and what clocks have to do with it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import pytest
import trio

from codex_trio.account import refresh_grant
from codex_trio.server import open_server
from codex_trio.testing import Fault, StandIn, Tokens, WireClient, make_jwt
from tests.account.conftest import KEY
from tests.account.renewals import (
    OTHER,
    SOMEBODY,
    TOKEN,
    account,
    asked,
    change_stored,
    failure,
    outcomes,
    read_stored,
    renewed,
    sign_in_for,
    status,
    thread_clock,
    token,
)
from tests.account.signed_in import sign_in, stored_tokens
from tests.checked import connect

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.server import Server
    from codex_trio.settings import Settings

pytestmark = pytest.mark.usefixtures("alone")

Question: TypeAlias = "tuple[str, Any]"

READ: Question = ("account/read", {})
READ_ANEW: Question = ("account/read", {"refreshToken": True})
STATUS: Question = ("getAuthStatus", {"includeToken": True})
STATUS_ANEW: Question = ("getAuthStatus", {"includeToken": True, "refreshToken": True})
LIMITS: Question = ("account/rateLimits/read", None)

DAY = 86400


@pytest.fixture
def patient_clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    return thread_clock(monkeypatch)


# --- when ---


@pytest.mark.parametrize(
    ("question", "seconds", "times"),
    [
        (READ, 0, 0),
        (READ, 299, 0),
        (STATUS, 0, 1),
        (STATUS, 299, 1),
        (STATUS, 310, 0),
        (LIMITS, 0, 1),
        (LIMITS, 299, 1),
        (LIMITS, 310, 0),
        (READ_ANEW, 0, 1),
        (READ_ANEW, 3600, 1),
        (STATUS_ANEW, 0, 1),
        (STATUS_ANEW, 3600, 1),
    ],
)
async def test_a_token_is_renewed_before_its_end_or_when_somebody_says_so(
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    question: Question,
    seconds: float,
    times: int,
) -> None:
    former = sign_in_for(home, stand_in, seconds)
    await login_client.call(*question)
    assert asked(stand_in) == times
    new = stored_tokens(home)["access_token"] != former.access_token
    assert new == bool(times)
    assert await account(login_client) == SOMEBODY


@pytest.mark.parametrize(
    "access_token",
    ["opaque", *(make_jwt({"exp": end}) for end in (1.5, True, "1", None, 2**53, 2**63))],
    ids=["opaque", "fraction", "flag", "text", "none", "too long", "much too long"],
)
@pytest.mark.parametrize(("days", "times"), [(7, 0), (9, 1), (None, 0)])
async def test_a_token_that_does_not_say_when_it_ends_is_renewed_after_eight_days(
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    access_token: str,
    days: int | None,
    times: int,
) -> None:
    tokens = stand_in.issue_tokens()
    sign_in(home, Tokens(tokens.id_token, access_token, tokens.refresh_token))
    change_stored(home, last_refresh=None if days is None else days_ago(days))
    for _ in range(2):
        await token(login_client)
    assert asked(stand_in) == times


def days_ago(days: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * DAY))


async def test_who_has_no_tokens_has_none_to_renew(
    login_client: WireClient, home: Path, stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    questions = (READ_ANEW, STATUS_ANEW, STATUS)
    for question in questions:
        await login_client.call(*question)
    await login_client.call("account/login/start", KEY)
    for question in questions:
        await login_client.call(*question)
    (home / "auth.json").write_text(
        '{"auth_mode": "chatgpt", "last_refresh": "2020-01-01T00:00:00Z"}', encoding="utf-8"
    )
    caplog.clear()
    for question in (STATUS_ANEW, STATUS):
        assert (await login_client.call(*question))["authMethod"] is None
    assert not caplog.messages
    assert asked(stand_in) == 0


async def test_without_a_refresh_token_nothing_is_asked(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    tokens = stand_in.issue_tokens()
    sign_in(home, Tokens(tokens.id_token, tokens.access_token, ""))
    assert await renewed(login_client) == SOMEBODY
    assert asked(stand_in) == 0
    text = "Failed to refresh token: there is no refresh token"
    assert await failure(login_client) == {"message": text, "permanent": False}


async def test_a_server_that_needs_no_account_renews_and_says_nothing(
    home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    settings = stand_in.settings(home, requires_openai_auth=False)
    async with open_server(settings) as server, connect(server) as client:
        await client.initialize()
        assert await renewed(client) is None
    assert outcomes(stand_in) == ["rotated"]


# --- what is asked, and what is stored ---


async def test_the_issuer_is_asked_as_the_original_asks_it(
    login_server: Server, home: Path, stand_in: StandIn, login_settings: Settings
) -> None:
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    async with connect(login_server) as client:
        agent = (await client.initialize("my_editor"))["userAgent"]
        await renewed(client)
    (request,) = stand_in.requests
    assert (request.method, request.path) == ("POST", TOKEN)
    question = {
        "client_id": login_settings.client_id,
        "grant_type": "refresh_token",
        "refresh_token": tokens.refresh_token,
    }
    assert list(request.json.items()) == list(question.items())
    assert request.headers["originator"] == "my_editor"
    assert request.headers["user-agent"] == agent
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers


async def test_without_a_place_of_its_own_it_is_the_issuer_s(
    home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    settings = stand_in.settings(home, refresh_url=None)
    async with open_server(settings) as server, connect(server) as client:
        await client.initialize()
        await renewed(client)
    assert outcomes(stand_in) == ["rotated"]


async def test_new_tokens_are_in_force_and_stored_and_nobody_is_told(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    former = stand_in.issue_tokens()
    sign_in(home, former)
    change_stored(home, OPENAI_API_KEY="sk-exchanged", last_refresh="2020-01-01T00:00:00Z")
    before = await status(login_client)
    assert before["standing"] == "present"
    assert await renewed(login_client) == SOMEBODY
    stored = read_stored(home)
    assert stand_in.live_refresh_tokens() == [stored["tokens"]["refresh_token"]]
    assert stored["tokens"]["access_token"] == await token(login_client)
    assert stored["tokens"]["id_token"] != former.id_token
    assert stored["tokens"]["account_id"] == "fake-account"
    assert stored["OPENAI_API_KEY"] == "sk-exchanged"
    after = await status(login_client)
    assert (after["saved"], after["standing"], after["failure"]) == (True, "verified", None)
    assert after["lastRefresh"] == pytest.approx(time.time(), abs=10)
    assert after["checkedAt"] == pytest.approx(time.time(), abs=10)
    assert after["expiresAt"] == pytest.approx(time.time() + 3600, abs=10)
    assert not login_client._notifications._messages


async def test_another_plan_is_announced(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.account.plan = "pro"
    assert await renewed(login_client) == {**SOMEBODY, "planType": "pro"}
    news = await login_client.next_notification("account/updated")
    assert news["params"] == {"authMode": "chatgpt", "planType": "pro"}


async def test_a_refresh_token_that_is_not_rotated_goes_on(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    stand_in.account.rotation = False
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    for _ in range(2):
        await renewed(login_client)
    assert outcomes(stand_in) == ["renewed", "renewed"]
    assert stored_tokens(home)["refresh_token"] == tokens.refresh_token


# --- clocks that jump ---


@pytest.fixture
def wrong_clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Our idea of the time, which the issuer does not share; ``off`` is by how much."""
    clock = SimpleNamespace(off=0.0)
    clock.time = lambda: time.time() + clock.off
    monkeypatch.setattr(refresh_grant, "time", clock)
    return clock


async def test_a_clock_that_jumps_ahead_makes_no_storm(
    patient_clock: MockClock,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    wrong_clock: SimpleNamespace,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    await token(login_client)
    wrong_clock.off = 400.0 * DAY
    for minute in range(1, 4):
        for _ in range(5):
            await token(login_client)
            await login_client.call(*LIMITS)
        assert outcomes(stand_in) == ["rotated"] * minute
        await trio.sleep(60)
    # Whoever says that it shall be is taken at their word.
    await renewed(login_client)
    assert outcomes(stand_in) == ["rotated"] * 4


async def test_a_clock_that_jumps_back_renews_nothing(
    login_client: WireClient, home: Path, stand_in: StandIn, wrong_clock: SimpleNamespace
) -> None:
    sign_in(home, stand_in.issue_tokens())
    wrong_clock.off = -400.0 * DAY
    await token(login_client)
    assert asked(stand_in) == 0


async def test_an_issuer_that_fails_is_asked_once_a_minute(
    patient_clock: MockClock,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    caplog: pytest.LogCaptureFixture,
) -> None:
    former = sign_in_for(home, stand_in, 200)
    stand_in.faults.add(TOKEN, *[Fault.status(500)] * 2)
    for times in (1, 2):
        for _ in range(3):
            assert await token(login_client) == former.access_token
        assert asked(stand_in) == times
        await trio.sleep(60)
    text = "Failed to refresh token: 500 Internal Server Error"
    assert caplog.messages.count(text) == 2
    assert await failure(login_client) == {"message": text, "permanent": False}
    assert await token(login_client) != former.access_token
    assert await failure(login_client) is None


async def test_as_long_as_it_fails_a_token_that_has_ended_is_renewed_when_it_is_needed(
    patient_clock: MockClock, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    former = sign_in_for(home, stand_in, 0)
    stand_in.faults.add(TOKEN, *[Fault.status(500)] * 2)
    for _ in range(2):
        assert await token(login_client) == former.access_token
    assert await token(login_client) != former.access_token
    assert asked(stand_in) == 3


async def test_a_clock_that_is_wrong_for_many_servers_makes_no_storm(
    patient_clock: MockClock,
    login_settings: Settings,
    home: Path,
    stand_in: StandIn,
    wrong_clock: SimpleNamespace,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    wrong_clock.off = 400.0 * DAY
    async with open_server(login_settings) as one, open_server(login_settings) as two:
        async with connect(one) as first, connect(two) as second:
            for client in (first, second):
                await client.initialize()
            for _ in range(10):
                for client in (first, second):
                    await token(client)
    assert len(outcomes(stand_in)) <= 2


async def test_whoever_has_just_signed_in_does_not_wait_for_the_minute_of_another(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    await renewed(login_client)
    former = stand_in.issue_tokens(account=attrs.evolve(OTHER, token_lifetime=0))
    sign_in(home, former, OTHER.account_id)
    assert await token(login_client) != former.access_token
    assert outcomes(stand_in) == ["rotated", "rotated"]
