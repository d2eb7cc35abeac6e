"""What is left of a process that is killed: at every step of a refresh, a sign-in and a sign-out."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from codex_trio.errors import RpcError
from tests.account.signed_in import ACCOUNT_ID, sign_in, stored_tokens
from tests.checked import open_memory_client
from tests.processes import start, wire_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from codex_trio.settings import Settings
    from codex_trio.testing import Outcome, StandIn, Tokens, WireClient
    from codex_trio.transport.lines import LineWire

Step: TypeAlias = tuple[str, int]

ROOT = Path(__file__).parents[2]
TORN = ("torn write", "torn note")
KEY = {"type": "apiKey", "apiKey": "sk-new-secret"}


@attrs.frozen
class Victim:
    """Somebody who does something to a home, and can be killed anywhere."""

    _wire: LineWire
    _settings: Settings

    async def steps(self, way: str) -> list[Step]:
        """Let it live, and list its steps: of each, what it is, and which of that name."""
        names = await self._do(way, None)
        return [(name, names[: index + 1].count(name)) for index, name in enumerate(names)]

    async def kill_at(self, step: Step, way: str) -> None:
        """Kill it right before a step; there may be fewer of the kind this time."""
        await self._do(way, step)
        await wait_all_tasks_blocked(0.02)  # until what it has sent has arrived

    async def _do(self, way: str, last: Step | None) -> list[str]:
        settings = {
            "codex_home": str(self._settings.codex_home),
            "issuer": self._settings.issuer,
            "refresh_url": self._settings.refresh_url,
            "revoke_url": self._settings.revoke_url,
            "chatgpt_base_url": self._settings.chatgpt_base_url,
            "login_callback_ports": self._settings.login_callback_ports,
        }
        task = {"way": way, "last": last, "settings": settings}
        await self._wire.send(json.dumps(task).encode())
        names: list[str] = json.loads(await self._wire.receive())
        return names


@pytest.fixture
async def victim(home: Path, login_settings: Settings) -> AsyncGenerator[Victim]:
    command = (sys.executable, "-m")
    async with start(home, "tests.account.killing", command=command, cwd=ROOT) as process:
        yield Victim(wire_of(process), login_settings)


def outcomes(stand_in: StandIn) -> list[Outcome]:
    return [one.outcome for one in stand_in.exchanges]


def begin(home: Path, stand_in: StandIn) -> Tokens:
    """Begin anew, with somebody who is signed in."""
    for path in home.iterdir():
        path.unlink()
    stand_in.reset()
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    return tokens


@contextmanager
def noted(note: str) -> Generator[None]:
    """Say of a failure what it was about."""
    try:
        yield
    except BaseException as error:
        error.add_note(note)
        raise


@asynccontextmanager
async def another(home: Path, settings: Settings) -> AsyncGenerator[WireClient]:
    """Another process comes, much later; of secrets, only those that are stored are left."""
    for path in home.iterdir():
        if path.name.endswith(".tmp"):
            os.utime(path, (time.time() - 120,) * 2)  # nobody can be writing it any more
    with trio.fail_after(10):
        async with open_memory_client(settings) as client:
            await client.initialize()
            yield client
    for path in home.iterdir():
        if path.name != "auth.json":
            content = path.read_text(encoding="utf-8")
            assert "fake" not in content, path.name
            assert "secret" not in content, path.name


async def limits_are_told(client: WireClient) -> bool:
    """Whether the backend takes the token, or one that has come for it."""
    try:
        await client.call("account/rateLimits/read")
    except RpcError:
        return False
    return True


async def read(client: WireClient, **params: Any) -> Any:
    return (await client.call("account/read", params))["account"]


async def test_killed_at_any_step_of_a_refresh_one_is_signed_in(
    home: Path, stand_in: StandIn, victim: Victim, login_settings: Settings
) -> None:
    begin(home, stand_in)
    steps = await victim.steps("refresh")
    assert {name for name, _ in steps} >= {"flock", "fsync", "replace", "send", "recv", *TORN}
    seen = set()
    for step in steps:
        tokens = begin(home, stand_in)
        await victim.kill_at(step, "refresh")
        with noted(f"killed at {step}"):
            spent = outcomes(stand_in) == ["rotated"]
            lost = spent and stored_tokens(home)["refresh_token"] == tokens.refresh_token
            async with another(home, login_settings) as client:
                await check_store(home, stand_in, client, tokens)
                # Whoever has lost a token looks for its successor, so that is done but once.
                if not lost or (spent, lost) not in seen:
                    await check_end(stand_in, client, lost=lost)
            seen.add((spent, lost))
    assert seen == {(False, False), (True, True), (True, False)}


async def check_store(home: Path, stand_in: StandIn, client: WireClient, old: Tokens) -> None:
    """See to it that the former content is there or the new one, and that it is used."""
    stored = stored_tokens(home)
    if stored["refresh_token"] == old.refresh_token:
        assert stored == {**attrs.asdict(old), "account_id": ACCOUNT_ID}
    else:
        assert stand_in.live_refresh_tokens() == [stored["refresh_token"]]
    assert await read(client) is not None
    # A token that may be spent is not shown again, and nobody need know.
    assert await read(client, refreshToken=True) is not None
    assert set(outcomes(stand_in)) <= {"rotated"}
    assert await limits_are_told(client)


async def check_end(stand_in: StandIn, client: WireClient, *, lost: bool) -> None:
    """See what comes of it when there is nothing to lose any more."""
    stand_in.expire_access_tokens()
    assert await limits_are_told(client) is not lost
    assert outcomes(stand_in)[-1] == ("reused" if lost else "rotated")


@pytest.mark.parametrize("way", ["sign in", "sign out"])
async def test_killed_at_any_step_the_store_is_whole(
    home: Path, stand_in: StandIn, victim: Victim, login_settings: Settings, way: str
) -> None:
    begin(home, stand_in)
    steps = await victim.steps(way)
    names = {name for name, _ in steps}
    assert names >= ({"fsync", "replace", *TORN[:1]} if way == "sign in" else {"unlink"})
    for step in steps:
        tokens = begin(home, stand_in)
        await victim.kill_at(step, way)
        with noted(f"killed at {step}"):
            await check_change(home, login_settings, tokens, way)


async def check_change(home: Path, settings: Settings, old: Tokens, way: str) -> None:
    """See to it that the former content is there or the new one, and nothing in the way."""
    path = home / "auth.json"
    if not path.exists():
        assert way == "sign out"
    elif way == "sign out" or b"sk-new-secret" not in path.read_bytes():
        assert stored_tokens(home) == {**attrs.asdict(old), "account_id": ACCOUNT_ID}
    async with another(home, settings) as client:
        await read(client)
        await client.call("account/login/start", KEY)
        assert await read(client) == {"type": "apiKey"}
        assert path.stat().st_mode & 0o777 == 0o600
        await client.call("account/logout")
        assert not path.exists()
