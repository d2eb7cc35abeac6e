"""Server-sent events (WHATWG HTML, section 9.2): bytes in, data of events out, no I/O."""

from __future__ import annotations

from typing import Final

import attrs

_BOM: Final = b"\xef\xbb\xbf"


class EventTooLongError(ValueError):
    """An event is longer than we are willing to hold."""


@attrs.define(eq=False)
class SseDecoder:
    """Cuts a stream into events, and takes the data out of each; other fields are passed over.

    Lines end with LF, CR or CRLF; an event ends with an empty line and may be cut anywhere,
    also within a character, for nothing is decoded here.

    Args:
        max_event: bytes that an event may have; what is held is never more than these and
            what is fed at once.
    """

    max_event: int
    _held: bytearray = attrs.field(factory=bytearray, init=False)  # the beginning of an event
    _begun: bool = attrs.field(default=False, init=False)
    _after_cr: bool = attrs.field(default=False, init=False)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what has arrived, and return the data of the events that it completes.

        Raises:
            EventTooLongError: an event is too long; nothing more can be made of the stream.
        """
        if not self._begun:
            chunk = self._begin(chunk)
        if self._after_cr or b"\r" in chunk:
            chunk = self._plain(chunk)
        held = self._held
        if not held and chunk.endswith(b"\n\n"):  # as nearly all do: there is nothing to hold
            return self._read(chunk[:-2])
        if held:
            # Only what is new is searched, and the line end before it.
            searched = max(len(held) - 1, 0)
            held += chunk
            end = held.rfind(b"\n\n", searched)
            if end >= 0:
                whole, rest = bytes(held[:end]), held[end + 2 :]
                self._held = rest
        else:
            end = chunk.rfind(b"\n\n")
            whole = chunk[: max(end, 0)]
            held += chunk[end + 2 :] if end >= 0 else chunk
        if len(self._held) > self.max_event:
            self._held.clear()
            raise EventTooLongError(f"an event exceeds {self.max_event} bytes")
        return self._read(whole) if end >= 0 else []

    def end(self) -> list[bytes]:
        """Take note that nothing more will arrive, and return the data of an open event.

        The standard drops what has no empty line behind it. What is whole is whole without.
        """
        whole = bytes(self._held)
        self._held.clear()
        return self._read(whole)

    def _begin(self, chunk: bytes) -> bytes:
        """Drop the byte order mark, which may come byte by byte."""
        start = bytes(self._held) + chunk
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._held[:] = start
            return b""
        self._begun = True
        self._held.clear()
        return start.removeprefix(_BOM)

    def _plain(self, chunk: bytes) -> bytes:
        """Turn all line ends into LF."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the CR before it has counted as a line end
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    @staticmethod
    def _read(whole: bytes) -> list[bytes]:
        found = []
        for event in whole.split(b"\n\n"):
            # Nearly all of them are a line of data, alone or behind a line with a name.
            at = event.find(b"\n") + 1
            if (
                event.startswith(b"data: ", at)
                and event.find(b"\n", at) < 0
                and not (at and event.startswith(b"data"))
            ):
                found.append(event[at + 6 :])
            elif event and (data := _data(event)) is not None:
                found.append(data)
        return found


def _data(event: bytes) -> bytes | None:
    """Join the lines of data; None if there are none."""
    lines = [
        value.removeprefix(b" ")
        for name, _, value in (line.partition(b":") for line in event.split(b"\n"))
        if name == b"data"
    ]
    return b"\n".join(lines) if lines else None
