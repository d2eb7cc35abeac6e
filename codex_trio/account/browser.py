"""Signing in through a browser, which comes back to a callback on loopback (RFC 8252)."""

from __future__ import annotations

import hmac
import secrets
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import attrs
import trio

from codex_trio.account.oauth import Grant, Issuer, Pkce
from codex_trio.account.ports import open_callback_listener
from codex_trio.errors import LoginError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from codex_trio.account.login import Attempt, GiveWay
    from codex_trio.settings import Settings

_NOT_ENTITLED = (
    "Codex is not enabled for your workspace."
    " Contact your workspace administrator to request access to Codex."
)


@attrs.frozen(kw_only=True)
class Wishes:
    """What whoever starts a sign-in has asked for.

    Args:
        originator: the program on whose behalf one signs in.
        hosted_page: the app whose page at chatgpt.com comes last, instead of one of ours.
    """

    originator: str
    hosted_page: str | None = None


@asynccontextmanager
async def open_browser_login(
    issuer: Issuer, settings: Settings, wishes: Wishes, give_way: GiveWay
) -> AsyncGenerator[BrowserLogin]:
    """Listen for the callback within the block.

    Raises:
        PortsTakenError: there is no port to listen on.
    """
    listener = await open_callback_listener(
        settings.login_callback_ports, give_way, cancel_other_login=settings.cancel_other_login
    )
    async with listener:
        yield BrowserLogin(issuer, wishes, listener)


@attrs.define(eq=False)
class BrowserLogin:
    """A sign-in that waits for a redirect with its state.

    The first redirect that comes, by whatever way, decides it; any other waits for the same
    outcome, for a code is good for one use.
    """

    patience: ClassVar[float] = 600.0
    prefix: ClassVar[str] = "Login server error: "
    too_late: ClassVar[str] = "Login timed out"

    _issuer: Issuer
    _wishes: Wishes
    _listener: trio.SocketListener
    _pkce: Pkce = attrs.field(factory=Pkce.make, init=False)
    _state: str = attrs.field(factory=partial(secrets.token_urlsafe, 32), init=False)
    _redirect: Mapping[str, str] | None = attrs.field(default=None, init=False)  # the first
    _redirected: trio.Event = attrs.field(factory=trio.Event, init=False)
    _failure: LoginError | None = attrs.field(default=None, init=False)
    _setup_url: str | None = attrs.field(default=None, init=False)
    _known: trio.Event = attrs.field(factory=trio.Event, init=False)  # what the two above say

    @property
    def port(self) -> int:
        """Where the callback listens."""
        number: int = self._listener.socket.getsockname()[1]
        return number

    @property
    def auth_url(self) -> str:
        """Where the browser begins."""
        return self._issuer.authorize_url(
            redirect_uri=self._redirect_uri,
            challenge=self._pkce.challenge,
            state=self._state,
            originator=self._wishes.originator,
        )

    async def run(self, attempt: Attempt, nursery: trio.Nursery) -> None:
        """Serve the callback until the outcome is known and shown. See ``Login.run``."""
        from codex_trio.account.callback import Callback  # with h11; not at every start

        callback = Callback(self, attempt, self._wishes.hosted_page)
        nursery.start_soon(trio.serve_listeners, callback.serve, [self._listener])
        nursery.start_soon(self._redeem, attempt)
        try:
            await callback.shown.wait()
        finally:
            if not self._known.is_set():
                self._failure = LoginError("Login was not completed")
                self._known.set()

    def knows(self, parameters: Mapping[str, str]) -> bool:
        """Say whether a redirect belongs to this sign-in (RFC 6749, section 10.12)."""
        state = parameters.get("state", "")
        return hmac.compare_digest(state.encode(errors="replace"), self._state.encode())

    async def conclude(self, parameters: Mapping[str, str]) -> str | None:
        """Take a redirect that belongs to it; returns when the outcome has been told.

        A cancelled call leaves the redirect with the sign-in.

        Returns:
            Where an organization is to be set up, if one is.

        Raises:
            LoginError: it has failed.
        """
        if self._redirect is None:
            self._redirect = parameters
            self._redirected.set()
        await self._known.wait()
        if self._failure is not None:
            raise self._failure
        return self._setup_url

    @property
    def _redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/auth/callback"

    async def _redeem(self, attempt: Attempt) -> None:
        await self._redirected.wait()
        assert self._redirect is not None  # it comes with the event
        try:
            grant = Grant(
                code=_code(self._redirect),
                verifier=self._pkce.verifier,
                redirect_uri=self._redirect_uri,
            )
            credentials = await self._issuer.redeem(grant, "Token exchange failed: ")
            credentials = await self._issuer.exchange_api_key(credentials)
            await attempt.keep(credentials)
        except LoginError as error:
            self._failure = error
            attempt.fail(error)
        else:
            self._setup_url = self._issuer.setup_url(credentials)
        self._known.set()


def _code(parameters: Mapping[str, str]) -> str:
    """Take the code out of a redirect (RFC 6749, section 4.1.2).

    Raises:
        LoginError: it brings an error instead, or nothing.
    """
    if (error := parameters.get("error")) is not None:
        description = parameters.get("error_description", "")
        if error == "access_denied" and "missing_codex_entitlement" in description.lower():
            raise LoginError(_NOT_ENTITLED, "missing_codex_entitlement")
        reason = description if description.strip() else error
        raise LoginError(f"Sign-in failed: {reason}", error, description.strip() or None)
    if code := parameters.get("code"):
        return code
    raise LoginError(
        "Missing authorization code. Sign-in could not be completed.",
        "missing_authorization_code",
    )
