"""The present identity: what is read when, who is told, and that memory and store agree."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from codex_trio.account import auth as auth_module
from codex_trio.account.auth import Auth
from codex_trio.account.credentials import Credentials
from codex_trio.account.file_store import FileStore
from codex_trio.account.identity import is_renewable, is_same_account
from codex_trio.account.policy import Policy
from codex_trio.account.restrictions import Restrictions
from codex_trio.account.storage import MemoryStore
from codex_trio.errors import StoreError
from codex_trio.testing import WireClient, make_jwt
from tests.account.conftest import KEY, SlowStore
from tests.account.identities import API_KEY, OwnStore, Scene, signed_in
from tests.account.renewals import account, failure, status, told
from tests.cancellation import cancel_at_step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codex_trio.server import Server


@pytest.fixture
def store() -> OwnStore:
    return OwnStore()


@pytest.fixture
def scene(store: OwnStore) -> Scene:
    return Scene(store)


# --- reading ---


async def test_what_is_stored_is_read_when_it_is_needed_first(
    scene: Scene, store: OwnStore
) -> None:
    store.stored = API_KEY
    assert scene.auth.current is None
    assert not scene.auth.settled
    for _ in range(2):
        await scene.auth.ready()
    assert store.loads == 1
    assert scene.auth.current == API_KEY
    # Nobody has been told that nobody was signed in, so nobody need know.
    assert scene.told == []
    assert scene.followed == 1


async def test_who_asks_at_the_same_time_reads_once(scene: Scene, store: OwnStore) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(scene.auth.look)
    assert store.loads == 1


async def test_a_store_that_cannot_tell_is_read_again_when_somebody_says_so(
    scene: Scene, store: OwnStore
) -> None:
    await scene.auth.look()
    store.stored = API_KEY
    await scene.auth.look()
    assert scene.auth.current is None
    await scene.auth.look(again=True)
    assert scene.auth.current == API_KEY
    assert scene.told == [API_KEY]
    await scene.auth.sign_in(signed_in())
    assert scene.auth.settled


@pytest.mark.parametrize("step", range(1, 6))
async def test_a_look_that_is_cancelled_is_as_if_it_had_not_been(
    scene: Scene, store: OwnStore, step: int
) -> None:
    store.stored = API_KEY
    await cancel_at_step(scene.auth.look, step)
    assert scene.auth.current in (None, API_KEY)
    await scene.auth.look()
    assert scene.auth.current == API_KEY
    assert scene.told == []


async def test_what_cannot_be_read_is_told_and_logged_once(
    scene: Scene, store: OwnStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.error = "not today"
    for _ in range(3):
        await scene.auth.look(again=True)
        assert scene.auth.failure == "not today"
        assert scene.auth.current is None
    assert caplog.messages == ["stored credentials cannot be used: not today"]
    store.error, store.stored = None, API_KEY
    await scene.auth.look(again=True)
    assert scene.auth.failure is None
    assert scene.told == [API_KEY]


async def test_what_goes_wrong_in_a_store_is_a_failure_of_it(
    scene: Scene, store: OwnStore, caplog: pytest.LogCaptureFixture
) -> None:
    await scene.auth.sign_in(API_KEY)
    store.error = ValueError("sk-secret")
    text = "the store has failed: ValueError"
    await scene.auth.look(again=True)
    assert scene.auth.failure == text
    for work in (partial(scene.auth.sign_in, signed_in()), scene.auth.sign_out):
        with pytest.raises(StoreError) as caught:
            await work()
        assert str(caught.value) == text
    assert scene.auth.current == API_KEY
    assert "in load" in caplog.text
    assert "sk-secret" not in caplog.text


async def test_a_policy_that_is_known_counts_before_anybody_is_in_force(
    scene: Scene, store: OwnStore
) -> None:
    asked = []

    async def recall(stored: Credentials | None) -> Policy | None:  # noqa: ASYNC124 - it may wait
        asked.append(stored)
        assert scene.auth.current is None
        return Policy(forced_login_method="chatgpt") if stored == API_KEY else None

    scene.auth.recall = recall
    await scene.auth.look()
    store.stored = API_KEY
    await scene.auth.look(again=True)
    assert asked == [None, API_KEY]
    assert scene.auth.hidden
    assert scene.told == []


# --- signing in and out ---


@pytest.mark.parametrize("way", ["in", "out"])
async def test_a_change_that_is_cancelled_has_been_whole_or_not_at_all(
    home: Path, way: str
) -> None:
    step = 1
    while True:
        auth = file_auth(home)
        await auth.sign_in(API_KEY)
        new = signed_in() if way == "in" else None
        work: Callable[[], Any] = partial(auth.sign_in, signed_in())
        reached = await cancel_at_step(work if new else auth.sign_out, step)
        stored = await FileStore(home / "auth.json").load()
        assert kept(stored) in (kept(API_KEY), kept(new))
        assert kept(auth.current) == kept(stored)
        await auth.look()
        assert kept(auth.current) == kept(stored)
        if not reached:
            break
        step += 1
    assert kept(stored) == kept(new)
    assert step > 3


def file_auth(home: Path) -> Auth:
    return Auth(FileStore(home / "auth.json"), Restrictions(Policy()), math.inf)


def kept(credentials: Credentials | None) -> object:
    return None if credentials is None else (credentials.mode, credentials.bearer)


async def test_a_change_that_fails_changes_nothing(scene: Scene, store: OwnStore) -> None:
    await scene.auth.sign_in(API_KEY)
    store.error = "full"
    for work in (partial(scene.auth.sign_in, signed_in()), scene.auth.sign_out):
        with pytest.raises(StoreError, match="full"):
            await work()
        assert scene.auth.current == store.stored == API_KEY
    assert scene.auth.failure is None
    assert scene.told == []


async def test_a_change_does_not_wait_for_others_for_ever(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_module, "_LOCK_PATIENCE", 0.02)
    auth, other = file_auth(home), file_auth(home)
    async with other._store.locks.change.held(1):
        with pytest.raises(StoreError, match=r"others hold auth\.json\.lock for too long"):
            await auth.sign_in(API_KEY)
    await auth.sign_in(API_KEY)


async def test_whoever_is_read_while_somebody_signs_in_is_not_in_force_behind_it(
    login_server: Server, login_client: WireClient
) -> None:
    slow = SlowStore.of(login_server)
    async with slow.freed(), trio.open_nursery() as nursery:
        nursery.start_soon(login_client.call, "account/login/start", KEY)
        await slow.storing.wait()
        nursery.start_soon(login_server.account.auth.look)
        slow.go_on.set()
    assert await account(login_client) == {"type": "apiKey"}


# --- who may not be ---


async def test_who_may_not_be_signed_in_is_hidden_and_stays_stored(
    store: OwnStore, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(store, Policy(forced_login_method="chatgpt"))
    store.stored = API_KEY
    await scene.auth.look()
    assert scene.auth.current is None
    assert scene.auth.anybody == store.stored == API_KEY
    assert scene.auth.hidden
    assert not scene.auth.hosted
    assert caplog.messages == ["stored credentials are ignored: they may not be used here"]
    store.stored = signed_in()
    await scene.auth.look(again=True)
    assert not scene.auth.hidden
    assert scene.told == [signed_in()]


async def test_a_policy_hides_and_shows(scene: Scene) -> None:
    await scene.auth.sign_in(signed_in())
    scene.auth.restrict(Policy(forced_login_method="api"))
    assert scene.auth.hidden
    scene.auth.restrict(Policy(residency="us"))
    assert scene.told == [None, signed_in()]


async def test_what_is_kept_in_memory_will_not_be_there() -> None:
    auth = Scene(MemoryStore()).auth
    await auth.sign_in(API_KEY)
    assert auth.current == API_KEY
    assert not auth.saved
    assert auth.store_kind == "ephemeral"


# --- who is who ---


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (signed_in("r1"), signed_in("r2"), True),
        (signed_in(user_id="u"), signed_in(user_id="u", plan="pro", email="a@b.c"), True),
        (signed_in(user_id="u"), signed_in(user_id="v"), False),
        (signed_in(user_id="u"), signed_in(), True),
        (signed_in(), signed_in(account_id="other"), False),
        (signed_in(), signed_in(account_id=None), False),
        (signed_in(), signed_in(mode="chatgptAuthTokens"), False),
        (API_KEY, API_KEY, True),
        (API_KEY, Credentials.of_api_key("sk-other"), False),
        (API_KEY, signed_in(), False),
        (Credentials(mode="chatgpt"), Credentials(mode="chatgpt"), True),
        (Credentials(mode="chatgpt"), signed_in(), False),
        (None, signed_in(), False),
        (None, None, False),
    ],
)
def test_an_account_is_known_by_its_workspace_and_its_user(
    one: Credentials | None, other: Credentials | None, same: bool
) -> None:
    assert is_same_account(one, other) is is_same_account(other, one) is same


@pytest.mark.parametrize(
    ("stored", "former", "renewable"),
    [
        (signed_in("r1"), signed_in("r1", plan="pro"), True),
        (signed_in("r1"), signed_in("r2"), False),
        (signed_in("r1"), signed_in("r1", "other"), False),
        (signed_in("r1", mode="chatgptAuthTokens"), signed_in("r1"), False),
        (API_KEY, API_KEY, False),
        (Credentials(mode="chatgpt"), Credentials(mode="chatgpt"), False),
    ],
)
def test_tokens_come_for_the_refresh_token_that_was_sent(
    stored: Credentials, former: Credentials, renewable: bool
) -> None:
    assert is_renewable(stored, former) is renewable


def test_no_token_is_shown() -> None:
    credentials = attrs.evolve(signed_in("secret"), api_key="sk-secret")
    shown = f"{credentials!r} {credentials!s} {credentials.tokens!r}"
    assert "secret" not in shown
    assert make_jwt({}) not in shown


# --- from outside ---


async def test_a_store_that_others_keep_busy_is_told(
    login_server: Server,
    login_client: WireClient,
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
) -> None:
    monkeypatch.setattr(auth_module, "_LOCK_PATIENCE", 0.02)
    async with FileStore(home / "auth.json").locks.change.held(1):
        with pytest.raises(Exception, match=r"others hold auth\.json\.lock for too long"):
            await login_client.call("account/login/start", KEY)
    assert await account(login_client) is None
    assert told(login_client) == []
    await login_client.call("account/login/start", KEY)
    assert (await status(login_client))["saved"] is True
    assert await failure(login_client) is None
