"""Where a server is, and how it is reached."""

from __future__ import annotations

import ipaddress
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Unpack
from urllib.parse import urlsplit

from codex_trio.client.child import TakeLine, open_child
from codex_trio.client.client import Client, open_client

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping
    from contextlib import AbstractAsyncContextManager
    from urllib.parse import SplitResult

    from codex_trio.client.client import Introduction
    from codex_trio.wire import Wire

MAX_MESSAGE: Final = 256 * 2**20
"""The longest message that is taken from a server, in bytes; ours takes 64 MiB itself."""


@asynccontextmanager
async def connect(
    url: str,
    *,
    token: str | None = None,
    tls: ssl.SSLContext | None = None,
    environ: Mapping[str, str] | None = None,
    take_line: TakeLine | None = None,
    max_message: int = MAX_MESSAGE,
    **introduction: Unpack[Introduction],
) -> AsyncGenerator[Client]:
    """Connect to a server, ours or the original; leaving the block hangs up.

    ``stdio:COMMAND LINE`` starts a server that the block owns: it has ended when the block has
    been left, however that was. ``ws://HOST:PORT`` and ``wss://HOST:PORT`` are websockets,
    ``unix:///PATH`` is one over the socket of that name.

    Args:
        url: one of these.
        token: what a websocket is to be let in by (``Authorization: Bearer``); white space around
            it does not count. Over ``ws://`` it goes to this machine only, as from the original.
        tls: which certificates are trusted; those of the system by default.
        environ: the environment of a server that is started; ours by default.
        take_line: is given the standard error of a server that is started, by the line and
            without its end; it must not wait. By default that goes where ours does.
        max_message: the longest message that is taken from the server, in bytes; a websocket
            counts characters, and ends with a longer one.
        **introduction: ``name``, ``version``, ``title``, ``experimental`` and ``opt_out``, as of
            ``open_client``.

    Raises:
        ValueError: the URL is none of these, or this token cannot be sent there.
        OSError: nobody is there, or the server cannot be started.
        ConnectError: the websocket is refused.
        ServerGoneError: the server has hung up before it knew us.
    """
    scheme, colon, rest = url.partition(":")
    wire: AbstractAsyncContextManager[Wire]
    match scheme.lower() if colon else "":
        case "stdio":
            wire = open_child(rest, max_message, environ, take_line)
        case "ws" | "wss" | "unix":
            # Late: a program that talks to its child needs no websockets.
            from codex_trio.client.websocket import open_websocket

            place = urlsplit(url)
            sent = None if token is None else _checked(token, place)
            wire = open_websocket(place, sent, tls, max_message)
        case _:
            raise ValueError("a server is at stdio:COMMAND, ws://…, wss://… or unix:///PATH")
    async with wire as opened, open_client(opened, **introduction) as client:
        yield client


def _checked(token: str, place: SplitResult) -> str:
    """Return a token as it can be sent there; errors do not show it."""
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise ValueError("the token has characters that no header can have")
    if place.scheme == "ws" and not _is_loopback(place.hostname or ""):
        raise ValueError("a token needs wss://, or ws:// to this machine")
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
