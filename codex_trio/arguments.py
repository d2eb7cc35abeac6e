"""The command line: what clients of the original say when they start it."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Final, NoReturn

import codex_trio
from codex_trio.settings import CONTRACT

if TYPE_CHECKING:
    from codex_trio.transport.admission import AdmissionFlags

VERSION: Final = f"codex-cli {CONTRACT} (codex-trio {codex_trio.__version__})"

# Flags of the original's app-server that have no effect here, with how many values they take.
_WITHOUT_EFFECT: Final = {
    "--analytics-default-enabled": 0,
    "--code-mode-host": 1,
    "--strict-config": 0,
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Returns a namespace with ``command`` (``app-server``, ``login``, ``logout``, ``demo`` or
    ``stand-in``) and ``config``, the overrides in the order in which they were given. For
    ``app-server``, ``listen`` has the URLs, and is None when there are none.

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
        help="serve clients, over standard input and output by default",
        description="Serve clients: one JSON object a line over standard input and output, or "
        "one a message over websockets.",
        epilog="Exit codes: 0 the only client has hung up, or SIGTERM or SIGINT came; "
        "1 the server could not start; 2 the command line is wrong.",
        allow_abbrev=False,
    )
    _add_config_flags(server, "config_after")
    _add_wire_flags(server)
    server.add_argument(
        "--request-deadline",
        metavar="SECONDS",
        type=_deadline,
        help="cancel requests that have no answer after so many seconds; ours",
    )
    server.add_argument(
        "--drain",
        metavar="SECONDS",
        type=_duration,
        help="how long a signal waits for turns; 25 by default, 0 on standard input and output "
        "alone; ours",
    )
    ignored = server.add_argument_group("accepted from the original's clients, without effect")
    for flag, values in _WITHOUT_EFFECT.items():
        if values:
            ignored.add_argument(flag, metavar="VALUE", dest="ignored")
        else:
            ignored.add_argument(flag, action="store_true", dest="ignored")
    _add_account_commands(commands)
    _add_doctor(commands)
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


def _add_wire_flags(server: _Parser) -> None:
    transport = server.add_mutually_exclusive_group()
    transport.add_argument(
        "--listen",
        metavar="URL",
        type=_listen_url,
        action="append",
        help="stdio:// (the default), ws://IP:PORT, unix://PATH, unix:// or off; may be given "
        "several times",
    )
    transport.add_argument(
        "--stdio",
        action="store_const",
        const=["stdio://"],
        dest="listen",
        help="the same as --listen stdio://",
    )
    admission = server.add_argument_group("who may connect to ws://IP:PORT")
    admission.add_argument(
        "--ws-auth",
        metavar="MODE",
        choices=("capability-token", "signed-bearer-token"),
        help="whoever knows a token, or has a JWT that is signed with a secret (HS256)",
    )
    admission.add_argument("--ws-token-file", metavar="PATH", help="holds the token")
    admission.add_argument(
        "--ws-token-sha256", metavar="HEX", help="the SHA-256 of the token, instead"
    )
    admission.add_argument(
        "--ws-shared-secret-file", metavar="PATH", help="holds the secret, of 32 bytes at least"
    )
    admission.add_argument("--ws-issuer", metavar="ISSUER", help="who must have issued a JWT")
    admission.add_argument("--ws-audience", metavar="NAME", help="whom a JWT must be meant for")
    admission.add_argument(
        "--ws-max-clock-skew-seconds",
        metavar="SECONDS",
        type=_seconds,
        help="by how much the clocks may differ; 30 by default",
    )
    admission.add_argument(
        "--ws-allow-unauthenticated",
        action="store_true",
        help="let everybody in who can connect, also from other machines",
    )


def admission_flags(arguments: argparse.Namespace) -> AdmissionFlags | None:
    """Read who may connect; None if nothing is said about it.

    Raises:
        SettingsError: the flags contradict each other, or one is missing.
    """
    flags = {
        "auth": arguments.ws_auth,
        "token_file": arguments.ws_token_file,
        "token_sha256": arguments.ws_token_sha256,
        "shared_secret_file": arguments.ws_shared_secret_file,
        "issuer": arguments.ws_issuer,
        "audience": arguments.ws_audience,
        "max_clock_skew_seconds": arguments.ws_max_clock_skew_seconds,
    }
    if all(value is None for value in flags.values()):
        return None
    from codex_trio.transport.admission import AdmissionFlags

    return AdmissionFlags(**flags)


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


def _add_doctor(commands: argparse._SubParsersAction[_Parser]) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="find out what is wrong here, and what to do",
        description="Look at the home, the store, the ports and the network, and say what to do"
        " about what is wrong. Nothing is changed, and no secret is shown.",
        epilog="Exit codes: 0 there is no error; 1 there is one; 2 the command line is wrong; "
        "130 Ctrl-C was pressed; 143 SIGTERM came.",
        allow_abbrev=False,
    )
    _add_config_flags(doctor, "config_after")
    doctor.add_argument("--json", action="store_true", help="print the report as JSON")


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


def _duration(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of seconds")
    return seconds


def _deadline(text: str) -> float:
    if (seconds := _duration(text)) == 0:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of seconds")
    return seconds


def _listen_url(url: str) -> str:
    if url == "stdio://":  # which most say, and wait for
        return url
    from codex_trio.transport.listening import parse_listen_url

    try:
        parse_listen_url(url)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return url


def _seconds(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) < 2**64:
        return int(text)
    raise argparse.ArgumentTypeError(f"`{text}` is no number of seconds")
