"""One refresh for everybody: several processes with one home, many requests in each."""

from __future__ import annotations

import resource
import subprocess
import sys
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import pytest
import trio

from codex_trio.testing import Fault, Outcome, StandIn, WireClient, open_client
from tests.account.signed_in import sign_in, stored_tokens
from tests.processes import start, wire_of
from tests.schema import SchemaWatch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

PROCESSES, TASKS, ROUNDS = 4, 8, 3
TOKEN = "/oauth/token"

Question: TypeAlias = "tuple[str, Any]"

READ = ("account/read", {"refreshToken": True})
STATUS = ("getAuthStatus", {"includeToken": True, "refreshToken": True})
TOKEN_STATUS = ("getAuthStatus", {"includeToken": True})
LIMITS = ("account/rateLimits/read", None)


@attrs.frozen
class Server:
    """A process, and a client of it."""

    process: trio.Process
    client: WireClient

    async def token(self) -> Any:
        return (await self.client.call(*TOKEN_STATUS))["authToken"]

    async def is_signed_in(self) -> bool:
        return (await self.client.call("account/read", {}))["account"] is not None


@pytest.fixture
async def servers(home: Path, stand_in: StandIn) -> AsyncGenerator[list[Server]]:
    """Processes that have one home; what they call themselves at the issuer is their number."""
    (home / "config.toml").write_text(stand_in.config, encoding="utf-8")
    sign_in(home, stand_in.issue_tokens())
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(
                start(home, environ=stand_in.environ, stderr=subprocess.DEVNULL)
            )
            for _ in range(PROCESSES)
        ]
        servers = []
        for number, process in enumerate(processes):
            client = await stack.enter_async_context(
                open_client(wire_of(process), SchemaWatch())
            )
            await client.initialize(str(number))
            servers.append(Server(process, client))
        yield servers


def outcomes(stand_in: StandIn) -> list[Outcome]:
    return [one.outcome for one in stand_in.exchanges]


async def ask_all(servers: list[Server], stand_in: StandIn, *questions: Question) -> None:
    """Ask everybody everything at once; nothing is renewed before all have been asked."""
    stand_in.exchanges.clear()
    stand_in.requests.clear()
    stand_in.hold(TOKEN)
    async with trio.open_nursery() as nursery:
        for server in servers:
            for number in range(TASKS):
                question = questions[number % len(questions)]
                nursery.start_soon(partial(server.client.call, *question))
        await stand_in.wait_request(TOKEN)
        for server in servers:
            # Answered behind those: they have looked at the tokens that they want renewed.
            await server.client.call("account/read", {})
        stand_in.release(TOKEN)


async def check_all(servers: list[Server], stand_in: StandIn, home: Path) -> None:
    """See to it that everybody has the one token that counts."""
    stored = stored_tokens(home)
    assert stand_in.live_refresh_tokens() == [stored["refresh_token"]]
    assert [await server.token() for server in servers] == [stored["access_token"]] * PROCESSES
    assert all([await server.is_signed_in() for server in servers])


# --- at once ---


@pytest.mark.parametrize("questions", [(READ,), (STATUS,), (READ, STATUS)])
async def test_what_all_force_at_once_is_done_once(
    home: Path, stand_in: StandIn, servers: list[Server], questions: tuple[Question, ...]
) -> None:
    for _ in range(ROUNDS):
        await ask_all(servers, stand_in, *questions)
        assert outcomes(stand_in) == ["rotated"]
        await check_all(servers, stand_in, home)


@pytest.mark.parametrize("questions", [(TOKEN_STATUS,), (READ, TOKEN_STATUS)])
@pytest.mark.parametrize("lifetime", [0, 100])
async def test_a_token_that_ends_is_renewed_once(
    home: Path,
    stand_in: StandIn,
    servers: list[Server],
    questions: tuple[Question, ...],
    lifetime: float,
) -> None:
    stand_in.revoke_all()
    stand_in.account.token_lifetime = lifetime
    sign_in(home, stand_in.issue_tokens())
    stand_in.account.token_lifetime = 3600.0
    await ask_all(servers, stand_in, *questions)
    assert outcomes(stand_in) == ["rotated"]
    await check_all(servers, stand_in, home)


async def test_a_token_that_is_refused_is_renewed_once(
    home: Path, stand_in: StandIn, servers: list[Server]
) -> None:
    for _ in range(ROUNDS):
        stand_in.expire_access_tokens()
        await ask_all(servers, stand_in, LIMITS)
        assert outcomes(stand_in) == ["rotated"]
        await check_all(servers, stand_in, home)


# --- at any time ---


async def test_whoever_asks_at_any_time_no_token_is_used_twice(
    home: Path, stand_in: StandIn, servers: list[Server]
) -> None:
    async def ask(client: WireClient) -> None:
        for question in (READ, STATUS, TOKEN_STATUS, LIMITS) * ROUNDS:
            answer = await client.call(*question)
            assert answer.get("account", answer) is not None
            assert answer.get("authToken", "") is not None

    async with trio.open_nursery() as nursery:
        for server in servers:
            nursery.start_soon(ask, server.client)
            nursery.start_soon(ask, server.client)
    assert set(outcomes(stand_in)) == {"rotated"}
    await check_all(servers, stand_in, home)


# --- somebody is killed ---


async def renewing(servers: list[Server], stand_in: StandIn, number: int = 1) -> Server:
    """Wait for the n-th request to renew, and say whose it is."""
    request = await stand_in.wait_request(TOKEN, number)
    return servers[int(request.headers["originator"])]


@pytest.mark.parametrize("lifetime", [0, 3600])
async def test_a_process_that_is_killed_while_it_renews_is_in_nobody_s_way(
    home: Path, stand_in: StandIn, servers: list[Server], lifetime: float
) -> None:
    stand_in.revoke_all()
    stand_in.account.token_lifetime = lifetime
    sign_in(home, stand_in.issue_tokens())
    stand_in.account.token_lifetime = 3600.0
    stand_in.exchanges.clear()
    stand_in.faults.add(TOKEN, Fault.hang())  # nothing is done, but who could know

    async def ask(server: Server) -> None:
        try:
            await server.client.call(*READ)
        except Exception:
            assert server is killed

    async with trio.open_nursery() as nursery:
        for server in servers:
            nursery.start_soon(ask, server)
        killed = await renewing(servers, stand_in)
        killed.process.kill()
    servers.remove(killed)
    stored = stored_tokens(home)
    for server in servers:
        assert await server.is_signed_in()
        assert await server.token() == stored["access_token"]
    # A token that is still good is not risked; one that is not has nothing to lose.
    assert outcomes(stand_in) == ([] if lifetime else ["rotated"])
    assert stand_in.live_refresh_tokens() == [stored["refresh_token"]]


# --- the disk is full ---


@pytest.mark.skipif(
    sys.platform != "linux", reason="only there can a limit be set from outside"
)
async def test_tokens_that_cannot_be_stored_are_not_spent_twice(
    stand_in: StandIn, servers: list[Server]
) -> None:
    first, *others = servers
    resource.prlimit(first.process.pid, resource.RLIMIT_FSIZE, (100, 100))  # room for a note
    for server in servers:
        assert (await server.client.call(*READ))["account"] is not None
    assert outcomes(stand_in) == ["rotated"]
    stand_in.expire_access_tokens()
    await first.client.call(*LIMITS)
    assert outcomes(stand_in) == ["rotated", "rotated"]
    assert all([await server.is_signed_in() for server in others])
