"""Hosts on loopback that are asked, hosts that behave badly, and proxies to ask through."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import pytest
import trio

from codex_trio.errors import UpstreamError
from codex_trio.groups import out_of_groups
from codex_trio.httpd import HttpResponse, serve_http

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from codex_trio.httpd import Answer, HttpHandler, HttpRequest
    from codex_trio.upstream import Upstream

Serve: TypeAlias = "Callable[[trio.abc.Stream], Awaitable[None]]"


@attrs.define(eq=False)
class Door:
    """Where somebody listens, and how many connections there are and have been."""

    port: int
    tls: bool
    open: int = attrs.field(default=0, init=False)
    opened: int = attrs.field(default=0, init=False)
    _changed: trio.lowlevel.ParkingLot = attrs.field(
        factory=trio.lowlevel.ParkingLot, init=False
    )

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def wait_open(self, number: int) -> None:
        while self.open != number:
            await self._changed.park()

    async def serve(self, handler: Serve, stream: trio.abc.Stream) -> None:
        self._count(1)
        try:
            async with stream:
                await handler(stream)
        except trio.BrokenResourceError:
            pass  # the far end has left
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self.open += change
        self.opened += max(change, 0)
        self._changed.unpark_all()


@asynccontextmanager
async def open_door(handler: Serve, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Door]:
    """Serve every connection with a handler, with a server's context over TLS."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    door = Door(listener.socket.getsockname()[1], tls is not None)
    entry: trio.abc.Listener[trio.abc.Stream] = (
        trio.SSLListener(listener, tls, https_compatible=True) if tls else listener
    )
    with out_of_groups(1):
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, partial(door.serve, handler), [entry])
            yield door
            nursery.cancel_scope.cancel(reason="the test is done")


async def listen_only(stream: trio.abc.Stream) -> None:
    """Read whatever comes and never say a word."""
    while await stream.receive_some():
        pass


async def say_ok(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
    return HttpResponse.text(200, "ok")


@attrs.define(eq=False)
class Site:
    """A host that answers, and what it was asked."""

    door: Door
    requests: list[HttpRequest] = attrs.field(factory=list, init=False)

    @property
    def url(self) -> str:
        return self.door.url


@asynccontextmanager
async def open_site(
    handler: HttpHandler = say_ok, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Site]:
    """Run a host whose handler is told the requests; whoever waits is cut at the end."""

    async def answer(request: HttpRequest) -> Answer:
        site.requests.append(request)
        return await handler(request)

    async with open_door(partial(serve_http, answer), tls) as door:
        site = Site(door)
        yield site


@attrs.define(eq=False)
class Proxy:
    """Leads everybody to one port of loopback, whatever name they ask for."""

    to: int
    refusal: bytes = b""
    heads: list[str] = attrs.field(factory=list, init=False)

    async def serve(self, stream: trio.abc.Stream) -> None:
        said = b""
        while b"\r\n\r\n" not in said:
            if not (chunk := await stream.receive_some()):
                return
            said += chunk
        head, _, _ = said.partition(b"\r\n\r\n")
        self.heads.append(head.decode())
        if self.refusal:
            await stream.send_all(self.refusal)
            return
        async with await trio.open_tcp_stream("127.0.0.1", self.to) as far:
            if head.startswith(b"CONNECT "):
                await stream.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                await far.send_all(said)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pump, far, stream, nursery.cancel_scope)
                nursery.start_soon(_pump, stream, far, nursery.cancel_scope)


async def _pump(
    source: trio.abc.Stream, sink: trio.abc.Stream, until: trio.CancelScope
) -> None:
    try:
        while chunk := await source.receive_some():
            await sink.send_all(chunk)
    except trio.BrokenResourceError:
        pass
    until.cancel(reason="one side has ended")


@asynccontextmanager
async def open_proxy(
    to: int, tls: ssl.SSLContext | None = None, refusal: bytes = b""
) -> AsyncGenerator[tuple[Proxy, Door]]:
    """Run a proxy that leads to a port, or refuses everybody."""
    proxy = Proxy(to, refusal)
    async with open_door(proxy.serve, tls) as door:
        yield proxy, door


SECRET = "s3cret"


async def refusal(upstream: Upstream, url: str, **more: Any) -> str:
    """Ask in vain, and return what was wrong."""
    with pytest.raises(UpstreamError) as caught:
        await upstream.post(url, **more)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def error(url: str, reason: str) -> str:
    return f"error sending request for url ({url}): {reason}"
