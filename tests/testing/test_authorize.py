"""The user's part: consent in the browser, and what the client is told of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from codex_trio.testing import Denial, open_stand_in
from tests.testing.conftest import authorize_url, code_grant, sent_back

if TYPE_CHECKING:
    import httpx

    from codex_trio.testing import StandIn, User


async def test_who_approves_is_sent_back_with_a_code(stand_in: StandIn) -> None:
    told = sent_back(await stand_in.visit(authorize_url(stand_in), follow=False))
    assert told.keys() == {"code", "state"}
    assert told["state"] == "the state"
    assert told["code"].startswith("code-fake-")


async def test_who_denies_is_sent_back_with_the_reason(stand_in: StandIn) -> None:
    stand_in.user = "deny"
    told = sent_back(await stand_in.visit(authorize_url(stand_in), follow=False))
    assert told == {
        "error": "access_denied",
        "error_description": "The user denied the request.",
        "state": "the state",
    }


@pytest.mark.parametrize("description", ["missing_codex_entitlement", None])
async def test_the_reason_can_be_told(stand_in: StandIn, description: str | None) -> None:
    stand_in.user = "deny"
    stand_in.denial = Denial(error="server_error", description=description)
    told = sent_back(await stand_in.visit(authorize_url(stand_in), follow=False))
    assert told["error"] == "server_error"
    assert told.get("error_description") == description


async def test_a_state_can_be_wrong(stand_in: StandIn) -> None:
    stand_in.user = "wrong state"
    told = sent_back(await stand_in.visit(authorize_url(stand_in), follow=False))
    assert told["state"] != "the state"


async def test_a_code_can_be_missing(stand_in: StandIn) -> None:
    stand_in.user = "no code"
    told = sent_back(await stand_in.visit(authorize_url(stand_in), follow=False))
    assert told == {"state": "the state"}


async def test_a_code_can_be_wrong(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.user = "wrong code"
    told = sent_back(await stand_in.visit(authorize_url(stand_in), follow=False))
    assert (await web.post("/oauth/token", data=code_grant(told["code"]))).status_code == 400


async def test_who_never_decides_is_shown_a_page_that_leads_nowhere(stand_in: StandIn) -> None:
    stand_in.user = "never"
    page = await stand_in.visit(authorize_url(stand_in))
    assert page.status == 200
    assert "<form" not in page.text
    assert "http" not in page.text


@pytest.mark.parametrize(
    ("decision", "told"), [("approve", "code"), ("deny", "error"), ("nonsense", "error")]
)
async def test_who_is_asked_decides_on_a_page_once(
    stand_in: StandIn, decision: str, told: str
) -> None:
    stand_in.user = "ask"
    stand_in.account.email = "<b>@example.com"
    page = await stand_in.visit(authorize_url(stand_in))
    assert page.status == 200
    assert "&lt;b&gt;@example.com" in page.text
    (ticket,) = re.findall(r'name="request" value="([^"]+)"', page.text)
    form = {"request": ticket, "decision": decision}
    action = f"{stand_in.url}/oauth/consent"
    assert told in sent_back(await stand_in.visit(action, form=form, follow=False))
    again = await stand_in.visit(action, form=form)
    assert (again.status, again.url) == (400, action)


async def test_an_account_without_email_and_plan_is_asked_as_well(stand_in: StandIn) -> None:
    stand_in.user = "ask"
    stand_in.account.email = stand_in.account.plan = None
    page = await stand_in.visit(authorize_url(stand_in))
    assert "user-fake" in page.text
    assert "no plan" in page.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_id", None),
        ("client_id", ""),
        ("state", None),
        ("response_type", "token"),
        ("code_challenge", None),
        ("code_challenge", "short"),
        ("code_challenge_method", "plain"),
        ("code_challenge_method", None),
        ("redirect_uri", None),
        ("redirect_uri", "https://example.com/auth/callback"),
        ("redirect_uri", "ftp://127.0.0.1/"),
        ("redirect_uri", "http://[oops/"),
        ("redirect_uri", "http://127.0.0.1:99999/"),
    ],
)
async def test_what_is_asked_for_wrongly_is_shown_to_the_user(
    stand_in: StandIn, name: str, value: str | None
) -> None:
    page = await stand_in.visit(authorize_url(stand_in, **{name: value}))
    assert page.status == 400
    assert f"The parameter {name} is" in page.text


async def test_a_redirect_keeps_the_query_that_it_has(stand_in: StandIn) -> None:
    uri = "http://127.0.0.1:1455/auth/callback?from=here"
    page = await stand_in.visit(authorize_url(stand_in, redirect_uri=uri), follow=False)
    assert page.headers["location"].startswith(f"{uri}&code=")


async def test_the_browser_follows_the_way_back_to_the_client(stand_in: StandIn) -> None:
    async with open_stand_in() as client:
        uri = f"{client.url}/auth/callback"
        page = await stand_in.visit(authorize_url(stand_in, redirect_uri=uri))
        assert (page.status, page.url.partition("?")[0]) == (404, uri)
        arrived = await client.wait_request("/auth/callback")
        assert arrived.query["state"] == "the state"


@pytest.mark.parametrize("user", ["perhaps", None])
async def test_there_is_no_other_user(stand_in: StandIn, user: User) -> None:  # noqa: ASYNC124 - its fixture is Trio's
    with pytest.raises(ValueError, match="must be in"):
        stand_in.user = user
    assert stand_in.user == "approve"
