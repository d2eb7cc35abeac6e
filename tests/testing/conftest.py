"""A stand-in, and a client of HTTP that is not ours to ask it things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
import trio

from codex_trio.testing import StandIn, open_stand_in
from codex_trio.testing.issuer import challenge_of
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.testing import Page

CLIENT_ID = "app_test"
REDIRECT_URI = "http://localhost:1455/auth/callback"
VERIFIER = "v" * 43

USAGE = "/backend-api/wham/usage"


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    async with open_stand_in() as stand_in:
        with trio.fail_after(PATIENCE):
            yield stand_in


@pytest.fixture
async def web(stand_in: StandIn) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stand_in.url, trust_env=False, verify=False) as web:
        yield web


def authorize_url(stand_in: StandIn, **changed: str | None) -> str:
    asked = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        "state": "the state",
        **changed,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    return f"{stand_in.url}/oauth/authorize?{urlencode(given)}"


def sent_back(page: Page) -> dict[str, str]:
    """What the redirect of a page tells the client."""
    assert page.status == 302
    where, _, query = page.headers["location"].partition("?")
    assert where == REDIRECT_URI
    return dict(parse_qsl(query))


async def granted_code(stand_in: StandIn) -> str:
    page = await stand_in.visit(authorize_url(stand_in), follow=False)
    return sent_back(page)["code"]


def code_grant(code: str, /, **changed: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        **changed,
    }


def refresh_grant(refresh_token: str, /, **changed: Any) -> dict[str, Any]:
    return {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        **changed,
    }


async def refresh(web: httpx.AsyncClient, token: str, **changed: Any) -> httpx.Response:
    return await web.post("/oauth/token", json=refresh_grant(token, **changed))


async def get(web: httpx.AsyncClient, path: str, token: str) -> httpx.Response:
    return await web.get(path, headers={"Authorization": f"Bearer {token}"})


def refused(response: httpx.Response) -> tuple[int, str]:
    """The status and the code of a refusal, in whichever form it is."""
    error = response.json()["error"]
    return response.status_code, error if isinstance(error, str) else error["code"]


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
