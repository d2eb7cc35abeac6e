"""The stand-in as a program: ``codex-trio stand-in``."""

from __future__ import annotations

import os
import signal
import sys

import orjson
import trio

from codex_trio.errors import SettingsError
from codex_trio.testing.stand_in import open_stand_in


async def run_stand_in(port: int = 0, until_eof: bool = False) -> None:
    """Run a stand-in until SIGTERM or SIGINT comes, or standard input ends if that is asked for.

    It shows pages to a person until it is told otherwise. Where it is, it says on standard
    output in one line of JSON: ``url``, ``environ`` and ``config``.

    Raises:
        SettingsError: the port cannot be had, or nobody takes the line.
    """
    try:
        async with open_stand_in(port, user="ask") as stand_in:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                place = {
                    "url": stand_in.url,
                    "environ": stand_in.environ,
                    "config": stand_in.config,
                }
                sys.stdout.buffer.write(orjson.dumps(place) + b"\n")
                sys.stdout.buffer.flush()
                async with trio.open_nursery() as nursery:
                    if until_eof:
                        nursery.start_soon(_cancel_at_end_of_input, nursery.cancel_scope)
                    await anext(signals)
                    nursery.cancel_scope.cancel(reason="a signal has come")
    except OSError as error:
        raise SettingsError(f"the stand-in cannot run: {error}") from error


async def _cancel_at_end_of_input(scope: trio.CancelScope) -> None:
    # Not through sys.stdin, whose lock an abandoned thread would hold while Python ends.
    while await trio.to_thread.run_sync(os.read, 0, 4096, abandon_on_cancel=True):
        pass
    scope.cancel(reason="standard input has ended")
