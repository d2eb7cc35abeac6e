"""Signing in with a real browser, from the client's request to the page at the end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from codex_trio.httpd import HttpRequest, HttpResponse
from codex_trio.testing import open_stand_in
from tests.browser.conftest import REBOUND, open_site

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient
    from tests.browser.conftest import Chromium

pytestmark = pytest.mark.browser

SIGNED_IN = "Signed in to Codex"


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    async with open_stand_in(user="ask") as stand_in:
        yield stand_in


@pytest.fixture
def settings(home: Path, stand_in: StandIn) -> Settings:
    return stand_in.settings(home)


@attrs.frozen
class Login:
    id: str
    url: str

    @property
    def callback(self) -> str:
        """The origin of the login server."""
        (redirect_uri,) = parse_qs(urlsplit(self.url).query)["redirect_uri"]
        return redirect_uri.removesuffix("/auth/callback")


@pytest.fixture
async def login(client: WireClient) -> Login:
    answer = await client.call("account/login/start", {"type": "chatgpt"})
    return Login(answer["loginId"], answer["authUrl"])


async def completed(client: WireClient) -> Any:
    return (await client.next_notification("account/login/completed"))["params"]


def decide(page: Page, login: Login, decision: str, headline: str) -> None:
    """Consent or do not, and wait for the page that says how it ended."""
    page.goto(login.url)
    page.get_by_role("button", name=decision).click()
    page.get_by_role("heading", name=headline).wait_for()


async def test_who_approves_is_signed_in_and_no_address_says_a_token(
    chromium: Chromium, client: WireClient, login: Login, home: Path, screenshots: Path
) -> None:
    visited: list[str] = []

    def approve(context: BrowserContext) -> None:
        page = context.new_page()
        page.on("request", lambda request: visited.append(request.url))
        decide(page, login, "Approve", SIGNED_IN)
        page.screenshot(path=screenshots / "login-approved.png")
        assert page.title() == "Sign into Codex"
        assert page.get_by_text("You may now close this page").is_visible()

    await chromium.run(approve)
    end = await completed(client)
    assert (end["loginId"], end["success"], end["error"]) == (login.id, True, None)
    updated = await client.next_notification("account/updated")
    assert updated["params"] == {"authMode": "chatgpt", "planType": "plus"}
    account = (await client.call("account/read", {}))["account"]
    assert account == {"type": "chatgpt", "email": "ada@example.com", "planType": "plus"}
    tokens = json.loads((home / "auth.json").read_bytes())["tokens"]
    for name in ("id_token", "access_token", "refresh_token"):
        assert not any(tokens[name] in url for url in visited)


async def test_who_denies_is_told_so(
    chromium: Chromium, client: WireClient, login: Login, screenshots: Path
) -> None:
    def deny(context: BrowserContext) -> list[str]:
        page = context.new_page()
        decide(page, login, "Deny", "Sign-in could not be completed")
        page.screenshot(path=screenshots / "login-denied.png")
        assert page.title() == "Codex Sign-in Error"
        return page.locator("dd").all_inner_texts()

    shown = await chromium.run(deny)
    assert shown == ["access_denied", "The user denied the request."]
    end = await completed(client)
    assert (end["loginId"], end["success"]) == (login.id, False)
    assert end["error"] == "Login server error: Sign-in failed: The user denied the request."
    assert (await client.call("account/read", {}))["account"] is None


async def test_who_has_an_organization_to_set_up_is_led_there(
    chromium: Chromium, client: WireClient, login: Login, stand_in: StandIn, screenshots: Path
) -> None:
    stand_in.account.completed_platform_onboarding = False
    stand_in.account.is_org_owner = True

    def approve(context: BrowserContext) -> str:
        page = context.new_page()
        context.route("**/org-setup*", lambda route: route.fulfill(status=204))
        decide(page, login, "Approve", "Finish setting up your API organization")
        page.screenshot(path=screenshots / "login-setup.png")
        return page.get_by_role("link").get_attribute("href") or ""

    url = urlsplit(await chromium.run(approve))
    assert (url.scheme, url.path) == ("https", "/org-setup")
    assert parse_qs(url.query).keys() == {"p", "t", "with_org", "project_id"}
    assert (await completed(client))["success"] is True


HOSTILE = """\
<!doctype html>
<title>Hostile</title>
<iframe src="{cancel}?frame"></iframe>
<img src="{cancel}?img">
<link rel="stylesheet" href="{cancel}?style">
<script>
const attempts = ["no-cors", "cors"].map(
  (mode) => fetch("{cancel}?" + mode, {{mode}}).catch(() => null));
Promise.all(attempts).then(() => {{ document.title = "Tried"; }});
</script>
<a href="{cancel}?link">link</a>
<a href="/redirect">redirect</a>
<form action="{cancel}"><button name="get">get=</button></form>
<form action="{cancel}?post" method="post"><button>post</button></form>
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_page_of_a_stranger_does_not_end_a_login(
    chromium: Chromium, client: WireClient, login: Login, host: str
) -> None:
    cancel = f"{login.callback}/cancel"

    async def stranger(request: HttpRequest) -> HttpResponse:  # noqa: ASYNC124 - awaited
        if request.path == "/redirect":
            return HttpResponse(status=302, headers=(("Location", f"{cancel}?redirect"),))
        return HttpResponse.html(HOSTILE.format(cancel=cancel))

    def fall_for_it(context: BrowserContext) -> None:
        answered: set[str] = set()
        page = context.new_page()
        page.on("response", lambda response: answered.add(response.url))
        for attempt in ("link", "redirect", "get=", "post"):
            page.goto(origin.replace("127.0.0.1", host))
            page.wait_for_function("document.title === 'Tried'")
            with page.expect_response(f"{cancel}?{attempt}"):
                page.get_by_text(attempt, exact=True).click()
        assert answered >= {f"{cancel}?{way}" for way in ("frame", "img", "style", "no-cors")}
        decide(context.new_page(), login, "Approve", SIGNED_IN)

    async with open_site(stranger) as origin:
        await chromium.run(fall_for_it)
    assert (await completed(client))["success"] is True


async def test_a_stranger_whose_name_leads_here_neither_ends_a_login_nor_sees_it(
    chromium: Chromium, client: WireClient, login: Login
) -> None:
    def rebind(context: BrowserContext) -> list[int]:
        port = urlsplit(login.callback).port
        page = context.new_page()
        page.goto(f"http://{REBOUND}:{port}/")
        return [
            page.evaluate("async (path) => (await fetch(path)).status", path)
            for path in ("/cancel", "/success", "/auth/callback")
        ]

    assert await chromium.run(rebind) == [403, 403, 403]
    await chromium.run(lambda context: decide(context.new_page(), login, "Approve", SIGNED_IN))
    assert (await completed(client))["success"] is True


async def test_who_opens_the_address_in_person_cancels(
    chromium: Chromium, client: WireClient, login: Login
) -> None:
    def cancel(context: BrowserContext) -> None:
        page = context.new_page()
        page.goto(f"{login.callback}/cancel")
        page.get_by_text("Login cancelled").wait_for()

    await chromium.run(cancel)
    end = await completed(client)
    assert (end["success"], end["error"]) == (False, "Login server error: Login cancelled")
