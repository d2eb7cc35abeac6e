"""The command line: what clients of the original say when they start it."""

from __future__ import annotations

import argparse
from typing import Final, NoReturn

import codex_trio
from codex_trio.settings import CONTRACT

VERSION: Final = f"codex-cli {CONTRACT} (codex-trio {codex_trio.__version__})"

_TRANSPORTS: Final = "`stdio://`, `unix://`, `unix://PATH`, `ws://IP:PORT`, or `off`"

# Flags of the original's app-server that have no effect here, with how many values they take.
_WITHOUT_EFFECT: Final = {
    "--analytics-default-enabled": 0,
    "--code-mode-host": 1,
    "--strict-config": 0,
    "--ws-auth": 1,
    "--ws-token-file": 1,
    "--ws-token-sha256": 1,
    "--ws-shared-secret-file": 1,
    "--ws-issuer": 1,
    "--ws-audience": 1,
    "--ws-max-clock-skew-seconds": 1,
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Returns a namespace with ``command`` (``app-server``, ``login``, ``logout``, ``demo`` or
    ``stand-in``) and ``config``, the overrides in the order in which they were given.

    Raises:
        SystemExit: with 2 when the command line cannot be understood, with 0 after
            ``--help`` and ``--version``.
    """
    known = _parser().parse_args(arguments)
    known.config = [
        *known.config_before,
        *getattr(known, "config_after", []),
        *getattr(known, "config_last", []),
    ]
    return known


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(
            2,
            f"error: {message}\n\n{self.format_usage()}\nFor more information, try '--help'.\n",
        )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="codex-trio",
        description="The Codex app-server in Python on Trio.",
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="version", version=VERSION)
    _add_config_flags(parser, "config_before")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    server = commands.add_parser(
        "app-server",
        help="serve a client over standard input and output",
        description="Serve a client: one JSON object a line, over standard input and output.",
        epilog="Exit codes: 0 the client has hung up, or SIGTERM or SIGINT came; "
        "1 the server could not start; 2 the command line is wrong.",
        allow_abbrev=False,
    )
    _add_config_flags(server, "config_after")
    transport = server.add_mutually_exclusive_group()
    transport.add_argument(
        "--listen", metavar="URL", type=_transport, help="the transport; stdio:// by default"
    )
    transport.add_argument("--stdio", action="store_true", help="the same as --listen stdio://")
    ignored = server.add_argument_group("accepted from the original's clients, without effect")
    for flag, values in _WITHOUT_EFFECT.items():
        if values:
            ignored.add_argument(flag, metavar="VALUE", dest="ignored")
        else:
            ignored.add_argument(flag, action="store_true", dest="ignored")
    _add_account_commands(commands)
    demo = commands.add_parser(
        "demo",
        help="watch a client and the server talk",
        description="Start a server, sign in and out in every way, and show what passes on the "
        "wire. A stand-in takes the place of OpenAI; nobody else is asked.",
        allow_abbrev=False,
    )
    demo.add_argument("--no-colour", action="store_true", help="plain text, also on a terminal")
    stand_in = commands.add_parser(
        "stand-in",
        help="stand in for OpenAI's hosts, for tests",
        description="Serve what a server of Codex signs in at, on 127.0.0.1; standard output "
        "says where, in one line of JSON.",
        epilog="Exit codes: 0 SIGTERM or SIGINT came; 1 it could not start; "
        "2 the command line is wrong.",
        allow_abbrev=False,
    )
    stand_in.add_argument("--port", type=_port, default=0, help="any that is free by default")
    stand_in.add_argument(
        "--until-eof", action="store_true", help="end when standard input does, too"
    )
    return parser


def _add_account_commands(commands: argparse._SubParsersAction[_Parser]) -> None:
    codes = (
        "Exit codes: 0 done; 1 {failure}; 2 the command line is wrong; "
        "130 Ctrl-C was pressed; 143 SIGTERM came."
    )
    login = commands.add_parser(
        "login",
        help="sign in",
        description="Sign in through a browser on this machine, or in another way.",
        epilog=codes.format(failure="it has failed"),
        allow_abbrev=False,
    )
    _add_config_flags(login, "config_after")
    ways = login.add_mutually_exclusive_group()
    ways.add_argument(
        "--no-browser", action="store_true", help="print the URL, and open no browser"
    )
    ways.add_argument(
        "--device-auth", action="store_true", help="sign in with a code, in a browser elsewhere"
    )
    ways.add_argument(
        "--with-api-key", action="store_true", help="read an API key from standard input"
    )
    status = login.add_subparsers(dest="login_command", metavar="[status]").add_parser(
        "status",
        help="say who is signed in",
        description="Say who is signed in.",
        epilog=codes.format(failure="nobody is"),
        allow_abbrev=False,
    )
    _add_config_flags(status, "config_last")
    logout = commands.add_parser(
        "logout",
        help="sign out",
        description="Remove what is stored of the account, and have its tokens revoked.",
        epilog=codes.format(failure="it has failed"),
        allow_abbrev=False,
    )
    _add_config_flags(logout, "config_after")


def _add_config_flags(parser: argparse.ArgumentParser, destination: str) -> None:
    parser.add_argument(
        "-c",
        "--config",
        dest=destination,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a value of config.toml; the value is TOML, or else a string",
    )
    for flag in ("--enable", "--disable"):
        parser.add_argument(
            flag, dest="ignored", metavar="FEATURE", help="accepted, without effect"
        )


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError(f"`{text}` is no port")


def _transport(url: str) -> str:
    if url == "stdio://":
        return url
    if url == "off" or url.startswith(("unix://", "ws://")):
        raise argparse.ArgumentTypeError(f"`{url}` is not served by codex-trio yet")
    raise argparse.ArgumentTypeError(
        f"unsupported --listen URL `{url}`; expected {_TRANSPORTS}"
    )
