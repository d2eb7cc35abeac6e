"""What a person is told, on a stream that may be a terminal."""

from __future__ import annotations

import io
import itertools
import os
import textwrap
from typing import TYPE_CHECKING, Final, TextIO

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Mapping

BOLD: Final = "\x1b[1m"
DIM: Final = "\x1b[2m"
RED: Final = "\x1b[31m"
GREEN: Final = "\x1b[32m"
YELLOW: Final = "\x1b[33m"
CYAN: Final = "\x1b[36m"
_PLAIN: Final = "\x1b[0m"

_CLEAR_LINE: Final = "\r\x1b[2K"
_HIDE_CURSOR: Final = "\x1b[?25l"
_SHOW_CURSOR: Final = "\x1b[?25h"

_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASCII_FRAMES: Final = "-\\|/"
_FRAME_SECONDS: Final = 0.1
_NARROWEST: Final = 30  # columns that a text needs


@attrs.define(eq=False)
class Screen:
    """A place for lines of text; made by ``Screen.of``.

    Where nothing can be redrawn, as in a pipe, nothing but plain text is written.

    Args:
        live: whether a line can be redrawn.
        coloured: whether styles have an effect.
    """

    _stream: TextIO
    live: bool
    coloured: bool

    @classmethod
    def of(
        cls, stream: TextIO | None, environ: Mapping[str, str], *, colour: bool = True
    ) -> Screen:
        """Look at a stream and at ``TERM`` and ``NO_COLOR``; None takes everything in silence."""
        stream = stream or io.StringIO()
        live = stream.isatty() and environ.get("TERM", "dumb") != "dumb"
        return cls(stream, live, live and colour and not environ.get("NO_COLOR"))

    def say(self, text: str = "", style: str = "") -> None:
        """Write a line; of what would control a terminal it shows the escapes."""
        self._write(f"{self.styled(visible(text), style)}\n")

    def styled(self, text: str, style: str) -> str:
        """Put text in a style, if there are styles here."""
        return f"{style}{text}{_PLAIN}" if style and self.coloured else text

    def wrap(self, text: str, indent: int) -> list[str]:
        """Cut a line between words, so that it fits behind some blanks on a terminal."""
        if not self.live:
            return [text]
        width = max(self._width() - indent, _NARROWEST)
        return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)

    def write_line(self, text: str) -> None:
        """Write a line as it is, with the styles that are in it."""
        self._write(f"{text}\n")

    async def count_down(self, text: str, seconds: float) -> None:
        """Show in one line what is waited for and how long that may last, until cancelled.

        A cancelled call leaves the line empty and the cursor visible.
        """
        if not self.live:
            return
        until = trio.current_time() + seconds
        frames = itertools.cycle(self._frames())
        try:
            while True:
                left = max(0, round(until - trio.current_time()))
                line = f"{next(frames)} {text}, {left // 60}:{left % 60:02} left"
                self._write(f"{_HIDE_CURSOR}{_CLEAR_LINE}{line[: self._width() - 1]}")
                await trio.sleep(_FRAME_SECONDS)
        finally:
            self._write(f"{_CLEAR_LINE}{_SHOW_CURSOR}")

    def _frames(self) -> str:
        try:
            _FRAMES.encode(self._stream.encoding)
        except UnicodeEncodeError:
            return _ASCII_FRAMES
        return _FRAMES

    def _width(self) -> int:
        return os.get_terminal_size(self._stream.fileno()).columns or 80

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def visible(text: str) -> str:
    """Write out what cannot be seen: hosts on the network may have sent it."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1]
        for letter in text
    )
