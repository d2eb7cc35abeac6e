"""Credentials in a keyring, with the real `keyring` package and keyrings of every temper."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from keyring.backends import fail, null
from keyring.errors import NoKeyringError

from codex_trio.account.credentials import Credentials
from codex_trio.account.file_store import FileStore
from codex_trio.account.keyring_store import KeyringMissingError, KeyringStore, account_of
from codex_trio.errors import StoreError
from tests.account import keyrings
from tests.account.conftest import until
from tests.account.keyrings import MemoryKeyring, in_use
from tests.account.test_credentials import REFRESHED, TOKENS
from tests.conftest import PATIENCE
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend
    from trio.testing import MockClock

OLD, KEY = Credentials.of_api_key("sk-old-secret"), Credentials.of_api_key("sk-secret")
CHATGPT = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": TOKENS}

LOAD = "failed to load CLI auth from keyring"
SAVE = "failed to write OAuth tokens to keyring"
DELETE = "failed to delete auth from keyring"


def store_of(home: Path) -> KeyringStore:
    return KeyringStore(home, FileStore(home / "auth.json"))


async def refusals(store: KeyringStore) -> list[str]:
    """What is said when one loads, saves and deletes."""
    texts = []
    for work in (store.load, lambda: store.save(KEY), store.delete):
        with pytest.raises(StoreError) as error:
            await work()
        texts.append(str(error.value))
    return texts


# --- the entry ---


def test_an_entry_has_the_name_that_the_original_gives_it(tmp_path: Path) -> None:
    assert account_of(Path("~/.codex")) == "cli|940db7b1d0e4eb40"
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert account_of(link) == account_of(tmp_path) != account_of(tmp_path / "missing")
    assert account_of(Path("/\udcff")) == account_of(Path("/\ufffd"))


async def test_an_entry_has_the_content_that_the_original_gives_it(home: Path) -> None:
    with in_use(MemoryKeyring()) as keyring:
        await store_of(home).save(Credentials.decode(json.dumps(CHATGPT).encode()))
        (((service, account), text),) = keyring.entries.items()
    assert (service, account) == ("Codex Auth", account_of(home))
    assert text == json.dumps(CHATGPT, separators=(",", ":"))


async def test_two_homes_are_two_accounts(home: Path, tmp_path: Path) -> None:
    with in_use(MemoryKeyring()):
        await store_of(home).save(KEY)
        assert await store_of(tmp_path).load() is None
        await store_of(tmp_path).delete()
        assert await store_of(home).load() == KEY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"OPENAI_API_KEY":"k"}', Credentials.of_api_key("k")),
        ("{}", Credentials(mode="chatgpt")),
        (json.dumps({**CHATGPT, "last_refresh": REFRESHED, "unknown": 1}), REFRESHED),
        ("", "not valid JSON, or a key that is repeated"),
        ("null", "not a JSON object"),
        ('{"auth_mode":"ApiKey"}', "unknown auth_mode"),
        ('{"tokens":{}}', "id_token is missing"),
        ('{"auth_mode":"apikey"}', "API key auth is missing a key."),
    ],
)
async def test_an_entry_is_read_as_the_file_is(home: Path, text: str, expected: Any) -> None:
    with in_use(MemoryKeyring()) as keyring:
        keyring.put(home, text)
        store = store_of(home)
        if isinstance(expected, Credentials):
            assert await store.load() == expected
        elif expected == REFRESHED:
            loaded = await store.load()
            assert loaded is not None
            assert loaded.last_refresh == REFRESHED
        else:
            with pytest.raises(StoreError) as error:
                await store.load()
            told = f"failed to deserialize CLI auth from keyring: {expected}"
            assert str(error.value) == told
        assert keyring.of(home) == text


async def test_an_entry_is_marked_as_one_of_the_original_where_there_are_marks(
    home: Path,
) -> None:
    """With another mark it would be a second one, and each server would have its own."""
    with in_use(keyrings.MarkedKeyring()) as keyring:
        store = store_of(home)
        await store.save(KEY)
        assert [*keyring.entries] == [("Codex Auth", account_of(home), "rust-keyring")]
        assert await store.load() == KEY
    assert keyring.appid != "rust-keyring"  # that of others is left as it was


# --- the file beside it ---


async def test_the_file_is_never_read_and_goes_with_every_change(home: Path) -> None:
    file = home / "auth.json"
    with in_use(MemoryKeyring()):
        store = store_of(home)
        file.write_bytes(OLD.encode())
        assert await store.load() is None
        await store.save(KEY)
        assert not file.exists()
        file.write_bytes(OLD.encode())
        await store.delete()
        assert not file.exists()
    assert store.stamp() is None


async def test_a_file_that_cannot_be_removed_is_said(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "auth.json").mkdir()
    with in_use(MemoryKeyring()) as keyring:
        store = store_of(home)
        await store.save(KEY)
        assert caplog.messages == [
            "failed to remove CLI auth fallback file: Is a directory (os error 21)"
        ]
        with pytest.raises(StoreError, match="Is a directory"):
            await store.delete()
        assert keyring.of(home) is None


# --- keyrings that are none ---


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
async def test_no_keyring_is_an_error_of_its_own(
    home: Path, backend: type[KeyringBackend]
) -> None:
    reason = "there is no keyring on this host"
    with in_use(backend()):
        store = store_of(home)
        assert await refusals(store) == [f"{what}: {reason}" for what in (LOAD, SAVE, DELETE)]
        with pytest.raises(KeyringMissingError):
            await store.load()
    assert list(home.iterdir()) == []


async def test_a_chain_of_no_keyrings_is_none_either(home: Path) -> None:
    class Chain(MemoryKeyring):
        def get_password(self, service: str, username: str) -> str | None:
            raise NoKeyringError("none of them")

    with in_use(Chain()), pytest.raises(KeyringMissingError, match="no keyring on this host"):
        await store_of(home).load()


async def test_without_the_package_it_is_said_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    reason = "there is no package `keyring`: pip install 'codex-trio[keyring]'"
    store = store_of(home)
    assert await refusals(store) == [f"{what}: {reason}" for what in (LOAD, SAVE, DELETE)]
    with pytest.raises(KeyringMissingError):
        await store.load()


async def test_a_keyring_that_is_wanted_and_not_there_is_not_the_same_as_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no_such_module.Keyring")
    with in_use(None), pytest.raises(StoreError) as error:  # type: ignore[type-var]
        await store_of(home).load()
    assert not isinstance(error.value, KeyringMissingError)
    assert str(error.value) == f"{LOAD}: ModuleNotFoundError"


# --- keyrings that fail ---


async def test_a_locked_keyring_is_said_to_be_locked(home: Path) -> None:
    (home / "auth.json").write_bytes(OLD.encode())
    with in_use(keyrings.LockedKeyring()):
        texts = await refusals(store_of(home))
    assert texts == [f"{what}: the keyring is locked" for what in (LOAD, SAVE, DELETE)]
    assert (home / "auth.json").exists()


async def test_a_broken_keyring_is_quoted_as_far_as_it_has_foreseen_that(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with in_use(keyrings.BrokenKeyring()):
        assert await refusals(store_of(home)) == [
            f"{LOAD}: Failed to create the collection: no bus.",
            f"{SAVE}: ConnectionRefusedError",
            f"{DELETE}: Failed to create the collection: no bus.",
        ]
    assert "the keyring failed: ConnectionRefusedError" in caplog.text
    assert "sk-secret" not in caplog.text


async def test_what_repeats_a_secret_is_not_quoted(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with in_use(keyrings.LoudKeyring()):
        with pytest.raises(StoreError, match=f"^{SAVE}: PasswordSetError$"):
            await store_of(home).save(KEY)
    assert "sk-secret" not in caplog.text


async def test_what_is_no_text_is_an_error(home: Path) -> None:
    with in_use(MemoryKeyring()) as keyring:
        keyring.put(home, "\ud800")
        with pytest.raises(StoreError, match=f"^{LOAD}: UnicodeEncodeError$"):
            await store_of(home).load()


@pytest.mark.parametrize("keyring", [keyrings.ForgetfulKeyring(), keyrings.ManglingKeyring()])
async def test_what_does_not_read_back_is_not_stored(
    home: Path, keyring: MemoryKeyring
) -> None:
    (home / "auth.json").write_bytes(OLD.encode())
    with in_use(keyring):
        with pytest.raises(StoreError, match=f"^{SAVE}: what has been stored does not read"):
            await store_of(home).save(KEY)
    assert (home / "auth.json").exists()


async def test_what_is_still_there_is_not_deleted(home: Path) -> None:
    with in_use(keyrings.StickyKeyring()) as keyring:
        keyring.put(home, KEY.encode().decode())
        with pytest.raises(StoreError, match=f"^{DELETE}: the entry is still there$"):
            await store_of(home).delete()


async def test_entries_of_one_name_are_deleted_together(home: Path) -> None:
    with in_use(keyrings.CrowdedKeyring()) as keyring:
        keyring.put(home, "ours")
        keyring.set_password("Codex Auth", "behind", "another program's")
        await store_of(home).delete()
        assert keyring.entries == {}


# --- keyrings that hang ---


async def test_a_keyring_that_hangs_is_late(home: Path, patient_clock: MockClock) -> None:
    unknown = "; whether it has made the change is not known"
    with in_use(keyrings.HangingKeyring()) as keyring:
        store = store_of(home)
        assert await refusals(store) == [
            f"{LOAD}: the keyring has not answered within 5 s",
            f"{SAVE}: the keyring has not answered within 5 s{unknown}",
            f"{DELETE}: the keyring still hangs in an earlier call",
        ]
        assert patient_clock.current_time() == pytest.approx(10)
        # Somebody unlocks it at last: the credentials are stored, and can be removed.
        keyring.typed.set()
        await until(lambda: store._worker._changes.available_tokens)
        assert await store.load() == KEY
        await store.delete()
        assert keyring.of(home) is None


async def test_a_sign_out_is_never_undone_by_a_save_that_was_late(
    home: Path, patient_clock: MockClock
) -> None:
    """It is refused instead, as long as that may come to pass."""
    with in_use(keyrings.HangingKeyring()) as keyring:
        store = store_of(home)
        with pytest.raises(StoreError, match="not known"):
            await store.save(KEY)
        with pytest.raises(StoreError, match="still hangs"):
            await store.delete()
        keyring.typed.set()
        await until(lambda: store._worker._changes.available_tokens)
        await store.delete()
        assert keyring.of(home) is None


@pytest.mark.parametrize("change", ["save", "delete"])
async def test_what_is_late_before_it_has_begun_is_not_begun(
    home: Path, patient_clock: MockClock, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    with in_use(keyrings.HangingKeyring()) as keyring:

        def find() -> MemoryKeyring:
            keyring.wait()
            return keyring

        monkeypatch.setattr("keyring.get_keyring", find)
        keyring.put(home, "old")
        store = store_of(home)
        with pytest.raises(StoreError, match="not known"):
            await (store.save(KEY) if change == "save" else store.delete())
        keyring.typed.set()
        await until(lambda: store._worker._changes.available_tokens)
        assert keyring.of(home) == "old"


# --- processes ---

PROGRAM = """
import sys, trio
from pathlib import Path
from codex_trio.account.credentials import Credentials
from codex_trio.account.keyring_store import KeyringStore
from codex_trio.account.file_store import FileStore
from codex_trio.errors import StoreError

