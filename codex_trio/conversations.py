"""What belongs to the conversations of an account; imported when the first of them is asked for."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

from codex_trio.account.identity import is_same_account
from codex_trio.catalogue.methods import CatalogueMethods
from codex_trio.configuration.methods import ConfigMethods
from codex_trio.configuration.reading import Configuration
from codex_trio.occasion import CURRENT
from codex_trio.responses.sampling import Responses
from codex_trio.threads.beginnings import Beginnings
from codex_trio.threads.desk import Threads
from codex_trio.threads.listing_methods import ListingMethods
from codex_trio.threads.methods import ThreadMethods
from codex_trio.threads.shelf import Shelf
from codex_trio.threads.surroundings import Outlook
from codex_trio.threads.turn_methods import TurnMethods
from codex_trio.threads.upkeep_methods import UpkeepMethods

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

    from codex_trio.account.auth import Auth
    from codex_trio.account.recovery import Recoveries
    from codex_trio.account.refresh import Refresher
    from codex_trio.rpc.router import Router
    from codex_trio.rpc.work import Work
    from codex_trio.settings import Settings
    from codex_trio.upstream import Upstream


def make_families(
    settings: Settings,
    upstream: Upstream,
    router: Router,
    work: Work,
    auth: Auth,
    refresher: Refresher,
    recoveries: Recoveries,
    records: trio.Nursery,
    conversations: trio.Nursery,
    at_end: Callable[[Callable[[], None]], object],
) -> list[object]:
    """Make what answers for the conversations of one account scope.

    Lines are written in ``records``, which ends after ``conversations``, where turns run. What
    is handed to ``at_end`` is called when both have ended.
    """
    configuration = Configuration(settings)
    responses = Responses(settings, upstream, refresher, recoveries)
    outlook = Outlook(settings.codex_home)
    threads = Threads(router, responses, work, conversations, outlook)
    shelf = Shelf(settings.codex_home)
    families: list[object] = [
        ThreadMethods(
            threads,
            Beginnings(settings, configuration, threads, shelf, outlook, router, records),
        ),
        TurnMethods(threads),
        ListingMethods(shelf, threads, configuration),
        UpkeepMethods(shelf, threads, configuration),
        ConfigMethods(settings, configuration),
        CatalogueMethods(settings, configuration),
    ]
    # Last, so that a fault before it leaves nothing behind.
    at_end(threads.let_go)
    auth.followers.append(_whenever_another(auth, threads.forget_limits))
    context = copy_context()  # of whoever is the first to ask; the sweep is on nobody's behalf
    context.run(CURRENT.set, None)
    context.run(partial(conversations.start_soon, threads.sweep, name="unload idle threads"))
    return families


def _whenever_another(auth: Auth, forget: Callable[[], None]) -> Callable[[], None]:
    """Have something forgotten whenever another account is in force than before."""
    known = auth.current

    def notice() -> None:
        nonlocal known
        if auth.current is not None:
            if not is_same_account(auth.current, known):
                forget()
            known = auth.current

    return notice
