"""What is stored of an account, its text, and what tokens say of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.account.claims import InvalidTokenError, plan_type, read_claims
from codex_trio.account.credentials import Credentials, Tokens
from codex_trio.errors import StoreError


def token(claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


AUTH = "https://api.openai.com/auth"
ID_TOKEN = token(
    {"email": "a@b.c", AUTH: {"chatgpt_plan_type": "pro", "chatgpt_account_id": "w"}}
)
TOKENS = {
    "id_token": ID_TOKEN,
    "access_token": "access",
    "refresh_token": "refresh",
    "account_id": "w",
}
REFRESHED = "2026-11-20T10:00:00.123456789Z"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.builds(
        Credentials,
        mode=st.sampled_from(["apikey", "chatgpt", "chatgptAuthTokens"]),
        api_key=TEXT,
        tokens=st.none()
        | st.builds(
            lambda a, r, i: Tokens(
                id_token=ID_TOKEN,
                access_token=a,
                refresh_token=r,
                account_id=i,
                claims=read_claims(ID_TOKEN),
            ),
            TEXT,
            TEXT,
            st.none() | TEXT,
        ),
        last_refresh=st.none() | st.just(REFRESHED),
    )
)
def test_credentials_survive_the_file(credentials: Credentials) -> None:
    assert Credentials.decode(credentials.encode()) == credentials


@given(st.binary(max_size=100))
def test_any_content_is_credentials_or_an_error(content: bytes) -> None:
    try:
        Credentials.decode(content)
    except StoreError as error:
        assert error.__cause__ is None


def test_credentials_show_no_secret() -> None:
    tokens = Tokens(id_token="secret", access_token="secret", refresh_token="secret")
    assert "secret" not in repr(Credentials(mode="chatgpt", api_key="secret", tokens=tokens))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "invalid ID token format"),
        ("a.b", "invalid ID token format"),
        ("a..c", "invalid ID token format"),
        ("a.e30=.c", "Invalid padding"),
        ("a.!!.c", "invalid ID token payload"),
        ("a.e3.c", "invalid ID token payload"),
        ("a.bnVsbA.c", "invalid ID token payload"),
        (token({"email": 1}), "invalid type of claim email"),
        (token({AUTH: "x"}), f"invalid type of claim {AUTH}"),
        (token({AUTH: {"chatgpt_plan_type": 5}}), "invalid type of claim chatgpt_plan_type"),
    ],
)
def test_what_is_no_token(raw: str, reason: str) -> None:
    with pytest.raises(InvalidTokenError) as caught:
        read_claims(raw)
    assert str(caught.value) == reason


@given(st.text(max_size=60))
def test_any_text_is_a_token_or_none(raw: str) -> None:
    try:
        read_claims(raw)
    except InvalidTokenError:
        return
    assert raw.count(".") >= 2


def test_claims_have_their_places() -> None:
    assert read_claims(token({})).email is None
    profile = {"https://api.openai.com/profile": {"email": "p"}}
    assert read_claims(token(profile)).email == "p"
    assert read_claims(token({**profile, "email": ""})).email == ""
    assert read_claims(ID_TOKEN + ".fourth").account_id == "w"


@pytest.mark.parametrize(
    ("raw", "plan"),
    [
        ("pro", "pro"),
        ("hc", "enterprise"),
        ("PRO", "unknown"),
        ("education", "edu"),
        ("", "unknown"),
    ],
)
def test_plans_have_names_on_the_wire(raw: str, plan: str) -> None:
    assert plan_type(raw) == plan
