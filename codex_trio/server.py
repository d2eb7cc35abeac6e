"""The root: runs accounts, joins wires to connections, shuts down."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Unpack

import attrs
import trio

from codex_trio import telemetry
from codex_trio.groups import out_of_groups
from codex_trio.leaks import leaks_logged
from codex_trio.rpc.connection import serve_connection
from codex_trio.scope import AccountScope, open_scope
from codex_trio.seeing import ServerTasks, see
from codex_trio.settings import Settings, load_settings
from codex_trio.transport.memory import memory_wire_pair
from codex_trio.transport.stdio import open_stdio
from codex_trio.upstream import Upstream, open_upstream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.account.storage import Store
    from codex_trio.client import Client
    from codex_trio.client.client import Introduction
    from codex_trio.transport.admission import Admission
    from codex_trio.transport.reception import Reception
    from codex_trio.wire import Wire

_AHEAD: Final = 16  # messages that a client in memory may be ahead, so that tasks change seldom


@attrs.define(eq=False)
class Server:
    """A server that is running; made by ``open_server``.

    All of its connections share one account, as in the original, but for those that are given
    another one.
    """

    settings: Settings
    account: AccountScope = attrs.field(repr=False)  # it is a whole world
    """The account of every connection that is given no other."""
    _upstream: Upstream = attrs.field(repr=False)
    _held_ports: set[int] = attrs.field(repr=False)
    draining: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when nobody is to be accepted any more."""
    _accounts: set[AccountScope] = attrs.field(init=False, repr=False)
    _receptions: set[Reception] = attrs.field(factory=set, init=False, repr=False)

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

    async def listen(  # noqa: ASYNC128 - the reception calls started()
        self,
        url: str,
        *,
        admission: Admission | None = None,
        allow_unauthenticated: bool = False,
        account: AccountScope | None = None,
        task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve whoever connects to ``ws://IP:PORT``, ``unix://PATH`` or ``unix://``.

        Runs until it is cancelled, which cuts its clients off, or until the server has hung up
        and they have left. The started value is the URL that was bound, with its port or path.

        Args:
            url: port 0 is any that is free; ``unix://`` is the socket in ``codex_home`` where
                clients of the original look for it.
            admission: who may come in; everybody who can connect, by default.
            allow_unauthenticated: whether that may be everybody on the network. Ours.
            account: of those who connect, instead of the server's.
            task_status: for ``nursery.start``.

        Raises:
            SettingsError: this is no such URL, or the address cannot be had, or everybody on
                the network could come in.
        """
        from codex_trio.transport.listening import address_to_serve
        from codex_trio.transport.reception import Reception

        reception = Reception(
            address_to_serve(url, anybody=allow_unauthenticated or admission is not None),
            self.settings.codex_home,
            admission,
            self.settings.max_message,
            partial(self.serve, account=account),
        )
        self._receptions.add(reception)
        try:
            if self.draining.is_set():
                reception.close()
            await reception.serve(task_status=task_status)
        finally:
            self._receptions.remove(reception)

    @asynccontextmanager
    async def connect(
        self, *, account: AccountScope | None = None, **introduction: Unpack[Introduction]
    ) -> AsyncGenerator[Client]:
        """Have a client of this server within the block, connected in memory.

        Leaving the block hangs up, and waits until the server has taken note of it.

        Args:
            account: whose the connection is, if not the server's.
            **introduction: ``name``, ``version``, ``title``, ``experimental`` and ``opt_out``, as
                of ``codex_trio.client.open_client``.
        """
        from codex_trio.client import open_client  # most servers have no client in them

        ours, theirs = memory_wire_pair(_AHEAD)
        with out_of_groups(1):
            async with trio.open_nursery() as nursery:
                # What the client says waits in the wire until it is served.
                serve = partial(self.serve, account=account)
                nursery.start_soon(serve, theirs)  # noqa: ASYNC113 - see above
                async with open_client(ours, **introduction) as client:
                    yield client

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
            scope.board.draining = self.draining.is_set()
            self._accounts.add(scope)
            try:
                yield scope
            finally:
                self._accounts.remove(scope)

    async def drain(self, patience: float | None = None) -> None:
        """Shut down in good order: accept nobody, begin no turn, and wait for those under way.

        Requests are still answered, but for those that would begin something; they are refused
        with ``serverShuttingDown``, as in the original (observed on 0.163.0). Whoever calls
        this hangs up then. A cancelled call has begun it all the same.

        Args:
            patience: seconds that turns have, those of the settings by default.
        """
        self.draining.set()
        self.stop_listening()
        for account in self._accounts:
            account.board.draining = True
        if patience is None:
            patience = self.settings.drain
        with trio.move_on_after(patience):  # noqa: ASYNC912 - there is an account
            for account in list(self._accounts):
                await account.board.work.wait_done()

    def tasks(self) -> ServerTasks:
        """Look what is under way: connections, requests, sign-ins, turns, and how old they are.

        Never waits. ``print(server.tasks())`` draws it as a tree.
        """
        others = self._accounts - {self.account}
        return ServerTasks(tuple(see(account) for account in (self.account, *others)))

    @property
    def hung_up(self) -> bool:
        """Whether ``hang_up`` has been called, or the block was left."""
        return self.account.board.closing

    def stop_listening(self) -> None:
        """Let no client connect any more, and go on serving those who have."""
        for reception in self._receptions:
            reception.close()

    def hang_up(self, grace: float | None = None) -> None:
        """Listen to no client any more, so that every ``serve`` ends soon.

        What is in flight has ``grace`` seconds, those of the settings by default; then a
        sign-in that is under way ends, and clients are told so.
        """
        self.draining.set()
        self.stop_listening()
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
    if settings.telemetry:
        telemetry.enable()
    with leaks_logged():
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
