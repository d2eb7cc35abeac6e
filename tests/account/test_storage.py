"""What may be stored, and what every store does alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest

from codex_trio.account.credentials import Credentials
from codex_trio.account.storage import CallableStore, Store, open_store
from codex_trio.errors import StoreError
from codex_trio.settings import CredentialsStore, Settings
from tests.account.keyrings import MemoryKeyring, in_use
from tests.account.test_credentials import ID_TOKEN, REFRESHED, TOKENS, token
from tests.cancellation import cancel_at_step
from tests.checked import open_memory_client

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

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
        assert caplog.messages == [f"stored credentials cannot be used: {reason}"]
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


# --- every store ---

BEFORE, AFTER = Credentials.of_api_key("before"), Credentials.of_api_key("after")


@pytest.fixture
def backend() -> Generator[MemoryKeyring]:
    """The keyring of this host, which works."""
    with in_use(MemoryKeyring()) as keyring:
        yield keyring


def make(kind: str, home: Path) -> Store:
    """Make a store of a kind, with credentials in it that others have put there."""
    if kind != "callable":
        return open_store(Settings(codex_home=home, credentials_store=kind))  # type: ignore[arg-type]
    stored: dict[str, bytes] = {}
    return CallableStore(
        load=lambda: stored.get("it"),
        save=lambda content: stored.update(it=content),
        delete=stored.clear,
    )


KINDS = [*get_args(CredentialsStore), "callable"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("backend")
async def test_what_is_saved_is_loaded_until_it_is_deleted(home: Path, kind: str) -> None:
    store = make(kind, home)
    assert store.kind == ("own" if kind == "callable" else kind)
    assert await store.load() is None
    await store.delete()
    for credentials in (BEFORE, AFTER):
        await store.save(credentials)
        assert await store.load() == credentials
    await store.delete()
    assert await store.load() is None


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ephemeral"])
@pytest.mark.parametrize("change", ["save", "delete"])
@pytest.mark.usefixtures("backend")
async def test_a_cancelled_change_is_whole_or_has_not_been(
    home: Path, kind: str, in_file: bool, change: str
) -> None:
    """And whoever has asked for it knows which: it was cancelled, or it was not."""
    step, reached = 0, True
    while reached:
        step += 1
        store = make(kind, home)
        await store.save(BEFORE)
        if in_file:
            (home / "auth.json").write_bytes(BEFORE.encode())
        done = False

        async def work(store: Store = store) -> None:
            nonlocal done
            await (store.save(AFTER) if change == "save" else store.delete())
            done = True

        reached = await cancel_at_step(work, step)
        assert await store.load() == ((AFTER if change == "save" else None) if done else BEFORE)
        await store.delete()
    assert done
    assert step > 1


class Nowhere(Store):
    """The least that somebody's own store needs."""

    async def load(self) -> Credentials | None:
        return None

    async def save(self, credentials: Credentials) -> None:
        raise StoreError("nowhere")

    async def delete(self) -> None:
        pass


def test_a_store_of_somebody_s_own_needs_no_more_than_three_methods() -> None:
    store = Nowhere()
    assert (store.kind, store.stamp()) == ("own", None)


async def test_what_is_in_memory_has_a_stamp_too(home: Path) -> None:
    store = make("ephemeral", home)
    seen = {store.stamp()}
    await store.save(BEFORE)
    seen.add(store.stamp())
    await store.delete()
    seen.add(store.stamp())
    assert len(seen) == 3
    assert list(home.iterdir()) == []
