"""The keyring if there is one, else the file: which of the two counts, whatever happens."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from codex_trio.account.auto_store import AutoStore
from codex_trio.account.credentials import Credentials
from codex_trio.account.file_store import FileStore
from codex_trio.account.keyring_store import KeyringStore
from codex_trio.account.storage import open_store
from codex_trio.errors import StoreError
from codex_trio.settings import Settings
from tests.account import keyrings
from tests.account.keyrings import MemoryKeyring, NoKeyring, in_use

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keyring.backend import KeyringBackend
    from trio.testing import MockClock

OLD, NEW = Credentials.of_api_key("sk-old"), Credentials.of_api_key("sk-new")

SAVE = "failed to write OAuth tokens to keyring"
FALLBACK = f"failed to save auth to keyring, falling back to file storage: {SAVE}"
NONE = "there is no keyring on this host"


def store_of(home: Path) -> AutoStore:
    file = FileStore(home / "auth.json")
    return AutoStore(KeyringStore(home, file), file)


def put(home: Path, credentials: Credentials) -> None:
    (home / "auth.json").write_bytes(credentials.encode())


def text_of(credentials: Credentials) -> str:
    return credentials.encode(compact=True).decode()


# --- with a keyring ---


async def test_credentials_go_to_the_keyring_and_leave_the_file(home: Path) -> None:
    put(home, OLD)
    with in_use(MemoryKeyring()) as keyring:
        store = open_store(Settings(codex_home=home, credentials_store="auto"))
        assert await store.load() == OLD
        await store.save(NEW)
        assert keyring.of(home) == text_of(NEW)
        assert list(home.iterdir()) == []
        assert await store.load() == NEW
        await store.delete()
        assert keyring.entries == {}


async def test_signing_out_removes_both(home: Path) -> None:
    put(home, NEW)
    with in_use(MemoryKeyring()) as keyring:
        keyring.put(home, text_of(OLD))
        await store_of(home).delete()
        assert await store_of(home).load() is None
        assert (keyring.entries, list(home.iterdir())) == ({}, [])


# --- without one ---


async def test_without_a_keyring_there_is_the_file_and_one_can_sign_out(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with in_use(NoKeyring()):
        store = store_of(home)
        assert await store.load() is None
        await store.delete()
        await store.save(NEW)
        assert await FileStore(home / "auth.json").load() == NEW
        await store.save(OLD)
        assert await store.load() == OLD
        await store.delete()
        assert await store.load() is None
    assert list(home.iterdir()) == []
    out = f"signed out of the file alone: failed to delete auth from keyring: {NONE}"
    kept = f"{FALLBACK}: {NONE}"
    assert caplog.messages == [out, kept, kept, out]


async def test_when_a_keyring_comes_back_its_older_account_does_not(home: Path) -> None:
    with in_use(MemoryKeyring()) as keyring:
        await store_of(home).save(OLD)
        with in_use(NoKeyring()):
            assert await store_of(home).load() is None
            await store_of(home).save(NEW)
        assert keyring.of(home) == text_of(OLD)
        assert await store_of(home).load() == NEW
        await store_of(home).save(NEW)
        assert (keyring.of(home), list(home.iterdir())) == (text_of(NEW), [])


# --- with one that cannot be used ---

BAD: Final = [keyrings.LockedKeyring, keyrings.BrokenKeyring, keyrings.ForgetfulKeyring]


@pytest.mark.parametrize("bad", BAD)
async def test_nothing_is_written_to_a_file_because_a_keyring_cannot_be_used(
    home: Path, bad: type[KeyringBackend]
) -> None:
    with in_use(bad()):
        with pytest.raises(StoreError, match=f"^{SAVE}: "):
            await store_of(home).save(NEW)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("bad", BAD)
async def test_what_is_in_a_file_already_stays_in_it_until_the_keyring_takes_it(
    home: Path, bad: type[KeyringBackend], caplog: pytest.LogCaptureFixture
) -> None:
    """Else renewed tokens would be lost, and the spent ones kept."""
    put(home, OLD)
    with in_use(bad()):
        await store_of(home).save(NEW)
        assert await store_of(home).load() == NEW
    assert caplog.messages[-1].startswith(FALLBACK)


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("bad", [keyrings.LockedKeyring, keyrings.BrokenKeyring])
async def test_nobody_is_said_to_be_signed_out_who_may_not_be(
    home: Path, bad: type[KeyringBackend], in_file: bool
) -> None:
    if in_file:
        put(home, NEW)
    with in_use(bad()):
        store = store_of(home)
        with pytest.raises(StoreError, match=r"^failed to delete auth from keyring: "):
            await store.delete()
        if in_file:
            assert await store.load() == NEW
        else:
            with pytest.raises(StoreError, match=r"^failed to load CLI auth from keyring: "):
                await store.load()


async def test_a_keyring_that_hangs_holds_up_what_is_in_a_file_once(
    home: Path, patient_clock: MockClock
) -> None:
    put(home, OLD)
    with in_use(keyrings.HangingKeyring()) as keyring:
        store = store_of(home)
        for _ in range(2):
            await store.save(NEW)
            assert patient_clock.current_time() == pytest.approx(5)
            assert await store.load() == NEW
        keyring.typed.set()


async def test_a_file_that_cannot_be_used_is_an_error_and_not_another_account(
    home: Path,
) -> None:
    (home / "auth.json").write_bytes(b"garbage")
    with in_use(MemoryKeyring()) as keyring:
        keyring.put(home, text_of(OLD))
        with pytest.raises(StoreError, match="not valid JSON"):
            await store_of(home).load()
        await store_of(home).save(NEW)
        assert await store_of(home).load() == NEW


async def test_a_file_that_cannot_be_replaced_is_an_error_and_nothing_has_changed(
    home: Path,
) -> None:
    (home / "auth.json").mkdir()
    with in_use(MemoryKeyring()) as keyring:
        with pytest.raises(StoreError, match="Is a directory"):
            await store_of(home).save(NEW)
        assert keyring.entries == {}


def test_the_stamp_is_that_of_the_file_if_there_is_one(home: Path) -> None:
    store = store_of(home)
    assert store.stamp() is None
    put(home, OLD)
    assert store.stamp() == FileStore(home / "auth.json").stamp()


# --- in every order, and killed at every step ---


@attrs.define(eq=False)
class Host:
    """A home, and a keyring that is there, locked, or not there."""

    home: Path
    entries: MemoryKeyring = attrs.field(factory=MemoryKeyring)

    def keyring(self, state: str) -> KeyringBackend:
        match state:
            case "locked":
                return keyrings.LockedKeyring()
            case "missing":
                return NoKeyring()
            case _:
                return self.entries

    async def load(self) -> Credentials | None:
        """See who is signed in when the keyring can be asked."""
        with in_use(self.entries):
            return await store_of(self.home).load()


STATES: Final = ("there", "locked", "missing")


@pytest.mark.parametrize("states", [*itertools.product(STATES, repeat=3)], ids="-".join)
async def test_the_last_success_counts_in_whatever_order_a_keyring_comes_and_goes(
    home: Path, states: tuple[str, ...]
) -> None:
    host = Host(home)
    expected: Credentials | None = None
    for number, state in enumerate(states):
        credentials = Credentials.of_api_key(f"sk-{number}")
        with in_use(host.keyring(state)):
            try:
                await store_of(home).save(credentials)
            except StoreError:
                assert state == "locked"
            else:
                expected = credentials
        assert await host.load() == expected
    for state in states:
        with in_use(host.keyring(state)):
            try:
                await store_of(home).delete()
            except StoreError:
                assert state == "locked"
            else:
                # Where there is no keyring, nobody can know what it will have when there is.
                entry = host.entries.of(home)
                expected = None if entry is None else Credentials.decode(entry.encode())
                assert (entry is None) or state == "missing"
        assert await host.load() == expected


class Killed(BaseException):
    """The process has ended here."""


@attrs.define(eq=False)
class Killer:
    """Ends a process before the n-th time that it changes something."""

    left: int

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


def killing(kill: Killer, step: Callable[..., object]) -> Callable[..., object]:
    def run(*arguments: object) -> object:
        kill()
        return step(*arguments)

    return run


@pytest.mark.parametrize("change", ["save", "delete"])
@pytest.mark.parametrize("state", ["there", "missing"])
@pytest.mark.parametrize("entry", [None, "sk-oldest"])
@pytest.mark.parametrize("in_file", [False, True])
async def test_a_process_that_is_killed_leaves_the_old_or_the_new(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    state: str,
    entry: str | None,
    in_file: bool,
) -> None:
    step, ended = 0, False
    while not ended:
        step += 1
        host = Host(home)
        (home / "auth.json").unlink(missing_ok=True)
        if entry is not None:
            host.entries.put(home, text_of(Credentials.of_api_key(entry)))
        if in_file:
            put(home, OLD)
        before = await host.load()
        kill = Killer(step)
        with monkeypatch.context() as patch, in_use(host.keyring(state)):
            for owner, name in (
                (FileStore, "_replace"),
                (FileStore, "_unlink"),
                (MemoryKeyring, "set_password"),
                (MemoryKeyring, "delete_password"),
            ):
                patch.setattr(owner, name, killing(kill, getattr(owner, name)))
            store = store_of(home)
            try:
                await (store.save(NEW) if change == "save" else store.delete())
                ended = True
            except Killed:
                pass
        after = await host.load()
        if change == "save":
            assert after == NEW if ended else after in (before, NEW)
        elif ended:
            assert after is None or (state == "missing" and entry is not None)
        else:
            assert after in (before, None)
    assert step > 1
