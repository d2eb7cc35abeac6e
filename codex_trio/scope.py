"""One account: who is signed in to it, who is connected to it, and what runs in its name."""

from __future__ import annotations

import logging
import math
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.account.agents import own_agent
from codex_trio.account.auth import Auth
from codex_trio.account.backend import Backend
from codex_trio.account.host_tokens import HostTokens
from codex_trio.account.legacy import LegacyAccountMethods
from codex_trio.account.limits_methods import LimitsMethods
from codex_trio.account.login import LoginDesk
from codex_trio.account.methods import AccountMethods
from codex_trio.account.news import AccountNews
from codex_trio.account.oauth import Issuer
from codex_trio.account.policy_cache import PolicyCache
from codex_trio.account.reading import ReadingMethods
from codex_trio.account.recovery import Recoveries
from codex_trio.account.refresh import Refresher
from codex_trio.account.restrictions import Restrictions
from codex_trio.account.routing import Routing
from codex_trio.account.signing import Signing
from codex_trio.account.standing import Standing
from codex_trio.account.storage import open_store
from codex_trio.account.workspace import WorkspacePolicy
from codex_trio.groups import describe_ways, out_of_groups
from codex_trio.handshake import Handshake
from codex_trio.protocol import config_rows, methods, thread_rows
from codex_trio.protocol.rows import ClientRequest
from codex_trio.rpc.calls import handlers_of, late_handlers
from codex_trio.rpc.router import Router
from codex_trio.rpc.switchboard import Switchboard
from codex_trio.rpc.work import Work
from codex_trio.seeing import SeeingMethods, see

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from codex_trio.account.credentials import Credentials
    from codex_trio.account.storage import Store
    from codex_trio.settings import Settings
    from codex_trio.upstream import Reply, Upstream

_TABLE: Final = {row.name: row for row in (*methods.CLIENT_REQUESTS, *methods.SERVED_BESIDE)}

_LATE: Final = tuple(
    row
    for module in (thread_rows, config_rows)
    for row in vars(module).values()
    if isinstance(row, ClientRequest)
)
"""What is served by families that are made when somebody asks for them."""

_RESPITE: Final = 60.0  # seconds until what has failed in the background begins again

log = logging.getLogger(__name__)

_AT_HOME: Final = ("file", "keyring", "auto")  # stores beside which other files may lie


@attrs.define(eq=False)
class AccountScope:
    """An account, its sign-ins and its connections; made by ``open_scope``.

    Nothing of it is known to another one: what it tells, its own clients are told.
    """

    board: Switchboard
    desk: LoginDesk
    auth: Auth
    backend: Backend
    policy: WorkspacePolicy
    routing: Routing
    refresher: Refresher
    host_tokens: HostTokens
    nurseries: Nurseries

    async def end_logins(self) -> None:
        """End a sign-in that is under way, and let nobody sign in any more."""
        if self.board.closing:  # in which case nobody has time for a browser
            await self.desk.clear()
        await self.desk.close()


@attrs.frozen
class Nurseries:
    """Where what runs in the name of an account runs; each ends before those that stand first.

    Args:
        renewals: renewals of tokens, and what looks for news in the background.
        logins: the sign-in that is under way.
        records: lines of conversations, on their way to disk.
        conversations: turns.
        at_end: what is done when all of them have ended.
    """

    renewals: trio.Nursery
    logins: trio.Nursery
    records: trio.Nursery
    conversations: trio.Nursery
    at_end: ExitStack


@asynccontextmanager
async def open_scope(
    settings: Settings, upstream: Upstream, held_ports: set[int], store: Store | None = None
) -> AsyncGenerator[AccountScope]:
    """Run an account within the block; end what it serves before.

    Leaving the block ends a sign-in that is under way. A renewal of tokens of which the issuer
    has been asked has a few seconds to be stored, even if the block is cancelled.
    ``held_ports`` are those on which the server's accounts wait for browsers.
    """
    with out_of_groups(4):
        with ExitStack() as at_end:
            async with (
                trio.open_nursery() as records,
                trio.open_nursery() as renewals,
                trio.open_nursery() as logins,
                trio.open_nursery() as conversations,
            ):
                store = store or open_store(settings)
                nurseries = Nurseries(renewals, logins, records, conversations, at_end)
                scope = _build(settings, upstream, held_ports, store, nurseries)
                for task, what in (
                    (scope.auth.watch, "the store"),
                    (scope.policy.watch, "the policy"),
                    (scope.routing.watch, "the routing"),
                ):
                    renewals.start_soon(_endure, task, name=f"watch {what}")
                try:
                    yield scope
                    await scope.end_logins()
                finally:
                    scope.board.closing = True  # who comes now would never be answered
                    for nursery in (conversations, logins, renewals, records):
                        for left in nursery.child_tasks:
                            log.debug("still running at the account's end: %s", left.name)
                        nursery.cancel_scope.cancel(reason="the account's block is left")


