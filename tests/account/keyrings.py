"""Keyrings for the real `keyring` package, as good and as bad as they come."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import keyring
from keyring.backend import KeyringBackend
from keyring.backends import SecretService, fail
from keyring.errors import InitError, KeyringLocked, PasswordDeleteError, PasswordSetError

from codex_trio.account.keyring_store import SERVICE, account_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


K = TypeVar("K", bound=KeyringBackend)


class MemoryKeyring(KeyringBackend):
    """One that works; it is only ever chosen by name."""

    priority = -2  # below that of no keyring at all

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # it has no types
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop((service, username), None) is None:
            raise PasswordDeleteError("No such password!")

    # --- what tests look at ---

    def of(self, home: Path) -> str | None:
        return self.entries.get((SERVICE, account_of(home)))

    def put(self, home: Path, text: str) -> None:
        self.entries[SERVICE, account_of(home)] = text


class NoKeyring(fail.Keyring):
    """What is used where there is none."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # it has no types


class LockedKeyring(MemoryKeyring):
    """Nobody has typed its password."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("Failed to unlock the collection!")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("Failed to unlock the collection!")

    def delete_password(self, service: str, username: str) -> None:
        raise KeyringLocked("Failed to unlock the collection!")


class BrokenKeyring(MemoryKeyring):
    """Its daemon has gone away."""

    def get_password(self, service: str, username: str) -> str | None:
        raise InitError("Failed to create the collection: no bus.")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise ConnectionRefusedError(f"no bus for {password}")

    delete_password = get_password  # type: ignore[assignment]  # it returns nothing either


class LoudKeyring(MemoryKeyring):
    """Says what it was given."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError(f"cannot store {password!r} as {username}")


class ForgetfulKeyring(MemoryKeyring):
    """Says that it has stored what it has not."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class ManglingKeyring(MemoryKeyring):
    """Stores no more than some characters."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password[:20])


class StickyKeyring(MemoryKeyring):
    """Says that it has removed what it has not."""

    def delete_password(self, service: str, username: str) -> None:
        pass


class CrowdedKeyring(MemoryKeyring):
    """Has an entry of the same name by another program, behind ours."""

    def delete_password(self, service: str, username: str) -> None:
        super().delete_password(service, username)
        if (behind := self.entries.pop((service, "behind"), None)) is not None:
            self.entries[service, username] = behind


class MarkedKeyring(SecretService.Keyring):
    """That of Linux desktops, without a desktop: it tells entries apart by their marks."""

    priority = -2

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # it has no types
        self.entries: dict[tuple[str, str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username, self.appid))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username, self.appid] = password


class HangingKeyring(MemoryKeyring):
    """Waits for a password that nobody types; until ``typed`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.typed = threading.Event()
        self.waiting = 0

    def wait(self) -> None:
        self.waiting += 1
        self.typed.wait()

    def get_password(self, service: str, username: str) -> str | None:
        self.wait()
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.wait()
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        self.wait()
        super().delete_password(service, username)


@contextmanager
def in_use(backend: K) -> Generator[K]:
    """Let the package use a keyring within the block."""
    core: Any = keyring.core
    former, core._keyring_backend = core._keyring_backend, backend
    try:
        yield backend
    finally:
        core._keyring_backend = former
