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

    from codex_trio.account.attempt import Attempt, GiveWay
    from codex_trio.account.callback import Callback
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
    issuer: Issuer, settings: Settings, wishes: Wishes, held_ports: set[int], give_way: GiveWay
) -> AsyncGenerator[BrowserLogin]:
    """Listen for the callback within the block.

    Raises:
        PortsTakenError: there is no port to listen on.
    """
    listener = await open_callback_listener(
        settings.login_callback_ports,
        give_way,
        cancel_other_login=settings.cancel_other_login,
        held=held_ports,
    )
    port: int = listener.socket.getsockname()[1]
    try:
        # Not aclose: that gives everybody else a turn first, and whoever has cancelled us waits.
        with listener.socket:
            login = BrowserLogin(issuer, wishes, listener)
            try:
                yield login
            finally:
                login.give_up(LoginError("Login was not completed"))
    finally:
        held_ports.discard(port)


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
    port: int = attrs.field(init=False)
    """Where the callback listens, or has listened."""
    auth_url: str = attrs.field(init=False)
    """Where the browser begins."""
    _pkce: Pkce = attrs.field(factory=Pkce.make, init=False)
    _state: str = attrs.field(factory=partial(secrets.token_urlsafe, 32), init=False)
    _attempt: Attempt = attrs.field(init=False)
    _nursery: trio.Nursery = attrs.field(init=False)
    _callback: Callback = attrs.field(init=False)
    _decided: bool = attrs.field(default=False, init=False)  # the first redirect has come
    _failure: LoginError | None = attrs.field(default=None, init=False)
    _setup_url: str | None = attrs.field(default=None, init=False)
    _known: trio.Event = attrs.field(factory=trio.Event, init=False)  # what the two above say

    def __attrs_post_init__(self) -> None:
        self.port = self._listener.socket.getsockname()[1]
        self.auth_url = self._issuer.authorize_url(
            redirect_uri=self._redirect_uri,
            challenge=self._pkce.challenge,
            state=self._state,
            originator=self._wishes.originator,
        )

    async def run(self, attempt: Attempt, nursery: trio.Nursery) -> None:
        """Serve the callback, and redeem what it is told. See ``Login.run``."""
        from codex_trio.account.callback import Callback  # which needs h11; not at every start

        self._attempt, self._nursery = attempt, nursery
        self._callback = Callback(self, attempt, self._wishes.hosted_page)
        # No task waits beside this one, so that a cancel has but one to end. The callback cuts
        # the attempt once the browser has its page.
        try:
            await self._callback.accept(self._listener, nursery)
        finally:
            self._decided = True  # the nursery takes no more tasks

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
        if not self._decided:
            self._decided = True
            self._nursery.start_soon(self._redeem, parameters)
        await self._known.wait()
        if self._failure is not None:
            raise self._failure
        return self._setup_url

    async def hand_in(self, parameters: Mapping[str, str]) -> None:
        """Take a redirect that has come past the callback. See ``conclude``."""
        try:
            await self.conclude(parameters)
        finally:
            self._callback.leave_if_unseen()

    def fail(self, error: LoginError) -> None:
        """Tell everybody that it has failed, unless it has had its outcome."""
        self._attempt.fail(error)
        self.give_up(error)

    def give_up(self, error: LoginError) -> None:
        """Tell those who wait for its outcome that it has failed, if nobody has told them."""
        if not self._known.is_set():
            self._failure = error
            self._known.set()

    @property
    def _redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/auth/callback"

    async def _redeem(self, parameters: Mapping[str, str]) -> None:
        try:
            grant = Grant(
                code=_code(parameters),
                verifier=self._pkce.verifier,
                redirect_uri=self._redirect_uri,
            )
            credentials = await self._issuer.redeem(grant, "Token exchange failed: ")
            credentials = await self._issuer.exchange_api_key(credentials)
            await self._attempt.keep(credentials)
        except LoginError as error:
            self.fail(error)
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
