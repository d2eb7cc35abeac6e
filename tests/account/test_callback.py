"""What a browser finds at the callback of a login: routes, statuses, texts and pages."""

from __future__ import annotations

import html
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import trio

from codex_trio.account.pages import PAGE_HEADERS
from codex_trio.urls import query_of
from tests.account.browsing import (
    FAILED,
    Begun,
    begin,
    count_exchanges,
    outcome_of,
    read_all,
)
from tests.account.conftest import left_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.testing import StandIn, WireClient

NOT_ENTITLED = (
    "Codex is not enabled for your workspace."
    " Contact your workspace administrator to request access to Codex."
)
SIGNED_IN = "You may now close this page"


@pytest.fixture
def client(login_client: WireClient) -> WireClient:
    return login_client


@pytest.fixture
async def login(
    client: WireClient, login_server: Server, stand_in: StandIn
) -> AsyncGenerator[Begun]:
    yield await begin(client, stand_in)
    await login_server.account.desk.clear()  # the last page may still wait for its browser


@pytest.fixture
async def web() -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=None) as web:
        yield web


# --- who is signed in ---


async def test_a_browser_is_sent_to_a_page_that_knows_no_tokens(
    client: WireClient, login: Begun, web: httpx.AsyncClient, home: Path
) -> None:
    answer = await web.get(login.granted)
    assert (answer.status_code, answer.content) == (302, b"")
    assert answer.headers["location"] == f"{login.url}/success"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert await outcome_of(client, login) is None  # the page need not be fetched for that
    assert json.loads((home / "auth.json").read_bytes())["auth_mode"] == "chatgpt"
    page = await web.get(answer.headers["location"])
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["connection"] == "close"
    for name, value in PAGE_HEADERS:
        assert page.headers[name] == value
    assert SIGNED_IN in page.text


async def test_the_page_of_success_is_there_for_who_is_signed_in_only(
    client: WireClient, login: Begun, web: httpx.AsyncClient, home: Path
) -> None:
    for _ in range(2):
        answer = await web.get(f"{login.url}/success?id_token=a.b.c&needs_setup=false")
        assert (answer.status_code, answer.text) == (404, "Not Found")
    assert left_in(home) == []
    assert SIGNED_IN in (await web.get(login.granted, follow_redirects=True)).text
    assert await outcome_of(client, login) is None


@pytest.mark.parametrize(
    ("onboarded", "owner"), [(False, True), (True, True), (False, False), (True, False)]
)
async def test_an_owner_is_led_to_what_is_left_to_set_up(
    client: WireClient, stand_in: StandIn, onboarded: bool, owner: bool
) -> None:
    stand_in.account.completed_platform_onboarding = onboarded
    stand_in.account.is_org_owner = owner
    stand_in.account.project_id = None
    login = await begin(client, stand_in)
    page = await stand_in.visit(login.auth_url)
    assert page.url.partition("?")[0] == f"{login.url}/success"
    assert ("?ticket=" in page.url) is (owner and not onboarded)
    assert (SIGNED_IN in page.text) is (onboarded or not owner)
    assert ("org-setup" in page.text) is (owner and not onboarded)
    if owner and not onboarded:
        link = html.unescape(page.text.partition('<a href="')[2].partition('"')[0])
        assert link.startswith("https://platform.api.openai.org/org-setup?p=plus&t=")
        told = parse_qs(urlsplit(link).query, keep_blank_values=True)
        assert list(told) == ["p", "t", "with_org", "project_id"]
        assert (told["with_org"], told["project_id"]) == (["org-fake"], [""])
        assert told["t"][0] not in page.url
    assert await outcome_of(client, login) is None


