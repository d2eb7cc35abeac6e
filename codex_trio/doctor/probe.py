"""Asking one host, and saying how far one has come; imports httpx."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
import httpx
import trio

from codex_trio.errors import CodexTrioError, UpstreamError
from codex_trio.http_errors import explain
from codex_trio.proxies import proxy_for
from codex_trio.urls import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE: Final = 8.0  # seconds for one host
_GOODBYE: Final = 0.2  # seconds


@attrs.frozen(kw_only=True)
class Reached:
    """Somebody has answered.

    Args:
        status: of the answer.
        headers: by name in small letters.
        way: the steps that led there.
        seconds: that it took.
        arrived: when it came, in Unix time.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    way: str
    seconds: float
    arrived: float


class UnreachedError(CodexTrioError):
    """Nobody has answered.

    ``step`` is where it ended: ``name``, ``connection``, ``proxy``, ``TLS`` or ``HTTP``;
    ``proxied`` if a proxy was to be asked.
    """

    def __init__(self, reason: str, step: str, way: str, *, proxied: bool) -> None:
        super().__init__(reason)
        self.step = step
        self.way = way
        self.proxied = proxied


@attrs.define(eq=False)
class _Steps:
    """Notes which steps a request has taken; httpcore tells of them as they begin."""

    proxied: bool = False
    tunnelled: bool = False
    done: list[str] = attrs.field(factory=list)
    step: str = "name"

    def begin(self, step: str) -> None:
        if step != self.step:
            self.done.append(self.step)
            self.step = step

    async def __call__(self, event: str, _details: Mapping[str, Any]) -> None:  # noqa: ASYNC124 - httpcore awaits it
        kind = event.rsplit(".", 2)[-2:]
        match kind:
            case ["connect_tcp", "started"]:
                self.begin("connection")
            case ["start_tls", "started"] if event.startswith("connection.") and self.proxied:
                self.begin("proxy")  # to which there is TLS, too
            case ["start_tls", "started"]:
                self.tunnelled = False
                self.begin("TLS")
            case ["send_request_headers", "started"]:
                self.begin("proxy" if self.tunnelled else "HTTP")
            case _:
                pass  # the ends of steps, and what comes with an answer

    @property
    def way(self) -> str:
        return " -> ".join(self.done)


async def probe(client: httpx.AsyncClient, url: str, proxies: Mapping[str, str]) -> Reached:
    """Ask for a URL, and do not read what comes; nothing is sent that says who asks.

    User, password and query of the URL are left out, and redirects are not followed. A cancelled
    call closes its connection.

    Raises:
        UnreachedError: nobody has answered within some seconds.
    """
    steps = _Steps()
    begun = trio.current_time()
    try:
        with trio.fail_after(_PATIENCE):
            response = await _ask(client, url, proxies, steps)
    except trio.TooSlowError:
        reason = f"no answer within {_PATIENCE:g} s"
    except socket.gaierror as error:
        reason = error.strerror or "no such name"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = explain(error)
    except UpstreamError as error:  # a proxy that cannot be used
        steps.step, reason = "proxy", str(error)
    else:
        with trio.move_on_after(_GOODBYE, shield=True):
            await response.aclose()
        return Reached(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            way=steps.way,
            seconds=trio.current_time() - begun,
            arrived=time.time(),
        )
    raise UnreachedError(reason, steps.step, steps.way, proxied=steps.proxied)


async def _ask(
    client: httpx.AsyncClient, url: str, proxies: Mapping[str, str], steps: _Steps
) -> httpx.Response:
    proxy = proxy_for(url, proxies)
    steps.proxied = bool(proxy)
    steps.tunnelled = steps.proxied and urlsplit(url).scheme == "https"
    await _resolve(proxy or url)
    request = client.build_request("GET", shown(url), extensions={"trace": steps})
    return await client.send(request, stream=True)


async def _resolve(url: str) -> None:
    """Look a name up on its own, so that one knows of what is slow that it is this.

    Raises:
        OSError: there is no such name.
        ValueError: it is no URL.
    """
    parts = urlsplit(url)
    await trio.socket.getaddrinfo(
        parts.hostname or "", parts.port or 443, type=socket.SOCK_STREAM
    )
