"""Locks that processes share, so that no two of them change one store at a time."""

from __future__ import annotations

import errno
import os
import random
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
import trio

from codex_trio.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_FIRST_WAIT: Final = 0.002  # seconds
_LONGEST_WAIT: Final = 0.1
_MOST_NOTED: Final = 4096  # bytes


@attrs.frozen
class HeldLock:
    """A lock that is held, and the note that its holders leave one another in its file.

    Args:
        fd: the file; None when there is none.
        obstacle: why nothing can be noted.
    """

    _fd: int | None
    _obstacle: OSError | None = None

    def read(self) -> str:
        """Read what the last holder has noted; blocks.

        Raises:
            OSError: it cannot be read.
        """
        if self._fd is None:
            return ""
        os.lseek(self._fd, 0, os.SEEK_SET)  # Windows has no pread
        return os.read(self._fd, _MOST_NOTED).decode(errors="replace")

    def note(self, text: str) -> None:
        """Note something for the next holder, in place of what was noted before; blocks.

        It is on the disk when this returns, so it outlives us, however we end.

        Raises:
            OSError: it cannot be written.
        """
        if self._obstacle is not None:
            raise OSError(self._obstacle.errno, self._obstacle.strerror)
        if self._fd is None:
            return
        content = text.encode()
        # Cut when it has been written: if there is no room, what was noted before stays.
        os.lseek(self._fd, 0, os.SEEK_SET)
        if os.write(self._fd, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(self._fd, len(content))
        os.fsync(self._fd)


@attrs.define(eq=False)
class FileLock:
    """A lock on a file of its own, which stays where it is.

    The system gives it back when its holder ends, however that happens, so a lock is never
    stale. (flock(2), between all who open the file, in one process or in several.) Where there
    is no directory for the file, there is nothing that could be shared either. A file that
    cannot be had, because of its owner or of the disk, keeps nobody from what it guards; but
    nothing can be noted in it.
    """

    _path: Path

    @asynccontextmanager
    async def held(self, patience: float) -> AsyncGenerator[HeldLock]:
        """Hold the lock within the block; leaving it has no checkpoint.

        A call that is cancelled while it waits leaves nothing.

        Raises:
            StoreError: others have held it for ``patience`` seconds.
        """
        while True:
            fd, obstacle = _open(self._path)
            if fd is None:
                yield HeldLock(None, obstacle)
                return
            try:
                obstacle = await self._acquire(fd, patience) or obstacle
                if obstacle is None and not self._is_there(fd):
                    continue  # somebody has removed the file meanwhile: others lock another one
                yield HeldLock(fd, obstacle)
                return
            finally:
                self._release(fd)

    def _is_there(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self._path))
        except OSError:
            return False

    @staticmethod
    def _release(fd: int) -> None:
        _unlock(fd)  # closing it would not do while a child that was forked has it, too
        os.close(fd)

    async def _acquire(self, fd: int, patience: float) -> OSError | None:
        """Wait for the lock; returns why there is none, on a file system that knows no locks."""
        deadline = trio.current_time() + patience
        wait = _FIRST_WAIT
        # Asked again and again, because a thread that waits for a lock cannot be cancelled.
        try:
            while not _try_lock(fd):
                if trio.current_time() >= deadline:
                    raise StoreError(f"others hold {self._path.name} for too long")
                await trio.sleep(wait * random.uniform(0.5, 1.0))
                wait = min(2 * wait, _LONGEST_WAIT)
        except OSError as error:
            return error
        return None


@attrs.define(eq=False)
class PrivateLock:
    """A lock, and its note, of what no other process shares."""

    _note: str = attrs.field(default="", init=False)
    _lock: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    @asynccontextmanager
    async def held(self, patience: float) -> AsyncGenerator[PrivateLock]:
        """Hold the lock within the block. See ``FileLock.held``."""
        with trio.move_on_after(patience) as waiting:
            await self._lock.acquire()
        if waiting.cancelled_caught:
            raise StoreError("others change what is stored for too long")
        try:
            yield self
        finally:
            self._lock.release()

    def read(self) -> str:
        """Read what was noted."""
        return self._note

    def note(self, text: str) -> None:
        """Note something in place of what was noted before."""
        self._note = text


Lock: TypeAlias = FileLock | PrivateLock
Held: TypeAlias = HeldLock | PrivateLock


@attrs.frozen
class StoreLocks:
    """The two locks of a store.

    Args:
        change: held for the moment of a change.
        renewal: held while tokens are renewed, which takes its time; its note says which.
    """

    change: Lock = attrs.field(factory=PrivateLock)
    renewal: Lock = attrs.field(factory=PrivateLock)

    @classmethod
    def beside(cls, path: Path) -> StoreLocks:
        """Make those of what is stored in a file, or would be but for a keyring.

        They lie beside the file itself, wherever links to it are. Blocks.
        """
        change, renewal = lock_paths(path)
        return cls(FileLock(change), FileLock(renewal))


def lock_paths(path: Path) -> tuple[Path, Path]:
    """Say where the locks of a file are, for its change and for its renewal. Blocks."""
    target = Path(os.path.realpath(path))
    return target.with_name(f"{target.name}.lock"), target.with_name(f"{target.name}.renewal")


def knows_locks(fd: int) -> bool:
    """Say whether a file, which nobody else has open, lies where there are locks."""
    try:
        if _try_lock(fd):
            _unlock(fd)
    except OSError:
        return False
    return True


def _open(path: Path) -> tuple[int | None, OSError | None]:
    """Open the file, which is for its owner: whoever else could read it could hold the lock.

    In the event loop: it is a file like the one that is asked for its time at every look.

    Returns:
        It, and why nothing can be written into it.
    """
    at_once = getattr(os, "O_NONBLOCK", 0)  # a pipe in its place must not hang us
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | at_once, 0o600), None
    except FileNotFoundError:
        return None, None
    except OSError as error:
        with suppress(OSError):
            return os.open(path, os.O_RDONLY | at_once), error
        return None, error


if sys.platform == "win32":
    import msvcrt

    def _try_lock(fd: int) -> bool:
        # Behind all notes: what is locked there can be read by nobody else.
        os.lseek(fd, _MOST_NOTED, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        os.lseek(fd, _MOST_NOTED, os.SEEK_SET)
        with suppress(OSError):
            msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(fd: int) -> None:
        with suppress(OSError):  # where there are no locks
            fcntl.flock(fd, fcntl.LOCK_UN)
