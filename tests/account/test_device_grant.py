"""Redeeming what a typed code has brought: refusals, tokens that are none, workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.testing import Account, DeviceScript, Fault, StandIn
from tests.account.conftest import left_in
from tests.checked import open_memory_client

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import WireClient

START = {"type": "chatgptDeviceCode"}
EXCHANGE = "/oauth/token"


@pytest.fixture
def settings(home: Path, stand_in: StandIn) -> Settings:
    return stand_in.settings(home)


async def start(client: WireClient) -> Any:
    return await client.call("account/login/start", START)


async def outcome(client: WireClient) -> str | None:
    """Wait for the end of the one sign-in there is, and return its error."""
    params = (await client.next_notification("account/login/completed"))["params"]
    assert params["success"] is (params["error"] is None)
    error: str | None = params["error"]
    return error


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        (Fault.status(401), "status 401 Unauthorized: unknown error"),
        (
            Fault.status(400, {"error": "invalid_grant", "error_description": "too old"}),
            "status 400 Bad Request: too old",
        ),
        (
            Fault.status(400, {"error": "invalid_grant", "error_description": " "}),
            "status 400 Bad Request: invalid_grant",
        ),
        (
            Fault.status(403, {"error": {"message": "not you", "code": "c"}}),
            "status 403 Forbidden: not you",
        ),
        (Fault.status(403, {"error": {"code": "c"}}), "status 403 Forbidden: c"),
        (Fault.status(500, {"error": {}}), 'status 500 Internal Server Error: {"error":{}}'),
        (Fault.status(502, "  <html>\n"), "status 502 Bad Gateway: <html>"),
        (Fault.status(502, [1]), "status 502 Bad Gateway: [1]"),
        (Fault.status(502, "x" * 5000), "status 502 Bad Gateway: " + "x" * 500),
    ],
)
async def test_the_grant_may_be_refused(
    client: WireClient, stand_in: StandIn, fault: Fault, detail: str
) -> None:
    stand_in.device = DeviceScript(approve_after=0)
    stand_in.faults.add(EXCHANGE, fault)
    await start(client)
    prefix = "device code exchange failed: token endpoint returned"
    assert await outcome(client) == f"{prefix} {detail}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        {},
        {"id_token": "a.b.c", "access_token": "a"},
        {"id_token": "a.b.c", "access_token": "a", "refresh_token": None},
    ],
)
async def test_tokens_must_be_some(client: WireClient, stand_in: StandIn, body: Any) -> None:
    stand_in.device = DeviceScript(approve_after=0)
    stand_in.faults.add(EXCHANGE, Fault.status(200, body))
    await start(client)
    text = "device code exchange failed: OAuth token response is invalid"
    assert await outcome(client) == text


async def test_an_identity_that_cannot_be_read(
    client: WireClient, stand_in: StandIn, home: Path
) -> None:
    body = {"id_token": "s3cret", "access_token": "a", "refresh_token": "r"}
    stand_in.device = DeviceScript(approve_after=0)
    stand_in.faults.add(EXCHANGE, Fault.status(200, body))
    await start(client)
    assert await outcome(client) == "invalid ID token format"
    assert left_in(home) == []


@pytest.mark.parametrize(
    ("allowed", "claims", "error"),
    [
        (("fake-account",), {}, None),
        (("a", "fake-account"), {}, None),
        (("a", "b"), {}, "Login is restricted to workspace id(s) a, b."),
        (
            ("a",),
            {"chatgpt_account_id": None},
            (
                "Login is restricted to a specific workspace, but the token did not include an"
                " chatgpt_account_id claim."
            ),
        ),
        ((), {"chatgpt_account_id": None}, None),
    ],
)
async def test_a_workspace_may_be_wanted(
    home: Path,
    stand_in: StandIn,
    allowed: tuple[str, ...],
    claims: dict[str, Any],
    error: str | None,
) -> None:
    stand_in.device = DeviceScript(approve_after=0)
    stand_in.account = Account(more_claims=claims)
    settings = stand_in.settings(home, forced_workspaces=allowed)
    async with open_memory_client(settings) as client:
        await client.initialize()
        await start(client)
        assert await outcome(client) == error
    assert (home / "auth.json").exists() == (error is None)


async def test_what_cannot_be_stored_is_no_success(
    client: WireClient, stand_in: StandIn, home: Path
) -> None:
    (home / "auth.json").mkdir()
    stand_in.device = DeviceScript(approve_after=0)
    await start(client)
    assert await outcome(client) == "Is a directory (os error 21)"
    assert (await client.call("account/read", {}))["account"] is None
