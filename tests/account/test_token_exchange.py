"""What the issuer answers when a code is redeemed, and what becomes of it."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from codex_trio.testing import Fault, make_jwt
from codex_trio.urls import query_of
from tests.account.browsing import FAILED, TOKEN, begin, outcome_of, sign_in
from tests.account.conftest import completed, find_free_port, left_in, of_issuer, start
from tests.checked import open_memory_client

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import StandIn, WireClient

REFUSED = "Token exchange failed: token endpoint returned status "
INVALID = "Token exchange failed: OAuth token response is invalid"


def stored(home: Path) -> Any:
    return json.loads((home / "auth.json").read_bytes())


def answer(body: Any) -> Fault:
    return Fault.status(200, body)


@pytest.fixture
def client(login_client: WireClient) -> WireClient:
    return login_client


# --- an API key ---


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(401, {"error": {"code": "invalid_subject_token"}}),
        answer({"access_token": 1}),
        answer({"key": "sk"}),
        answer(["sk"]),
        answer("no JSON"),
        Fault.status(503),
        Fault.drop(),
        Fault.garbage(),
    ],
)
async def test_an_api_key_is_not_needed(
    client: WireClient, stand_in: StandIn, home: Path, fault: Fault
) -> None:
    stand_in.faults.add(TOKEN, Fault.none(), fault)
    assert (await sign_in(client, stand_in)).error is None
    assert stored(home)["OPENAI_API_KEY"] is None
    assert stored(home)["tokens"]["refresh_token"].startswith("rt-fake-")


@pytest.fixture
def skipping_clock() -> MockClock:
    """A clock that goes as all others do, and can be told to jump."""
    return MockClock(rate=1.0)


async def test_an_api_key_that_does_not_come_is_not_waited_for_for_ever(
    client: WireClient, stand_in: StandIn, home: Path, skipping_clock: MockClock
) -> None:
    stand_in.faults.add(TOKEN, Fault.none(), Fault.hang())
    login = await begin(client, stand_in)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stand_in.visit, login.granted)
        await stand_in.wait_request(TOKEN, 2)
        skipping_clock.jump(10)
    assert await outcome_of(client, login) is None
    assert stored(home)["OPENAI_API_KEY"] is None


# --- what the issuer says instead ---


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (
            Fault.status(400, {"error": "e", "error_description": "Not <you>.", "message": 1}),
            f"{REFUSED}400 Bad Request: Not <you>.",
        ),
        (
            Fault.status(401, {"error": {"message": "Wrong code.", "code": "c"}}),
            f"{REFUSED}401 Unauthorized: Wrong code.",
        ),
        (
            Fault.status(400, {"error": {"message": " ", "code": "used"}}),
            f"{REFUSED}400 Bad Request: used",
        ),
        (
            Fault.status(400, {"error": "invalid_grant", "error_description": " "}),
            f"{REFUSED}400 Bad Request: invalid_grant",
        ),
        (
            Fault.status(400, {"error": {}, "error_description": 7}),
            f'{REFUSED}400 Bad Request: {{"error":{{}},"error_description":7}}',
        ),
        (Fault.status(503, "  busy\n"), f"{REFUSED}503 Service Unavailable: busy"),
        (Fault.status(500, ["no"]), f'{REFUSED}500 Internal Server Error: ["no"]'),
        (Fault.status(429, " "), f"{REFUSED}429 Too Many Requests: unknown error"),
        (Fault.status(502), f"{REFUSED}502 Bad Gateway: unknown error"),
        (Fault.status(400, "x" * 9000), f"{REFUSED}400 Bad Request: {'x' * 500}"),
        (Fault.status(400, b"\xff\xfe"), f"{REFUSED}400 Bad Request: \ufffd\ufffd"),
        (answer("no JSON"), INVALID),
        (answer(""), INVALID),
        (answer([1]), INVALID),
        (
            answer({"id_token": "a", "access_token": "b"}),
            INVALID,
        ),
        (
            answer({"id_token": "a", "access_token": None, "refresh_token": "c"}),
            INVALID,
        ),
        (
            answer({"id_token": "secret", "access_token": "b", "refresh_token": "c"}),
            "invalid ID token format",
        ),
        (
            answer(
                {
                    "id_token": make_jwt({"email": 1}),
                    "access_token": "b",
                    "refresh_token": "c",
                }
            ),
            "invalid type of claim email",
        ),
    ],
)
async def test_what_the_issuer_refuses_is_told_with_its_reason(
    client: WireClient, stand_in: StandIn, home: Path, fault: Fault, reason: str
) -> None:
    stand_in.faults.add(TOKEN, fault)
    story = await sign_in(client, stand_in)
    assert story.error == FAILED + reason
    assert story.page.status == 200
    assert "<code>token_exchange_failed</code>" in story.page.text
    assert html.escape(reason) in story.page.text
    assert [request.path for request in of_issuer(stand_in)] == ["/oauth/authorize", TOKEN]
    assert left_in(home) == []
    assert (await client.call("account/read", {}))["account"] is None
    assert (await sign_in(client, stand_in)).error is None  # it can be tried again


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault.drop(), "the connection was lost"),
        (Fault.garbage(), "the reply is no HTTP"),
        (
            Fault.garbage(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
            "the reply is no HTTP",
        ),
    ],
)
async def test_an_issuer_that_does_not_answer_is_named(
    client: WireClient, stand_in: StandIn, fault: Fault, why: str
) -> None:
    stand_in.faults.add(TOKEN, fault)
    story = await sign_in(client, stand_in)
    sending = f"Token exchange failed: error sending request for url ({stand_in.url}{TOKEN})"
    assert story.error == f"{FAILED}{sending}: {why}"
    assert html.escape(sending) in story.page.text


async def test_an_issuer_that_is_not_there_is_named(stand_in: StandIn, home: Path) -> None:
    gone = f"http://127.0.0.1:{find_free_port()}"
    async with open_memory_client(stand_in.settings(home, issuer=gone)) as client:
        await client.initialize()
        login = await start(client)
        asked = query_of(login["authUrl"])
        page = await stand_in.visit(f"{asked['redirect_uri']}?code=c&state={asked['state']}")
        _, error = await completed(client)
    reason = f"Token exchange failed: error sending request for url ({gone}{TOKEN}): "
    assert error is not None
    assert error.startswith(FAILED + reason)
    assert html.escape(reason) in page.text


@pytest.mark.parametrize("user", ["wrong code", "no code", "deny"])
async def test_what_the_user_does_instead_is_told(
    client: WireClient, stand_in: StandIn, home: Path, user: Any
) -> None:
    stand_in.user = user
    reasons = {
        "wrong code": f"{REFUSED}400 Bad Request: The code is unknown or was used before.",
        "no code": "Missing authorization code. Sign-in could not be completed.",
        "deny": "Sign-in failed: The user denied the request.",
    }
    story = await sign_in(client, stand_in)
    assert story.error == FAILED + reasons[user]
    assert "Codex Sign-in Error" in story.page.text
    assert left_in(home) == []


async def test_a_code_without_its_proof_is_refused_by_the_issuer(
    stand_in: StandIn, home: Path
) -> None:
    """Somebody has the user approve a login of theirs, and brings us its code."""
    settings = stand_in.settings(home, login_callback_ports=(find_free_port(),))
    async with open_memory_client(settings) as client:
        await client.initialize()
        theirs, ours = await begin(client, stand_in), await begin(client, stand_in)
        assert await outcome_of(client, theirs) == f"{FAILED}Login cancelled"
        await stand_in.visit(ours.redirect(code=query_of(theirs.granted)["code"]))
        assert await outcome_of(client, ours) == (
            f"{FAILED}{REFUSED}400 Bad Request: The code_verifier does not fit."
        )


async def test_an_issuer_has_a_minute_to_answer(
    client: WireClient, stand_in: StandIn, skipping_clock: MockClock
) -> None:
    stand_in.faults.add(TOKEN, Fault.hang())
    login = await begin(client, stand_in)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stand_in.visit, login.granted)
        await stand_in.wait_request(TOKEN)
        skipping_clock.jump(60)
    reason = await outcome_of(client, login)
    assert reason is not None
    assert reason.endswith("/oauth/token): no reply within 60 seconds")
