"""An HTTP client that keeps nothing for itself and leaves nothing behind; imports httpx."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final

import httpcore
import httpx
import trio

from codex_trio.errors import UpstreamError
from codex_trio.proxies import proxy_for
from codex_trio.trust import open_trust
from codex_trio.urls import shown

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping

    from codex_trio.settings import Settings


def open_http_client(settings: Settings) -> httpx.AsyncClient:
    """Open a client as the original's is: it says nothing of itself.

    It has no time limits; whoever asks has one for all that it takes. Blocks, while the
    system's certificates are loaded.

    Raises:
        TrustError: the certificates to trust cannot be used.
    """
    client = httpx.AsyncClient(
        transport=_Routes(open_trust(settings.ca_bundle), settings.proxies),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none, of nobody
        trust_env=False,
        timeout=None,
    )
    del client.headers["User-Agent"]
    del client.headers["Accept-Encoding"]
    return client


_GOODBYE: Final = 0.02  # seconds

# Nobody is to wait for a connection because others wait for a host that says nothing; how many
# requests there are is limited by connection.
_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=20)


class _Routes(httpx.AsyncBaseTransport):
    """Connections by proxy, chosen for each request, also for one that follows a redirect."""

    def __init__(self, trust: ssl.SSLContext, proxies: Mapping[str, str]) -> None:
        self._trust = trust
        self._proxies = proxies
        self._routes: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = proxy_for(str(request.url), self._proxies)
        if proxy not in self._routes:
            self._routes[proxy] = self._open(proxy)
        if not isinstance(request.stream, _Body):  # which a redirected one has already
            request.stream = _Body(request.content)
        route = self._routes[proxy]
        try:
            return await route.handle_async_request(request)
        except BaseException:
            with trio.move_on_after(_GOODBYE, shield=True):
                await _close_forgotten(route._pool)
            raise

    async def aclose(self) -> None:
        for route in self._routes.values():
            await route.aclose()

    def _open(self, proxy: str) -> httpx.AsyncHTTPTransport:
        try:
            route = httpx.AsyncHTTPTransport(
                verify=self._trust,
                proxy=_proxy(proxy, self._trust) if proxy else None,
                trust_env=False,
                limits=_LIMITS,
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            raise UpstreamError(
                f"the proxy {shown(proxy)} cannot be used; its scheme must be http or https"
            ) from None
        # There is no public way to say this through httpx.
        route._pool._network_backend = _Backend()
        return route


async def _close_forgotten(pool: httpcore.AsyncConnectionPool) -> None:
    """Close what no request has any more and none can have again.

    httpcore 1.0 keeps a connection for good whose request is cut before its first word
    (https://github.com/encode/httpcore/issues/1093), and says nowhere in public whose it was.
    """
    owned = [request.connection for request in pool._requests]
    forgotten = [one for one in pool.connections if not (one in owned or one.is_idle())]
    for connection in forgotten:
        pool._connections.remove(connection)
    for connection in forgotten:
        await connection.aclose()


def _proxy(url: str, trust: ssl.SSLContext) -> httpx.Proxy:
    proxy = httpx.Proxy(url)
    if proxy.url.scheme == "https":
        proxy.ssl_context = trust
    return proxy


class _Body(httpx.AsyncByteStream):
    """A body whose iterator is no generator: one that is cut while it is sent would be left."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self._content)


class _Once(AsyncIterator[bytes]):
    def __init__(self, content: bytes) -> None:
        self._contents = iter([content])

    async def __anext__(self) -> bytes:
        for content in self._contents:
            return content
        raise StopAsyncIteration


class _Backend(httpcore.TrioBackend):
    """Connections that are closed when their TLS handshake is cancelled."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(
            await super().connect_tcp(host, port, timeout, local_address, socket_options)
        )


class _Stream(httpcore.AsyncNetworkStream):
    """A connection; httpcore closes it when a handshake fails, and forgets it when it is cut."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        # TLS says good-bye, which a far end that does not read must not hold up; httpcore closes
        # what is cancelled behind a shield without an end.
        with trio.move_on_after(_GOODBYE, shield=True):
            await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except trio.Cancelled:
            await self.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