async def test_who_comes_uninvited_is_not_told_the_identity_token(
    client: WireClient, stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.account.completed_platform_onboarding = False
    stand_in.account.is_org_owner = True
    login = await begin(client, stand_in)
    page = await stand_in.visit(login.auth_url, follow=False)
    await web.get(page.headers["location"])  # whose browser would be led on
    stranger = await web.get(f"{login.url}/success?ticket=guessed")
    assert SIGNED_IN in stranger.text
    assert "org-setup" not in stranger.text


@pytest.mark.parametrize(("brand", "told"), [(None, "codex"), ("chatgpt", "chatgpt")])
async def test_a_page_of_the_hosts_own_comes_last_if_it_is_wanted(
    client: WireClient, stand_in: StandIn, web: httpx.AsyncClient, brand: Any, told: str
) -> None:
    login = await begin(client, stand_in, useHostedLoginSuccessPage=True, appBrand=brand)
    answer = await web.get(login.granted)
    assert answer.status_code == 302
    assert (
        answer.headers["location"]
        == f"https://chatgpt.com/codex/open-app?source=login&app_brand={told}"
    )
    assert answer.headers["connection"] == "close"
    assert await outcome_of(client, login) is None


async def test_a_redirect_may_come_under_the_other_name_of_this_machine(
    client: WireClient, login: Begun, stand_in: StandIn
) -> None:
    page = await stand_in.visit(login.granted.replace("127.0.0.1", "localhost"))
    assert SIGNED_IN in page.text
    assert await outcome_of(client, login) is None


# --- who is not ---


@pytest.mark.parametrize(
    ("query", "reason", "shown"),
    [
        ("error=access_denied", "Sign-in failed: access_denied", ["access_denied"]),
        (
            "error=server_error&error_description=try+%3Cb%3E%22%27%26+again",
            "Sign-in failed: try <b>\"'& again",
            ["server_error", "try <b>\"'& again"],
        ),
        ("error=oops&error_description=+", "Sign-in failed: oops", ["oops"]),
        ("error=first&error=last&code=c", "Sign-in failed: last", ["last"]),
        ("error=&code=c", "Sign-in failed: ", []),
        (
            "error=access_denied&error_description=x+MISSING_codex_Entitlement+x",
            NOT_ENTITLED,
            [
                "access_denied",
                "You do not have access to Codex",
                "This account is not currently authorized to use Codex in this workspace.",
            ],
        ),
        (
            "error=other&error_description=missing_codex_entitlement",
            "Sign-in failed: missing_codex_entitlement",
            ["other"],
        ),
        (
            "",
            "Missing authorization code. Sign-in could not be completed.",
            ["missing_authorization_code"],
        ),
        (
            "code=c&code=",
            "Missing authorization code. Sign-in could not be completed.",
            ["missing_authorization_code"],
        ),
    ],
)
async def test_a_redirect_that_brings_no_code_ends_the_login(
    client: WireClient,
    login: Begun,
    stand_in: StandIn,
    home: Path,
    query: str,
    reason: str,
    shown: list[str],
) -> None:
    page = await stand_in.visit(f"{login.redirect()}&{query}")
    assert page.status == 200
    for name, value in (*PAGE_HEADERS, ("Connection", "close")):
        assert page.headers[name.lower()] == value
    assert "<title>Codex Sign-in Error</title>" in page.text
    assert "<b>" not in page.text
    for text in shown if "You do not" in "".join(shown) else [reason, *shown]:
        assert html.escape(text.strip()) in page.text
    assert await outcome_of(client, login) == FAILED + reason
    assert count_exchanges(stand_in) == 0
    assert left_in(home) == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=",
        "state=other",
        "state=%C3%A9%FF",
        "state={state}&state=other",
        "state={state}x&code=c",
        "state=other&error=access_denied",
        "State={state}",
        "#state={state}",
    ],
)
async def test_a_redirect_with_another_state_changes_nothing(
    client: WireClient, login: Begun, web: httpx.AsyncClient, query: str
) -> None:
    target = f"{login.url}/auth/callback?{query.format(state=login.state)}"
    for method in ("GET", "POST"):
        answer = await web.request(method, target)
        assert (answer.status_code, answer.text) == (400, "State mismatch")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert "connection" not in answer.headers
    assert (await web.get(login.granted)).status_code == 302
    assert await outcome_of(client, login) is None


async def test_of_parameters_that_are_repeated_the_last_ones_count(
    client: WireClient, login: Begun, stand_in: StandIn
) -> None:
    page = await stand_in.visit(login.granted.replace("?", "?state=other&code=other&"))
    assert SIGNED_IN in page.text
    assert await outcome_of(client, login) is None


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/", 404, "Not Found"),
        ("/favicon.ico", 404, "Not Found"),
        ("/auth/callback/", 404, "Not Found"),
        ("/Success", 404, "Not Found"),
        ("/%63ancel", 404, "Not Found"),
        ("//[", 404, "Not Found"),
    ],
)
async def test_there_is_nothing_else(login: Begun, path: str, status: int, text: str) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", login.port) as wire:
        head = f"OPTIONS {path} HTTP/1.1\r\nHost: 127.0.0.1:{login.port}\r\n"
        await wire.send_all(f"{head}Connection: close\r\n\r\n".encode())
        answer = (await read_all(wire)).decode()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert answer.endswith(f"\r\n\r\n{text}")


@pytest.mark.parametrize("host", ["evil.test:{port}", "127.0.0.1", "[::1]:{port}", "x", ""])
async def test_nobody_is_led_here_under_another_name(
    client: WireClient, login: Begun, web: httpx.AsyncClient, host: str
) -> None:
    headers = {"Host": host.format(port=login.port)}
    for url in (login.granted, f"{login.url}/cancel", f"{login.url}/success", f"{login.url}/x"):
        answer = await web.get(url, headers=headers)
        assert (answer.status_code, answer.text) == (403, "Forbidden")
    right = await web.get(login.granted, headers={"Host": f"LocalHost:{login.port}"})
    assert right.status_code == 302
    assert await outcome_of(client, login) is None


async def test_nothing_of_a_redirect_is_logged(
    client: WireClient, login: Begun, stand_in: StandIn, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "codex_trio")
    await stand_in.visit(login.granted)
    assert "received login callback: has_code=True has_error=False state_valid=True" in (
        caplog.text
    )
    assert login.state not in caplog.text
    assert query_of(login.granted)["code"] not in caplog.text
