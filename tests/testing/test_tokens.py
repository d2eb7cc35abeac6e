"""What the issuer gives for codes and tokens, and what it refuses."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs
import orjson
import pytest

from codex_trio.account.claims import read_claims
from codex_trio.testing import Account, StandIn, make_jwt
from tests.testing.conftest import CLIENT_ID, code_grant, granted_code, refused

if TYPE_CHECKING:
    import httpx


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = orjson.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


# --- authorization code ---


async def test_a_code_gives_tokens_that_name_the_account(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.account = Account(
        email="who@example.com", plan="business", more_claims={"groups": ["a"]}
    )
    code = await granted_code(stand_in)
    response = await web.post("/oauth/token", data=code_grant(code))
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    given = response.json()
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 3600)
    for name in ("id_token", "access_token"):
        claims = read_claims(given[name])
        assert (claims.email, claims.plan) == ("who@example.com", "business")
        assert claims.account_id == "fake-account"
        assert given[name].endswith(".fake")
        auth = claims_of(given[name])["https://api.openai.com/auth"]
        assert auth["groups"] == ["a"]
        assert auth["organization_id"] == "org-fake"
        assert auth["completed_platform_onboarding"] is True
    assert claims_of(given["id_token"])["aud"] == [CLIENT_ID]


async def test_what_an_account_has_not_is_not_said(stand_in: StandIn) -> None:  # noqa: ASYNC124 - its fixture is Trio's
    stand_in.account = Account(email=None, plan=None, organization_id=None)
    token = stand_in.issue_tokens().id_token
    claims = read_claims(token)
    assert (claims.email, claims.plan) == (None, None)
    assert "organization_id" not in claims_of(token)["https://api.openai.com/auth"]


async def test_no_two_tokens_are_the_same(stand_in: StandIn) -> None:  # noqa: ASYNC124 - its fixture is Trio's
    tokens = [stand_in.issue_tokens() for _ in range(3)]
    assert len({token for one in tokens for token in attrs.astuple(one)}) == 9


async def test_a_code_counts_once(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    grant = code_grant(await granted_code(stand_in))
    assert (await web.post("/oauth/token", data=grant)).status_code == 200
    assert refused(await web.post("/oauth/token", data=grant)) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", "another"),
        ("redirect_uri", "http://127.0.0.1:1455/auth/callback"),
        ("client_id", "another"),
        ("code_verifier", "w" * 43),
    ],
)
async def test_a_code_counts_only_for_whom_it_was_given_to(
    stand_in: StandIn, web: httpx.AsyncClient, name: str, value: str
) -> None:
    grant = code_grant(await granted_code(stand_in), **{name: value})
    response = await web.post("/oauth/token", data=grant)
    assert refused(response) == (400, "invalid_grant")
    assert response.json()["error_description"]


@pytest.mark.parametrize(
    "missing", ["grant_type", "code", "redirect_uri", "client_id", "code_verifier"]
)
async def test_a_parameter_that_is_missing_is_named(
    web: httpx.AsyncClient, missing: str
) -> None:
    response = await web.post("/oauth/token", data=code_grant("code", **{missing: ""}))
    assert refused(response) == (400, "invalid_request")
    assert missing in response.json()["error_description"]


async def test_other_grants_are_not_known(web: httpx.AsyncClient) -> None:
    response = await web.post("/oauth/token", data={"grant_type": "password"})
    assert refused(response) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"grant_type": 1}', b"\xff"])
async def test_a_body_that_cannot_be_read_is_a_wrong_request(
    web: httpx.AsyncClient, body: bytes
) -> None:
    headers = {"content-type": "application/json"}
    response = await web.post("/oauth/token", content=body, headers=headers)
    assert refused(response) == (400, "invalid_request")


# --- an API key for an ID token ---


def key_exchange(token: str, **changed: str) -> dict[str, str]:
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "client_id": CLIENT_ID,
        "requested_token": "openai-api-key",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        **changed,
    }


async def test_an_id_token_gives_an_api_key(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    tokens = stand_in.issue_tokens()
    response = await web.post("/oauth/token", data=key_exchange(tokens.id_token))
    assert response.json()["access_token"].startswith("sk-fake-")


async def test_an_account_may_get_no_api_key(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.account.api_key = False
    tokens = stand_in.issue_tokens()
    response = await web.post("/oauth/token", data=key_exchange(tokens.id_token))
    assert refused(response) == (401, "invalid_subject_token")


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"requested_token": "another"}, (400, "invalid_request")),
        ({"subject_token_type": "another"}, (400, "invalid_request")),
        ({"client_id": ""}, (400, "invalid_request")),
        ({"subject_token": make_jwt({})}, (401, "token_invalidated")),
    ],
)
async def test_an_api_key_is_not_given_for_anything_else(
    stand_in: StandIn,
    web: httpx.AsyncClient,
    changed: dict[str, str],
    refusal: tuple[int, str],
) -> None:
    exchange = key_exchange(stand_in.issue_tokens().id_token, **changed)
    assert refused(await web.post("/oauth/token", data=exchange)) == refusal
