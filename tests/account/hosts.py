"""A host application that owns its users' tokens: it brings them, and is asked for new ones."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.testing import Account, Question, StandIn, WireClient
from tests.account.conftest import Witness, open_witness, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.server import Server
    from codex_trio.upstream import Reply

HOST = "chatgptAuthTokens"
REFRESH = "account/chatgptAuthTokens/refresh"
USAGE = "/backend-api/wham/usage"
TOKEN = "/oauth/token"
REVOKE = "/oauth/revoke"

GRACE = Account(
    email="grace@example.com", plan="pro", account_id="ws-grace", user_id="user-grace"
)
"""Whom the host signs in; everybody else signs in as the stand-in's account."""

MARY = Account(email="mary@example.com", plan="go", account_id="ws-mary", user_id="user-mary")
"""Somebody else whom the host might sign in."""

UPDATED = {"authMode": HOST, "planType": "pro"}
NOBODY = {"authMode": None, "planType": None}


def brought(stand_in: StandIn, account: Account = GRACE, **changed: Any) -> dict[str, Any]:
    """What a host brings, or answers with: a new token of an account."""
    return {
        "accessToken": stand_in.issue_access_token(account),
        "chatgptAccountId": account.account_id,
        **changed,
    }


async def bring(client: WireClient, tokens: dict[str, Any]) -> None:
    """Sign in with what a host has."""
    answer = await client.call("account/login/start", {"type": HOST, **tokens})
    assert answer == {"type": HOST}


async def bring_refused(
    server: Server,
    client: WireClient,
    stand_in: StandIn,
    tokens: dict[str, Any] | None = None,
) -> None:
    """Sign in with tokens that are refused from now on."""
    await bring(client, tokens or brought(stand_in))
    assert await updated(client) == UPDATED
    await settled(server)
    stand_in.expire_access_tokens()


async def settled(server: Server) -> None:
    """Wait until nothing is asked in the background for whoever is signed in."""
    await until(lambda: server.account.routing.current is not None)


async def refusal(client: WireClient, params: dict[str, Any]) -> tuple[int, str]:
    """Try to sign in; returns why one cannot."""
    with pytest.raises(RpcError) as caught:
        await client.call("account/login/start", params)
    return caught.value.code, caught.value.message


@asynccontextmanager
async def others(server: Server) -> AsyncGenerator[tuple[WireClient, Witness]]:
    """Connect somebody else to a server, and say what they hear."""
    witness = Witness()
    async with open_witness(server, witness) as client:
        yield client, witness


def questions(witness: Witness) -> int:
    """Count how often somebody was asked for new tokens."""
    return witness.told.count(REFRESH)


async def question(client: WireClient) -> Question:
    """Wait until a host is asked for new tokens."""
    asked = await client.next_question()
    assert asked.method == REFRESH
    return asked


async def ask_backend(server: Server, path: str = "wham/usage") -> Reply:
    """Ask something with the token in force, as any part of the server does."""
    agent = {"originator": "test", "user-agent": "test"}
    return await server.account.backend.get(path, agent)


@attrs.define(eq=False)
class Asking:
    """Somebody who asks the backend, and the status that comes of it."""

    status: int | None = None
    done: trio.Event = attrs.field(factory=trio.Event)

    async def ask(self, server: Server) -> None:
        self.status = (await ask_backend(server)).status
        self.done.set()

    async def result(self) -> int | None:
        await self.done.wait()
        return self.status


async def token_in_force(client: WireClient) -> str | None:
    """Ask what requests are signed with."""
    answer = await client.call("getAuthStatus", {"includeToken": True})
    token: str | None = answer["authToken"]
    return token


async def updated(client: WireClient) -> Any:
    """Wait until it is told who is signed in."""
    return (await client.next_notification("account/updated"))["params"]


def asked(stand_in: StandIn, path: str) -> list[str | None]:
    """List the bearers of the requests to a path, in order."""
    return [
        one.headers.get("authorization", "").removeprefix("Bearer ") or None
        for one in stand_in.requests
        if one.path == path
    ]
