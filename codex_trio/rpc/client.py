"""What the server knows of a client, and how it speaks to it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import trio

from codex_trio.protocol import codec

if TYPE_CHECKING:
    from codex_trio.protocol.rows import ServerNotification

P = TypeVar("P")

log = logging.getLogger(__name__)

OUTBOX_SIZE: Final = 128
"""How many messages may wait for a client to read them; as many as in the original."""

MAX_OWED: Final = 16 * 2**20
"""How many bytes of answers may wait beyond that, before we stop reading what else is asked."""


@attrs.define(eq=False)
class Client:
    """The far end of one connection.

    What is put into the outbox reaches the client in that order, and nothing else decides the
    order on the wire.
    """

    _outbox: trio.MemorySendChannel[bytes]
    _owed: list[bytes] = attrs.field(factory=list, init=False)
    _owed_size: int = attrs.field(default=0, init=False)
    name: str = attrs.field(default="", init=False)
    initialized: bool = attrs.field(default=False, init=False)
    experimental: bool = attrs.field(default=False, init=False)
    opted_out: frozenset[str] = attrs.field(default=frozenset(), init=False)
    opening: trio.Event | None = attrs.field(default=None, init=False)
    """Set when the request that opens the connection has been answered; None before it came."""
    listening: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    """Cutting it is like the client's hanging up: what is in flight is still answered."""

    def offer(self, message: bytes) -> bool:
        """Queue an encoded message if there is room; true unless it has to wait.

        A client that is leaving takes everything and reads nothing.
        """
        try:
            self._outbox.send_nowait(message)
        except trio.WouldBlock:
            return False
        except trio.BrokenResourceError:
            log.debug("dropped a message for a client that has stopped listening")
        return True

    async def send(self, message: bytes) -> None:
        """Queue an encoded message, waiting for room.

        With room there is no checkpoint: a handler that was cancelled before it could say what
        it has done would leave the others with half a story. When there is none, a cancelled
        call has queued nothing.
        """
        if not self.offer(message):
            try:
                await self._outbox.send(message)
            except trio.BrokenResourceError:
                log.debug("dropped a message for a client that has stopped listening")

    async def owe(self, message: bytes) -> None:
        """Queue an encoded answer, without waiting for the client to read others first.

        The client may be writing a great deal before it reads anything; if we stopped reading
        then, both would wait for ever. So answers that find the outbox full are put aside, and
        only a client that leaves ``MAX_OWED`` bytes of them unread is held up. Nothing of what
        it asked goes unanswered (the original drops answers then). As ``send``, this passes no
        checkpoint unless it has to wait.
        """
        if self.offer(message):
            return
        if self._owed_size + len(message) > MAX_OWED:
            await self.send(message)
        else:
            # A copy: what orjson returns holds on to the 4 KiB it was written in.
            self._owed.append(bytes(memoryview(message)))
            self._owed_size += len(message)

    def take_owed(self) -> list[bytes]:
        """Give out what was put aside; for the writer.

        It need not be woken for this: something is put aside only while the outbox is full.
        """
        owed, self._owed, self._owed_size = self._owed, [], 0
        return owed

    def hears(self, row: ServerNotification[Any]) -> bool:
        """Say whether the client wants this notification."""
        return row.name not in self.opted_out

    async def notify(self, row: ServerNotification[P], params: P) -> None:
        """Tell this client, unless it has opted out; waits and is cancelled as ``send``."""
        if self.hears(row):
            await self.send(codec.encode_notification(row, params))
