"""What comes before a websocket: probes, refusals, the handshake."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import attrs
import trio

from codex_trio.transport.websocket import MAX_FRAME, WebSocketWire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.transport.admission import Admission

log = logging.getLogger(__name__)

MAX_HEAD: Final = 32 * 2**10
"""Bytes that a request line and its headers may have."""

HANDSHAKE_PATIENCE: Final = 10.0
"""Seconds in which a request has to arrive, from the connection or from the answer before it,
and its answer has to be taken. Ours: 0.163.0 waits for ever (observed)."""

_LAST_WORDS: Final = 1.0  # seconds in which a peer that was too slow may learn that it was
_CHUNK: Final = 16 * 2**10
_MAX_HEADERS: Final = 100  # as in 0.163.0 (observed)
_NOT_LET_IN: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_PROBES: Final = ("/readyz", "/healthz")
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_END: Final = re.compile(rb"\r?\n\r?\n")
# RFC 9112, sections 3 and 5; no header goes on in the next line.
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE: Final = re.compile(rb"(%b) ([!-~\x80-\xff]+) HTTP/1\.([01])" % _TOKEN)
_BEGINNING: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}( |\Z)")
_HEADER: Final = re.compile(rb"(%b):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)" % _TOKEN)


@attrs.frozen
class _Request:
    """The head of a request."""

    method: bytes
    target: bytes
    minor: int  # of its version, HTTP/1.minor
    headers: Mapping[bytes, bytes]  # by name in small letters; of repeated ones, the first

    @property
    def path(self) -> str:
        target = self.target.decode("latin-1")
        if not target.startswith("/"):
            with suppress(ValueError):
                return urlsplit(target).path
        return target.partition("?")[0]

    @property
    def goes_on(self) -> bool:
        """Whether another request may follow; behind a body none does, for we read none."""
        return (
            self.minor == 1
            and b"close" not in self.headers.get(b"connection", b"").lower()
            and b"transfer-encoding" not in self.headers
            and self.headers.get(b"content-length", b"0") == b"0"
        )


@attrs.frozen
class _Answer:
    """What is answered to those who do not come in."""

    status: HTTPStatus
    text: str = ""
    allow: str = ""

    def encode(self, request: _Request | None) -> bytes:
        """Encode it for a request, or for what is none."""
        minor = 1 if request is None else request.minor
        lines = [f"HTTP/1.{minor} {int(self.status)} {self.status.phrase}"]
        if minor == 1 and (request is None or not request.goes_on):
            lines.append("connection: close")
        if self.allow:
            lines.append(f"allow: {self.allow}")
        if self.text:
            lines.append("content-type: text/plain; charset=utf-8")
        lines += [f"content-length: {len(self.text)}", f"date: {_date()}", "", ""]
        without_body = request is not None and request.method == b"HEAD"
        return ("\r\n".join(lines) + ("" if without_body else self.text)).encode("ascii")


class _BadRequestError(Exception):
    """What the peer sent is no request that we read."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@attrs.frozen
