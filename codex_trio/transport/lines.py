"""One message a line, over any byte stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import attrs
import trio

from codex_trio.errors import MessageTooLongError
from codex_trio.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_MAX_LINE: Final = 64 * 2**20
"""The longest line that is read, in bytes without its end."""

_CHUNK: Final = 64 * 2**10
_HEAD: Final = 2**10  # of a line that is too long: enough to find out who is to be told
_IN_A_ROW: Final = 16  # lines that are handed out before other tasks get a turn


@attrs.define(eq=False)
class LineWire(Wire):
    r"""A stream, cut into lines.

    A line ends with ``\\n``, or with the end of the stream. A line that is longer than
    ``max_line`` is never held: its rest is thrown away as it comes in, and ``receive`` raises
    ``MessageTooLongError`` once.
    """

    kind: ClassVar[str] = "line"
    _stream: trio.abc.Stream
    _max_line: int = DEFAULT_MAX_LINE
    _buffer: bytearray = attrs.field(factory=bytearray, init=False, repr=False)
    _cut: int = attrs.field(default=0, init=False)  # where the next line begins
    _searched: int = attrs.field(default=0, init=False)  # no line ends before this place
    _in_a_row: int = attrs.field(default=0, init=False)
    _head: bytes | None = attrs.field(
        default=None, init=False, repr=False
    )  # of a line being thrown away
    _ended: bool = attrs.field(default=False, init=False)

    async def receive(self) -> bytes:
        """Return the next line, without its end.

        A cancelled call loses nothing: the buffer is cut after the last wait.

        Raises:
            MessageTooLongError: the line is longer than ``max_line``; the next call goes on
                behind it.
            trio.EndOfChannel: the stream has ended.
        """
        # A buffered line takes no wait, so a client that writes many at once could starve
        # everybody else. One checkpoint for a few lines is fair enough, and a fifth of the
        # time that a small request takes.
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:
            self._in_a_row = 0
            await trio.lowlevel.checkpoint()
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            if self._head is None and self._searched - self._cut > self._max_line:
                self._head = bytes(self._buffer[self._cut : self._cut + _HEAD])
            if self._head is not None:
                self._cut = self._searched  # nobody will want this part
            if not await self._read():
                return self._last_line()
        line = bytes(self._buffer[self._cut : end])
        self._cut = self._searched = end + 1
        return self._within_limit(line)

    async def _read(self) -> bool:
        """Add what comes in to the buffer; false at the end of the stream."""
        if self._ended:
            return False
        chunk = await self._stream.receive_some(_CHUNK)
        self._in_a_row = 0
        if not chunk:
            self._ended = True
            return False
        del self._buffer[: self._cut]  # once a chunk, not once a line
        self._searched -= self._cut
        self._cut = 0
        self._buffer += chunk
        return True

    def _last_line(self) -> bytes:
        rest = bytes(self._buffer[self._cut :])
        self._buffer.clear()
        self._cut = self._searched = 0
        if not rest and self._head is None:
            raise trio.EndOfChannel
        return self._within_limit(rest)

    def _within_limit(self, line: bytes) -> bytes:
        head, self._head = self._head, None
        if head is not None or len(line) > self._max_line:
            raise MessageTooLongError(head or line[:_HEAD], self._max_line)
        return line

    async def send(self, value: bytes) -> None:
        """Send one line; a cancelled call leaves a part of it, and a wire of no more use."""
        await self._stream.send_all(value + b"\n")

    async def send_batch(self, messages: Sequence[bytes]) -> None:
        """Send several lines as one write."""
        await self._stream.send_all(b"\n".join(messages) + b"\n")

    async def aclose(self) -> None:
        """Close the stream, both ways."""
        await self._stream.aclose()
