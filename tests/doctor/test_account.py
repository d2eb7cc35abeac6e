"""Stores, keyrings, and who is signed in."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import trio
from keyring.backends import null

from codex_trio.doctor.account import (
    check_account,
    check_keyring,
    check_locks,
    look_at_store,
)
from codex_trio.doctor.case import Case
from codex_trio.settings import Settings
from codex_trio.testing.tokens import make_jwt
from tests.account import keyrings
from tests.account.keyrings import MemoryKeyring, NoKeyring, in_use
from tests.account.signed_in import sign_in
from tests.doctor.conftest import SECRET, alone, look, told

if TYPE_CHECKING:
    from pathlib import Path

    from keyring.backend import KeyringBackend
    from trio.testing import MockClock

    from codex_trio.doctor import Finding
    from codex_trio.testing import StandIn

KEY = json.dumps({"auth_mode": "apikey", "OPENAI_API_KEY": f"sk-{SECRET}"})


def put(home: Path, content: str, mode: int = 0o600) -> Path:
    path = home / "auth.json"
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    return path


def store_of(home: Path, kind: Any = "file") -> list[Finding]:
    found = look_at_store(Case(Settings(codex_home=home, credentials_store=kind), {}))
    assert SECRET not in repr(found)
    return found


def chatgpt(expiry: float | None, refresh: str = f"r-{SECRET}", **more: Any) -> str:
    claims = {} if expiry is None else {"exp": int(time.time() + expiry)}
    auth = {"chatgpt_plan_type": "plus", "chatgpt_account_id": "ws-1"}
    identity = {"email": "ada@example.com", "https://api.openai.com/auth": auth}
    tokens = {
        "id_token": make_jwt(identity),
        "access_token": make_jwt({**claims, "s": SECRET}),
        "refresh_token": refresh,
        "account_id": "ws-1",
    }
    stored = {"auth_mode": "chatgpt", "tokens": tokens, "last_refresh": "2026-11-20T10:00:00Z"}
    return json.dumps({**stored, **more})


# --- the store ---


@pytest.mark.parametrize(
    ("kind", "there", "summary"),
    [
        ("file", False, "file: {path}, which is not there yet"),
        ("file", True, "file: {path}"),
        ("auto", False, "auto: the keyring, else {path}"),
        ("auto", True, "auto: {path}, while it is there"),
        ("keyring", False, "keyring: the keyring"),
        ("ephemeral", False, "ephemeral: memory; a sign-in ends with its process"),
    ],
)
def test_the_store_in_force_is_named(home: Path, kind: Any, there: bool, summary: str) -> None:
    path = put(home, KEY) if there else home / "auth.json"
    assert told(store_of(home, kind)) == [("ok", summary.format(path=path))]


@pytest.mark.parametrize("kind", ["keyring", "ephemeral"])
def test_a_file_that_is_never_read_may_hold_keys(home: Path, kind: Any) -> None:
    path = put(home, KEY)
    one = alone(store_of(home, kind))
    assert one.status == "warning"
    assert one.advice == f"It may hold keys. Remove it: rm {path}"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f"sk-{SECRET}", "not valid JSON"),
        ("[]", "not a JSON object"),
        ("{}" + " " * 2**20, "longer than"),
        (json.dumps({"auth_mode": SECRET}), "unknown auth_mode"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(home: Path, content: str, text: str) -> None:
    put(home, content)
    one = alone(store_of(home))
    assert one.status == "error"
    assert text in one.summary
    assert "codex-trio login" in one.advice


@pytest.mark.parametrize("kind", ["a folder", "a pipe"])
def test_what_is_no_file_is_an_error(home: Path, kind: str) -> None:
    path = home / "auth.json"
    path.mkdir() if kind == "a folder" else os.mkfifo(path)
    assert alone(store_of(home)).status == "error"


def test_a_file_that_others_can_read_is_told_of(home: Path) -> None:
    path = put(home, KEY, 0o644)
    one = alone(store_of(home))
    assert (one.status, one.advice) == ("warning", f"chmod 600 {path}")


def test_drafts_that_were_left_behind_are_listed_and_not_touched(home: Path) -> None:
    old, new = (home / f"auth.json.{digit * 16}.tmp" for digit in "ab")
    for draft in (old, new):
        draft.write_text(KEY)
    os.utime(old, (0, 0))
    one = alone(store_of(home))
    assert (one.status, one.detail) == ("warning", str(old))
    assert old.exists()
    assert told(store_of(home / "missing"))[0][0] == "ok"


# --- locks ---


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these tables")
async def test_a_lock_that_is_held_for_long_is_told_of(home: Path) -> None:
    fd = os.open(home / "auth.json.renewal", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        one = alone(await look(check_locks, Settings(codex_home=home)))
    finally:
        os.close(fd)
    assert one.status == "warning"
    assert f"auth.json.renewal has been held by process {os.getpid()} " in one.summary


async def test_a_lock_that_nobody_holds_is_never_stale(home: Path) -> None:
    (home / "auth.json.lock").touch()
    one = alone(await look(check_locks, Settings(codex_home=home)))
    assert (one.status, one.summary) == ("ok", "nobody holds a lock of the store")


# --- keyrings ---


async def keyring_of(home: Path, backend: KeyringBackend, kind: Any = "keyring") -> Finding:
    settings = Settings(codex_home=home, credentials_store=kind)
    with in_use(backend):
        found: Finding = alone(await look(check_keyring, settings))
    return found


@pytest.mark.parametrize("kind", ["file", "ephemeral"])
async def test_a_keyring_that_is_not_needed_is_not_asked(home: Path, kind: Any) -> None:
    keyring = keyrings.HangingKeyring()
    assert (await keyring_of(home, keyring, kind)).status == "skipped"
    assert keyring.waiting == 0


async def test_a_keyring_that_answers_is_named(home: Path) -> None:
    one = await keyring_of(home, MemoryKeyring())
    assert (one.status, one.summary) == ("ok", "keyrings MemoryKeyring; it answers")


@pytest.mark.parametrize("backend", [NoKeyring(), null.Keyring()])  # type: ignore[no-untyped-call]  # it has no types
async def test_a_host_without_a_keyring(home: Path, backend: KeyringBackend) -> None:
    one = await keyring_of(home, backend)
    assert (one.status, one.summary) == ("error", "there is no keyring on this host")
    assert one.advice is not None
    assert 'cli_auth_credentials_store = "file"' in one.advice
    one = await keyring_of(home, backend, "auto")
    assert one.status == "ok"
    assert one.summary.endswith(f"credentials are kept in {home / 'auth.json'}")


async def test_with_auto_a_file_counts_and_the_keyring_is_not_asked(home: Path) -> None:
    put(home, KEY)
    keyring = keyrings.HangingKeyring()
    one = await keyring_of(home, keyring, "auto")
    assert one.status == "ok"
    assert "not asked" in one.summary
    assert keyring.waiting == 0


@pytest.mark.parametrize("kind", ["keyring", "auto"])
async def test_a_locked_keyring_is_an_error(home: Path, kind: Any) -> None:
    one = await keyring_of(home, keyrings.LockedKeyring(), kind)
    assert one.status == "error"
    assert one.summary.endswith("the keyring is locked")


async def test_a_keyring_that_cannot_even_be_named_is_an_error(home: Path) -> None:
    class Nameless(MemoryKeyring):
        @property
        def name(self) -> str:
            raise RuntimeError(SECRET)

    one = await keyring_of(home, Nameless())
    assert (one.status, one.summary) == ("error", "RuntimeError")


async def test_a_keyring_that_hangs_is_left_behind(home: Path) -> None:
    keyring = keyrings.HangingKeyring()
    try:
        began = trio.current_time()
        one = await keyring_of(home, keyring)
        assert trio.current_time() - began < 7
    finally:
        keyring.typed.set()
    assert one.status == "error"
    assert "the keyring has not answered within 5 s" in one.summary


# --- accounts ---


async def account_of(home: Path, **more: Any) -> Finding:
    found: Finding = alone(await look(check_account, Settings(codex_home=home, **more)))
    return found


async def test_nobody_is_signed_in(home: Path) -> None:
    for kind in ("file", "ephemeral"):
        one = await account_of(home, credentials_store=kind)
        assert (one.status, one.summary) == ("warning", "nobody is signed in")
        assert "codex-trio login" in (one.advice or "")
    with in_use(NoKeyring()):
        one = await account_of(home, credentials_store="auto", requires_openai_auth=False)
    assert one.status == "ok"


async def test_what_cannot_be_read_is_nobody_known(home: Path) -> None:
    with in_use(NoKeyring()):
        assert (await account_of(home, credentials_store="keyring")).status == "skipped"
    put(home, "nonsense")
    assert (await account_of(home)).status == "skipped"


async def test_an_api_key_is_not_shown(home: Path) -> None:
    put(home, KEY)
    one = await account_of(home)
    assert (one.status, one.summary, one.detail) == ("ok", "an API key", None)


@pytest.mark.parametrize(
    ("expiry", "text"),
    [
        (3605, "ends in 60 min, and is renewed in time"),
        (-605, "ended 10 min ago, and is renewed when it is needed"),
        (None, "does not say when it ends"),
    ],
)
async def test_an_account_is_told_with_its_times(
    home: Path, expiry: float | None, text: str
) -> None:
    put(home, chatgpt(expiry))
    one = await account_of(home)
    assert one.status == "ok"
    assert one.summary == "an account of a***@example.com (chatgpt, plan plus)"
    assert one.detail is not None
    assert one.detail.endswith(text)


async def test_tokens_of_a_sign_in_are_read(home: Path, stand_in: StandIn) -> None:
    sign_in(home, stand_in.issue_tokens())
    assert (await account_of(home)).status == "ok"


async def test_an_account_in_a_keyring_is_found(home: Path) -> None:
    with in_use(MemoryKeyring()) as keyring:
        keyring.put(home, KEY)
        assert (await account_of(home, credentials_store="keyring")).summary == "an API key"


async def test_tokens_that_cannot_be_renewed_are_an_error(home: Path) -> None:
    put(home, chatgpt(-60, refresh=""))
    one = await account_of(home)
    assert (one.status, one.summary) == (
        "error",
        "the access token has ended, and none can be had",
    )


async def test_a_renewal_that_was_cut_off_is_told_of(home: Path) -> None:
    put(home, chatgpt(60))
    note = hashlib.sha256(f"r-{SECRET}".encode()).hexdigest()
    (home / "auth.json.renewal").write_text(f"other {note}")
    one = await account_of(home)
    assert one.status == "warning"
    assert "was cut off" in one.summary


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (chatgpt(60, last_refresh=None), "cannot be used"),
        (json.dumps({"auth_mode": "chatgpt"}), "without tokens is stored"),
    ],
)
async def test_an_account_of_no_use_is_an_error(home: Path, content: str, text: str) -> None:
    put(home, content)
    one = await account_of(home)
    assert one.status == "error"
    assert text in one.summary


@pytest.mark.parametrize(
    "more", [{"forced_login_method": "chatgpt"}, {"forced_login_method": "api"}]
)
async def test_an_account_that_is_not_allowed_is_an_error(home: Path, more: Any) -> None:
    put(home, KEY if more["forced_login_method"] == "chatgpt" else chatgpt(60))
    one = await account_of(home, **more)
    assert one.status == "error"
    assert "not allowed" in one.summary


async def test_a_store_that_hangs_is_given_up(
    home: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async def hang(_: Case) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(Case, "_read_store", hang)
    case = Case(Settings(codex_home=home), {})
    assert alone(await check_account(case)).status == "skipped"
