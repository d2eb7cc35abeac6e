"""What lists tell of a thread: from a look at the beginning of its rollout, and at its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import attrs

from codex_trio.plain_files import open_plain
from codex_trio.threads.fold import Fold
from codex_trio.threads.line import Line

if TYPE_CHECKING:
    from typing import BinaryIO

    from codex_trio.threads.meta import Meta

_MOST_HEAD: Final = 64 * 2**20  # bytes in which a user must have said something
_PIECE: Final = 2**16  # bytes that are read at a time
_TAIL: Final = 2**16  # bytes at the end in which settings are looked for

_SAID: Final = (b'"UserMessage"', b'"user_message"')
_SET: Final = (b'"type":"turn_context"', b'"type":"thread_settings_applied"')


@attrs.frozen
class Glance:
    """What lists tell of a thread.

    Args:
        meta: how it began, without its instructions.
        preview: what the user has said first; None if that was nothing yet.
        model: which model answers, as far as is known.
        effort: how much it thinks.
        cwd: in which folder.
        model_provider: who runs the model.
        stamp: of the file at that moment; another one if it has changed.
    """

    meta: Meta
    preview: str | None
    model: str | None
    effort: str | None
    cwd: str
    model_provider: str | None
    stamp: tuple[int, int, int]

    @property
    def updated_ms(self) -> int:
        """When something was written last, in milliseconds of Unix time."""
        return self.stamp[0] // 1_000_000


def stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    """Say what changes with a file: its time, its size, and which one it is."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def glance_at(path: str) -> Glance | None:
    """Look at a rollout; None if it cannot be read, or is none. Blocks.

    The rest of the file, and lines in it that cannot be read, make no difference.
    """
    try:
        with open_plain(path, _PIECE) as file:
            status = os.fstat(file.fileno())
            return _look(file, status)
    except OSError:
        return None


def _look(file: BinaryIO, status: os.stat_result) -> Glance | None:
    fold = Fold()
    read = 0
    while read < _MOST_HEAD and not fold.user_has_spoken:
        raw = file.readline(_MOST_HEAD - read)
        if not raw:
            break
        read += len(raw)
        if fold.meta is None:
            line = Line.decode(raw)
            if line is None:
                continue
            fold.take(line)
            if fold.meta is None:
                return None  # it does not begin as rollouts do
        elif any(mark in raw for mark in (*_SAID, *_SET)):
            _take(fold, raw)
    meta = fold.meta
    if meta is None:
        return None
    if status.st_size > read:
        _take_settings(fold, file, max(read, status.st_size - _TAIL))
    settings = fold.settings
    return Glance(
        attrs.evolve(meta, base_instructions=None),
        fold.preview if fold.user_has_spoken else None,
        settings.model,
        settings.effort,
        settings.cwd or meta.cwd,
        settings.model_provider or meta.model_provider,
        stamp_of(status),
    )


def _take_settings(fold: Fold, file: BinaryIO, start: int) -> None:
    """Take what the thread was set to last from the end of its file."""
    file.seek(start)
    tail = file.read(_TAIL)
    places = sorted(place for mark in _SET if (place := tail.rfind(mark)) >= 0)
    for place in places:
        begin = tail.rfind(b"\n", 0, place) + 1
        end = tail.find(b"\n", place)
        _take(fold, tail[begin : end if end >= 0 else len(tail)])


def _take(fold: Fold, raw: bytes) -> None:
    line = Line.decode(raw)
    if line is not None:
        fold.take(line)
