"""What we ask of hosts on the network: one HTTP client for the whole server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
import orjson
import trio

from codex_trio.errors import UpstreamError
from codex_trio.trust import open_trust
from codex_trio.urls import shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import httpx

    from codex_trio.settings import Settings

PATIENCE: Final = 60.0
"""Seconds that a request may take, all of it."""

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
    _clients: dict[str, httpx.AsyncClient] = attrs.field(factory=dict, init=False)
    _loading: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    async def post(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> Reply:
        """Send a form or a JSON value and read the reply, whatever its status.

        A cancelled call closes its connection; the host may have acted all the same.

        Raises:
            UpstreamError: there is no reply, none within ``patience`` seconds, or too long a
                one.
            TrustError: the certificates to trust cannot be used.
        """
        try:
            with trio.fail_after(patience):
                client = await self._client(url)
                return await self._send(
                    client,
                    client.build_request("POST", url, data=form, json=json, headers=headers),
                )
        except trio.TooSlowError:
            raise self._error(url, f"no reply within {patience:g} seconds") from None

    async def aclose(self) -> None:
        """Close what connections there are."""
        for client in self._clients.values():
            await client.aclose()

    async def _send(self, client: httpx.AsyncClient, request: httpx.Request) -> Reply:
        import httpx

        url = str(request.url)
        try:
            response = await client.send(request, stream=True)
            try:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_REPLY:
                        raise self._error(url, f"the reply exceeds {MAX_REPLY} bytes")
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise self._error(url, _explain(error)) from None
        except (httpx.InvalidURL, httpx.StreamError):
            raise self._error(url, "the reply leads nowhere") from None
        return Reply(status=response.status_code, body=bytes(body))

    async def _client(self, url: str) -> httpx.AsyncClient:
        """Find the client for a URL; there is one for each proxy, and one without."""
        proxy = self._proxy(url)
        async with self._loading:
            client = self._clients.get(proxy)
            if client is None:
                client = await trio.to_thread.run_sync(self._open_client, proxy)
                self._clients[proxy] = client
        return client

    def _open_client(self, proxy: str) -> httpx.AsyncClient:
        import httpx

        trust = open_trust(self._settings.ca_bundle)
        try:
            client = httpx.AsyncClient(
                verify=trust,
                proxy=proxy or None,
                trust_env=False,
                follow_redirects=True,
                timeout=None,  # `post` has a limit for all of it
            )
        except (ValueError, ImportError):
            raise UpstreamError(
                f"the proxy {shown(proxy)} cannot be used; its scheme must be http or https"
            ) from None
        # The original's client sends nothing of itself, and understands no compression.
        del client.headers["User-Agent"]
        del client.headers["Accept-Encoding"]
        return client

    def _proxy(self, url: str) -> str:
        """Name the proxy that a URL is asked through; empty when it is asked directly."""
        if not self._settings.proxies:
            return ""
        from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

        target, proxies = urlsplit(url), dict(self._settings.proxies)
        proxy = proxies.get(target.scheme) or proxies.get("all", "")
        if not proxy or proxy_bypass_environment(target.hostname or "", proxies):
            return ""
        return proxy if "://" in proxy else f"http://{proxy}"

    def _error(self, url: str, reason: str) -> UpstreamError:
        bundle = self._settings.ca_bundle
        circumstances = (
            [f"through the proxy {shown(proxy)}"] if (proxy := self._proxy(url)) else []
        )
        if url.startswith("https:"):
            beside = "" if bundle is None else f" and those of {bundle.source} ({bundle.path})"
            circumstances.append(f"trusting the system's certificates{beside}")
        detail = "; ".join([reason, *circumstances])
        return UpstreamError(f"error sending request for url ({shown(url)}): {detail}")


@asynccontextmanager
async def open_upstream(settings: Settings) -> AsyncGenerator[Upstream]:
    """Ask hosts on the network within the block; leaving it closes every connection."""
    upstream = Upstream(settings)
    try:
        yield upstream
    finally:
        with trio.CancelScope(shield=True):  # closing sockets does not wait for the far end
            await upstream.aclose()


def _explain(error: httpx.HTTPError) -> str:
    """Say what went wrong, without what was sent or received.

    Only the texts of what happens before anything is sent are our system's own; those of a
    broken reply quote it.
    """
    import httpx

    match error:
        case httpx.ConnectError() | httpx.ProxyError():
            return str(error) or "it cannot be reached"
        case httpx.TooManyRedirects():
            return "too many redirects"
        case httpx.UnsupportedProtocol():
            return "not a http or https URL"
        case httpx.ReadError() | httpx.WriteError():
            return "the connection was lost"
        case _:
            return "the reply is no HTTP"
