"""What we ask of hosts on the network: one HTTP client for the whole server."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson
import trio

from codex_trio.errors import UpstreamError
from codex_trio.proxies import proxy_for
from codex_trio.urls import shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import httpx

    from codex_trio.settings import Settings

PATIENCE: Final = 60.0
"""Seconds that a request may take, all of it."""

_GOODBYE: Final = 1.0  # seconds
_MAX_REDIRECTS: Final = 10

MAX_REPLY: Final = 4 * 2**20
"""Bytes that are read of a reply."""


@attrs.frozen(kw_only=True)
class Reply:
    """What a host has answered; its body may hold secrets."""

    status: int
    body: bytes = attrs.field(repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether the host has done what it was asked."""
        return 200 <= self.status < 300

    @property
    def status_line(self) -> str:
        """The status in words, ``404 Not Found``."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)

    def json(self) -> Any:
        """Decode the body; None when it is no JSON."""
        try:
            return orjson.loads(self.body)
        except ValueError:
            return None


@attrs.define(eq=False)
class Upstream:
    """Asks hosts on the network; made by ``open_upstream``.

    httpx and the system's certificates take their time to load, so that is done when the first
    question is asked, in a worker thread.
    """

    _settings: Settings
    _client: httpx.AsyncClient | None = attrs.field(default=None, init=False)
    _opening: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    async def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, patience: float = PATIENCE
    ) -> Reply:
        """Ask for something and read the reply, whatever its status. See ``post``."""
        return await self._ask(patience, True, "GET", url, headers)

    async def post(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
        follow: bool = True,
    ) -> Reply:
        """Send a form or a JSON value and read the reply, whatever its status.

        A cancelled call closes its connection; the host may have acted all the same. Redirects
        are replies like others for those who do not ``follow`` them.

        Raises:
            UpstreamError: there is no reply, none within ``patience`` seconds, or too long a
                one.
            TrustError: the certificates to trust cannot be used.
        """
        content: dict[str, Any] = {"json": json} if form is None else {"data": dict(form)}
        return await self._ask(patience, follow, "POST", url, headers, **content)

    async def aclose(self) -> None:
        """Close what connections there are."""
        if self._client is not None:
            await self._client.aclose()

    async def _open(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._client is None:
                # Abandoned when it is cancelled: a file that hangs must not hold up an end. What
                # the thread makes then is nobody's, and has opened nothing.
                self._client = await trio.to_thread.run_sync(
                    _open_client, self._settings, abandon_on_cancel=True
                )
        return self._client

    async def _ask(
        self,
        patience: float,
        follow: bool,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        **content: Any,
    ) -> Reply:
        client = await self._open()  # which takes its time, but not the host's
        try:
            with trio.fail_after(patience):
                return await self._send(client, follow, method, url, headers or {}, **content)
        except trio.TooSlowError:
            raise self._error(url, f"no reply within {patience:g} seconds") from None

    async def _send(
        self,
        client: httpx.AsyncClient,
        follow: bool,
        method: str,
        url: str,
        headers: Mapping[str, str],
        **content: Any,
    ) -> Reply:
        import httpx

        body = bytearray()
        try:
            encoded = {name.encode(): value.encode() for name, value in headers.items()}
            request = client.build_request(method, url, headers=encoded, **content)
            hops = _MAX_REDIRECTS if follow else 0
            response = await _send_and_follow(client, request, hops)
            try:
                # What is too long is cut like any other wait, so that the generators of the
                # libraries end here, and not when they are collected.
                with trio.CancelScope() as reading:
                    async for chunk in response.aiter_raw():
                        body += chunk
                        if len(body) > MAX_REPLY:
                            reading.cancel(reason="the reply is too long")
            finally:
                # What has been read counts, whoever is cancelled at this moment.
                with trio.move_on_after(_GOODBYE, shield=True):
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as error:
            raise self._error(url, _explain(error), unsent=_is_unsent(error)) from None
        if reading.cancelled_caught:
            raise self._error(url, f"the reply exceeds {MAX_REPLY} bytes")
        return Reply(status=response.status_code, body=bytes(body))

    def _error(self, url: str, reason: str, *, unsent: bool = False) -> UpstreamError:
        circumstances = [reason]
        try:
            proxy = proxy_for(url, self._settings.proxies)
        except ValueError:
            proxy = ""
        if proxy:
            circumstances.append(f"through the proxy {shown(proxy)}")
        if url.startswith("https:"):
            bundle = self._settings.ca_bundle
            beside = "" if bundle is None else f" and those of {bundle.source} ({bundle.path})"
            circumstances.append(f"trusting the system's certificates{beside}")
        detail = "; ".join(circumstances)
        return UpstreamError(
            f"error sending request for url ({shown(url)}): {detail}", unsent=unsent
        )


@asynccontextmanager
async def open_upstream(settings: Settings) -> AsyncGenerator[Upstream]:
    """Ask hosts on the network within the block; leaving it closes every connection."""
    upstream = Upstream(settings)
    try:
        yield upstream
    finally:
        # TLS says good-bye, which a far end that does not read must not hold up.
        with trio.move_on_after(_GOODBYE, shield=True):
            await upstream.aclose()


async def _send_and_follow(
    client: httpx.AsyncClient, request: httpx.Request, hops: int
) -> httpx.Response:
    """Send a request, and follow so many redirects, whose bodies are not read."""
    import httpx

    for _ in range(max(hops, 1)):
        response = await client.send(request, stream=True)
        if response.next_request is None or not hops:
            return response
        await response.aclose()
        request = response.next_request
    raise httpx.TooManyRedirects("too many redirects", request=request)


def _open_client(settings: Settings) -> httpx.AsyncClient:
    from codex_trio.http_client import open_http_client

    return open_http_client(settings)


def _explain(error: Exception) -> str:
    """Say what went wrong, without what was sent or received.

    Only the texts of what happens before anything is sent are our system's own; those of a
    broken reply quote it.
    """
    import httpx

    match error:
        case httpx.ConnectError() | httpx.ProxyError():
            return _find_tls_error(error) or str(error) or "it cannot be reached"
        case httpx.TooManyRedirects():
            return "too many redirects"
        case httpx.UnsupportedProtocol():
            return "not a http or https URL"
        case httpx.InvalidURL() | ValueError():
            return "a URL that is none"
        case httpx.ReadError() | httpx.WriteError():
            return "the connection was lost"
        case httpx.RemoteProtocolError() if str(error).startswith("Server disconnected"):
            return "the connection was lost"
        case _:
            return "the reply is no HTTP"


def _is_unsent(error: Exception) -> bool:
    """Say whether it has gone wrong before the host could have read the question."""
    import httpx

    if isinstance(error, httpx.TransportError):
        return isinstance(
            error, (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol)
        )
    return isinstance(error, (httpx.InvalidURL, ValueError))


def _find_tls_error(error: BaseException | None) -> str:
    """Find why a handshake failed; httpx keeps that at the bottom of the causes."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return str(error)
        error = error.__cause__ or error.__context__
    return ""
