"""The little HTTP that we serve ourselves: the login callback, health probes, the stand-in."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import attrs
import h11
import trio

from codex_trio.urls import query_of

log = logging.getLogger(__name__)

MAX_HEAD: Final = 32 * 2**10
"""Bytes that a request line and its headers may have."""

MAX_BODY: Final = 2**20
"""Bytes that the body of a request may have, unless its server says otherwise."""

PATIENCE: Final = 30.0
"""Seconds in which a request has to arrive, from the end of the one before it, and again in
which its response has to be taken."""

_FAILURE: Final = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


@attrs.frozen(kw_only=True)
class HttpRequest:
    """A request that has been read to its end.

    Args:
        method: as it was sent, in capitals.
        target: path and query as they were sent; may hold secrets, so the repr omits it.
        headers: by name in small letters; of repeated ones, the last.
        body: as it was sent; its server says how long it may be.
    """

    method: str
    target: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(default=b"", repr=False)

    @property
    def path(self) -> str:
        """The path, without the query. Empty when the target cannot be parsed as a URL."""
        try:
            return urlsplit(self.target).path
        except ValueError:
            return ""

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query; of repeated ones, the last."""
        return query_of(self.target)


@attrs.frozen(kw_only=True)
class HttpResponse:
    """What is answered.

    Args:
        status: the status code.
        headers: in the order in which they are sent; what HTTP itself needs is added.
        close: whether the connection ends with it.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    close: bool = False

    @classmethod
    def text(cls, status: int, text: str, *, close: bool = False) -> HttpResponse:
        """Answer with plain text."""
        headers = (("Content-Type", "text/plain; charset=utf-8"),)
        return cls(status=status, headers=headers, body=text.encode(), close=close)

    @classmethod
    def html(cls, page: str, status: int = 200) -> HttpResponse:
        """Answer with a page."""
        headers = (("Content-Type", "text/html; charset=utf-8"),)
        return cls(status=status, headers=headers, body=page.encode())


Send: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Sends a piece of a body."""


@attrs.frozen(kw_only=True)
class HttpStream:
    """A response whose body is written piece by piece, for as long as that takes.

    It goes out in chunks (RFC 9112, section 7.1) unless its headers have a Content-Length; for
    a peer of HTTP/1.0, the end of the connection is its end.

    Args:
        write: writes the body with the function that it is given. The head goes out with the
            first piece, which may be empty. What it returns is whether the body is complete; if
            not, the connection is closed where it is. It is cancelled when the peer ends its
            side, unless that has sent its next request before, and is not called for HEAD.
        status: the status code.
        headers: in the order in which they are sent; what HTTP itself needs is added.
    """

    write: Callable[[Send], Awaitable[bool]] = attrs.field(repr=False)
    status: int = 200
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)


Answer: TypeAlias = HttpResponse | HttpStream | bytes
"""A response; or bytes that are written as they are before the connection is closed, for those
who have to behave badly."""

HttpHandler: TypeAlias = Callable[[HttpRequest], Awaitable[Answer]]


async def serve_http(
    handler: HttpHandler, stream: trio.abc.Stream, *, max_body: int = MAX_BODY
) -> None:
    """Serve one connection until either side ends it; closes the stream.

    Fits ``trio.serve_listeners`` with ``functools.partial(serve_http, handler)``. A request
    that cannot be read is answered with 400, 405, 408, 413 (its body has more than ``max_body``
    bytes), 431 or 501, and with 500 when the handler fails or its response is none that can be
    sent. A cancelled call closes the connection wherever it is.
    """
    async with stream:
        try:
            await _Connection(stream, handler, max_body).serve()
        except trio.BrokenResourceError:
            log.debug("the peer has left")


