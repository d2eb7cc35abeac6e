"""A real browser, and little sites for it to visit."""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs
import pytest
import trio

from codex_trio.httpd import serve_http
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from playwright.sync_api import BrowserContext

    from codex_trio.httpd import HttpHandler

T = TypeVar("T")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "There is no Chromium for these tests: install one (apt-get install chromium), "
    "or say where it is with CODEX_TRIO_CHROMIUM=path."
)

REBOUND = "stranger.test"
"""A name that leads to this machine, as a stranger's may by DNS rebinding; no other does."""

NAME_RULES = f"MAP {REBOUND} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"


@attrs.frozen
class Chromium:
    """Runs plain functions that drive a new browser; each in one worker thread.

    Playwright's objects belong to the thread that made them, and it has no API for Trio.
    """

    _program: str

    async def run(self, work: Callable[[BrowserContext], T]) -> T:
        return await trio.to_thread.run_sync(self._run, work)

    def _run(self, work: Callable[[BrowserContext], T]) -> T:
        from playwright.sync_api import sync_playwright  # only `nox -s browser` installs it

        with (
            sync_playwright() as playwright,
            playwright.chromium.launch(
                executable_path=self._program,
                chromium_sandbox=os.getuid() != 0,
                args=[f"--host-resolver-rules={NAME_RULES}"],
            ) as browser,
            browser.new_context() as context,
        ):
            context.set_default_timeout(PATIENCE * 1000)
            return work(context)


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    given = os.environ.get("CODEX_TRIO_CHROMIUM")
    program = (
        shutil.which(given) if given else next(filter(None, map(shutil.which, NAMES)), None)
    )
    if program is None:
        pytest.fail(MISSING, pytrace=False)
    return Chromium(program)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", type=Path, help="where to keep what the browser showed")


@pytest.fixture
def screenshots(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder: Path = request.config.getoption("--screenshots", None) or tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@asynccontextmanager
async def open_site(handler: HttpHandler) -> AsyncGenerator[str]:
    """Serve a site for the browser; yields its origin."""
    async with trio.open_nursery() as nursery:
        serve = partial(serve_http, handler)
        listeners: list[trio.SocketListener] = await nursery.start(
            partial(trio.serve_tcp, serve, 0, host="127.0.0.1")
        )
        port = listeners[0].socket.getsockname()[1]
        yield f"http://127.0.0.1:{port}"
        nursery.cancel_scope.cancel()
