"""A login through a browser: what the issuer is asked, and what becomes of its answers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.testing import Fault
from codex_trio.urls import query_of
from tests.account.browsing import FAILED, TOKEN, sign_in
from tests.account.conftest import is_free, left_in, of_issuer, port_of
from tests.checked import open_memory_client

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient
    from tests.account.conftest import Witness

LOGIN = {"type": "chatgpt"}
ON_THE_WIRE = {"host", "accept", "content-type", "content-length", "connection"}


def stored(home: Path) -> Any:
    return json.loads((home / "auth.json").read_bytes())


@pytest.fixture
def client(login_client: WireClient) -> WireClient:
    return login_client


# --- the questions ---


async def test_a_browser_begins_with_the_parameters_of_the_original(
    client: WireClient, stand_in: StandIn
) -> None:
    login = await client.call("account/login/start", LOGIN)
    url, _, query = login["authUrl"].partition("?")
    assert url == f"{stand_in.url}/oauth/authorize"
    asked = query_of(login["authUrl"])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/auth/callback", asked["redirect_uri"])
    assert re.fullmatch(r"[\w-]{43}", asked["code_challenge"])
    assert re.fullmatch(r"[\w-]{43}", asked["state"])
    made = ("redirect_uri", "code_challenge", "state")
    assert list(asked.items()) == [
        ("response_type", "code"),
        ("client_id", "app_EMoamEEZ73f0CkXaXp7hrann"),
        ("redirect_uri", asked["redirect_uri"]),
        ("code_challenge", asked["code_challenge"]),
        ("code_challenge_method", "S256"),
        ("state", asked["state"]),
        (
            "scope",
            "openid profile email offline_access api.connectors.read api.connectors.invoke",
        ),
        ("id_token_add_organizations", "true"),
        ("codex_cli_simplified_flow", "true"),
        ("originator", "codex_trio_testing"),
    ]
    assert "scope=openid+profile+email+offline_access+api.connectors.read+api" in query
    again = query_of((await client.call("account/login/start", LOGIN))["authUrl"])
    assert all(again[name] != asked[name] for name in made)


async def test_a_code_is_redeemed_and_an_api_key_asked_for_in_the_words_of_the_original(
    client: WireClient, stand_in: StandIn, home: Path
) -> None:
    story = await sign_in(client, stand_in)  # the stand-in has compared the proof of the code
    assert story.error is None
    authorize, first, second = of_issuer(stand_in)
    asked = authorize.query
    tokens = stored(home)["tokens"]
    assert (first.method, first.path, second.method, second.path) == ("POST", TOKEN) * 2
    for request in (first, second):
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert request.headers["accept"] == "*/*"
        assert request.headers.keys() <= ON_THE_WIRE
    verifier = first.form["code_verifier"]
    assert re.fullmatch(r"[\w-]{86}", verifier)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert challenge == asked["code_challenge"]
    assert list(first.form.items()) == [
        ("grant_type", "authorization_code"),
        ("client_id", asked["client_id"]),
        ("code", first.form["code"]),
        ("redirect_uri", asked["redirect_uri"]),
        ("code_verifier", verifier),
    ]
    assert list(second.form.items()) == [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", asked["client_id"]),
        ("requested_token", "openai-api-key"),
        ("subject_token", tokens["id_token"]),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ]
    assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-ex" in second.body


async def test_another_client_id_is_used_everywhere(stand_in: StandIn, home: Path) -> None:
    async with open_memory_client(stand_in.settings(home, client_id="app_other")) as client:
        await client.initialize()
        assert (await sign_in(client, stand_in)).error is None
    authorize, *exchanges = of_issuer(stand_in)
    ids = {authorize.query["client_id"], *(request.form["client_id"] for request in exchanges)}
    assert ids == {"app_other"}


# --- the good end ---


async def test_what_is_stored_is_in_force_when_it_is_told(
    client: WireClient, stand_in: StandIn, witness: Witness, home: Path
) -> None:
    del witness.seen[:]
    await sign_in(client, stand_in)
    told = (await client.next_notification("account/updated"))["params"]
    assert told == {"authMode": "chatgpt", "planType": "plus"}
    said = [message.get("method", "the answer") for arrow, message in witness.seen[1:]]
    assert said == ["the answer", "account/login/completed", "account/updated"]
    content = stored(home)
    assert list(content) == ["auth_mode", "OPENAI_API_KEY", "tokens", "last_refresh"]
    assert content["auth_mode"] == "chatgpt"
    assert content["OPENAI_API_KEY"].startswith("sk-fake-")
    assert list(content["tokens"]) == [
        "id_token",
        "access_token",
        "refresh_token",
        "account_id",
    ]
    assert content["tokens"]["account_id"] == "fake-account"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", content["last_refresh"])
    assert (await client.call("account/read", {}))["account"] == {
        "type": "chatgpt",
        "email": "ada@example.com",
        "planType": "plus",
    }


# --- what we say instead ---


async def test_credentials_that_cannot_be_stored_are_a_failure(
    client: WireClient, stand_in: StandIn, home: Path
) -> None:
    (home / "auth.json").mkdir()
    story = await sign_in(client, stand_in)
    text = "Sign-in completed but credentials could not be saved locally."
    assert story.error == FAILED + text
    assert "<code>persist_failed</code>" in story.page.text
    assert text in story.page.text
    assert "Is a directory (os error 21)" in story.page.text
    assert "fake" not in story.page.text
    assert (await client.call("account/read", {}))["account"] is None


@pytest.mark.parametrize(
    ("allowed", "workspace", "reason"),
    [
        (("ws-1",), "ws-2", "Login is restricted to workspace id(s) ws-1."),
        (("ws-1", "ws-2"), "ws-3", "Login is restricted to workspace id(s) ws-1, ws-2."),
        (("ws-1", "ws-2"), "ws-2", None),
        (
            ("ws-1",),
            None,
            (
                "Login is restricted to a specific workspace,"
                " but the token did not include an chatgpt_account_id claim."
            ),
        ),
        ((), None, None),
    ],
)
async def test_a_workspace_has_to_be_one_of_those_that_are_allowed(
    stand_in: StandIn,
    home: Path,
    allowed: tuple[str, ...],
    workspace: str | None,
    reason: str | None,
) -> None:
    stand_in.account.more_claims = {"chatgpt_account_id": workspace}
    async with open_memory_client(stand_in.settings(home, forced_workspaces=allowed)) as client:
        await client.initialize()
        story = await sign_in(client, stand_in)
        assert story.error == (None if reason is None else FAILED + reason)
        if reason is not None:
            assert "<code>workspace_restriction</code>" in story.page.text
            assert reason in story.page.text
            assert left_in(home) == []
            assert len(of_issuer(stand_in)) == 2  # and no API key is asked for
        else:
            assert stored(home)["tokens"]["account_id"] == workspace
    told = of_issuer(stand_in)[0].query.get("allowed_workspace_id")
    assert told == (",".join(allowed) if allowed else None)


async def test_where_only_api_keys_are_allowed_nothing_is_begun(
    stand_in: StandIn, home: Path
) -> None:
    async with open_memory_client(stand_in.settings(home, forced_login_method="api")) as client:
        await client.initialize()
        with pytest.raises(RpcError) as caught:
            await client.call("account/login/start", LOGIN)
    assert caught.value.code == -32600
    assert caught.value.message == "ChatGPT login is disabled. Use API key login instead."


# --- time ---


async def test_nobody_is_expected_after_ten_minutes(
    login_settings: Settings, stand_in: StandIn, patient_clock: MockClock
) -> None:
    async with open_memory_client(login_settings) as client:
        await client.initialize()
        login = await client.call("account/login/start", LOGIN)
        started = trio.current_time()
        told = (await client.next_notification("account/login/completed"))["params"]
        assert trio.current_time() - started == pytest.approx(600, abs=1)
        assert (told["loginId"], told["error"]) == (login["loginId"], "Login timed out")
        assert is_free(port_of(login["authUrl"]))
        cancel = {"loginId": login["loginId"]}
        assert await client.call("account/login/cancel", cancel) == {"status": "notFound"}


async def test_a_login_that_is_given_up_stores_nothing_of_what_is_under_way(
    client: WireClient, stand_in: StandIn, home: Path
) -> None:
    stand_in.faults.add(TOKEN, Fault.hang())
    login = await client.call("account/login/start", LOGIN)
    page = await stand_in.visit(login["authUrl"], follow=False)

    async def visit() -> None:
        with pytest.raises(OSError, match="does not answer"):
            await stand_in.visit(page.headers["location"])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(visit)
        await stand_in.wait_request(TOKEN)
        cancel = {"loginId": login["loginId"]}
        assert await client.call("account/login/cancel", cancel) == {"status": "canceled"}
    told = (await client.next_notification("account/login/completed"))["params"]
    assert told["error"] == f"{FAILED}Login was not completed"
    assert left_in(home) == []
