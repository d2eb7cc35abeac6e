"""Which process writes to a thread: one at a time, whoever it is."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.errors import INVALID_REQUEST, RpcError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_COORDINATION: Final = ".coordination.lock"
_PATIENCE: Final = 1.0  # seconds for those who open or remove a lock's file
_WAIT: Final = 0.001
_CLAIMS: Final = 4  # at a time


class ActiveWriterError(RpcError):
    """Another process, or another account of this one, writes to the thread."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(INVALID_REQUEST, f"thread {thread_id} already has an active writer")


@attrs.define(eq=False)
class Claim:
    """The right to write to a thread, until it is released."""

    _folder: Path
    _path: Path
    _fd: int | None

    def release(self) -> None:
        """Let others write; the second time does nothing. Blocks for a moment.

        It waits for nobody, but for the disk, which has just taken what was written; so that
        whoever ends has let go, and no task has to outlive it for that.

        The lock's file is removed, unless another process looks at it just now, to whom it is
        as good as gone.
        """
        fd, self._fd = self._fd, None
        if fd is None:
            return
        with _coordination(self._folder, patience=0.0) as alone:
            if alone:
                with suppress(OSError):
                    os.unlink(self._path)
            with suppress(OSError):  # some disks say only now what has gone wrong before
                _unlock(fd)
            with suppress(OSError):
                os.close(fd)


@attrs.define(eq=False)
class Writers:
    """The claims of a home, in the place and manner of the original.

    Each is a lock (flock(2)) on a file with the thread's id in ``thread-writer-locks``, which
    the system gives back however its holder ends. Whoever opens or removes such a file holds
    the lock of another one meanwhile, so that nobody locks a file that is just being removed.
    Where there can be no locks, because of the disk or of rights, nobody is kept from writing:
    each batch of lines is appended at once, so not even then is a line torn.
    """

    _folder: Path
    _threads: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, _CLAIMS), init=False
    )

    @classmethod
    def of(cls, home: Path) -> Writers:
        """Make those of a home."""
        return cls(home / "thread-writer-locks")

    async def claim(self, thread_id: str) -> Claim:
        """Claim the right to write to a thread.

        A cancelled call holds nothing.

        Raises:
            ActiveWriterError: somebody else writes to it.
        """
        return await trio.to_thread.run_sync(self.claim_now, thread_id, limiter=self._threads)

    def claim_now(self, thread_id: str) -> Claim:
        """Claim the right to write to a thread; blocks for a moment. See ``claim``."""
        path = self._folder / f"{thread_id}.lock"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
        with _coordination(self._folder, _PATIENCE):
            try:
                fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError:
                return Claim(self._folder, path, None)
            if not _try_lock(fd):
                os.close(fd)
                raise ActiveWriterError(thread_id)
        return Claim(self._folder, path, fd)


@contextmanager
def _coordination(folder: Path, patience: float) -> Generator[bool]:
    """Keep others from opening and removing locks; says whether that has been achieved."""
    try:
        fd = os.open(folder / _COORDINATION, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        yield False
        return
    try:
        yield _lock_within(fd, patience)
    finally:
        with suppress(OSError):
            _unlock(fd)
        with suppress(OSError):
            os.close(fd)


def _lock_within(fd: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not _try_lock(fd):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_WAIT)
    return True


if sys.platform == "win32":
    import msvcrt

    def _try_lock(fd: int) -> bool:
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        with suppress(OSError):
            msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return not isinstance(error, BlockingIOError)  # true where there are no locks
        return True

    def _unlock(fd: int) -> None:
        with suppress(OSError):  # where there are no locks
            fcntl.flock(fd, fcntl.LOCK_UN)
