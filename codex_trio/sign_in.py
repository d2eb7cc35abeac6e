"""Signing in and out by hand: ``codex-trio login``, ``login status`` and ``logout``.

Each command is a client of a server in its own process, so that everything is the server's:
the texts, the store, the ports, what is allowed, and what cancelling leaves behind.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
import trio

from codex_trio.account.storage import open_store
from codex_trio.errands import FAILED, Errand
from codex_trio.errors import RpcError, StoreError
from codex_trio.server import open_server
from codex_trio.terminal import Screen
from codex_trio.testing import connect

if TYPE_CHECKING:
    import argparse

    from codex_trio.account.storage import Store
    from codex_trio.settings import Settings

_ORIGINATOR: Final = "codex_cli_rs"  # as which the issuer knows the original's command line
_INTERRUPTED: Final = "Interrupted. `codex-trio login status` says who is signed in."
_GRACE: Final = 0.25  # seconds for a request that nobody waits for any more

Command: TypeAlias = Callable[[Errand], Awaitable[int | None]]
"""Returns the exit code, None when a signal has ended it."""


def run_account_command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run ``login``, ``login status`` or ``logout``, and return the exit code.

    If a signal has ended it, that is 128 and the signal's number: 130 after Ctrl-C.
    """
    screen = Screen.of(sys.stderr, os.environ)
    if settings.warnings:
        # A server goes on without its configuration; a person can mend it first.
        screen.say(f"Error loading configuration: {settings.warnings[0].details}")
        return FAILED
    command, if_stopped = _choose(arguments, settings)
    return trio.run(_run, command, if_stopped, settings, screen)


def _choose(arguments: argparse.Namespace, settings: Settings) -> tuple[Command, str]:
    """Choose what is done, and what is said if a signal ends it."""
    if arguments.command == "logout":
        return partial(_log_out, open_store(settings)), _INTERRUPTED
    if arguments.login_command == "status":
        return Errand.show_status, _INTERRUPTED
    if arguments.with_api_key:
        return Errand.log_in_with_api_key, "Login canceled"
    if arguments.device_auth:
        return Errand.log_in_with_device_code, "Login canceled"
    browse = not arguments.no_browser
    return partial(Errand.log_in_through_browser, browse=browse), "Login canceled"


async def _log_out(store: Store, errand: Errand) -> int | None:
    try:
        anybody = await store.load() is not None
    except StoreError:
        anybody = True  # what cannot be used can be removed
    return await errand.log_out(anybody=anybody)


async def _run(command: Command, if_stopped: str, settings: Settings, screen: Screen) -> int:
    # Whether the model provider wants an account is not the question here.
    settings = attrs.evolve(settings, requires_openai_auth=True, grace=_GRACE)
    stop = _Stop()
    code: int | None = None
    async with trio.open_nursery() as nursery:
        await nursery.start(stop.watch, nursery.cancel_scope)
        async with open_server(settings) as server, connect(server) as client:
            await client.initialize(_ORIGINATOR, experimental=True)
            try:
                code = await command(Errand(client, screen, stop.work))
            except RpcError as error:
                screen.say(str(error))
                code = FAILED
        nursery.cancel_scope.cancel(reason="the command has done its work")
    if code is None:
        # After the first signal nothing is left; of the second we only know that it was obeyed.
        screen.say(_INTERRUPTED if stop.at_once else if_stopped)
        return 128 + stop.signum
    return code


@attrs.define(eq=False)
class _Stop:
    """What SIGINT and SIGTERM want: the first a good end, the second any end."""

    work: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    signum: int = attrs.field(default=0, init=False)
    at_once: bool = attrs.field(default=False, init=False)

    async def watch(
        self,
        everything: trio.CancelScope,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            self.signum = await anext(signals)
            self.work.cancel(reason="a signal has come")
            await anext(signals)
            self.at_once = True
            everything.cancel(reason="a second signal has come")
