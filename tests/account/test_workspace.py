"""What a workspace wants, kept current: when it is asked, and what counts meanwhile."""

from __future__ import annotations

import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import orjson
import pytest
import trio

from codex_trio.account.claims import Claims
from codex_trio.account.credentials import Credentials, Tokens
from codex_trio.account.policy import Member, Policy
from codex_trio.account.policy_cache import Known, PolicyCache
from codex_trio.account.workspace import (
    BUNDLE,
    FRESH,
    PATIENCE,
    PAUSE,
    PolicyStatus,
    WorkspacePolicy,
)
from codex_trio.errors import RefreshError, UpstreamError
from codex_trio.upstream import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from trio.testing import MockClock

Answer: TypeAlias = "Reply | Exception | Callable[[], Awaitable[Reply]]"

API = Policy(forced_login_method="api")
CHATGPT = Policy(forced_login_method="chatgpt", forced_workspaces=("a",), residency="us")


def member(plan: Any = "business", account_id: str = "acc", **more: Any) -> Credentials:
    tokens = Tokens(
        id_token="",
        access_token="",
        refresh_token="",
        account_id=account_id,
        claims=Claims(plan=plan, user_id="u"),
    )
    return Credentials(mode="chatgpt", tokens=tokens, **more)


def reply(policy: Policy) -> Reply:
    lines = "\n".join(
        f"{key} = {orjson.dumps(value).decode()}" for key, value in policy.wanted.items()
    )
    bundle = {"config_toml": {"enterprise_managed": [{"contents": lines}]}}
    return Reply(status=200, body=orjson.dumps(bundle))


def status(code: int, body: bytes = b"") -> Reply:
    return Reply(status=code, body=body)


@attrs.define(eq=False)
class SeenPolicy(WorkspacePolicy):
    """A policy that tells a test of every change."""

    seen: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    def _adopt(self, status: PolicyStatus) -> None:
        super()._adopt(status)
        self.seen.unpark_all()


@attrs.define(eq=False)
class Scene:
    """A workspace that says what it is told to say, in turn; the last thing again and again."""

    home: Path | None
    who: Credentials | None = None
    answers: list[Answer] = attrs.field(factory=lambda: [status(404)])
    asked: list[float] = attrs.field(factory=list)
    """When it was asked."""
    changes: list[Policy] = attrs.field(factory=list)
    """What has come into force."""
    policy: SeenPolicy = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        cache = PolicyCache(self.home)
        self.policy = SeenPolicy(lambda: self.who, self.ask, cache, self.note)

    def note(self) -> None:
        self.changes.append(self.policy.current)

    async def ask(self, path: str, patience: float) -> Reply:
        await trio.lowlevel.checkpoint()
        assert path == BUNDLE
        assert patience == PATIENCE
        self.asked.append(trio.current_time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else await answer()

    def sign_in(self, who: Credentials | None, *answers: Answer) -> None:
        self.who = who
        self.asked.clear()
        self.answers = list(answers) or self.answers
        self.policy.notice()

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.policy.watch)
            yield
            nursery.cancel_scope.cancel(reason="the test is over")

    async def until_source(self, source: str) -> None:
        while self.policy.status.source != source:
            await self.policy.seen.park()

    async def until_failure(self) -> str:
        while self.policy.status.failure is None:
            await self.policy.seen.park()
        return self.policy.status.failure


@pytest.fixture
async def watched() -> AsyncGenerator[Scene]:
    """A scene in which nothing is kept, under a clock that jumps."""
    scene = Scene(None)
    async with scene.watched():
        yield scene


@pytest.fixture
async def at_home(home: Path) -> AsyncGenerator[Scene]:
    """A scene in which what is told is kept, under a clock that leaves threads their time."""
    scene = Scene(home)
    async with scene.watched():
        yield scene


async def keep(scene: Scene, policy: Policy, age: float) -> None:
    """Leave something in the home that was told some time ago."""
    whose = Member.of(member())
    assert whose is not None
    await PolicyCache(scene.home).save(whose, Known(policy, time.time() - age))


# --- who is asked for ---


