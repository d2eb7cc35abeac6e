"""Arguments to settings, signals, exit codes; ``python -m codex_trio``."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Final

import trio

from codex_trio.arguments import parse_arguments
from codex_trio.errors import SettingsError
from codex_trio.logs import configure_logging
from codex_trio.server import Server, open_server
from codex_trio.settings import load_settings
from codex_trio.transport.stdio import open_stdio

if TYPE_CHECKING:
    from codex_trio.settings import Settings

STOP_GRACE: Final = 0.25
"""Seconds that requests in flight have for their answers after a signal."""

INTERRUPTED: Final = 128 + signal.SIGINT
"""The exit code after Ctrl-C, as shells have it."""


def main() -> None:
    """Run the command line; exits with 0, 1 (failed), 2 (wrong usage) or 130 (Ctrl-C)."""
    _open_missing_streams()
    arguments = parse_arguments()
    configure_logging(os.environ)
    try:
        if arguments.command == "demo":
            from codex_trio.demo import run_demo

            sys.exit(trio.run(run_demo, arguments.no_colour))
        elif arguments.command == "stand-in":
            from codex_trio.testing.command import run_stand_in

            trio.run(run_stand_in, arguments.port, arguments.until_eof)
        elif arguments.command in ("login", "logout"):
            from codex_trio.sign_in import run_account_command

            sys.exit(run_account_command(arguments, load_settings(arguments.config)))
        else:
            trio.run(serve, load_settings(arguments.config))
    except SettingsError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:  # while nobody was there yet to take the signal
        sys.exit(INTERRUPTED)


def _open_missing_streams() -> None:
    """Open nothing in the place of standard streams that we were started without.

    Otherwise the next thing to be opened would get their number: a socket of Trio's, say.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one


async def serve(settings: Settings) -> None:
    """Serve standard input and output until the client hangs up or a signal comes."""
    async with open_server(settings) as server, open_stdio(settings.max_message) as wire:
        async with trio.open_nursery() as nursery:
            await nursery.start(watch_signals, server, nursery.cancel_scope)
            await server.serve(wire, sole=True)
            nursery.cancel_scope.cancel(reason="the client has hung up")


async def watch_signals(
    server: Server,
    everything: trio.CancelScope,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """First SIGTERM or SIGINT: answer what is in flight. Second: do not."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            if server.hung_up:
                everything.cancel(reason="second signal")
            server.hang_up(STOP_GRACE)


if __name__ == "__main__":
    main()