class _BadRequestError(Exception):
    """What the peer sent is no request that we read."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@attrs.define(eq=False)
class _Connection:
    _stream: trio.abc.Stream
    _handler: HttpHandler
    _max_body: int
    _method: str = attrs.field(default="GET", init=False)  # of the request that is being read
    _http: h11.Connection = attrs.field(
        factory=lambda: h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD),
        init=False,
    )

    async def serve(self) -> None:
        while True:
            try:
                with trio.move_on_after(PATIENCE) as reading:
                    request = await self._read()
            except _BadRequestError as error:
                await self._refuse(error.status)
                return
            if reading.cancelled_caught and self._http.their_state is not h11.IDLE:
                await self._refuse(HTTPStatus.REQUEST_TIMEOUT)
                return
            if reading.cancelled_caught or request is None:
                return
            answer = await self._answer(request)
            if isinstance(answer, bytes):
                with trio.move_on_after(PATIENCE):
                    await self._stream.send_all(answer)
                return
            if isinstance(answer, HttpStream):
                goes_on = await self._send_piecewise(answer, request)
            else:
                goes_on = await self._send_within(answer, request.method)
            if not goes_on:
                return

    async def _read(self) -> HttpRequest | None:
        """Read a request; None when the peer has ended its side instead."""
        self._method = "GET"
        try:
            head = await self._next_event()
            if not isinstance(head, h11.Request):
                return None
            self._method = head.method.decode("ascii")
            if head.method == b"CONNECT":
                raise _BadRequestError(HTTPStatus.METHOD_NOT_ALLOWED)
            body = bytearray()
            while isinstance(event := await self._next_event(), h11.Data):
                body += event.data
                if len(body) > self._max_body:
                    raise _BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except h11.RemoteProtocolError as error:
            raise _BadRequestError(HTTPStatus(error.error_status_hint)) from None
        return HttpRequest(
            method=self._method,
            target=head.target.decode("ascii", "replace"),
            headers={
                name.decode("ascii"): value.decode("latin-1") for name, value in head.headers
            },
            body=bytes(body),
        )

    async def _next_event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await self._stream.send_all(self._encode(go_on))
            self._http.receive_data(bytes(await self._stream.receive_some()))
        return event

    async def _answer(self, request: HttpRequest) -> Answer:
        try:
            return await self._handler(request)
        except Exception as error:
            _log_failure(request, error)
            return HttpResponse.text(500, "Internal Server Error", close=True)

    async def _refuse(self, status: HTTPStatus) -> None:
        await self._send_within(
            HttpResponse.text(status, status.phrase, close=True), self._method
        )

    async def _send_within(self, response: HttpResponse, method: str) -> bool:
        """Send a response, if it is taken in time; say whether the connection goes on."""
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        if response.close:
            headers.append(("Connection", "close"))
        try:
            data = self._encode(
                _head(response.status, headers),
                h11.Data(data=b"" if method == "HEAD" else response.body),
                h11.EndOfMessage(),
            )
        except (h11.LocalProtocolError, UnicodeError) as error:
            log.error("a response cannot be sent: %s", type(error).__name__)  # noqa: TRY400 - its text may quote it
            data = _FAILURE
        with trio.move_on_after(PATIENCE):
            await self._stream.send_all(data)
            return self._goes_on()
        return False

    async def _send_piecewise(self, response: HttpStream, request: HttpRequest) -> bool:
        """Let a response be written; say whether the connection goes on."""
        is_complete = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_left, nursery.cancel_scope)
            is_complete = await self._write(response, request)
            nursery.cancel_scope.cancel(reason="the response is at its end")
        return is_complete and self._goes_on()

    async def _cancel_when_left(self, scope: trio.CancelScope) -> None:
        try:
            data = bytes(await self._stream.receive_some())
        except trio.BrokenResourceError:
            data = b""
        if data:
            self._http.receive_data(data)  # of the next request, and reason enough to stay
        else:
            scope.cancel(reason="the peer has left")

    async def _write(self, response: HttpStream, request: HttpRequest) -> bool:
        """Write a response; say whether all of it went out."""
        is_begun = False

        async def send(data: bytes, *more: h11.Event) -> None:
            nonlocal is_begun
            head = [] if is_begun else [_head(response.status, list(response.headers))]
            encoded = self._encode(*head, h11.Data(data=data), *more)
            is_begun = True
            await self._stream.send_all(encoded)

        try:
            is_complete = request.method == "HEAD" or await response.write(send)
            if is_complete:
                await send(b"", h11.EndOfMessage())
        except trio.BrokenResourceError:
            return False
        except Exception as error:
            _log_failure(request, error)
            is_complete = False
            if not is_begun:
                with suppress(trio.BrokenResourceError):
                    await self._stream.send_all(_FAILURE)
        return is_complete

    def _goes_on(self) -> bool:
        """Go on to the next request, if there may be one."""
        if self._http.our_state is self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            return True
        return False

    def _encode(self, *events: h11.Event) -> bytes:
        return b"".join(self._http.send(event) or b"" for event in events)


def _head(status: int, headers: list[tuple[str, str]]) -> h11.Response:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""  # it is for people to read, and says nothing to a program
    return h11.Response(status_code=status, headers=headers, reason=phrase)


def _log_failure(request: HttpRequest, error: Exception) -> None:
    # As in the rpc package: the text of the unforeseen may quote a secret.
    way = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed: %s\n%s", request.path, type(error).__name__, way)
