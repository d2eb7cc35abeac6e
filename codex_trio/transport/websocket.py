"""One message a text frame, over a WebSocket whose handshake is done (RFC 6455)."""

from __future__ import annotations

import errno
import logging
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final

import attrs
import trio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, Opcode, RsvBits

from codex_trio.errors import MessageTooLongError
from codex_trio.wire import Ending, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsproto.frame_protocol import FrameDecoder, FrameProtocol

log = logging.getLogger(__name__)

MAX_FRAME: Final = 16 * 2**20
"""Bytes that a frame may have, either way, as in 0.163.0 (observed); a message may have more."""

DEFAULT_MAX_MESSAGE: Final = 64 * 2**20
"""The longest message that is read, in bytes."""

PING_AFTER: Final = 30.0
"""Seconds of silence after which a peer is asked whether it is there; after as many again it is
given up. Ours: 0.163.0 never asks (observed)."""

CLOSING: Final = 1.0
"""Seconds that a peer has to take our last words and to close its side, too."""

PATIENCE: Final = 30.0
"""Seconds in which a peer has to take at least something of what is sent to it. Ours: 0.163.0
drops a client as soon as 128 messages wait for it (observed)."""

_CLOSING_WHEN_CANCELLED: Final = 0.25  # of those
_CHUNK: Final = 64 * 2**10
_HEAD: Final = 2**10  # of a message that is too long: enough to find out who is to be told
_IN_A_ROW: Final = 16  # messages that are handed out before other tasks get a turn
_NOTHING: Final = memoryview(b"")
_FIN: Final = 0x80
_CODES: Final = {
    Ending.DONE: CloseReason.NORMAL_CLOSURE,
    Ending.SHUTTING_DOWN: CloseReason.GOING_AWAY,
    Ending.TOO_SLOW: CloseReason.TRY_AGAIN_LATER,
}


class _FrameLimit(Extension):
    """Refuses a frame by the length that it announces, before any of it is held."""

    name = "frame-limit"  # never negotiated: this is wsproto's hook for looking at headers

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool:
        return False

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> CloseReason | RsvBits:
        if payload_length > MAX_FRAME:
            return CloseReason.MESSAGE_TOO_BIG
        return RsvBits(False, False, False)


_FRAME_LIMIT: Final = _FrameLimit()  # has no state, so one will do


def _open_websocket() -> Connection:
    return Connection(ConnectionType.SERVER, [_FRAME_LIMIT])


