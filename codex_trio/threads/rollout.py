"""The record of a thread on disk: lines are appended to it, and nothing else ever happens to it."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.errors import CodexTrioError, os_error_text
from codex_trio.threads.legacy_lines import as_legacy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codex_trio.threads.line import Line

PATIENCE: Final = 5.0
"""Seconds that ``flush`` waits for the disk."""

RESPITE: Final = 2.0
"""Seconds that lines still have when the server ends."""

_MODE: Final = 0o644  # less the umask


class RecordError(CodexTrioError):
    """What has happened in a thread is not on disk; the text says why, and is for clients."""


def _ignore(_: RecordError) -> None:
    """Take no notice: nobody has asked to be told."""


@attrs.define(eq=False)
class Rollout:
    """One JSONL file, and the lines that are on their way to it.

    ::

        nursery (the thread's owner)
        └─ _write      only while lines are to be written; when it is cancelled, the lines that
                       there are have ``RESPITE`` seconds to get to the disk

    A batch of lines is one call of write(2) on a file opened with O_APPEND. The system keeps
    what it has taken, so a process that is killed loses at most what it was about to write, and
    a line that was cut in its midst is at the end of the file: whoever appends next closes it
    with a newline first. (Only a machine that loses its power may lose more; the original does
    not wait for the platters either.) The file is opened for each batch, which costs some
    microseconds, and leaves nothing that would have to be closed.

    When the disk takes nothing, lines are kept and tried again with the next one, or the next
    ``flush``; they take memory meanwhile.

    Args:
        path: where the file is, or will be: it is made, with its folders, for the first line.
        nursery: where the lines are written; it must outlive those who append.
        ordinal: what the next line is numbered with; None in an older file, whose lines have
            no numbers and whose items have other lines.
        exists: there is a file; if it is gone when lines are to be written, that is trouble,
            for the thread would begin in its midst.
        on_trouble: is told, once until it is over, that lines cannot be written. Must not wait.
        threads: how many of all rollouts may wait for a disk at a time.
    """

    path: Path
    _nursery: trio.Nursery
    ordinal: int | None = attrs.field(default=0, kw_only=True)
    _exists: bool = attrs.field(default=False, kw_only=True)
    _on_trouble: Callable[[RecordError], None] = attrs.field(default=_ignore, kw_only=True)
    _threads: trio.CapacityLimiter | None = attrs.field(default=None, kw_only=True)

    trouble: RecordError | None = attrs.field(default=None, init=False)
    """Why the last attempt to write has failed, if it has."""

    _pending: deque[bytes] = attrs.field(factory=deque, init=False)
    _appended: int = attrs.field(default=0, init=False)
    _written: int = attrs.field(default=0, init=False)
    _attempt: trio.Event | None = attrs.field(default=None, init=False)
    """Set when the batch that is being written is, or is not to be."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be written."""
        return not self._pending

    def append(self, *lines: Line) -> None:
        """Have lines written, in this order and behind all earlier ones. Never waits."""
        for line in lines:
            if self.ordinal is None:
                for older in as_legacy(line):
                    self._push(older.encode(None))
            else:
                self._push(line.encode(self.ordinal))
                self.ordinal += 1
        self._begin()

    async def flush(self, patience: float = PATIENCE) -> RecordError | None:
        """Wait until everything that has been appended is on disk; returns why it is not.

        What has failed before is tried once more. A cancelled call leaves everything as it is,
        and the lines on their way.
        """
        wanted = self._appended
        if self._written == wanted:
            return None
        with trio.move_on_after(patience):
            while True:
                self._begin()
                assert self._attempt is not None  # it has begun
                await self._attempt.wait()
                if self._written >= wanted:
                    return None
                if self.trouble is not None:
                    return self.trouble
        return RecordError(f"the disk has not answered within {patience:g} s")

    def _push(self, content: bytes) -> None:
        self._pending.append(content)
        self._appended += 1

    def _begin(self) -> None:
        if self._attempt is None and self._pending:
            self._nursery.start_soon(self._write, name=f"write {self.path.name}")
            self._attempt = trio.Event()  # now, for the nursery may have been closed

    async def _write(self) -> None:
        scope = trio.CancelScope(shield=True)

        async def end_late() -> None:
            try:
                await trio.sleep_forever()
            finally:
                scope.deadline = trio.current_time() + RESPITE

        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_late)
            with scope:
                await self._write_batches()
            nursery.cancel_scope.cancel(reason="all lines are written, or none can be")

    async def _write_batches(self) -> None:
        """Write until nothing is left, or the disk takes nothing.

        A thread that is left behind on a disk that hangs may yet write its batch: the attempt
        stays open then, so that nobody writes it a second time.
        """
        while self._pending:
            batch = b"".join(self._pending)
            taken, error = await self._append(batch)
            self._settle(taken, error)
            attempt, self._attempt = self._attempt, None
            assert attempt is not None  # nobody else ends it
            attempt.set()
            if error is not None:
                return
            if self._pending:
                self._attempt = trio.Event()

    async def _append(self, batch: bytes) -> tuple[int, OSError | None]:
        try:
            return await trio.to_thread.run_sync(
                partial(_append, self.path, batch, create=not self._exists),
                limiter=self._threads,
                abandon_on_cancel=True,
            )
        except RuntimeError:  # the system gives us no more threads
            return 0, OSError(errno.EAGAIN, "no thread can be started")

    def _settle(self, taken: int, error: OSError | None) -> None:
        self._exists = self._exists or taken > 0
        # A line that was cut is written again, whole: the next batch closes what there is of
        # it. One of which only the newline is missing is there when that is closed.
        while self._pending and taken >= len(self._pending[0]) - 1:
            taken -= len(self._pending.popleft())
            self._written += 1
        if error is None:
            self.trouble = None
            return
        first = self.trouble is None
        self.trouble = RecordError(f"failed to write {self.path}: {os_error_text(error)}")
        if first:
            self._on_trouble(self.trouble)


def _append(path: Path, batch: bytes, *, create: bool) -> tuple[int, OSError | None]:
    """Append to a file; returns how much of the batch it has taken, and why not more."""
    taken = 0
    try:
        fd = _open(path, create=create)
        try:
            if _is_torn(fd):
                os.write(fd, b"\n")
            taken = os.write(fd, batch)
            while taken < len(batch):  # to learn why, and for what is longer than it may be
                taken += os.write(fd, batch[taken:])
        finally:
            os.close(fd)
    except OSError as error:
        return taken, error
    return taken, None


def _open(path: Path, *, create: bool) -> int:
    # At once: a pipe in the file's place would hang until somebody reads it.
    flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if create:
        flags |= os.O_CREAT
        path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, flags, _MODE)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a file")
    return fd


def _is_torn(fd: int) -> bool:
    if os.lseek(fd, 0, os.SEEK_END) == 0:
        return False
    os.lseek(fd, -1, os.SEEK_END)
    return os.read(fd, 1) != b"\n"
