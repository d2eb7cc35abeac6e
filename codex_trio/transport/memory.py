"""A wire within the process."""

from __future__ import annotations

from typing import ClassVar

import attrs
import trio

from codex_trio.wire import Wire


@attrs.define(eq=False)
class MemoryWire(Wire):
    """One end of a wire in memory; its other end gets what this one sends."""

    kind: ClassVar[str] = "memory"
    _send: trio.MemorySendChannel[bytes]
    _receive: trio.MemoryReceiveChannel[bytes]

    async def receive(self) -> bytes:
        """Return the next message; a cancelled call loses nothing."""
        return await self._receive.receive()

    async def send(self, value: bytes) -> None:
        """Send one message; a cancelled call has not sent it."""
        await self._send.send(value)

    def hang_up(self) -> None:
        """Send no more, and go on receiving."""
        self._send.close()

    async def aclose(self) -> None:
        """Close both directions."""
        self._send.close()
        self._receive.close()
        await trio.lowlevel.checkpoint()


def memory_wire_pair(buffered: int = 0) -> tuple[MemoryWire, MemoryWire]:
    """Make both ends of a wire.

    Args:
        buffered: how many messages may wait in each direction. None by default: who sends is
            held up until the other end receives, which is how a full pipe behaves.
    """
    there_send, there_receive = trio.open_memory_channel[bytes](buffered)
    back_send, back_receive = trio.open_memory_channel[bytes](buffered)
    return MemoryWire(there_send, back_receive), MemoryWire(back_send, there_receive)
