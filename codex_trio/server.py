"""The root: builds the families, joins wires to connections, shuts down."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import attrs

from codex_trio.account.auth import Auth
from codex_trio.account.methods import AccountMethods
from codex_trio.account.storage import open_store
from codex_trio.handshake import Handshake
from codex_trio.protocol import methods
from codex_trio.rpc.calls import handlers_of
from codex_trio.rpc.connection import Switchboard, serve_connection
from codex_trio.rpc.router import Router
from codex_trio.settings import Settings, load_settings
from codex_trio.transport.stdio import open_stdio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.wire import Wire

_TABLE: Final = {row.name: row for row in methods.CLIENT_REQUESTS}


@attrs.define(eq=False)
class Server:
    """A server that is running; made by ``open_server``.

    All of its connections share one account, as in the original.
    """

    settings: Settings
    _board: Switchboard

    async def serve(self, wire: Wire) -> None:
        """Serve one client over a wire until it hangs up; closes the wire.

        A cancelled call drops what has not been sent, and ends the client's requests.
        """
        await serve_connection(wire, self._board)

    @property
    def hung_up(self) -> bool:
        """Whether ``hang_up`` has been called."""
        return self._board.closing

    def hang_up(self, grace: float | None = None) -> None:
        """Listen to no client any more, so that every ``serve`` ends soon.

        What is in flight has ``grace`` seconds, those of the settings by default.
        """
        self._board.hang_up(self.settings.grace if grace is None else grace)


@asynccontextmanager
async def open_server(settings: Settings | None = None) -> AsyncGenerator[Server]:
    """Run a server within the block.

    Without settings the environment and ``config.toml`` are read, which may raise
    ``SettingsError``. The server has no task of its own; end your ``Server.serve`` calls
    before the block.
    """
    if settings is None:
        settings = load_settings()
    yield Server(settings, _open_scope(settings))


async def serve_stdio(settings: Settings | None = None) -> None:
    """Serve one client over standard input and output until it hangs up.

    Within the call, everything else that reads or prints there reads nothing, and prints to
    standard error. A cancelled call gives both back.
    """
    async with open_server(settings) as server:
        async with open_stdio(server.settings.max_message) as wire:
            await server.serve(wire)


def _open_scope(settings: Settings) -> Switchboard:
    """Build what belongs to one account: identity, handlers, lanes, and who watches it."""
    router = Router()
    auth = Auth(open_store(settings), settings.forced_login_method)
    auth.load()
    families = [Handshake(settings), AccountMethods(settings, auth, router)]
    return Switchboard(_TABLE, handlers_of(families), settings.grace, router)