async def test_nobody_is_asked_for_nobody(watched: Scene, autojump_clock: MockClock) -> None:
    for who in (None, Credentials.of_api_key("sk-x"), member("plus"), member("team")):
        watched.sign_in(who)
        await trio.sleep(3600)
        assert watched.asked == []
        assert watched.policy.status.source == "none"


async def test_a_policy_is_asked_for_every_five_minutes(
    watched: Scene, autojump_clock: MockClock
) -> None:
    watched.sign_in(member(), reply(CHATGPT), reply(CHATGPT), reply(API))
    await watched.until_source("backend")
    assert watched.policy.current == CHATGPT
    await trio.sleep(2 * PAUSE + 1)
    assert watched.changes == [CHATGPT, API]
    first, second, third = watched.asked
    assert second - first == pytest.approx(PAUSE, abs=1)
    assert third - second == pytest.approx(PAUSE, abs=1)
    told_at = watched.policy.status.told_at
    assert told_at is not None
    assert abs(time.time() - told_at) < 60


async def test_it_goes_with_the_account(watched: Scene, autojump_clock: MockClock) -> None:
    watched.sign_in(member(), reply(API))
    await watched.until_source("backend")
    watched.sign_in(None)
    await watched.until_source("none")
    assert watched.changes == [API, Policy()]
    assert watched.policy.status.told_at is None
    await trio.sleep(3600)
    assert watched.asked == []


async def test_another_account_has_another_policy(
    at_home: Scene, patient_clock: MockClock
) -> None:
    at_home.sign_in(member(), reply(API))
    await at_home.until_source("backend")
    at_home.sign_in(member(account_id="other"), reply(CHATGPT))
    await at_home.until_source("unknown")
    await at_home.until_source("backend")
    assert at_home.changes == [API, Policy(), CHATGPT]
    at_home.sign_in(member(), UpstreamError("down"))
    await at_home.until_source("cache")
    assert at_home.policy.current == API


async def test_renewed_tokens_are_the_same_account(
    watched: Scene, autojump_clock: MockClock
) -> None:
    watched.sign_in(member(), reply(API))
    await watched.until_source("backend")
    watched.sign_in(member(last_refresh="2026-01-01T00:00:00Z"))
    await trio.sleep(1)
    assert watched.asked == []
    assert watched.policy.current == API


async def test_a_plan_that_changes_unnoticed_is_seen_the_next_time(
    watched: Scene, autojump_clock: MockClock
) -> None:
    watched.sign_in(member(), reply(API))
    await watched.until_source("backend")
    watched.who = member("plus")
    await watched.until_source("none")
    assert watched.policy.current == Policy()


async def test_what_comes_for_somebody_else_does_not_count(
    watched: Scene, autojump_clock: MockClock
) -> None:
    async def late() -> Reply:
        await trio.sleep(1)
        watched.who = member(account_id="other")  # and nobody has noticed yet
        return reply(API)

    watched.sign_in(member(), late)
    await trio.sleep(2)
    assert watched.changes == []


# --- what counts when it cannot be asked ---


async def test_what_is_fresh_counts_without_asking(
    at_home: Scene, patient_clock: MockClock
) -> None:
    await keep(at_home, API, age=FRESH - 60)
    at_home.sign_in(member(), reply(CHATGPT))
    await at_home.until_source("cache")
    assert at_home.policy.current == API
    began = trio.current_time()
    await at_home.until_source("backend")
    assert trio.current_time() - began == pytest.approx(PAUSE, abs=5)
    assert at_home.changes == [API, CHATGPT]


@pytest.mark.parametrize("age", [FRESH + 60, 1e9, -60])
async def test_what_is_old_counts_until_there_is_an_answer(
    at_home: Scene, patient_clock: MockClock, age: float
) -> None:
    async def look() -> Reply:
        await trio.lowlevel.checkpoint()
        assert at_home.policy.current == API
        assert at_home.policy.status.source == "cache"
        return reply(CHATGPT)

    await keep(at_home, API, age=age)
    at_home.sign_in(member(), look)
    await at_home.until_source("backend")
    assert at_home.changes == [API, CHATGPT]


