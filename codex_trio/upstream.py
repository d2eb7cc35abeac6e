"""What we ask of hosts on the network: one HTTP client for the whole server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson
import trio

from codex_trio import telemetry
from codex_trio.errors import UpstreamError
from codex_trio.proxies import proxy_for
from codex_trio.urls import shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import httpx

    from codex_trio.settings import Settings
    from codex_trio.streaming import ReplyStream

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


class UnreachableError(UpstreamError):
    """Nobody could be connected to, as happens without a network; raised by streams only."""

    def __init__(self, message: str) -> None:
        super().__init__(message, unsent=True)


class SilentError(UpstreamError):
    """A host has not begun to reply in time; raised by streams only."""


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

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes,
        patience: float = PATIENCE,
    ) -> AsyncGenerator[ReplyStream]:
        """Post bytes, and read the reply within the block while it arrives, whatever its status.

        Leaving the block closes the connection at once, unless all of the reply has arrived:
        then it is kept for the next question. Redirects are followed only where they ask for
        the same once more, and lead to the same scheme, host and port.

        Args:
            url: where to.
            headers: by name in small letters; what HTTP itself needs is added.
            content: the body.
            patience: seconds until the head of the reply has to be there.

        Raises:
            UnreachableError: nobody could be connected to.
            SilentError: there is no reply within ``patience`` seconds.
            UpstreamError: there is none for another reason; also from the reply's ``receive``
                and ``read``, when it is cut.
            TrustError: the certificates to trust cannot be used.
        """
        client = await self._open()  # which takes its time, but not the host's
        import httpx

        from codex_trio.http_errors import explain, is_unreachable, is_unsent
        from codex_trio.streaming import post

        with telemetry.client_span("POST", url) as span:
            try:
                with trio.fail_after(patience):
                    reply = await post(client, url, headers, content)
            except trio.TooSlowError:
                reason = f"no reply within {patience:g} seconds"
                raise SilentError(self._explain(url, reason)) from None
            except httpx.ConnectError as error:
                text = self._explain(url, explain(error))
                if is_unreachable(error):
                    raise UnreachableError(text) from None
                raise UpstreamError(text, unsent=True) from None
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as error:
                raise self._error(url, explain(error), unsent=is_unsent(error)) from None
            span.note(http_response_status__code=reply.status)
            try:
                yield reply
            finally:
                await reply.aclose()

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
        with telemetry.client_span(method, url) as span:
            try:
                with trio.fail_after(patience):
                    reply = await self._send(
                        client, follow, method, url, headers or {}, **content
                    )
            except trio.TooSlowError:
                raise self._error(url, f"no reply within {patience:g} seconds") from None
            span.note(http_response_status__code=reply.status)
            return reply

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

        from codex_trio.http_errors import explain, is_unsent

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
            raise self._error(url, explain(error), unsent=is_unsent(error)) from None
        if reading.cancelled_caught:
            raise self._error(url, f"the reply exceeds {MAX_REPLY} bytes")
        return Reply(status=response.status_code, body=bytes(body))

    def _error(self, url: str, reason: str, *, unsent: bool = False) -> UpstreamError:
        return UpstreamError(self._explain(url, reason), unsent=unsent)

    def _explain(self, url: str, reason: str) -> str:
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
        return f"error sending request for url ({shown(url)}): {'; '.join(circumstances)}"


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
