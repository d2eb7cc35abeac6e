"""Signing out while tokens are renewed, here or elsewhere: the last ones are revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.account.conftest import KEY, SlowStore, account, left_in
from tests.account.hosts import REVOKE, TOKEN
from tests.account.signed_in import sign_in, stored_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.testing import StandIn, WireClient

FLAG = {"refreshToken": True}


@pytest.fixture
async def client(login_client: WireClient, home: Path, stand_in: StandIn) -> WireClient:
    sign_in(home, stand_in.issue_tokens())
    assert await account(login_client) == "chatgpt"
    return login_client


def revoked(stand_in: StandIn) -> list[str]:
    return [one.json["token"] for one in stand_in.requests if one.path == REVOKE]


async def test_tokens_that_another_process_has_renewed_are_revoked(
    client: WireClient, home: Path, stand_in: StandIn
) -> None:
    newer = stand_in.issue_tokens()
    sign_in(home, newer)
    await client.call("account/logout")
    assert revoked(stand_in) == [newer.refresh_token]


async def test_tokens_that_are_just_being_stored_are_revoked(
    login_server: Server, client: WireClient, home: Path, stand_in: StandIn
) -> None:
    slow = SlowStore.of(login_server)
    async with slow.freed(), trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "account/read", FLAG)
        await slow.storing.wait()
        (newest,) = stand_in.live_refresh_tokens()
        nursery.start_soon(client.call, "account/logout")
        await wait_all_tasks_blocked()
        slow.go_on.set()
    assert revoked(stand_in) == [newest]
    assert [one.outcome for one in stand_in.exchanges] == ["rotated"]
    assert left_in(home) == []
    assert await account(client) is None


async def test_tokens_that_come_after_it_are_revoked_too(
    client: WireClient, home: Path, stand_in: StandIn
) -> None:
    stand_in.hold(TOKEN)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "account/read", FLAG)
        await stand_in.wait_request(TOKEN)
        former = stored_tokens(home)["refresh_token"]
        await client.call("account/logout")
        stand_in.release(TOKEN)
    await stand_in.wait_request(REVOKE, 1)
    assert revoked(stand_in)[0] == former
    assert stand_in.live_refresh_tokens() == []
    assert left_in(home) == []
    assert await account(client) is None


async def test_whoever_signs_in_meanwhile_stays(
    client: WireClient, home: Path, stand_in: StandIn
) -> None:
    stand_in.hold(TOKEN)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "account/read", FLAG)
        await stand_in.wait_request(TOKEN)
        await client.call("account/login/start", KEY)
        stand_in.release(TOKEN)
    assert await account(client) == "apiKey"
    assert stand_in.live_refresh_tokens() == []
