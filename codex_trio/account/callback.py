"""What the browser finds at the callback: routes, statuses, texts and pages."""

from __future__ import annotations

import errno
import hmac
import logging
import secrets
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlencode

import attrs
import trio

from codex_trio.account import pages
from codex_trio.errors import LoginError, os_error_text
from codex_trio.httpd import HttpRequest, HttpResponse, serve_http

if TYPE_CHECKING:
    from codex_trio.account.attempt import Attempt
    from codex_trio.account.browser import BrowserLogin

log = logging.getLogger(__name__)

_NO_CAPACITY: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_NEXT_TRY: Final = 0.1  # seconds

_HOSTED_PAGE: Final = "https://chatgpt.com/codex/open-app"


@attrs.define(eq=False)
class Callback:
    """Serves the browser of one sign-in.

    Statuses and texts are those of 0.163.0. What is ours: the page of success is shown only to
    whom it is true, with nothing of the tokens in its URL; another site can neither end the
    sign-in, nor reach it under a name of its own.
    """

    _login: BrowserLogin
    _attempt: Attempt
    _hosted_page: str | None
    _stored: bool = attrs.field(default=False, init=False)
    _setup_url: str | None = attrs.field(default=None, init=False, repr=False)
    _ticket: str = attrs.field(
        factory=partial(secrets.token_urlsafe, 16), init=False, repr=False
    )
    _waiting: int = attrs.field(default=0, init=False)  # visitors who will be shown the end

    async def accept(self, listener: trio.SocketListener, nursery: trio.Nursery) -> NoReturn:
        """Serve whoever connects, until it is cancelled.

        It is ``trio.serve_listeners`` without nurseries of its own, which were a third of what a
        cancel takes.
        """
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno not in _NO_CAPACITY:
                    raise
                log.error("no connection can be accepted: %s", os_error_text(error))  # noqa: TRY400 - a traceback adds nothing
                await trio.sleep(_NEXT_TRY)
            else:
                nursery.start_soon(self._serve, stream)

    def leave_if_unseen(self) -> None:
        """Wait for no browser's last page if none has come, and the outcome has been told."""
        if self._attempt.settled and not self._waiting and not self._stored:
            self._attempt.cut()

    async def _serve(self, stream: trio.SocketStream) -> None:
        visit = _Visit()
        await serve_http(partial(self._answer, visit), stream)
        if visit.over and not self._waiting:
            self._attempt.cut()  # whose outcome is told: what is left is nobody's any more

    async def _answer(self, visit: _Visit, request: HttpRequest) -> HttpResponse:
        if not self._is_named_by(request):
            return HttpResponse.text(403, "Forbidden")
        match request.path:
            case "/auth/callback":
                return await self._conclude(visit, request)
            case "/success" if self._stored:
                return visit.end(_page(self._last_page(request)))
            case "/cancel":
                return self._cancel(visit, request)
            case _:
                return HttpResponse.text(404, "Not Found")

    def _is_named_by(self, request: HttpRequest) -> bool:
        """Refuse other names: a site may have had its own lead here (DNS rebinding)."""
        names = {f"{host}:{self._login.port}" for host in ("127.0.0.1", "localhost")}
        return request.headers.get("host", "").lower() in names

    async def _conclude(self, visit: _Visit, request: HttpRequest) -> HttpResponse:
        parameters = request.query
        log.info(
            "received login callback: has_code=%s has_error=%s state_valid=%s",
            "code" in parameters,
            "error" in parameters,
            self._login.knows(parameters),
        )
        if not self._login.knows(parameters):
            return HttpResponse.text(400, "State mismatch")
        self._waiting += 1
        try:
            setup_url = await self._login.conclude(parameters)
        except LoginError as error:
            return visit.end(_page(_explain(error)))
        finally:
            self._waiting -= 1
        if self._hosted_page is not None:
            query = urlencode({"source": "login", "app_brand": self._hosted_page})
            return visit.end(_redirect(f"{_HOSTED_PAGE}?{query}"))
        self._stored, self._setup_url = True, setup_url
        ticket = "" if setup_url is None else f"?ticket={self._ticket}"
        return _redirect(f"http://127.0.0.1:{self._login.port}/success{ticket}")

    def _last_page(self, request: HttpRequest) -> str:
        """Say that one is signed in, and where to go on: only to whom we have sent here.

        The place to set up an organization is told the identity token.
        """
        ticket = request.query.get("ticket", "").encode(errors="replace")
        expected = hmac.compare_digest(ticket, self._ticket.encode())
        return pages.success_page(self._setup_url if expected else None)

    def _cancel(self, visit: _Visit, request: HttpRequest) -> HttpResponse:
        """End the sign-in for another Codex process that wants the port; for no web page."""
        headers = request.headers
        site = headers.get("sec-fetch-site", "none")
        # Older browsers do not say for what site they ask; no Codex calls itself Mozilla.
        old = (
            "sec-fetch-site" not in headers
            and "mozilla" in headers.get("user-agent", "").lower()
        )
        if old or "origin" in headers or site not in ("none", "same-origin"):
            return HttpResponse.text(403, "Forbidden")
        if not (self._attempt.open or self._attempt.settled):
            return HttpResponse.text(409, "Too late to cancel")
        # One that is over has nothing to lose but its port, and that is what is asked for.
        error = LoginError("Login cancelled")
        self._login.fail(error)
        return visit.end(HttpResponse.text(200, str(error)))


@attrs.define(eq=False)
class _Visit:
    """One connection of a browser, and whether it has been shown the end."""

    over: bool = attrs.field(default=False, init=False)

    def end(self, response: HttpResponse) -> HttpResponse:
        self.over = True
        return attrs.evolve(response, close=True)


def _page(html: str) -> HttpResponse:
    response = HttpResponse.html(html)
    return attrs.evolve(response, headers=response.headers + pages.PAGE_HEADERS)


def _redirect(url: str) -> HttpResponse:
    headers = (
        ("Location", url),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
    )
    return HttpResponse(status=302, headers=headers)


def _explain(error: LoginError) -> str:
    if error.code == "missing_codex_entitlement":
        return pages.no_access_page()
    return pages.error_page(error.code, str(error), error.details)
