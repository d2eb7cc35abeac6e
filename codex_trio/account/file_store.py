"""Credentials in auth.json, off Trio's thread."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import trio

from codex_trio.account.credentials import Credentials
from codex_trio.account.lock import StoreLocks
from codex_trio.errors import StoreError, os_error_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

MAX_SIZE: Final = 2**20
"""Bytes that credentials may have; usual are a few thousand."""

ABSENT: Final = (errno.ENOENT,)  # the stamp of no file
_DRAFT: Final = re.compile(r"\.[0-9a-f]{16}\.tmp")  # behind the name of the file
_STALE: Final = 60.0  # seconds after which a draft has no writer any more


@attrs.define(eq=False)
class FileStore:
    """``auth.json``: always whole, always 0600.

    A draft is written beside the file and renamed over it, so that whoever reads finds the old
    or the new content, even if we are killed. A symbolic link stays, and its target is
    replaced. (The original truncates and rewrites the file in place.)
    """

    kind = "file"

    _path: Path
    locks: StoreLocks = attrs.field(
        default=attrs.Factory(lambda self: StoreLocks.beside(self._path), takes_self=True),
        init=False,
    )
    _limit: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, 1), init=False
    )

    async def load(self) -> Credentials | None:
        """Read the file. See ``Store.load``."""
        content = await self._in_thread(self._read)
        return None if content is None else Credentials.decode(content)

    async def save(self, credentials: Credentials) -> None:
        """Replace the file. See ``Store.save``."""
        content = credentials.encode()
        if len(content) > MAX_SIZE:
            raise StoreError(f"longer than {MAX_SIZE} bytes")
        await self._in_thread(partial(self._replace, content))

    async def delete(self) -> None:
        """Remove the file; of a symbolic link, the link. See ``Store.delete``."""
        await self._in_thread(self._unlink)

    def stamp(self) -> object:
        """Return what one look at the file says: every save makes a new one of it."""
        try:
            seen = os.stat(self._path)
        except OSError as error:
            return (error.errno,)
        return seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, seen.st_size

    def is_there(self) -> bool:
        """Whether there is a file, which may or may not be of use."""
        return self.stamp() != ABSENT

    async def _in_thread(self, step: Callable[[], T]) -> T:
        try:
            # Not abandoned when cancelled: the thread ends first, and we know what it did.
            return await trio.to_thread.run_sync(step, limiter=self._limit)
        except OSError as error:
            raise StoreError(os_error_text(error)) from None

    def _read(self) -> bytes | None:
        _sweep(self._path)
        try:
            with open(self._path, "rb", opener=_open_at_once) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise StoreError("not a file")
                content = file.read(MAX_SIZE + 1)
        except FileNotFoundError:
            return None
        if len(content) > MAX_SIZE:
            raise StoreError(f"longer than {MAX_SIZE} bytes")
        return content

    def _replace(self, content: bytes) -> None:
        # The usual case is written for speed: nothing is asked of the file system that it
        # would not say by itself, when it fails.
        target = os.path.realpath(self._path) if self._path.is_symlink() else str(self._path)
        draft = f"{target}.{secrets.token_hex(8)}.tmp"
        try:
            fd = _create(draft)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            fd = _create(draft)
        try:
            with open(fd, "wb", buffering=0) as file:
                while content:
                    content = content[file.write(content) :]
                os.fsync(fd)
            os.replace(draft, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            raise

    def _unlink(self) -> None:
        _sweep(self._path)  # first, while a link still leads to its target
        try:
            self._path.unlink()
        except FileNotFoundError:
            pass
        except PermissionError:
            # What some systems say to a directory, which would be no help.
            if self._path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
            raise


def _create(draft: str) -> int:
    return os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _open_at_once(path: str, flags: int) -> int:
    # A pipe in the file's place would hang until somebody writes to it.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def stale_drafts(path: Path) -> Iterator[str]:
    """Find what writers of a file have left behind that were killed; blocks.

    Raises:
        OSError: the folder cannot be read.
    """
    target = os.path.realpath(path) if path.is_symlink() else str(path)
    folder, name = os.path.split(target)
    with os.scandir(folder) as entries:
        for entry in entries:
            is_draft = entry.name.startswith(name) and _DRAFT.fullmatch(entry.name, len(name))
            if is_draft and time.time() - entry.stat().st_mtime > _STALE:
                yield entry.path


def _sweep(path: Path) -> None:
    """Remove the drafts of writers that were killed: they hold secrets."""
    with contextlib.suppress(OSError):
        for draft in stale_drafts(path):
            os.unlink(draft)
