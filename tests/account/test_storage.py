"""auth.json: every content it may have, whole after every way to be interrupted."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from codex_trio.account.auth import Auth
from codex_trio.account.credentials import Credentials
from codex_trio.account.storage import FileStore, MemoryStore, open_store
from codex_trio.errors import StoreError
from codex_trio.settings import Settings
from tests.account.test_credentials import ID_TOKEN, REFRESHED, TOKENS, token
from tests.cancellation import cancel_at_step
from tests.checked import open_memory_client

CHATGPT = {"type": "chatgpt", "email": "a@b.c", "planType": "pro"}
KEY = {"type": "apiKey"}


@pytest.mark.parametrize(
    ("content", "account", "method", "bearer"),
    [
        ({"OPENAI_API_KEY": "k"}, KEY, "apikey", "k"),
        ({"auth_mode": "apikey", "OPENAI_API_KEY": "k", "unknown": 1}, KEY, "apikey", "k"),
        ({"auth_mode": "apikey", "OPENAI_API_KEY": ""}, KEY, None, None),
        ({"OPENAI_API_KEY": "k", "tokens": TOKENS}, KEY, "apikey", "k"),
        ({"tokens": TOKENS, "last_refresh": REFRESHED}, CHATGPT, "chatgpt", "access"),
        (
            {
                "auth_mode": "chatgpt",
                "OPENAI_API_KEY": "k",
                "tokens": TOKENS,
                "last_refresh": REFRESHED,
            },
            CHATGPT,
            "chatgpt",
            "access",
        ),
        (
            {"auth_mode": "chatgptAuthTokens", "tokens": TOKENS, "last_refresh": REFRESHED},
            CHATGPT,
            "chatgptAuthTokens",
            "access",
        ),
        ({"tokens": TOKENS}, CHATGPT, None, None),
        (
            {
                "tokens": {**TOKENS, "id_token": token({}), "account_id": None},
                "last_refresh": REFRESHED,
            },
            {"type": "chatgpt", "email": None, "planType": "unknown"},
            "chatgpt",
            "access",
        ),
    ],
)
async def test_what_is_stored_is_in_force(
    home: Path, content: Any, account: Any, method: str | None, bearer: str | None
) -> None:
    (home / "auth.json").write_text(json.dumps(content), encoding="utf-8")
    async with open_memory_client(Settings(codex_home=home)) as client:
        await client.initialize()
        assert (await client.call("account/read", {}))["account"] == account
        status = await client.call("getAuthStatus", {"includeToken": True})
        assert (status["authMethod"], status["authToken"]) == (method, bearer)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not valid JSON, or a key that is repeated"),
        (b"garbage", "not valid JSON, or a key that is repeated"),
        (b"[" * 100_000, "not valid JSON, or a key that is repeated"),
        (
            b'{"OPENAI_API_KEY":"a","OPENAI_API_KEY":"b"}',
            "not valid JSON, or a key that is repeated",
        ),
        (b'\xef\xbb\xbf{"OPENAI_API_KEY":"k"}', "not valid JSON, or a key that is repeated"),
        (b"\xff", "not valid UTF-8"),
        (b"null", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'["apikey","k"]', "not a JSON object"),
        (b'{"auth_mode":"ApiKey","OPENAI_API_KEY":"k"}', "unknown auth_mode"),
        (b'{"auth_mode":"agentIdentity","OPENAI_API_KEY":"k"}', "unknown auth_mode"),
        (b'{"auth_mode":5}', "auth_mode is not a string"),
        (b'{"OPENAI_API_KEY":5}', "OPENAI_API_KEY is not a string"),
        (b'{"auth_mode":"apikey","OPENAI_API_KEY":null}', "API key auth is missing a key."),
        (b'{"auth_mode":"apikey"}', "API key auth is missing a key."),
        (b'{"tokens":5}', "tokens is not an object"),
        (b'{"tokens":{}}', "id_token is missing"),
        (b'{"tokens":{"id_token":"x"}}', "invalid ID token format"),
        (json.dumps({"tokens": {"id_token": ID_TOKEN}}).encode(), "access_token is missing"),
        (
            json.dumps({"tokens": {"id_token": ID_TOKEN, "access_token": "a"}}).encode(),
            "refresh_token is missing",
        ),
        (
            json.dumps({"tokens": {**TOKENS, "account_id": 5}}).encode(),
            "account_id is not a string",
        ),
        (
            json.dumps({"tokens": TOKENS, "last_refresh": "?"}).encode(),
            "last_refresh is not a time",
        ),
    ],
)
async def test_what_cannot_be_used_counts_as_signed_out_and_stays(
    home: Path, content: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = home / "auth.json"
    file.write_bytes(content)
    async with open_memory_client(Settings(codex_home=home)) as client:
        await client.initialize()
        assert (await client.call("account/read", {}))["account"] is None
        assert (await client.call("getAuthStatus", {}))["authMethod"] is None
        assert caplog.messages == [
            f"stored credentials cannot be used, so nobody is signed in: {reason}"
        ]
        assert file.read_bytes() == content
        # And nothing of it is in the way of the next one.
        await client.call("account/login/start", {"type": "apiKey", "apiKey": "k"})
        assert (await client.call("account/read", {}))["account"] == KEY
        await client.call("account/logout")
        assert not file.exists()


async def test_a_chatgpt_account_without_tokens_is_an_error(home: Path) -> None:
    (home / "auth.json").write_text("{}", encoding="utf-8")
    async with open_memory_client(Settings(codex_home=home)) as client:
        await client.initialize()
        with pytest.raises(Exception, match="plan type is required for chatgpt authentication"):
            await client.call("account/read", {})
        assert (await client.call("getAuthStatus", {"includeToken": True}))[
            "authMethod"
        ] is None


@pytest.mark.parametrize(
    ("forced", "content", "hidden"),
    [
        ("chatgpt", {"OPENAI_API_KEY": "k"}, True),
        ("api", {"OPENAI_API_KEY": "k"}, False),
        ("api", {"tokens": TOKENS}, True),
        ("chatgpt", {"tokens": TOKENS}, False),
    ],
)
async def test_what_the_settings_do_not_allow_is_hidden_and_stays(
    home: Path, forced: Any, content: Any, hidden: bool
) -> None:
    file = home / "auth.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    async with open_memory_client(
        Settings(codex_home=home, forced_login_method=forced)
    ) as client:
        await client.initialize()
        assert ((await client.call("account/read", {}))["account"] is None) == hidden
    assert json.loads(file.read_bytes()) == content


# --- the file ---


async def test_the_mode_is_mended_and_the_home_is_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "home" / "auth.json"
    store = FileStore(file)
    assert store.load() is None
    await store.delete()
    await store.save(Credentials.of_api_key("a"))
    file.chmod(0o644)
    await store.save(Credentials.of_api_key("b"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert store.load() == Credentials.of_api_key("b")


async def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "auth.json"
    target.parent.mkdir()
    target.write_text("old", encoding="utf-8")
    link.symlink_to(target)
    store = FileStore(link)
    await store.save(Credentials.of_api_key("k"))
    assert link.is_symlink()
    assert json.loads(target.read_bytes())["OPENAI_API_KEY"] == "k"
    await store.delete()
    assert (link.is_symlink(), target.exists()) == (False, True)


@pytest.mark.parametrize("linked", [False, True])
async def test_drafts_of_killed_writers_are_swept_and_nothing_else_is(
    tmp_path: Path, linked: bool
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    file = target / "auth.json"
    kept = ["auth.json.0123456789abcdef.tmp", "auth.json.before-migration.tmp", "other"]
    for name in [*kept, "auth.json.fedcba9876543210.tmp"]:
        (target / name).write_text("secret", encoding="utf-8")
        if name != kept[0]:  # that one is being written
            os.utime(target / name, (time.time() - 3600,) * 2)
    if linked:
        link = tmp_path / "auth.json"
        link.symlink_to(file)
        file = link
    await FileStore(file).delete()
    assert sorted(path.name for path in target.iterdir()) == sorted(kept)


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has a folder that takes no files"
)
async def test_a_home_that_takes_no_files_is_a_typed_error() -> None:
    with pytest.raises(StoreError, match=r"No such file or directory \(os error 2\)"):
        await FileStore(Path("/proc/auth.json")).save(Credentials.of_api_key("k"))


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
async def test_a_read_only_home_is_a_typed_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"Permission denied \(os error 13\)"):
        await FileStore(tmp_path / "auth.json").save(Credentials.of_api_key("k"))


async def test_a_file_that_cannot_be_removed_is_a_typed_error(tmp_path: Path) -> None:
    """Some systems say of a directory that it is not permitted, and mean that it is one."""

    class Unpermitted(type(tmp_path)):  # type: ignore[misc]  # the class depends on the system
        def unlink(self, missing_ok: bool = False) -> None:
            raise PermissionError(1, "Operation not permitted")

    for place, text in (
        ("folder", r"Is a directory \(os error 21\)"),
        ("file", r"\(os error 1\)"),
    ):
        path = Unpermitted(tmp_path / place)
        if place == "folder":
            path.mkdir()
        with pytest.raises(StoreError, match=text):
            await FileStore(path).delete()


async def test_a_home_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"\(os error (17|20)\)"):
        await FileStore(tmp_path / "file" / "auth.json").save(Credentials.of_api_key("k"))


async def test_two_stores_on_one_home_never_tear_the_file(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    stores = [FileStore(file), FileStore(file)]
    keys = [f"key-{number}" * 500 for number in range(20)]

    async def write(store: FileStore, key: str) -> None:
        await store.save(Credentials.of_api_key(key))
        loaded = store.load()
        assert loaded is not None
        assert loaded.api_key in keys

    async with trio.open_nursery() as nursery:
        for number, key in enumerate(keys):
            nursery.start_soon(write, stores[number % 2], key)
    assert [path.name for path in tmp_path.iterdir()] == ["auth.json"]


@pytest.mark.parametrize("change", ["sign_in", "sign_out"])
async def test_a_cancelled_change_is_whole_or_has_not_been(tmp_path: Path, change: str) -> None:
    before, after = Credentials.of_api_key("before"), Credentials.of_api_key("after")
    step = 1
    while True:
        store = FileStore(tmp_path / str(step) / "auth.json")
        await store.save(before)
        auth = Auth(store)
        auth.load()
        work = (lambda a=auth: a.sign_in(after)) if change == "sign_in" else auth.sign_out
        reached = await cancel_at_step(work, step)
        stored = store.load()
        assert auth.current == stored
        assert stored in (before, after if change == "sign_in" else None)
        if not reached:
            break
        step += 1
    assert stored != before
    assert step > 1


WRITER = """
import sys, trio
from pathlib import Path
from codex_trio.account.credentials import Credentials
from codex_trio.account.storage import FileStore
async def main():
    store = FileStore(Path(sys.argv[1]))
    await store.save(Credentials.of_api_key("0" * 1000))
    print("ready", flush=True)
    for number in range(1, 10**6):
        await store.save(Credentials.of_api_key(str(number % 10) * 1000))
trio.run(main)
"""


@pytest.mark.parametrize("attempt", range(5))
def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path, attempt: int) -> None:
    file = tmp_path / "auth.json"
    command = [sys.executable, "-c", WRITER, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        for _ in range(attempt * 20):
            FileStore(file).load()
        writer.send_signal(signal.SIGKILL)
    loaded = FileStore(file).load()
    assert loaded is not None
    assert loaded.api_key is not None
    assert len(loaded.api_key) == 1000


async def test_memory_is_a_store_too(home: Path) -> None:
    store = open_store(Settings(codex_home=home, credentials_store="ephemeral"))
    assert isinstance(store, MemoryStore)
    await store.save(Credentials.of_api_key("k"))
    assert store.load() == Credentials.of_api_key("k")
    await store.delete()
    assert store.load() is None
