"""What the command line asks for, and with which code that ends."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.arguments import admission_flags, parse_arguments
from codex_trio.errors import SettingsError
from codex_trio.logs import configure_logging
from codex_trio.serving import STDIO, Program
from codex_trio.settings import load_settings

if TYPE_CHECKING:
    import argparse

INTERRUPTED: Final = 128 + signal.SIGINT
"""The exit code after Ctrl-C, as shells have it."""


def run(parent: int) -> None:
    """Run the command line; exits with 0, 1 (failed), 2 (wrong usage) or 130 (Ctrl-C).

    Args:
        parent: the process that has started this one.
    """
    _open_missing_streams()
    arguments = parse_arguments()
    configure_logging(os.environ)
    if arguments.command != "app-server":  # which takes signals by itself
        _raise_when_interrupted()
    try:
        if arguments.command == "demo":
            from codex_trio.demo import run_demo

            sys.exit(trio.run(run_demo, arguments.no_colour))
        elif arguments.command == "stand-in":
            from codex_trio.testing.command import run_stand_in

            trio.run(run_stand_in, arguments.port, arguments.until_eof)
        elif arguments.command == "doctor":
            from codex_trio.doctor.command import run_doctor

            sys.exit(run_doctor(arguments.config, as_json=arguments.json))
        elif arguments.command in ("login", "logout"):
            from codex_trio.sign_in import run_account_command

            sys.exit(run_account_command(arguments, load_settings(arguments.config)))
        else:
            trio.run(_program(arguments, parent).run)
    except SettingsError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _raise_when_interrupted() -> None:
    """Have Ctrl-C raise ``KeyboardInterrupt`` again, unless we were started without it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _open_missing_streams() -> None:
    """Open nothing in the place of standard streams that we were started without.

    Otherwise the next thing to be opened would get their number: a socket of Trio's, say.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one


def _program(arguments: argparse.Namespace, parent: int) -> Program:
    """Make what is to be served of the command line, and of the files that it names.

    Raises:
        SettingsError: of these, something cannot be used.
    """
    flags = admission_flags(arguments)
    settings = load_settings(arguments.config)
    urls = arguments.listen or [STDIO]
    is_ws = any(url.startswith("ws://") for url in urls)
    return Program(
        settings=attrs.evolve(settings, request_deadline=arguments.request_deadline),
        urls=urls,
        # Its files are read only if they are needed, as by 0.163.0 (observed).
        admission=flags.load() if flags is not None and is_ws else None,
        allow_unauthenticated=arguments.ws_allow_unauthenticated,
        drain=arguments.drain,
        parent=parent,
    )
