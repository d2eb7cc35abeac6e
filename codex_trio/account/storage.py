"""Where credentials are kept: what a store is, and which one the settings ask for."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import attrs

from codex_trio.account.auto_store import AutoStore
from codex_trio.account.callable_store import CallableStore
from codex_trio.account.file_store import FileStore
from codex_trio.account.keyring_store import KeyringStore
from codex_trio.account.lock import StoreLocks

if TYPE_CHECKING:
    from codex_trio.account.credentials import Credentials
    from codex_trio.settings import Settings

__all__ = [
    "AutoStore",
    "CallableStore",
    "FileStore",
    "KeyringStore",
    "MemoryStore",
    "Store",
    "open_store",
]


class Store(Protocol):
    """A place for the credentials of one account.

    Derive from it to bring your own, and write ``load``, ``save`` and ``delete``; nothing in
    them may block. For functions that do there is ``CallableStore``.
    """

    kind: str = "own"
    """What clients are told of it: ``file``, ``keyring``, ``auto``, ``ephemeral``, or yours."""

    @abstractmethod
    async def load(self) -> Credentials | None:
        """Return what is stored, None when nothing is. Whatever happens, it stays as it is.

        Raises:
            StoreError: something is there and cannot be used, or it cannot be known.
        """
        ...

    @abstractmethod
    async def save(self, credentials: Credentials) -> None:
        """Replace what is stored. A cancellation is seen before or after, never during.

        Must end by itself, like ``delete``: nothing that waits for it can be cancelled.

        Raises:
            StoreError: nothing has changed, unless the text says that this is unknown.
        """
        ...

    @abstractmethod
    async def delete(self) -> None:
        """Remove what is stored, if anything is; cancelled as ``save``.

        Raises:
            StoreError: something is still there, or may be.
        """
        ...

    def stamp(self) -> object:
        """Return what differs when something else may be stored than before, at little cost.

        Never raises, and asks the file system once at most. None when that cannot be told.
        """
        return None

    @cached_property
    def locks(self) -> StoreLocks:
        """What is held while it is changed, by all who use this store.

        By default that is everybody with this very object. Who shares the place with other
        processes returns ``StoreLocks.beside`` some file.
        """
        return StoreLocks()


def open_store(settings: Settings) -> Store:
    """Choose the store that the settings ask for; nothing is read yet."""
    file = FileStore(settings.codex_home / "auth.json")
    match settings.credentials_store:
        case "file":
            return file
        case "keyring":
            return KeyringStore(settings.codex_home, file)
        case "auto":
            return AutoStore(KeyringStore(settings.codex_home, file), file)
        case "ephemeral":
            return MemoryStore()


@attrs.define(eq=False)
class MemoryStore:
    """Credentials that end with the process."""

    kind = "ephemeral"

    _credentials: Credentials | None = None
    locks: StoreLocks = attrs.field(factory=StoreLocks, init=False)
    _changes: int = attrs.field(default=0, init=False)

    async def load(self) -> Credentials | None:
        """Return what is stored."""
        return self._credentials

    async def save(self, credentials: Credentials) -> None:
        """Replace what is stored."""
        self._credentials = credentials
        self._changes += 1

    async def delete(self) -> None:
        """Remove what is stored."""
        self._credentials = None
        self._changes += 1

    def stamp(self) -> object:
        """Return how often it has changed."""
        return self._changes
