"""Credentials in the keyring if there is one, else in auth.json."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs
import trio

from codex_trio.account.file_store import ABSENT
from codex_trio.account.keyring_store import KeyringMissingError
from codex_trio.errors import StoreError

if TYPE_CHECKING:
    from codex_trio.account.credentials import Credentials
    from codex_trio.account.file_store import FileStore
    from codex_trio.account.keyring_store import KeyringStore
    from codex_trio.account.lock import StoreLocks

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class AutoStore:
    """The keyring, and ``auth.json`` on hosts that have none.

    One rule decides what counts: *while there is a file, the file*. It is there only as long
    as the keyring has not taken what it holds, so it is never the older of the two, whatever
    kills us at whatever moment, and whichever of them cannot be reached. (The original asks
    the keyring first, and so returns to an older account when a keyring comes back.)

    Nothing moves from the keyring to a file but on a host without a keyring. One that is there,
    and is locked, late or broken, is an error; only what is in a file already stays in it.
    """

    kind = "auto"

    _keyring: KeyringStore
    _file: FileStore

    @property
    def locks(self) -> StoreLocks:
        """Those of the file, which would hold the same."""
        return self._file.locks

    async def load(self) -> Credentials | None:
        """Read the file, or else the entry. See ``Store.load``."""
        stored = await self._file.load()
        if stored is not None:
            return stored
        try:
            return await self._keyring.load()
        except KeyringMissingError:
            return None

    async def save(self, credentials: Credentials) -> None:
        """Replace the entry and remove the file; without a keyring, replace the file.

        Where there is a file it is replaced first. Then the new credentials are safe, and what
        the keyring says is no more than a warning. See ``Store.save``.
        """
        if self._file.is_there():
            await self._file.save(credentials)
            try:
                with trio.CancelScope(shield=True):
                    await self._keyring.save(credentials)
            except StoreError as error:
                _warn(error)
            return
        try:
            await self._keyring.save(credentials)
        except KeyringMissingError as error:
            await self._file.save(credentials)
            _warn(error)

    async def delete(self) -> None:
        """Remove the entry, then the file. See ``Store.delete``.

        A keyring that is not there keeps nobody signed in. One that is there and cannot be
        asked does: it may hold an entry, with which one would be signed in again.
        """
        try:
            await self._keyring.delete()
        except KeyringMissingError as error:
            await self._file.delete()
            log.warning("signed out of the file alone: %s", error)

    def stamp(self) -> object:
        """Return the stamp of the file; without one it cannot be known."""
        stamp = self._file.stamp()
        return None if stamp == ABSENT else stamp


def _warn(error: StoreError) -> None:
    log.warning("failed to save auth to keyring, falling back to file storage: %s", error)
