"""Credentials in the keyring of the system, off Trio's thread and under a deadline."""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.account.credentials import Credentials
from codex_trio.account.worker import PATIENCE, Worker
from codex_trio.errors import StoreError
from codex_trio.groups import describe_ways

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from keyring.backend import KeyringBackend

    from codex_trio.account.file_store import FileStore
    from codex_trio.account.lock import StoreLocks

log = logging.getLogger(__name__)

SERVICE: Final = "Codex Auth"
"""What the original calls its entries."""

_NONE: Final = "there is no keyring on this host"
_ORIGINAL: Final = "rust-keyring"  # the program that its entries are marked as those of
_NAMESAKES: Final = 8  # entries of the same name, by other programs, that are removed
_QUOTED: Final = 200  # characters of what a keyring says that are passed on
_TELLTALE: Final = 8  # characters in a row that nobody says by accident


class KeyringMissingError(StoreError):
    """There is no keyring: none on this host, or no package to reach it by."""


@attrs.define(eq=False)
class KeyringStore:
    """One entry in the keyring, by the original's name for it; ``auth.json`` is never read.

    What is saved is read back before it is called so, and what is deleted is looked for. An
    ``auth.json`` goes with either: it would hold the same secrets, or older ones.

    Args:
        home: whose credentials they are.
        file: the ``auth.json`` in it.
        patience: seconds that the keyring has to answer; somebody may be asked for a password
            meanwhile. What a thread does that is left behind then is not known.
    """

    kind = "keyring"

    _home: Path
    _file: FileStore
    _patience: float = PATIENCE
    _worker: Worker = attrs.field(init=False)

    @_worker.default
    def _make_worker(self) -> Worker:
        return Worker("the keyring", self._patience)

    @property
    def locks(self) -> StoreLocks:
        """Those of the file, which would hold the same."""
        return self._file.locks

    async def load(self) -> Credentials | None:
        """Read the entry. See ``Store.load``.

        Raises:
            KeyringMissingError: there is no keyring.
            StoreError: it is locked, late or broken, or the entry cannot be used.
        """
        with _prefixed("failed to load CLI auth from keyring"):
            content = await self._worker.ask(partial(_read, self._home))
        if content is None:
            return None
        with _prefixed("failed to deserialize CLI auth from keyring"):
            return Credentials.decode(content)

    async def save(self, credentials: Credentials) -> None:
        """Replace the entry, then remove the file. See ``Store.save``.

        Raises:
            KeyringMissingError: there is no keyring.
            StoreError: it is locked, late or broken, or has not kept what it was given.
        """
        text = credentials.encode(compact=True).decode()
        with _prefixed("failed to write OAuth tokens to keyring"):
            await self._worker.change(partial(_write, self._home, text))
        try:
            with trio.CancelScope(shield=True):
                await self._file.delete()
        except StoreError as error:
            log.warning("failed to remove CLI auth fallback file: %s", error)

    async def delete(self) -> None:
        """Remove the entry, then the file. See ``Store.delete``.

        Raises:
            KeyringMissingError: there is no keyring, and the file has not been touched.
            StoreError: it is locked, late or broken, or the file cannot be removed.
        """
        with _prefixed("failed to delete auth from keyring"):
            await self._worker.change(partial(_remove, self._home))
        with trio.CancelScope(shield=True):
            await self._file.delete()

    def stamp(self) -> object:
        """Say that it cannot be known: a keyring tells of no changes."""
        return None


def account_of(home: Path) -> str:
    """Return the account under which the original keeps the credentials of a home."""
    try:
        text = os.path.realpath(home, strict=True)
    except OSError:
        text = str(home)
    text = os.fsencode(text).decode(errors="replace")
    return f"cli|{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def name_keyring() -> str:
    """Name the keyring that is used; it is not asked for anything. Blocks.

    Raises:
        KeyringMissingError: there is none.
        StoreError: it cannot be known.
    """
    with _told_by_us():
        return str(_open_keyring().name)


@contextmanager
def _prefixed(what: str) -> Generator[None]:
    try:
        yield
    except StoreError as error:
        raise type(error)(f"{what}: {error}") from None


# --- in a worker thread ---


def _read(home: Path) -> bytes | None:
    with _told_by_us():
        text = _open_keyring().get_password(SERVICE, account_of(home))
        return None if text is None else text.encode()


def _write(home: Path, text: str) -> None:
    with _told_by_us(text):
        keyring, account = _open_keyring(), account_of(home)
        trio.from_thread.check_cancelled()  # too late: then nothing is changed any more
        keyring.set_password(SERVICE, account, text)
        if keyring.get_password(SERVICE, account) != text:
            raise StoreError("what has been stored does not read back")


def _remove(home: Path) -> None:
    with _told_by_us():
        keyring, account = _open_keyring(), account_of(home)
        for _ in range(_NAMESAKES):
            if keyring.get_password(SERVICE, account) is None:
                return
            trio.from_thread.check_cancelled()
            keyring.delete_password(SERVICE, account)
        raise StoreError("the entry is still there")


def _open_keyring() -> KeyringBackend:
    try:
        # Here, since it takes its time, and is not always installed.
        import keyring
        from keyring.backends import SecretService, fail, null
    except ImportError:
        raise KeyringMissingError(
            "there is no package `keyring`: pip install 'codex-trio[keyring]'"
        ) from None
    found = keyring.get_keyring()
    # `null` is how somebody says that there shall be none.
    if isinstance(found, fail.Keyring | null.Keyring):
        raise KeyringMissingError(_NONE)
    if isinstance(found, SecretService.Keyring):
        # With another mark, ours would be a second entry beside the original's (observed).
        return found.with_properties(appid=_ORIGINAL)
    return found


@contextmanager
def _told_by_us(secret: str = "") -> Generator[None]:
    """Turn whatever a keyring raises into our errors, which quote nothing of the secret."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise _translate(error, secret) from None


def _translate(error: Exception, secret: str) -> StoreError:
    from keyring.errors import KeyringError, KeyringLocked, NoKeyringError

    match error:
        case NoKeyringError():
            return KeyringMissingError(_NONE)
        case KeyringLocked():
            return StoreError("the keyring is locked")
        case KeyringError() if (said := _in_short(error)) and not _repeats(said, secret):
            return StoreError(said)
        case _:
            log.error("the keyring failed: %s", describe_ways(error))
            return StoreError(type(error).__name__)


def _in_short(error: Exception) -> str:
    return " ".join(str(error).split())[:_QUOTED]


def _repeats(text: str, secret: str) -> bool:
    return any(text[i : i + _TELLTALE] in secret for i in range(len(text) - _TELLTALE + 1))
