"""What the pages at the end of a login look like, in light and dark, wide and narrow."""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs
import pytest

from codex_trio.account.pages import PAGE_HEADERS, error_page, no_access_page, success_page
from codex_trio.httpd import HttpRequest, HttpResponse
from tests.browser.conftest import open_site

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from tests.browser.conftest import Chromium

pytestmark = pytest.mark.browser

PAGES = {
    "success": success_page(),
    "setup": success_page("/org-setup?p=plus&t=token"),
    "error": error_page(
        "token_exchange_failed",
        "Token exchange failed: token endpoint returned status 400 Bad Request: Your code has "
        "expired.",
        "token endpoint returned status 400 Bad Request: Your code has expired.",
    ),
    "short": error_page("server_error", "Sign-in failed: server_error"),
    "long": error_page(
        "x" * 300, "Sign-in failed: " + "<b>y</b>" * 60, "one\ntwo\n\n  " + "z" * 2000
    ),
    "no-access": no_access_page(),
}

SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
WIDTHS = (320, 800)

# What is written, in which color, and on which: the nearest ground that is painted.
PAINT = """() => {
  const ground = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" ? ground(element.parentElement) : color;
  };
  const isWritten = (element) => [...element.childNodes].some(
    (node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.tagName === "svg" || isWritten(element))
    .map((element) =>
      [element.tagName, getComputedStyle(element).color, ground(element)]);
}"""

WIDEST = """() => Math.max(document.documentElement.scrollWidth,
  ...[...document.querySelectorAll("*")].map((e) => e.getBoundingClientRect().right))"""


async def serve(request: HttpRequest) -> HttpResponse:  # noqa: ASYNC124 - awaited
    page = PAGES.get(request.path.removeprefix("/"))
    if page is None:
        return HttpResponse(status=204)  # on which a browser stays where it is
    response = HttpResponse.html(page)
    return attrs.evolve(response, headers=response.headers + PAGE_HEADERS)


@contextmanager
def watched(context: BrowserContext) -> Generator[tuple[Page, list[str], list[str]]]:
    """Open a page; yields it, what it complains of, and what it asks for."""
    page = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    yield page, complaints, requests
    page.close()


def contrast(*colors: str) -> float:
    """The contrast of two colors, as WCAG 2 defines it."""

    def luminance(color: str) -> float:
        match = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", color)
        assert match is not None, color
        shares = [int(part) / 255 for part in match.groups()]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares]
        return sum(
            weight * x for weight, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
        )

    dark, light = sorted(map(luminance, colors))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_is_readable_complains_of_nothing_and_asks_for_nothing(
    chromium: Chromium, screenshots: Path, name: str
) -> None:
    def look(context: BrowserContext) -> None:
        for scheme, width in product(SCHEMES, WIDTHS):
            with watched(context) as (page, complaints, requests):
                page.emulate_media(color_scheme=scheme)
                page.set_viewport_size({"width": width, "height": 640})
                page.goto(f"{origin}/{name}")
                painted: list[tuple[str, str, str]] = page.evaluate(PAINT)
                assert {"H1", "P", "svg"} <= {tag for tag, *_ in painted}
                for tag, *colors in painted:
                    assert contrast(*colors) >= (3 if tag == "svg" else 4.5), (tag, colors)
                assert page.evaluate(WIDEST) <= width
                page.screenshot(
                    path=screenshots / f"{name}-{scheme}-{width}.png", full_page=True
                )
                assert complaints == []
                asked = {url for url in requests if "/org-setup" not in url}
                assert asked <= {f"{origin}/{name}", "data:,"}

    async with open_site(serve) as origin:
        await chromium.run(look)


async def test_what_cannot_be_trusted_is_shown_as_text(chromium: Chromium) -> None:
    def look(context: BrowserContext) -> Any:
        page = context.new_page()
        page.goto(f"{origin}/long")
        assert page.locator("b").count() == 0
        return page.locator("dd").all_text_contents(), page.locator("main p").nth(
            1
        ).inner_text()

    async with open_site(serve) as origin:
        details, message = await chromium.run(look)
    assert details == ["x" * 300, "one\ntwo\n\n  " + "z" * 2000]
    assert message == "Sign-in failed: " + "<b>y</b>" * 60


@pytest.mark.parametrize("click", [False, True], ids=["by itself", "when clicked"])
async def test_the_setup_page_leads_on_without_script_and_without_saying_where_from(
    chromium: Chromium, click: bool
) -> None:
    arrived: list[HttpRequest] = []

    async def platform(request: HttpRequest) -> HttpResponse:  # noqa: ASYNC124 - awaited
        arrived.append(request)
        return HttpResponse.html("<!doctype html><title>Platform</title>")

    async def callback(request: HttpRequest) -> HttpResponse:  # noqa: ASYNC124 - awaited
        response = HttpResponse.html(success_page(url))
        return attrs.evolve(response, headers=response.headers + PAGE_HEADERS)

    def follow(context: BrowserContext) -> None:
        page = context.new_page()
        page.goto(origin)
        if click:
            page.get_by_role("link").click()
        page.wait_for_url(url)

    async with open_site(platform) as elsewhere, open_site(callback) as origin:
        url = f"{elsewhere}/org-setup?p=plus&t=a.b%26c&with_org=o"
        await chromium.run(follow)
    assert arrived[0].query == {"p": "plus", "t": "a.b&c", "with_org": "o"}
    assert "referer" not in arrived[0].headers