def _build(
    settings: Settings,
    upstream: Upstream,
    held_ports: set[int],
    store: Store,
    nurseries: Nurseries,
) -> AccountScope:
    renewals = nurseries.renewals
    router, work = Router(), Work()
    restrictions, standing = Restrictions.of(settings), Standing()
    auth = Auth(store, restrictions, settings.watch_interval)
    desk = LoginDesk(nurseries.logins, auth)
    news = AccountNews(auth, router)
    auth.changed = news.changed
    issuer = Issuer(settings, upstream, restrictions)
    refresher = Refresher(settings, auth, upstream, renewals, issuer, restrictions, standing)
    host_tokens = HostTokens(auth, router, restrictions, renewals)
    recoveries = Recoveries(auth, refresher, host_tokens)
    backend = Backend(settings, upstream, refresher, recoveries, standing)
    ask = partial(_ask, auth, backend, own_agent(settings))
    kept = settings.codex_home if store.kind in _AT_HOME else None
    policy = WorkspacePolicy(partial(_find_member, restrictions, auth), ask, PolicyCache(kept))
    auth.recall = policy.recall
    policy.changed = lambda: auth.restrict(policy.current)
    routing = Routing(lambda: auth.current, ask)
    auth.followers += (policy.notice, routing.notice)
    signing = Signing(settings, auth, desk, issuer, restrictions, host_tokens, held_ports)
    families = [
        Handshake(settings),
        AccountMethods(desk, signing, news),
        ReadingMethods(settings, auth, refresher, standing, host_tokens, routing, policy),
        LimitsMethods(auth, backend),
        LegacyAccountMethods(signing, desk, news),
        SeeingMethods(lambda: see(scope)),
    ]
    handlers = handlers_of(families) | late_handlers(
        _LATE,
        partial(
            _make_late, settings, upstream, router, work, auth, refresher, recoveries, nurseries
        ),
    )
    board = Switchboard(
        _TABLE,
        handlers,
        settings.grace,
        router,
        work=work,
        request_deadline=settings.request_deadline or math.inf,
    )
    scope = AccountScope(
        board, desk, auth, backend, policy, routing, refresher, host_tokens, nurseries
    )
    return scope


def _make_late(
    settings: Settings,
    upstream: Upstream,
    router: Router,
    work: Work,
    auth: Auth,
    refresher: Refresher,
    recoveries: Recoveries,
    nurseries: Nurseries,
) -> list[object]:
    # Their modules take longer to import than all others, and who only signs in needs none.
    from codex_trio.conversations import make_families

    return make_families(
        settings,
        upstream,
        router,
        work,
        auth,
        refresher,
        recoveries,
        nurseries.records,
        nurseries.conversations,
        nurseries.at_end.callback,
    )


async def _endure(task: Callable[[], Awaitable[None]]) -> None:
    """Run a task in the background; what goes wrong in it ends nothing else, nor it for long."""
    while True:
        try:
            await task()
        except* Exception as group:
            log.error("something in the background has failed: %s", describe_ways(group))  # noqa: TRY400 - its text may be a secret
        await trio.sleep(_RESPITE)


def _find_member(restrictions: Restrictions, auth: Auth) -> Credentials | None:
    """Find whose policy is to be asked for: nobody's whom the settings hide."""
    anybody = auth.anybody
    return anybody if anybody is not None and restrictions.own.allows(anybody) else None


async def _ask(
    auth: Auth, backend: Backend, agent: Mapping[str, str], path: str, patience: float
) -> Reply:
    """Ask something that no client has asked for.

    Somebody whom the policy of the workspace hides still asks for that policy: it may change.
    """
    if auth.hidden and auth.anybody is not None:
        return await backend.get_as(auth.anybody, path, agent, patience)
    return await backend.get(path, agent, patience=patience)
