"""Somebody whose tokens are to be renewed, and what has become of them."""

from __future__ import annotations

import json
import math
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio
from trio.testing import MockClock

from codex_trio.httpd import HttpResponse
from codex_trio.testing import Account, Outcome, Recorded, StandIn, Tokens, WireClient
from tests.account.signed_in import sign_in
from tests.sites import open_site

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    import pytest

    from codex_trio.httpd import Answer, HttpRequest

TOKEN = "/oauth/token"
REVOKE = "/oauth/revoke"
USAGE = "/backend-api/wham/usage"

AGENT = {"originator": "test", "user-agent": "test/1"}
"""Who asks when no client does."""

_IDLE = 0.01  # seconds

SOMEBODY = {"type": "chatgpt", "email": "ada@example.com", "planType": "plus"}

OTHER = Account(
    account_id="other-account", user_id="user-other", email="bob@example.com", plan="pro"
)
"""Somebody else, and what clients are told of them."""
SOMEBODY_ELSE = {"type": "chatgpt", "email": "bob@example.com", "planType": "pro"}


def sign_in_for(home: Path, stand_in: StandIn, seconds: float) -> Tokens:
    """Be signed in with an access token that ends so soon; the next one has its hour."""
    usual, stand_in.account.token_lifetime = stand_in.account.token_lifetime, seconds
    tokens = stand_in.issue_tokens()
    stand_in.account.token_lifetime = usual
    sign_in(home, tokens)
    return tokens


def sign_in_other(home: Path, stand_in: StandIn) -> Tokens:
    """Let another process sign somebody else in."""
    tokens = stand_in.issue_tokens(account=OTHER)
    sign_in(home, tokens, OTHER.account_id)
    return tokens


def read_stored(home: Path) -> Any:
    """Read what is stored."""
    return json.loads((home / "auth.json").read_text(encoding="utf-8"))


def change_stored(home: Path, **fields: Any) -> None:
    """Change what is stored, in one go; a field of None is left out."""
    changed = {**read_stored(home), **fields}
    kept = {name: value for name, value in changed.items() if value is not None}
    draft = home / "draft"
    draft.write_text(json.dumps(kept), encoding="utf-8")
    os.replace(draft, home / "auth.json")


def asked(stand_in: StandIn, path: str = TOKEN) -> int:
    """How often a path has been asked for."""
    return len([one for one in stand_in.requests if one.path == path])


def outcomes(stand_in: StandIn) -> list[Outcome]:
    """What has become of the refresh tokens that the issuer was shown."""
    return [one.outcome for one in stand_in.exchanges]


async def renewed(client: WireClient) -> Any:
    """Ask for the account, with new tokens."""
    return (await client.call("account/read", {"refreshToken": True}))["account"]


async def account(client: WireClient) -> Any:
    """Ask for the account."""
    return (await client.call("account/read", {}))["account"]


async def token(client: WireClient) -> Any:
    """Ask for the access token, in the older way."""
    return (await client.call("getAuthStatus", {"includeToken": True}))["authToken"]


async def status(client: WireClient) -> Any:
    """Ask how things really stand."""
    return await client.call("account/status/read")


async def failure(client: WireClient) -> Any:
    """Ask what has gone wrong last."""
    return (await status(client))["failure"]


async def updated(client: WireClient) -> tuple[Any, Any]:
    """Wait until it is told who is signed in: in which way, with what plan."""
    params = (await client.next_notification("account/updated"))["params"]
    return params["authMode"], params["planType"]


def thread_clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    """Make a clock that jumps when nobody does anything, worker threads included."""
    clock = MockClock(autojump_threshold=_IDLE)
    run_sync: Any = trio.to_thread.run_sync
    running = 0

    async def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal running
        running, clock.autojump_threshold = running + 1, math.inf
        try:
            return await run_sync(*args, **kwargs)
        finally:
            running -= 1
            if not running:
                clock.autojump_threshold = _IDLE

    monkeypatch.setattr(trio.to_thread, "run_sync", run)
    return clock


def told(client: WireClient) -> list[str]:
    """What has been told and not been taken yet; without what is told of limits."""
    return [one["method"] for one in client._notifications._messages]


@attrs.define(eq=False)
class SlowIssuer:
    """An issuer that does what it is asked at once, and answers when it is let."""

    url: str = attrs.field(init=False)
    asked: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when somebody has shown a refresh token, which is spent then."""
    answers: trio.Event = attrs.field(factory=trio.Event, init=False)
    given: Any = attrs.field(default=None, init=False)
    """What it is going to answer."""


@asynccontextmanager
async def open_slow_issuer(stand_in: StandIn) -> AsyncGenerator[SlowIssuer]:
    """Stand between a server and the stand-in, where tokens are renewed."""

    async def answer(request: HttpRequest) -> Answer:
        reply = stand_in._hosts.answer(Recorded.of(request))
        assert isinstance(reply, HttpResponse)
        issuer.given = json.loads(reply.body)
        issuer.asked.set()
        await issuer.answers.wait()
        return reply

    issuer = SlowIssuer()
    async with open_site(answer) as site:
        issuer.url = f"{site.url}{TOKEN}"
        yield issuer
