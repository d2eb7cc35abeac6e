"""The server as a program: the wires that it was told to serve, until its end."""

from __future__ import annotations

import gc
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.errors import SettingsError
from codex_trio.groups import out_of_groups
from codex_trio.lifetime import STOP_GRACE, wait_parent_gone, watch_signals
from codex_trio.server import Server, open_server
from codex_trio.transport.stdio import open_stdio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_trio.settings import Settings
    from codex_trio.transport.admission import Admission

STDIO: Final = "stdio://"


@attrs.frozen(kw_only=True)
class Program:
    """What a server that is a process was told to do.

    Args:
        settings: how the server behaves.
        urls: the wires, at least one.
        admission: who may connect to a websocket; everybody, by default.
        allow_unauthenticated: whether that may be everybody on the network.
        drain: seconds that turns have to end by themselves at a signal. By default those of the
            settings, and none on standard input and output alone, as in the original: whoever
            owns the process and sends a signal wants it gone.
        parent: the process that has started this one.
    """

    settings: Settings
    urls: Sequence[str]
    admission: Admission | None
    allow_unauthenticated: bool
    drain: float | None
    parent: int

    async def run(self) -> None:
        """Serve until nobody is left who could connect, or a signal comes.

        Raises:
            SettingsError: nobody could connect, or an address cannot be had.
        """
        urls = [url for url in self.urls if url != "off"]
        if not urls:
            raise SettingsError("no transport configured; use --listen")
        drain = 0.0 if urls == [STDIO] else self.settings.drain
        if self.drain is not None:
            drain = self.drain
        with out_of_groups(2):
            async with open_server(self.settings) as server, trio.open_nursery() as everything:
                await everything.start(watch_signals, server, everything.cancel_scope, drain)
                async with trio.open_nursery() as wires:
                    for url in urls:
                        if url == STDIO:
                            sole = len(urls) == 1
                            serve = partial(self._serve_stdio, server, drain, sole=sole)
                            wires.start_soon(serve)
                        else:
                            await self._listen(server, url, wires)
                    _collect_less_garbage()
                everything.cancel_scope.cancel(reason="nobody is served any more")

    async def _serve_stdio(self, server: Server, drain: float, *, sole: bool) -> None:
        """Serve whoever has started us; what that is the end of is the end of all."""
        async with open_stdio(self.settings.max_message) as wire:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_with_parent, server)
                await server.serve(wire, sole=sole)
                nursery.cancel_scope.cancel(reason="the client has hung up")
        if not sole and not server.hung_up:
            await server.drain(drain)  # for the sake of those who are connected otherwise
        server.hang_up(STOP_GRACE)

    async def _end_with_parent(self, server: Server) -> None:
        """Hang up when our parent is gone: nobody is left to serve, whoever holds its pipes."""
        await wait_parent_gone(self.parent)
        server.hang_up(STOP_GRACE)

    async def _listen(self, server: Server, url: str, wires: trio.Nursery) -> None:
        is_ws = url.startswith("ws://")
        bound = await wires.start(
            partial(
                server.listen,
                url,
                admission=self.admission if is_ws else None,  # a unix socket is its owner's
                allow_unauthenticated=self.allow_unauthenticated,
            )
        )
        if is_ws:
            print(
                banner(bound, self.admission is not None), end="", file=sys.stderr, flush=True
            )


def _collect_less_garbage() -> None:
    """Have Python look for cycles of garbage more seldom; a program's to decide, not a library's.

    Connections and requests leave none, but Python looks for it whenever 700 objects
    more have come than gone. With a thousand connections that took a tenth of all time, and up
    to 77 ms at once; now it is a hundredth, and 30 ms.
    """
    gc.freeze()  # what is there by now stays
    gc.set_threshold(10_000)


def banner(url: str, is_guarded: bool) -> str:
    """Say where websockets are served, as 0.163.0 does (observed): some read the port in it."""
    from codex_trio.transport.listening import TcpAddress, parse_listen_url

    address = parse_listen_url(url)
    assert isinstance(address, TcpAddress)  # which is what was bound
    if address.is_loopback:
        note = "binds localhost only (use SSH port-forwarding for remote access)"
    elif is_guarded:
        note = "websocket auth is required for non-localhost listeners"
    else:
        note = "everybody who can connect is let in"
    return (
        "codex app-server (WebSockets)\n"
        f"  listening on: {url}\n"
        f"  readyz: http://{address}/readyz\n"
        f"  healthz: http://{address}/healthz\n"
        f"  note: {note}\n"
    )
