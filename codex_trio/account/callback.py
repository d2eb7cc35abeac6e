"""What the browser finds at the callback: routes, statuses, texts and pages."""

from __future__ import annotations

import errno
import logging
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, Protocol
from urllib.parse import urlencode

import attrs
import trio

from codex_trio.account import pages
from codex_trio.errors import LoginError, os_error_text
from codex_trio.httpd import HttpRequest, HttpResponse, serve_http

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.account.login import Attempt

log = logging.getLogger(__name__)

_NO_CAPACITY: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_NEXT_TRY: Final = 0.1  # seconds

_HOSTED_PAGE: Final = "https://chatgpt.com/codex/open-app"


class Redirected(Protocol):
    """A sign-in that redirects conclude; see ``BrowserLogin``."""

    @property
    def port(self) -> int:
        """Where the callback listens."""
        ...

    def knows(self, parameters: Mapping[str, str]) -> bool:
        """Say whether a redirect belongs to this sign-in."""
        ...

    async def conclude(self, parameters: Mapping[str, str]) -> str | None:
        """Take a redirect that belongs to it."""
        ...

    def give_up(self, error: LoginError) -> None:
        """Tell those who wait for its outcome that it has failed, if nobody has told them."""
        ...


@attrs.define(eq=False)
class Callback:
    """Serves the browser of one sign-in.

    Statuses and texts are those of 0.163.0. What is ours: the page of success is shown only to
    whom it is true, with nothing of the tokens in its URL; another site can neither end the
    sign-in, nor reach it under a name of its own.
    """

    _login: Redirected
    _attempt: Attempt
    _hosted_page: str | None
    _success: str | None = attrs.field(default=None, init=False, repr=False)
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
        if self._attempt.settled and not self._waiting and self._success is None:
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
            case "/success" if self._success is not None:
                return visit.end(_page(self._success))
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
        self._success = pages.success_page(setup_url)
        return _redirect(f"http://127.0.0.1:{self._login.port}/success")

    def _cancel(self, visit: _Visit, request: HttpRequest) -> HttpResponse:
        """End the sign-in for another Codex process that wants the port; for no web page."""
        site = request.headers.get("sec-fetch-site", "none")
        if "origin" in request.headers or site not in ("none", "same-origin"):
            return HttpResponse.text(403, "Forbidden")
        if not (self._attempt.open or self._attempt.settled):
            return HttpResponse.text(409, "Too late to cancel")
        # One that is over has nothing to lose but its port, and that is what is asked for.
        error = LoginError("Login cancelled")
        self._attempt.fail(error)
        self._login.give_up(error)
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
