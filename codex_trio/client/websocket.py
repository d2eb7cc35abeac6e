"""A server that is reached by a websocket (RFC 6455), over TCP, TLS or a unix socket."""

from __future__ import annotations

import logging
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar, Final

import attrs
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)

from codex_trio.errors import ConnectError
from codex_trio.groups import describe_ways, out_of_groups
from codex_trio.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import TypeAlias
    from urllib.parse import SplitResult

    _Stream: TypeAlias = trio.SocketStream | trio.SSLStream[trio.SocketStream]

log = logging.getLogger(__name__)

HANDSHAKE: Final = 30.0
"""Seconds that a server has to accept a websocket, or to refuse it."""

GOODBYE: Final = 1.0
"""Seconds that a server has to answer our Close frame."""

_CHUNK: Final = 64 * 2**10
_REASON: Final = 300  # bytes of a refusal that are shown
_NO_FAULTS: Final = (1000, 1001, 1005, 1006)  # codes that say no more than that it is over


@attrs.define(eq=False)
class WebSocketWire(Wire):
    """The client's end of a websocket that is open; a message is one message of text.

    On trio-websocket, which has limits of its own: a message goes out as one frame, of which
    servers take 16 MiB (observed on 0.163.0); one that is too long to be taken ends the
    connection (code 1009), and what has come right before it may be lost; and while we are
    sending, no ping is answered.
    """

    longest: ClassVar[int] = 16 * 2**20
    _connection: WebSocketConnection
    _stream: _Stream

    async def receive(self) -> bytes:
        """Return the next message; a cancelled call loses nothing.

        Raises:
            trio.EndOfChannel: the server has hung up or is lost, does not keep to the protocol,
                or has sent what is too long; the text is the reason, if one is known.
        """
        try:
            message = await self._connection.get_message()
        except ConnectionClosed as closed:
            # Behind a fault, its reader would go on, and keep what comes.
            await trio.aclose_forcefully(self._stream)
            raise trio.EndOfChannel(_spoken(closed)) from None
        return message.encode() if isinstance(message, str) else message

    async def send(self, value: bytes) -> None:
        """Send one message; a cancelled call leaves a part of it, and a wire of no more use."""
        try:
            await self._connection.send_message(value.decode())
        except ConnectionClosed:
            raise trio.BrokenResourceError from None

    async def aclose(self) -> None:
        """Say goodbye, and close the stream; the server has a second to answer."""
        with trio.move_on_after(GOODBYE):
            await self._connection.aclose()


def _spoken(closed: ConnectionClosed) -> str:
    """Say why it has been closed, if that is known."""
    if (reason := closed.reason) is None:
        return ""
    return reason.reason or ("" if reason.code in _NO_FAULTS else f"code {reason.code}")


@asynccontextmanager
async def open_websocket(
    url: SplitResult, token: str | None, tls: ssl.SSLContext | None, max_message: int
) -> AsyncGenerator[WebSocketWire]:
    """Open a websocket; leaving the block closes it.

    No ``Origin`` is sent, for that is what servers know web pages by.

    Raises:
        ValueError: the URL names no place.
        OSError: nobody is there.
        ConnectError: whoever is there does not accept a websocket.
    """
    host, target = _address(url)
    stream = await _open_stream(url, tls)
    try:
        with out_of_groups(1):
            async with trio.open_nursery() as nursery:
                connection: WebSocketConnection | None = None
                with trio.move_on_after(HANDSHAKE):
                    connection = await nursery.start(
                        _converse, stream, host, target, token, max_message
                    )
                if connection is None:
                    raise ConnectError("the server does not answer in time")
                yield WebSocketWire(connection, stream)
                nursery.cancel_scope.cancel(reason="the websocket is closed")
    finally:
        await trio.aclose_forcefully(stream)


async def _converse(
    stream: _Stream,
    host: str,
    target: str,
    token: str | None,
    max_message: int,
    *,
    task_status: trio.TaskStatus[WebSocketConnection],
) -> None:
    """Be what a websocket's reader runs in, and start when its handshake is done.

    trio-websocket 0.12.2 would wait for that for ever when its reader has ended, as when the
    server has hung up. So whoever waits is a task beside the reader's nursery, and ends with
    it. And what the reader makes of a server's faults ends nobody but itself.
    """
    headers = [] if token is None else [(b"Authorization", f"Bearer {token}".encode())]
    opened: WebSocketConnection | None = None
    begun = trio.Event()

    async def shake_hands(reader: trio.Nursery) -> None:
        nonlocal opened
        begun.set()  # is heard when this task waits, and by then the reader is there
        opened = await wrap_client_stream(
            reader,
            stream,
            host,
            target,
            extra_headers=headers,
            max_message_size=max_message,
            receive_buffer_size=_CHUNK,
        )
        task_status.started(opened)

    try:
        if isinstance(stream, trio.SSLStream):
            await (
                stream.do_handshake()
            )  # for trio-websocket does not tell what is wrong with it
        with out_of_groups(2):
            async with trio.open_nursery() as beside:
                async with trio.open_nursery() as reader:
                    beside.start_soon(shake_hands, reader)  # noqa: ASYNC111 - it begins the reader, and no more
                    await begun.wait()
                beside.cancel_scope.cancel(reason="the websocket's reader has ended")
    except ConnectionRejected as rejected:
        raise _refused(rejected.status_code, rejected.body or b"") from None
    except trio.BrokenResourceError as error:
        raise ConnectError(f"no TLS with who is there: {error.__cause__}") from error
    except Exception as error:
        log.debug("a websocket's reader has failed: %s", describe_ways(error))
    if opened is None:
        raise ConnectError("who is there does not answer as a websocket would")


def _address(url: SplitResult) -> tuple[str, str]:
    """Say what a request names as its host, and as its target."""
    if url.username is not None or url.fragment:
        raise ValueError("the URL of a server has no user and no fragment")
    if url.scheme == "unix":
        if not url.netloc + url.path:
            raise ValueError("a unix socket has a name")
        return "localhost", "/"
    if not url.hostname:
        raise ValueError("the URL of a server has a host")
    return url.netloc, (url.path or "/") + (f"?{url.query}" if url.query else "")


async def _open_stream(url: SplitResult, tls: ssl.SSLContext | None) -> _Stream:
    if url.scheme == "unix":
        return await trio.open_unix_socket(url.netloc + url.path)
    assert url.hostname is not None
    stream = await trio.open_tcp_stream(
        url.hostname, url.port or (443 if url.scheme == "wss" else 80)
    )
    if url.scheme == "ws":
        return stream
    context = tls or ssl.create_default_context()
    return trio.SSLStream(stream, context, server_hostname=url.hostname, https_compatible=True)


def _refused(status: int, body: bytes) -> ConnectError:
    text = body[:_REASON].decode(errors="replace").strip()
    return ConnectError(f"the server refuses: {status}{text and f', {text}'}", status)