async def main():
    home = Path(sys.argv[1])
    store = KeyringStore(home, FileStore(home / "auth.json"), patience=float(sys.argv[2]))
    for work in (store.load, lambda: store.save(Credentials.of_api_key("k")), store.delete):
        try:
            await work()
        except StoreError as error:
            print(error)

trio.run(main)
"""


def run_program(home: Path, environ: dict[str, str], patience: float = 60) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home), str(patience)],
        env={
            **genuine_environment(home),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_process_ends_although_its_keyring_hangs(home: Path) -> None:
    late = "the keyring has not answered within 0.2 s"
    hanging = {"PYTHON_KEYRING_BACKEND": "tests.account.keyrings.HangingKeyring"}
    assert run_program(home, hanging, patience=0.2) == [
        f"{LOAD}: {late}",
        f"{SAVE}: {late}; whether it has made the change is not known",
        f"{DELETE}: the keyring still hangs in an earlier call",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a keyring")
@pytest.mark.parametrize("bus", ["", "unix:path=/nowhere"])
def test_a_host_without_a_bus_has_no_keyring(home: Path, bus: str) -> None:
    none = {"DBUS_SESSION_BUS_ADDRESS": bus, "XDG_RUNTIME_DIR": "/nowhere"}
    reason = "there is no keyring on this host"
    assert run_program(home, none) == [f"{what}: {reason}" for what in (LOAD, SAVE, DELETE)]


def test_the_package_is_not_loaded_before_it_is_needed(home: Path) -> None:
    program = "import sys, codex_trio.server; print('keyring' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