@attrs.define(eq=False)
class WebSocketWire(Wire):
    """The server's end of a WebSocket.

    Text frames carry messages. Binary ones are dropped with a warning, as in 0.163.0
    (observed). Pings are answered while ``receive`` runs; a peer that is silent for
    ``ping_after`` seconds gets one, and is given up when it is silent for as long again.

    One task may receive while another sends. A call that is cancelled loses nothing that came
    in; what it had begun to send goes on with whatever is sent next.

    Args:
        stream: a connection behind its handshake.
        trailing: what has been read beyond the handshake.
        max_message: the longest message that is held, in bytes. The rest of a longer one is thrown away as
            it comes in, and ``receive`` raises ``MessageTooLongError`` once.
        ping_after: in seconds.
    """

    kind: ClassVar[str] = "websocket"
    _stream: trio.SocketStream
    _trailing: bytes = attrs.field(default=b"", repr=False)
    _max_message: int = DEFAULT_MAX_MESSAGE
    _ping_after: float = PING_AFTER
    _websocket: Connection = attrs.field(factory=_open_websocket, init=False, repr=False)
    _sending: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _unsent: memoryview = attrs.field(default=_NOTHING, init=False, repr=False)
    _owed: bytes = attrs.field(default=b"", init=False, repr=False)
    """A pong or a Close, to be sent as soon as there is room for it."""
    _message: bytearray = attrs.field(factory=bytearray, init=False, repr=False)
    _too_long: bool = attrs.field(default=False, init=False)
    _in_a_row: int = attrs.field(default=0, init=False)
    _pinged: bool = attrs.field(default=False, init=False)
    _ended: bool = attrs.field(default=False, init=False)  # nothing more comes in
    _said_close: bool = attrs.field(default=False, init=False)  # so nothing more goes out

    def __attrs_post_init__(self) -> None:
        self._websocket.receive_data(self._trailing)
        self._trailing = b""

    async def receive(self) -> bytes:
        """Return the next message; a cancelled call loses nothing.

        Raises:
            MessageTooLongError: the message is longer than ``max_message``; the next call goes
                on behind it.
            trio.EndOfChannel: the peer has closed its side, or has sent what is no WebSocket's.
            trio.BrokenResourceError: the connection is lost, or the peer answers no more.
        """
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:  # as in LineWire: what is buffered takes no wait
            self._in_a_row = 0
            await trio.lowlevel.checkpoint()
        while not self._ended:
            for event in self._websocket.events():  # whatever we leave of them stays there
                match event:
                    case TextMessage():
                        self._add(event.data.encode())
                        if event.message_finished:
                            return self._whole()
                    case BytesMessage(message_finished=True):
                        log.warning("dropped a binary message")
                    case Ping():
                        await self._answer_ping(event)
                    case CloseConnection():
                        await self._hear_close(event)
                        break
                    case _:  # a pong, or a part of a binary message
                        pass
            else:
                await self._read()
        raise trio.EndOfChannel

    def _add(self, piece: bytes) -> None:
        if self._too_long:
            return
        self._message += piece
        if len(self._message) > self._max_message:
            self._too_long = True
            del self._message[_HEAD:]

    def _whole(self) -> bytes:
        message = bytes(self._message)
        self._message = bytearray()  # clear() would keep what a long one has taken
        if self._too_long:
            self._too_long = False
            raise MessageTooLongError(message, self._max_message)
        return message

    async def _read(self) -> None:
        """Take in what comes; ask a peer that is silent whether it is there."""
        chunk = None
        while chunk is None:
            with trio.move_on_after(self._ping_after):
                chunk = await self._stream.receive_some(_CHUNK)
            if chunk is None:
                await self._look_after_peer()
        self._in_a_row = 0
        self._pinged = False
        if chunk:
            self._websocket.receive_data(chunk)
        else:
            self._ended = True

    async def _look_after_peer(self) -> None:
        if self._sending.locked() or self._said_close:
            return  # whoever sends finds out, and a ping would have to queue behind it
        if self._pinged:
            log.info("gave up a peer that does not answer")
            raise trio.BrokenResourceError("the peer does not answer")
        self._pinged = True
        await self._send_control(self._websocket.send(Ping()))

    async def _answer_ping(self, ping: Ping) -> None:
        if self._said_close:
            return
        pong = bytes(self._websocket.send(ping.response()))
        if self._sending.locked():
            self._owed = pong  # only the last one needs an answer (section 5.5.3)
        else:
            await self._send_control(pong)

    async def _hear_close(self, close: CloseConnection) -> None:
        self._ended = True
        if self._websocket.state is ConnectionState.REMOTE_CLOSING:
            await self._say_close(close.response())
        elif self._websocket.state is ConnectionState.OPEN:  # wsproto's word for what is wrong
            log.warning("closed a connection: %s", CloseReason(close.code).name)
            await self._say_close(CloseConnection(code=close.code))

    async def _say_close(self, close: CloseConnection) -> None:
        self._owed = bytes(self._websocket.send(close))
        self._said_close = True
        with suppress(trio.BrokenResourceError):  # the peer may have gone by then
            await self._send_control(b"")

    async def _send_control(self, data: bytes) -> None:
        """Send what is not a message, for ``receive``, which knows no slowness but an end."""
        try:
            await self._send(data)
        except trio.TooSlowError:
            raise trio.BrokenResourceError("the peer takes nothing") from None

    async def send(self, value: bytes) -> None:
        """Send one message; cancelled, it may go out with the next one, or not at all."""
        await self.send_batch([value])

    async def send_batch(self, messages: Sequence[bytes]) -> None:
        """Send several messages as one write.

        Raises:
            trio.BrokenResourceError: the connection is lost, or closed by either side.
            trio.TooSlowError: the peer has taken nothing for ``PATIENCE`` seconds.
        """
        if self._said_close:
            raise trio.BrokenResourceError("the connection is closed")
        await self._send(b"".join(part for message in messages for part in _frames(message)))

    async def _send(self, data: bytes) -> None:
        try:
            self._sending.acquire_nowait()  # mostly nobody else sends, and a wait costs
        except trio.WouldBlock:
            await self._sending.acquire()
        try:
            with trio.fail_after(PATIENCE) as patience:  # noqa: ASYNC912 - there may be nothing
                sent = 0
                while self._unsent or data or self._owed:
                    if sent:  # which mostly is all there was
                        patience.deadline = trio.current_time() + PATIENCE
                    if not self._unsent:
                        if data:
                            self._unsent, data = memoryview(data), b""
                        else:
                            self._unsent, self._owed = memoryview(self._owed), b""
                    sent = await self._stream.socket.send(self._unsent)
                    self._unsent = self._unsent[sent:] or _NOTHING  # or it would keep the data
        except OSError as error:
            if error.errno == errno.EBADF:
                raise trio.ClosedResourceError from None
            raise trio.BrokenResourceError(type(error).__name__) from error
        finally:
            self._sending.release()

    async def aclose(self) -> None:
        """Say why it is closed, wait a second for the peer to close its side, and close.

        A cancelled call takes a quarter of that at most. What was to be sent and has not begun
        is dropped.
        """
        try:
            if not self._said_close:
                self._make_room()
                close = CloseConnection(code=_CODES[self.ending], reason=self.ending.value)
                self._owed = bytes(self._websocket.send(close))
                self._said_close = True
            with trio.move_on_after(_CLOSING_WHEN_CANCELLED, shield=True) as scope:
                await self._leave()
            if scope.cancelled_caught:
                with trio.move_on_after(CLOSING - _CLOSING_WHEN_CANCELLED):
                    await self._leave()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            log.debug("the peer has left")
        finally:
            await self._stream.aclose()

    def _make_room(self) -> None:
        """See to it that a peer that reads slowly gets what it was just being sent, and a Close.

        Trio lets little wait in the kernel; at the end all of it may.
        """
        self._owed = b""
        if self._unsent:
            whole = memoryview(self._unsent.obj)
            end = _frame_end(whole, len(whole) - len(self._unsent))
            self._unsent = whole[len(whole) - len(self._unsent) : end]
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with suppress(OSError):
                self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 2**31 - 1)

    async def _leave(self) -> None:
        """Send what is left, end our side, and read on until the peer has ended its own.

        Closing with something unread would reset the connection, and the peer's kernel would
        throw away what it has not read yet.
        """
        await self._send(b"")
        with suppress(OSError):
            self._stream.socket.shutdown(trio.socket.SHUT_WR)
        while await self._stream.receive_some(_CHUNK):
            pass


def _frames(message: bytes) -> Iterator[bytes]:
    """Cut a message into text frames, with their headers (section 5.2).

    By hand, because wsproto wants text, which it encodes; ours is encoded already.
    """
    opcode = int(Opcode.TEXT)
    while len(message) > MAX_FRAME:
        yield struct.pack("!BBQ", opcode, 127, MAX_FRAME)
        yield message[:MAX_FRAME]
        message = message[MAX_FRAME:]
        opcode = int(Opcode.CONTINUATION)
    size = len(message)
    if size < 126:
        yield bytes((_FIN | opcode, size))
    elif size < 2**16:
        yield struct.pack("!BBH", _FIN | opcode, 126, size)
    else:
        yield struct.pack("!BBQ", _FIN | opcode, 127, size)
    yield message


def _frame_end(frames: memoryview, position: int) -> int:
    """Find where the frame ends of which the byte before ``position`` has been sent."""
    end = 0
    while end < position:
        size = frames[end + 1]
        end += 2
        if size == 126:
            (size,) = struct.unpack_from("!H", frames, end)
            end += 2
        elif size == 127:
            (size,) = struct.unpack_from("!Q", frames, end)
            end += 8
        end += size
    return end
