"""Logins through a browser that have begun, and raw visits to their callback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import attrs
import trio

from codex_trio.urls import query_of

if TYPE_CHECKING:
    from codex_trio.testing import Page, StandIn, WireClient

FAILED = "Login server error: "
TOKEN = "/oauth/token"


@attrs.frozen
class Begun:
    """A login that has begun, as its client sees it; ``granted`` is where its user is sent."""

    id: str
    auth_url: str
    granted: str

    @property
    def state(self) -> str:
        return query_of(self.auth_url)["state"]

    @property
    def url(self) -> str:
        """The root of the callback."""
        return query_of(self.auth_url)["redirect_uri"].removesuffix("/auth/callback")

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def redirect(self, **parameters: str) -> str:
        """Make a URL to which a browser might be sent."""
        return f"{self.url}/auth/callback?{urlencode({'state': self.state, **parameters})}"


async def begin(client: WireClient, stand_in: StandIn, **wishes: Any) -> Begun:
    """Begin to sign in, and have the user approve; the browser has not come back yet."""
    login = await client.call("account/login/start", {"type": "chatgpt", **wishes})
    page = await stand_in.visit(login["authUrl"], follow=False)
    return Begun(login["loginId"], login["authUrl"], page.headers["location"])


async def outcome_of(client: WireClient, login: Begun) -> str | None:
    """Wait for the end of a login: None, or why it has failed."""
    told = (await client.next_notification("account/login/completed"))["params"]
    assert told["loginId"] == login.id
    assert told["success"] is (told["error"] is None)
    reason: str | None = told["error"]
    return reason


@attrs.frozen
class Story:
    """How a login went: what the browser was shown last, and why it has failed, if it has."""

    page: Page
    error: str | None


async def sign_in(client: WireClient, stand_in: StandIn) -> Story:
    """Sign in with a browser that goes wherever it is sent."""
    login = await client.call("account/login/start", {"type": "chatgpt"})
    page = await stand_in.visit(login["authUrl"])
    told = (await client.next_notification("account/login/completed"))["params"]
    assert told == {
        "loginId": login["loginId"],
        "success": told["error"] is None,
        "error": told["error"],
        "onboardingEntrypoint": None,
    }
    return Story(page, told["error"])


def count_exchanges(stand_in: StandIn) -> int:
    """Count the codes that were redeemed, or were to be."""
    forms = [request.form for request in stand_in.requests if request.path == TOKEN]
    return sum(form["grant_type"] == "authorization_code" for form in forms)


async def say(url: str, method: str = "GET") -> trio.SocketStream:
    """Ask for a page, over a connection of its own; whose answer is still to be read."""
    parts = urlsplit(url)
    wire = await trio.open_tcp_stream("127.0.0.1", parts.port or 0)
    target = f"{parts.path}?{parts.query}"
    await wire.send_all(f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    return wire


async def read_all(wire: trio.abc.ReceiveStream) -> bytes:
    return b"".join([chunk async for chunk in wire])