class FrontDoor:
    """Answers whoever connects, and lets in whom it may.

    A request with an Origin is a web page's, and is refused whatever it wants. The rules, their
    order and the texts are those of 0.163.0 (observed).

    Args:
        admission: decides who may come in; everybody may, if None.
        max_message: the longest message that is read, in bytes.
        names_limit: whether clients are told how long a frame may be, as by 0.163.0 on unix
            sockets (observed).
    """

    admission: Admission | None
    max_message: int
    names_limit: bool = False

    async def admit(self, stream: trio.SocketStream) -> WebSocketWire | None:
        """Answer requests until one makes a websocket of the connection; gives its wire.

        None if there will be none: the peer has left, or is to leave. Closing the stream is
        then the caller's part, and so it is after an error or a cancellation.

        Raises:
            trio.BrokenResourceError: the connection is lost.
        """
        buffer = bytearray()
        with trio.CancelScope() as patience:
            while True:
                patience.deadline = trio.current_time() + HANDSHAKE_PATIENCE
                request, answer = None, None
                try:
                    request = await _read_request(stream, buffer)
                    if request is None:
                        return None
                    answer = self._refuse(request)
                except _BadRequestError as error:
                    answer = _Answer(error.status)
                if request is not None and answer is None:
                    await stream.send_all(self._switch(request))
                    return WebSocketWire(stream, bytes(buffer), self.max_message)
                assert answer is not None
                if answer.status in _NOT_LET_IN:
                    log.info("did not let somebody in: %s", answer.text or answer.status.phrase)
                await stream.send_all(answer.encode(request))
                if request is None or not request.goes_on:
                    await _part(stream)
                    return None
        if buffer and request is None and answer is None:  # nothing is half said
            with trio.move_on_after(_LAST_WORDS):
                await stream.send_all(_Answer(HTTPStatus.REQUEST_TIMEOUT).encode(None))
        return None

    def _refuse(self, request: _Request) -> _Answer | None:
        """Say what is answered to a request that makes no websocket; None if it makes one."""
        headers = request.headers
        if b"origin" in headers:
            return _Answer(HTTPStatus.FORBIDDEN)
        if request.path in _PROBES:
            if request.method in (b"GET", b"HEAD"):
                return _Answer(HTTPStatus.OK)
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, allow="GET,HEAD")
        if request.method != b"GET":
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, "Request method must be `GET`")
        if b"upgrade" not in headers.get(b"connection", b"").lower():
            return _bad_request("Connection header did not include 'upgrade'")
        if headers.get(b"upgrade", b"").lower() != b"websocket":
            return _bad_request("`Upgrade` header did not include 'websocket'")
        if headers.get(b"sec-websocket-version") != b"13":
            return _bad_request("`Sec-WebSocket-Version` header did not include '13'")
        if b"sec-websocket-key" not in headers:
            return _bad_request("`Sec-WebSocket-Key` header missing")
        if request.minor == 0:
            return _Answer(
                HTTPStatus.UPGRADE_REQUIRED,
                "WebSocket request couldn't be upgraded since no upgrade state was present",
            )
        if self.admission is not None and (
            reason := self.admission.refusal(headers.get(b"authorization"))
        ):
            return _Answer(HTTPStatus.UNAUTHORIZED, reason)
        return None

    def _switch(self, request: _Request) -> bytes:
        """Complete the handshake; no subprotocol and no extension is ever agreed on."""
        key = hashlib.sha1(request.headers[b"sec-websocket-key"] + _GUID, usedforsecurity=False)
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "connection: upgrade",
            "upgrade: websocket",
            f"sec-websocket-accept: {base64.b64encode(key.digest()).decode()}",
        ]
        if self.names_limit:
            lines.append(f"x-codex-websocket-max-unfragmented-message-bytes: {MAX_FRAME}")
        lines += [f"date: {_date()}", "", ""]
        return "\r\n".join(lines).encode("ascii")


def _bad_request(text: str) -> _Answer:
    return _Answer(HTTPStatus.BAD_REQUEST, text)


def _date() -> str:
    return formatdate(usegmt=True)


async def _read_request(stream: trio.SocketStream, buffer: bytearray) -> _Request | None:
    """Take the head of the next request off the buffer, which is filled from the stream.

    None when the peer has ended its side instead.
    """
    searched = 0
    while True:
        while buffer.startswith((b"\r", b"\n")):
            del buffer[0]  # RFC 9112, section 2.2
        if end := _END.search(buffer, max(0, searched - 3)):
            head = bytes(buffer[: end.start()])
            del buffer[: end.end()]
            return _parse(head)
        if len(buffer) > MAX_HEAD:
            raise _BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if buffer and not _BEGINNING.match(buffer):  # TLS, for one, which has no end of a head
            raise _BadRequestError(HTTPStatus.BAD_REQUEST)
        searched = len(buffer)
        chunk = await stream.receive_some(_CHUNK)
        if not chunk:
            return None
        buffer += chunk


def _parse(head: bytes) -> _Request:
    first, *rest = [line.removesuffix(b"\r") for line in head.split(b"\n")]
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise _BadRequestError(HTTPStatus.BAD_REQUEST)
    if len(rest) > _MAX_HEADERS:
        raise _BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    headers: dict[bytes, bytes] = {}
    for field in rest:
        if (header := _HEADER.fullmatch(field)) is None:
            raise _BadRequestError(HTTPStatus.BAD_REQUEST)
        headers.setdefault(header[1].lower(), header[2].rstrip(b" \t"))
    return _Request(line[1], line[2], int(line[3]), headers)


async def _part(stream: trio.SocketStream) -> None:
    """End our side, and read on until the peer has ended its own.

    Closing with something unread would reset the connection, and our answer could be lost.
    """
    await stream.send_eof()
    while await stream.receive_some(_CHUNK):
        pass
