"""What a person may want of the account, done by a client of the server."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.account.browser import BrowserLogin
from codex_trio.terminal import BOLD, Screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codex_trio.testing import Json, WireClient

DONE: Final = 0
FAILED: Final = 1

_SHORT_KEY: Final = 13  # characters; of such a key the original shows nothing

_FOR_BROWSERS: Final = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")

_IN_BROWSER: Final = """\
{first}

{url}

Is the browser on another machine? Stop this, and use: codex-trio login --device-auth
"""

_WITH_CODE: Final = """\
1. Open this page in any browser, on any machine, and sign in:

   {url}

2. Enter this code there. It is good once, and not for long:
"""

_WARNING: Final = """
Enter it only if you have just started this yourself. Whoever sends you a code, and asks you to
enter it, wants to get in to your account.
"""


@attrs.frozen
class Errand:
    """Says to the server what a person wants, and to the person what has come of it.

    Every method returns an exit code; None when a signal has ended it.

    Args:
        client: speaks to the server.
        screen: where the person is told.
        work: what the first signal cancels; to be entered once.
    """

    client: WireClient
    screen: Screen
    work: trio.CancelScope

    async def log_in_through_browser(self, *, browse: bool) -> int | None:
        """Sign in through a browser on this machine, and open one if ``browse`` says so."""
        browse = browse and _has_windows()

        async def invite(login: Json) -> None:
            url: str = login["authUrl"]
            first = "Open this URL in a browser on this machine:"
            if browse:
                first = (
                    "Your browser is being opened. If it does not come, open this URL in it:"
                )
            self.screen.say(_IN_BROWSER.format(first=first, url=url))
            async with trio.open_nursery() as nursery:
                if browse:
                    nursery.start_soon(_open_browser, url)
                waiting = "Waiting for the browser; Ctrl-C cancels"
                await self.screen.count_down(waiting, BrowserLogin.patience)

        return await self._log_in({"type": "chatgpt"}, invite)

    async def log_in_with_device_code(self) -> int | None:
        """Sign in with a code that is typed in a browser anywhere."""

        async def invite(login: Json) -> None:
            self.screen.say(_WITH_CODE.format(url=login["verificationUrl"]))
            self.screen.say(f"   {login['userCode']}", BOLD)
            self.screen.say(_WARNING)
            left = login["expiresAt"] - time.time()
            await self.screen.count_down("Waiting for the code; Ctrl-C cancels", left)

        return await self._log_in({"type": "chatgptDeviceCode"}, invite)

    async def log_in_with_api_key(self) -> int | None:
        """Sign in with an API key that comes over standard input."""
        if os.isatty(0):
            self.screen.say(
                "--with-api-key reads the key from standard input, which is a terminal here. "
                "Use: printenv OPENAI_API_KEY | codex-trio login --with-api-key"
            )
            return FAILED
        self.screen.say("Reading the API key from standard input...")
        given: bytes | None = None
        with self.work:
            given = await _read_standard_input()
        if given is None:
            return None
        try:
            api_key = given.decode().strip()
        except UnicodeDecodeError:
            self.screen.say("What came from standard input is no API key: it is not text.")
            return FAILED
        if not api_key:
            self.screen.say("No API key came from standard input.")
            return FAILED
        await self.client.call("account/login/start", {"type": "apiKey", "apiKey": api_key})
        self.screen.say("Successfully logged in")
        return DONE

    async def show_status(self) -> int | None:
        """Say who is signed in; it is a failure if nobody is."""
        status = await self.client.call("getAuthStatus", {"includeToken": True})
        if status["authMethod"] is None:
            self.screen.say("Not logged in")
            return FAILED
        if status["authMethod"] == "apikey":
            shown = _mask(status["authToken"])
            self.screen.say(f"Logged in using an API key - {shown}")
        else:
            self.screen.say("Logged in using ChatGPT")
        return DONE

    async def log_out(self, *, anybody: bool) -> int | None:
        """Sign out, ``anybody`` or nobody."""
        with self.work:
            await self.client.call("account/logout")
            self.screen.say("Successfully logged out" if anybody else "Not logged in")
            return DONE
        return None

    async def _log_in(
        self, params: Json, invite: Callable[[Json], Awaitable[None]]
    ) -> int | None:
        """See a sign-in through; ``invite`` runs as long as somebody is waited for."""
        login = completed = None
        with self.work:
            login = await self.client.call("account/login/start", params)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(invite, login)
                completed = await self._wait_completed()
                nursery.cancel_scope.cancel(reason="the outcome is known")
        if login is None:
            return None  # what has begun by now ends with the server
        if completed is None:
            cancel = {"loginId": login["loginId"]}
            answer = await self.client.call("account/login/cancel", cancel)
            if answer["status"] == "canceled":
                return None
            completed = await self._wait_completed()  # the signal came too late
        if completed["success"]:
            self.screen.say("Successfully logged in")
            return DONE
        reason = completed["error"].removeprefix(BrowserLogin.prefix)
        self.screen.say(f"Error logging in: {reason}")
        return FAILED

    async def _wait_completed(self) -> Json:
        message = await self.client.next_notification("account/login/completed")
        return message["params"]


def _has_windows() -> bool:
    """Look for a place for a browser: one in text mode would fight with us for the terminal."""
    return sys.platform == "darwin" or any(map(os.environ.get, _FOR_BROWSERS))


async def _open_browser(url: str) -> None:
    """Open a browser, and do not wait for it.

    A cancelled call leaves the browser open, and the thread that waits for it behind; Python
    does not wait for that one either.
    """
    import webbrowser  # not at every start

    with suppress(Exception):  # whatever BROWSER brings about: the URL has been said
        await trio.to_thread.run_sync(webbrowser.open, url, abandon_on_cancel=True)


async def _read_standard_input() -> bytes:
    # Not through sys.stdin, whose lock an abandoned thread would hold while Python ends.
    chunks = []
    while chunk := await trio.to_thread.run_sync(os.read, 0, 4096, abandon_on_cancel=True):
        chunks.append(chunk)
    return b"".join(chunks)


def _mask(api_key: str) -> str:
    return "***" if len(api_key) <= _SHORT_KEY else f"{api_key[:8]}***{api_key[-5:]}"
