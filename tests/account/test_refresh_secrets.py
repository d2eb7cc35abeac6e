"""What is said and logged of tokens: never the tokens, but to those who ask for them."""

from __future__ import annotations

import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.account import refresh
from codex_trio.account.refresh_note import RefreshNote
from codex_trio.errors import RefreshError, RpcError
from codex_trio.testing import Fault, StandIn, WireClient
from tests.account.conftest import Witness, until
from tests.account.renewals import (
    AGENT,
    SOMEBODY,
    TOKEN,
    USAGE,
    failure,
    outcomes,
    renewed,
    sign_in_for,
    sign_in_other,
    thread_clock,
)
from tests.account.signed_in import sign_in, stored_tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.server import Server


@pytest.fixture
def patient_clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    return thread_clock(monkeypatch)


def secrets_of(stand_in: StandIn) -> set[str]:
    """Every token that was ever issued."""
    families = stand_in._families
    return {*families._refreshable, *families._bearers}


def said(witness: Witness) -> list[str]:
    """What clients have been told, but for the tokens that they have asked for."""
    wanted = {
        message["id"]
        for arrow, message in witness.seen
        if arrow == "-->" and message["method"] == "getAuthStatus"
    }
    return [
        json.dumps(message)
        for arrow, message in witness.seen
        if arrow == "<--" and message.get("id") not in wanted
    ]


async def test_no_token_is_said_or_logged(
    patient_clock: MockClock,
    login_server: Server,
    login_client: WireClient,
    witness: Witness,
    home: Path,
    stand_in: StandIn,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A long story, told by an issuer and a backend that quote whatever they are shown."""
    caplog.set_level(logging.DEBUG, "codex_trio")
    errors: list[str] = []

    async def ask(*question: Any) -> None:
        try:
            await login_client.call(*question)
        except RpcError as error:
            errors.append(repr(error))

    async def ask_everything() -> None:
        await ask("account/read", {"refreshToken": True})
        await ask("getAuthStatus", {"refreshToken": True})
        await ask("getAuthStatus", {"includeToken": True, "refreshToken": True})
        await ask("account/rateLimits/read")
        await ask("account/status/read")
        try:
            await login_server.account.backend.get("wham/usage", AGENT)
        except Exception as error:
            errors.extend([repr(error), *traceback.format_exception(error)])
        errors.append(repr(login_server))

    login = await login_client.call("account/login/start", {"type": "chatgpt"})
    await stand_in.visit(login["authUrl"])
    await login_client.next_notification("account/updated")
    await ask_everything()
    for make in FAULTS:
        sign_in(home, stand_in.issue_tokens())
        quoted = " ".join(stored_tokens(home).values())
        stand_in.faults.add(TOKEN, make(quoted))
        stand_in.faults.add(USAGE, Fault.status(401, quoted), Fault.status(500, quoted))
        await ask_everything()
        stand_in.faults.clear()
    sign_in_for(home, stand_in, 0)
    stand_in.end_refresh_tokens("reused")
    await ask_everything()
    secrets = secrets_of(stand_in)
    (home / "auth.json").write_text(json.dumps(" ".join(secrets)), encoding="utf-8")
    await ask_everything()
    sign_in_other(home, stand_in)
    await ask_everything()
    hosted = stand_in.issue_access_token()
    params = {"type": "chatgptAuthTokens", "accessToken": hosted, "chatgptAccountId": "x"}
    await ask("account/login/start", params)
    await ask_everything()
    await ask("account/logout")
    await ask_everything()

    secrets = secrets_of(stand_in)
    assert len(secrets) > 50
    # What libraries trace when they are told to is what passes on the wire.
    records = [one for one in caplog.records if one.name.startswith("codex_trio")]
    logged = [logging.Formatter().format(record) for record in records]
    assert len(logged) > 20
    for text in (*logged, *errors, *said(witness)):
        assert not [secret for secret in secrets if secret in text], text[:200]


FAULTS: list[Callable[[str], Fault]] = [
    lambda quoted: Fault.status(500, quoted),
    lambda quoted: Fault.status(400, {"error": quoted, "error_description": quoted}),
    lambda quoted: Fault.status(200, quoted),
    lambda quoted: Fault.status(200, {"error": quoted}),
    lambda quoted: Fault.garbage(quoted.encode()),
    lambda quoted: Fault.garbage(f"HTTP/1.1 {quoted}\r\n\r\n".encode()),
    lambda quoted: Fault.redirect(f"http://127.0.0.1:1/{quoted.replace(' ', '/')}"),
    lambda quoted: Fault.lose(),
    lambda quoted: Fault.hang(),
    lambda quoted: Fault.status(401, {"error": {"code": quoted, "message": quoted}}),
]


async def test_what_nobody_has_foreseen_is_logged_without_its_text(
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)

    def fail(*args: object) -> None:
        raise ValueError(tokens.refresh_token)

    monkeypatch.setattr(refresh, "renew", fail)
    assert await renewed(login_client) == SOMEBODY
    (text, warning) = caplog.messages
    assert text.startswith("the tokens could not be renewed: ValueError\n")
    assert "in fail" in text
    assert warning == "account/read: Internal error"
    assert tokens.refresh_token not in caplog.text
    # Nobody knows what has become of the token, so it is not risked.
    monkeypatch.undo()
    assert await renewed(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated"]
    assert "not known" in (await failure(login_client))["message"]


async def test_an_error_of_many_is_each_one_s_own(
    login_server: Server, home: Path, stand_in: StandIn
) -> None:
    """A traceback grows with everyone who raises it, and frames keep what they hold."""
    sign_in(home, stand_in.issue_tokens())
    await login_server.account.auth.look()
    former = login_server.account.auth.current
    assert former is not None
    stand_in.faults.add(TOKEN, Fault.status(500))
    stand_in.hold(TOKEN)
    errors: list[RefreshError] = []
    refresher = login_server.account.backend._refresher

    async def ask() -> None:
        with pytest.raises(RefreshError) as caught:
            await refresher.refresh(former, AGENT)
        errors.append(caught.value)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
        await stand_in.wait_request(TOKEN)
        await until(lambda: refresher._alone.locked())
        stand_in.release(TOKEN)
    assert len({id(error) for error in errors}) == 3
    for error in errors:
        assert error.__cause__ is None
        assert len(traceback.extract_tb(error.__traceback__)) <= 4
    kept = refresher.failure(former)
    assert kept is not None
    assert kept.__traceback__ is None
    assert kept.__context__ is None


def test_a_note_does_not_show_its_token() -> None:
    assert "secret" not in repr(RefreshNote(None, "secret"))  # type: ignore[arg-type]  # unused
