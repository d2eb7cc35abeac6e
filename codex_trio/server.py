"""The root: builds the families, joins wires to connections, shuts down."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.account.auth import Auth
from codex_trio.account.legacy import LegacyAccountMethods
from codex_trio.account.login import LoginDesk
from codex_trio.account.methods import AccountMethods
from codex_trio.account.news import AccountNews
from codex_trio.account.oauth import Issuer
from codex_trio.account.signing import Signing
from codex_trio.account.storage import open_store
from codex_trio.groups import out_of_groups
from codex_trio.handshake import Handshake
from codex_trio.protocol import methods
from codex_trio.rpc.calls import handlers_of
from codex_trio.rpc.connection import Switchboard, serve_connection
from codex_trio.rpc.router import Router
from codex_trio.settings import Settings, load_settings
from codex_trio.transport.stdio import open_stdio
from codex_trio.upstream import Upstream, open_upstream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.wire import Wire

_TABLE: Final = {row.name: row for row in (*methods.CLIENT_REQUESTS, *methods.SERVED_BESIDE)}


@attrs.define(eq=False)
class Server:
    """A server that is running; made by ``open_server``.

    All of its connections share one account, as in the original.
    """

    settings: Settings
    _board: Switchboard
    _desk: LoginDesk

    async def serve(self, wire: Wire, *, sole: bool = False) -> None:
        """Serve one client over a wire until it hangs up; closes the wire.

        A ``sole`` client is the only one that there will be: when it hangs up, a sign-in that
        is under way ends, and it is told so if it still listens. A cancelled call drops what
        has not been sent, and ends the client's requests.
        """

        async def last_words() -> None:
            if sole or self.hung_up:
                await self._desk.close()

        await serve_connection(wire, self._board, last_words)

    @property
    def hung_up(self) -> bool:
        """Whether ``hang_up`` has been called."""
        return self._board.closing

    def hang_up(self, grace: float | None = None) -> None:
        """Listen to no client any more, so that every ``serve`` ends soon.

        What is in flight has ``grace`` seconds, those of the settings by default; then a
        sign-in that is under way ends, and clients are told so.
        """
        self._board.hang_up(self.settings.grace if grace is None else grace)


@asynccontextmanager
async def open_server(settings: Settings | None = None) -> AsyncGenerator[Server]:
    """Run a server within the block; end your ``Server.serve`` calls before it.

    Without settings the environment and ``config.toml`` are read, which may raise
    ``SettingsError``. Leaving the block ends a sign-in that is under way, and leaves no task,
    port or connection; so does a cancellation. A browser that has just signed in has a few
    seconds for its last page, unless the server has hung up or is cancelled.
    """
    if settings is None:
        settings = load_settings()
    with out_of_groups(1):
        async with open_upstream(settings) as upstream, trio.open_nursery() as nursery:
            server = _build(settings, nursery, upstream)
            try:
                yield server
                if server.hung_up:  # in which case nobody has time for a browser
                    await server._desk.clear()
                await server._desk.close()
            finally:
                nursery.cancel_scope.cancel(reason="the server's block is left")


async def serve_stdio(settings: Settings | None = None) -> None:
    """Serve one client over standard input and output until it hangs up.

    Within the call, everything else that reads or prints there reads nothing, and prints to
    standard error. A cancelled call gives both back.
    """
    async with open_server(settings) as server:
        async with open_stdio(server.settings.max_message) as wire:
            await server.serve(wire, sole=True)


def _build(settings: Settings, nursery: trio.Nursery, upstream: Upstream) -> Server:
    """Build what belongs to one account: identity, desk, handlers, and who watches it."""
    router = Router()
    auth = Auth(open_store(settings), settings.forced_login_method)
    auth.load()
    desk = LoginDesk(nursery, auth)
    news = AccountNews(auth, router)
    signing = Signing(settings, auth, desk, Issuer(settings, upstream))
    families = [
        Handshake(settings),
        AccountMethods(settings, auth, desk, signing, news),
        LegacyAccountMethods(signing, desk, news),
    ]
    board = Switchboard(_TABLE, handlers_of(families), settings.grace, router)
    return Server(settings, board, desk)