async def test_what_is_old_counts_when_there_is_no_answer(
    at_home: Scene, patient_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    await keep(at_home, API, age=1e9)
    at_home.sign_in(member(), UpstreamError("it is down"))
    await at_home.until_failure()
    assert at_home.policy.current == API
    assert at_home.policy.status.source == "cache"
    assert at_home.policy.status.told_at == pytest.approx(time.time() - 1e9, abs=60)
    assert "the last one that is known counts" in caplog.text
    assert "it is down" in caplog.text


async def test_where_there_never_was_one_there_is_none(
    watched: Scene, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    watched.sign_in(member(), UpstreamError("it is down"))
    await watched.until_failure()
    assert watched.policy.current == Policy()
    assert watched.policy.status.source == "unknown"
    assert "none counts" in caplog.text
    watched.sign_in(member(), reply(API))
    began = trio.current_time()
    await watched.until_source("backend")
    assert trio.current_time() - began <= 61  # it is asked again sooner than usual
    assert watched.policy.status.failure is None


async def test_the_same_failure_is_logged_once(
    watched: Scene, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    watched.sign_in(member(), status(401))
    await trio.sleep(3600)
    assert len(watched.asked) > 10
    assert len(caplog.records) == 1


async def test_a_failure_later_on_changes_nothing(
    watched: Scene, autojump_clock: MockClock
) -> None:
    garbage = b'{"config_toml": 5}'
    watched.sign_in(member(), reply(API), UpstreamError("down"), status(200, garbage))
    await watched.until_source("backend")
    await watched.until_failure()
    await trio.sleep(PAUSE + 10)
    assert watched.policy.current == API
    assert "no fragments" in str(watched.policy.status.failure)
    assert watched.policy.status.source == "backend"


async def test_what_cannot_be_kept_counts_all_the_same(
    home: Path, patient_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(home / "missing")
    async with scene.watched():
        scene.sign_in(member(), reply(API))
        await scene.until_source("backend")
        await trio.sleep(PAUSE - 1)
    assert caplog.messages == [
        "the workspace's policy cannot be kept: No such file or directory (os error 2)"
    ]
    assert scene.policy.current == API


async def test_a_long_one_is_read_too(at_home: Scene, patient_clock: MockClock) -> None:
    long = orjson.loads(reply(API).body)
    long["more"] = "x" * 100_000
    at_home.sign_in(member(), status(200, orjson.dumps(long)))
    await at_home.until_source("backend")
    assert at_home.policy.current == API


# --- attempts ---


@pytest.mark.parametrize(
    "answer", [UpstreamError("down"), status(500), status(200, b"<html>"), status(204)]
)
async def test_it_is_asked_five_times_at_first(
    watched: Scene, autojump_clock: MockClock, answer: Answer
) -> None:
    watched.sign_in(member(), answer)
    await watched.until_failure()
    waits = [b - a for a, b in zip(watched.asked, watched.asked[1:], strict=False)]
    assert waits == [pytest.approx(0.2 * 2**n, rel=0.2) for n in range(4)]


@pytest.mark.parametrize(
    "answer",
    [status(401), status(200, b"[]"), RefreshError("Nobody is signed in.", "other")],
)
async def test_some_failures_are_final(
    watched: Scene, autojump_clock: MockClock, answer: Answer
) -> None:
    watched.sign_in(member(), answer)
    await watched.until_failure()
    assert len(watched.asked) == 1


@pytest.mark.parametrize("answer", [status(404), status(200, b"{}")])
async def test_a_workspace_may_have_none(
    watched: Scene, autojump_clock: MockClock, answer: Answer
) -> None:
    watched.sign_in(member(), UpstreamError("down"), status(503), answer)
    await watched.until_source("backend")
    assert len(watched.asked) == 3
    assert watched.policy.current == Policy()
    assert watched.changes == []


async def test_it_is_given_up_after_fifteen_seconds(
    watched: Scene, autojump_clock: MockClock
) -> None:
    async def hang() -> Reply:
        await trio.sleep_forever()
        raise AssertionError

    began = trio.current_time()
    watched.sign_in(member(), status(500), hang)
    await watched.until_failure()
    assert trio.current_time() - began == pytest.approx(PATIENCE, abs=1)
    assert str(watched.policy.status.failure).endswith("was not told within 15 seconds")
