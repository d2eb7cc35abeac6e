"""Reading a rollout: what is known of a thread from its file, and from those it begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio.errors import os_error_text
from codex_trio.plain_files import open_plain
from codex_trio.threads.fold import Fold as Fold
from codex_trio.threads.fold import Place
from codex_trio.threads.line import Line
from codex_trio.threads.meta import HistoryBase, Meta
from codex_trio.threads.rollout import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from codex_trio.protocol.thread_news import ThreadTokenUsage
    from codex_trio.protocol.turns import Turn
    from codex_trio.threads.recorded_settings import RecordedSettings

MOST_BASES: Final = 64
"""How many files a thread may begin with, one in the other."""

MOST_LINE: Final = 256 * 2**20
"""Bytes that a line may have."""

_PIECE: Final = 2**20  # bytes that are read at a time


@attrs.frozen
class Recorded:
    """What a rollout says of its thread.

    Args:
        path: where it is.
        meta: how the thread began.
        fold: everything else; whoever goes on with the thread goes on with it.
        end: where the next line will be.
        damaged: how many lines could not be read.
    """

    path: Path
    meta: Meta
    fold: Fold = attrs.field(repr=False)
    end: Place
    damaged: int = 0

    @property
    def turns(self) -> list[Turn]:
        """All turns with their items; one without an end is interrupted."""
        return self.fold.turns

    @property
    def history(self) -> list[dict[str, Any]]:
        """What the model is to be sent."""
        return self.fold.history

    @property
    def preview(self) -> str:
        """What the user has said first."""
        return self.fold.preview

    @property
    def usage(self) -> ThreadTokenUsage | None:
        """The tokens of the thread and of its last answer."""
        return self.fold.usage

    @property
    def settings(self) -> RecordedSettings:
        """What the thread was set to last; where nothing says so, with what it began."""
        said = self.fold.settings
        return attrs.evolve(
            said,
            cwd=said.cwd or self.meta.cwd,
            model_provider=said.model_provider or self.meta.model_provider,
        )

    @property
    def next_ordinal(self) -> int | None:
        """What the next line is numbered with; None in a file of the older kind."""
        return None if self.fold.legacy else self.fold.next_ordinal

    def base_at(self, turn_id: str | None = None) -> HistoryBase | None:
        """Say what another file has to begin with to have the past of this thread.

        Args:
            turn_id: the first turn that is not to be part of it; None for all there is.

        Returns:
            None if nothing is left of the past.

        Raises:
            LookupError: there is no such turn.
        """
        place = self.end
        if turn_id is not None:
            place = self.fold.folded_turns[turn_id].place
            if turn_id == next(iter(self.fold.folded_turns)):
                return None
        return HistoryBase(place.thread_id, place.ordinal, place.offset)


def read_rollout(
    path: Path, find: Callable[[HistoryBase, Path], Path | None] | None = None
) -> Recorded:
    """Read a rollout. Blocks.

    Lines that cannot be read are left out: a torn one at the end, which somebody was about to
    write when he was killed, garbage in between, and those of versions to come.

    Args:
        path: where it is.
        find: tells in which file what a thread begins with is; without it, or if there is no
            such file, the thread is read without that part.

    Raises:
        RecordError: it cannot be read, or it is no rollout; the text says which.
    """
    try:
        return _Reader(find).read(path)
    except OSError as error:
        raise RecordError(f"failed to read {path}: {os_error_text(error)}") from None


def read_past(
    path: Path,
    base: HistoryBase,
    find: Callable[[HistoryBase, Path], Path | None] | None = None,
) -> Fold:
    """Read what a thread begins with that is made from another one. Blocks.

    Args:
        path: the other's rollout.
        base: up to where it counts; see ``Recorded.base_at``.
        find: see ``read_rollout``.

    Raises:
        RecordError: it cannot be read; the text says why.
    """
    try:
        return _Reader(find).read_until(path, base.end_ordinal)
    except OSError as error:
        raise RecordError(f"failed to read {path}: {os_error_text(error)}") from None


@attrs.define(eq=False)
class _Reader:
    _find: Callable[[HistoryBase, Path], Path | None] | None
    _fold: Fold = attrs.field(factory=Fold)
    _damaged: int = 0

    def read(self, path: Path) -> Recorded:
        meta = read_meta(path)
        self._take_bases(path, meta)
        self._fold.meta = meta  # and not that of what it begins with
        if meta.history_base is not None and meta.history_base.thread_id != meta.id:
            self._fold.forget_preview()  # it will have its own (observed)
        offset = self._take(path, None)
        self._fold.settle()
        end = Place(meta.id, self._fold.next_ordinal, offset)
        return Recorded(path, meta, self._fold, end, self._damaged)

    def read_until(self, path: Path, end_ordinal: int) -> Fold:
        meta = read_meta(path)
        self._take_bases(path, meta, end_ordinal)
        # The end may be in one of those that this file begins with itself.
        self._take(path, HistoryBase(meta.id, end_ordinal))
        fold = self._fold
        fold.settle()
        fold.meta, fold.next_ordinal = None, end_ordinal
        fold.forget_preview()
        return fold

    def _take_bases(self, path: Path, meta: Meta, end_ordinal: int | None = None) -> None:
        for before, base in reversed(self._bases(path, meta)):
            if end_ordinal is not None and end_ordinal < base.end_ordinal:
                base = HistoryBase(base.thread_id, end_ordinal)
            self._take(before, base)

    def _bases(self, path: Path, meta: Meta) -> list[tuple[Path, HistoryBase]]:
        """List what a file begins with, the nearest first, and up to where."""
        found: list[tuple[Path, HistoryBase]] = []
        seen = {path}
        base = meta.history_base
        while base is not None and self._find is not None and len(found) < MOST_BASES:
            before = self._find(base, path)
            if before is None or before in seen:
                break
            seen.add(before)
            found.append((before, base))
            path = before
            try:
                base = read_meta(path).history_base
            except (RecordError, OSError):
                break
        return found

    def _take(self, path: Path, base: HistoryBase | None) -> int:
        """Take the lines of a file, or those that are before an end; returns its size."""
        offset, thread_id = 0, None
        for raw in read_lines(path):
            if base is not None and base.end_offset is not None and offset >= base.end_offset:
                break
            line = Line.decode(raw)
            if line is None:
                self._damaged += bool(raw.strip())
            else:
                if line.kind == "session_meta" and thread_id is None:
                    thread_id = str(line.payload.get("id"))
                ordinal = self._fold.next_ordinal if line.ordinal is None else line.ordinal
                if base is not None and ordinal >= base.end_ordinal:
                    break
                self._fold.take(line, Place(thread_id or "", ordinal, offset))
            offset += len(raw)
        return offset


def read_lines(path: Path) -> Iterator[bytes]:
    """Read the lines of a file with their newlines; the last may have none. Blocks.

    One that is longer than ``MOST_LINE`` comes in pieces, none of which is a line.

    Raises:
        OSError: it cannot be read, or it is no file.
    """
    with open_plain(path, _PIECE) as file:
        while raw := file.readline(MOST_LINE):
            yield raw


def read_meta(path: Path) -> Meta:
    """Read how the thread of a rollout began, from the first line that can be read. Blocks.

    Raises:
        OSError: the file cannot be read.
        RecordError: it does not say.
    """
    for raw in read_lines(path):
        line = Line.decode(raw)
        if line is not None:
            meta = Meta.read(line.payload) if line.kind == "session_meta" else None
            if meta is None:
                break
            return meta
    raise RecordError(f"failed to read session metadata {path}: rollout at {path} is empty")


def first_ordinal(path: Path) -> int | None:
    """Say with which number a rollout begins; None if it cannot be read. Blocks."""
    try:
        line = next((line for raw in read_lines(path) if (line := Line.decode(raw))), None)
    except OSError:
        return None
    return None if line is None else line.ordinal or 0
