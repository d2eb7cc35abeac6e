"""Where credentials are kept, off Trio's thread."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import attrs
import trio

from codex_trio.account.credentials import Credentials
from codex_trio.errors import StoreError, os_error_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codex_trio.settings import Settings

T = TypeVar("T")

_DRAFT: Final = re.compile(r"\.[0-9a-f]{16}\.tmp")  # behind the name of the file
_STALE: Final = 60.0  # seconds after which a draft has no writer any more


class Store(Protocol):
    """A place for the credentials of one account."""

    def load(self) -> Credentials | None:
        """Return what is stored, None when nothing is; blocks.

        Raises:
            StoreError: something is there and cannot be used. It is left as it is.
        """
        ...

    async def save(self, credentials: Credentials) -> None:
        """Replace what is stored. A cancellation is seen before or after, never during.

        Raises:
            StoreError: nothing has changed.
        """
        ...

    async def delete(self) -> None:
        """Remove what is stored, if anything is; cancelled as ``save``.

        Raises:
            StoreError: it is still there.
        """
        ...


def open_store(settings: Settings) -> Store:
    """Choose the store that the settings ask for."""
    match settings.credentials_store:
        case "ephemeral":
            return MemoryStore()
        case "keyring":
            return MissingStore("keyring storage is not served by codex-trio yet")
        case "file" | "auto":
            # Without a keyring the original's `auto` is the file as well.
            return FileStore(settings.codex_home / "auth.json")


@attrs.define(eq=False)
class MemoryStore:
    """Credentials that end with the process."""

    _credentials: Credentials | None = None

    def load(self) -> Credentials | None:
        """Return what is stored."""
        return self._credentials

    async def save(self, credentials: Credentials) -> None:
        """Replace what is stored."""
        self._credentials = credentials

    async def delete(self) -> None:
        """Remove what is stored."""
        self._credentials = None


@attrs.define(eq=False)
class MissingStore:
    """A store that cannot be had: nothing is stored elsewhere instead."""

    _reason: str

    def load(self) -> Credentials | None:
        """Return nothing; the failure belongs to who wants to write."""
        return None

    async def save(self, credentials: Credentials) -> None:
        """Refuse to store anything."""
        raise StoreError(self._reason)

    async def delete(self) -> None:
        """Refuse to claim that nothing is stored."""
        raise StoreError(self._reason)


@attrs.define(eq=False)
class FileStore:
    """``auth.json``: always whole, always 0600.

    A draft is written beside the file and renamed over it, so that whoever reads finds the old
    or the new content, even if we are killed. A symbolic link stays, and its target is
    replaced. (The original truncates and rewrites the file in place.)
    """

    _path: Path
    _limit: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, 1), init=False
    )

    def load(self) -> Credentials | None:
        """Read the file; blocks. See ``Store.load``."""
        _sweep(self._path)
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(os_error_text(error)) from None
        return Credentials.decode(content)

    async def save(self, credentials: Credentials) -> None:
        """Replace the file. See ``Store.save``."""
        await self._in_thread(partial(self._replace, credentials.encode()))

    async def delete(self) -> None:
        """Remove the file; of a symbolic link, the link. See ``Store.delete``."""
        await self._in_thread(self._unlink)

    async def _in_thread(self, step: Callable[[], T]) -> T:
        try:
            # Not abandoned when cancelled: the thread ends first, and we know what it did.
            return await trio.to_thread.run_sync(step, limiter=self._limit)
        except OSError as error:
            raise StoreError(os_error_text(error)) from None

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


def _sweep(path: Path) -> None:
    """Remove the drafts of writers that were killed: they hold secrets."""
    target = os.path.realpath(path) if path.is_symlink() else str(path)
    folder, name = os.path.split(target)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            is_draft = entry.name.startswith(name) and _DRAFT.fullmatch(entry.name, len(name))
            if is_draft and time.time() - entry.stat().st_mtime > _STALE:
                os.unlink(entry)
