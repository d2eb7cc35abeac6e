"""The root: runs accounts, joins wires to connections, shuts down."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs

from codex_trio.rpc.connection import serve_connection
from codex_trio.scope import AccountScope, open_scope
from codex_trio.settings import Settings, load_settings
from codex_trio.transport.stdio import open_stdio
from codex_trio.upstream import Upstream, open_upstream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.account.storage import Store
    from codex_trio.wire import Wire


@attrs.define(eq=False)
class Server:
    """A server that is running; made by ``open_server``.

    All of its connections share one account, as in the original, but for those that are given
    another one.
    """

    settings: Settings
    account: AccountScope
    """The account of every connection that is given no other."""
    _upstream: Upstream
    _held_ports: set[int]
    _accounts: set[AccountScope] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._accounts = {self.account}

    async def serve(
        self, wire: Wire, *, sole: bool = False, account: AccountScope | None = None
    ) -> None:
        """Serve one client over a wire until it hangs up; closes the wire.

        A ``sole`` client is the only one that there will be: when it hangs up, a sign-in that
        is under way ends, and it is told so if it still listens. A cancelled call drops what
        has not been sent, and ends the client's requests.
        """
        scope = self.account if account is None else account

        async def last_words() -> None:
            if sole or self.hung_up:
                await scope.desk.close()

        await serve_connection(wire, scope.board, last_words)

    @asynccontextmanager
    async def open_account(
        self, settings: Settings, *, store: Store | None = None
    ) -> AsyncGenerator[AccountScope]:
        """Have another account within the block, for connections that are served with it.

        Ours: it has a store, a sign-in and listeners of its own, and nothing that is said of
        it is heard by connections with another one. End your ``serve`` calls with it before
        the block; leaving it is like leaving ``open_server``.

        Args:
            settings: how it behaves; its ``codex_home`` is where it is stored. Requests go out as
                the server's settings say, through its proxies for example.
            store: where it is stored instead.
        """
        async with open_scope(settings, self._upstream, self._held_ports, store) as scope:
            scope.board.closing = self.hung_up
            self._accounts.add(scope)
            try:
                yield scope
            finally:
                self._accounts.remove(scope)

    @property
    def hung_up(self) -> bool:
        """Whether ``hang_up`` has been called."""
        return self.account.board.closing

    def hang_up(self, grace: float | None = None) -> None:
        """Listen to no client any more, so that every ``serve`` ends soon.

        What is in flight has ``grace`` seconds, those of the settings by default; then a
        sign-in that is under way ends, and clients are told so.
        """
        for account in self._accounts:
            account.board.hang_up(self.settings.grace if grace is None else grace)


@asynccontextmanager
async def open_server(
    settings: Settings | None = None, *, store: Store | None = None
) -> AsyncGenerator[Server]:
    """Run a server within the block; end your ``Server.serve`` calls before it.

    Without settings the environment and ``config.toml`` are read, which may raise
    ``SettingsError``. A ``store`` of your own keeps the credentials instead of the one that the
    settings name. Leaving the block ends a sign-in that is under way, and leaves no task,
    port or connection; so does a cancellation. A browser that has just signed in has a few
    seconds for its last page, unless the server has hung up or is cancelled; tokens that are
    just being renewed have as long to be stored.
    """
    if settings is None:
        settings = load_settings()
    held_ports: set[int] = set()
    async with (
        open_upstream(settings) as upstream,
        open_scope(settings, upstream, held_ports, store) as account,
    ):
        yield Server(settings, account, upstream, held_ports)


async def serve_stdio(settings: Settings | None = None) -> None:
    """Serve one client over standard input and output until it hangs up.

    Within the call, everything else that reads or prints there reads nothing, and prints to
    standard error. A cancelled call gives both back.
    """
    async with open_server(settings) as server:
        async with open_stdio(server.settings.max_message) as wire:
            await server.serve(wire, sole=True)
