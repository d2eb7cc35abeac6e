"""A browser that is small: it follows redirects on this machine, and keeps nothing."""

from __future__ import annotations

import ipaddress
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

import attrs
import h11
import trio

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOPS: Final = 20
_REDIRECTS: Final = {301, 302, 303, 307, 308}


@attrs.frozen
class Page:
    """What a browser ends up with.

    Args:
        status: the status code.
        url: where it ended up, behind all redirects.
        headers: by name in small letters; of repeated ones, the last.
        text: the body, read as UTF-8.
    """

    status: int
    url: str
    headers: dict[str, str]
    text: str


async def visit(
    url: str, *, follow: bool = True, form: Mapping[str, str] | None = None
) -> Page:
    """Get a page, or send a form to it, as a browser would.

    A redirect that leads off this machine is returned, not followed. Certificates are taken
    as they are: whoever is on this machine may have made them.

    Raises:
        ValueError: the URL itself is not on this machine.
        OSError: nobody is there, or what is there does not speak HTTP.
    """
    if not is_local(url):
        raise ValueError("only addresses of this machine are visited")
    for _ in range(_HOPS):
        page = await _fetch(url, form)
        location = urljoin(url, page.headers.get("location", url))
        if not (follow and page.status in _REDIRECTS and is_local(location)):
            return page
        url = location
        if page.status not in {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}:
            form = None
    raise ConnectionError(f"more than {_HOPS} redirects")


def is_local(url: str) -> bool:
    """Say whether a URL is one of HTTP on the loopback interface."""
    try:
        parts = urlsplit(url)
        _port_of(parts)
    except ValueError:
        return False
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"}:
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _fetch(url: str, form: Mapping[str, str] | None) -> Page:
    parts = urlsplit(url)
    host = parts.hostname or ""
    stream: trio.abc.Stream = await trio.open_tcp_stream(host, _port_of(parts))
    if parts.scheme == "https":
        stream = trio.SSLStream(
            stream, _trust_everybody(), server_hostname=host, https_compatible=True
        )
    async with stream:
        try:
            response, body = await _exchange(stream, _request(parts, form))
        except (h11.RemoteProtocolError, trio.BrokenResourceError) as error:
            raise ConnectionError(f"{parts.netloc} does not answer in HTTP: {error}") from error
    headers = {name.decode(): value.decode("latin-1") for name, value in response.headers}
    return Page(response.status_code, url, headers, body.decode("utf-8", "replace"))


def _request(parts: SplitResult, form: Mapping[str, str] | None) -> list[h11.Event]:
    body = b"" if form is None else urlencode(form).encode()
    headers = [("Host", parts.netloc), ("Accept", "text/html"), ("Connection", "close")]
    if form is not None:
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        headers.append(("Content-Length", str(len(body))))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = h11.Request(method="GET" if form is None else "POST", target=target, headers=headers)
    return [head, h11.Data(data=body), h11.EndOfMessage()]


async def _exchange(
    stream: trio.abc.Stream, request: list[h11.Event]
) -> tuple[h11.Response, bytes]:
    http = h11.Connection(h11.CLIENT)
    await stream.send_all(b"".join(http.send(event) or b"" for event in request))
    response: h11.Response | None = None
    body = bytearray()
    while not isinstance(event := await _next_event(http, stream), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
    assert response is not None, "h11 gives the head before the end"
    return response, bytes(body)


async def _next_event(http: h11.Connection, stream: trio.abc.Stream) -> Any:
    while (event := http.next_event()) is h11.NEED_DATA:
        http.receive_data(bytes(await stream.receive_some()))
    return event


def _port_of(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _trust_everybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
