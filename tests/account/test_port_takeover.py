"""Servers that want the same port for their logins, and what their clients are told."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.server import Server, open_server
from tests.account.conftest import cancel, completed, find_free_port, start
from tests.account.neighbours import in_use, open_neighbour
from tests.checked import connect
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient


@pytest.fixture
def free_port() -> int:
    return find_free_port()


@pytest.fixture
def settings(stand_in: StandIn, home: Path, free_port: int) -> Settings:
    return stand_in.settings(home, login_callback_ports=(free_port,))


@asynccontextmanager
async def open_another_server(settings: Settings, **changed: Any) -> AsyncGenerator[WireClient]:
    async with open_server(attrs.evolve(settings, **changed)) as server:
        async with connect(server) as client:
            with trio.fail_after(PATIENCE):
                await client.initialize()
                yield client


async def test_a_client_is_told_at_once_whose_the_ports_are(settings: Settings) -> None:
    async with open_neighbour() as one, open_neighbour(b"Hi") as two:
        ports = (one.port, two.port)
        async with open_another_server(settings, login_callback_ports=ports) as client:
            with trio.fail_after(2), pytest.raises(RpcError) as caught:
                await start(client)
            assert caught.value.code == -32603
            assert caught.value.message == f"failed to start login server: {in_use(two.port)}"
            assert caught.value.data == {
                "reason": "callbackPortInUse",
                "ports": [attrs.asdict(in_use(port)) for port in ports],
            }


async def test_a_failing_start_leaves_the_login_before_it_alone(
    stand_in: StandIn, settings: Settings, free_port: int
) -> None:
    async with open_another_server(settings) as one:
        login = await start(one)
        async with open_another_server(settings, cancel_other_login=False) as two:
            with pytest.raises(RpcError, match="is already in use by "):
                await start(two)
        await stand_in.visit(login["authUrl"])
        assert await completed(one) == (login["loginId"], None)


async def test_another_server_takes_the_port_of_a_login_over(
    stand_in: StandIn, settings: Settings
) -> None:
    async with open_another_server(settings) as one, open_another_server(settings) as two:
        first = await start(one)
        second = await start(two)
        cancelled = (first["loginId"], "Login server error: Login cancelled")
        assert await completed(one) == cancelled
        third = await start(one)
        cancelled = (second["loginId"], "Login server error: Login cancelled")
        assert await completed(two) == cancelled
        await stand_in.visit(third["authUrl"])
        assert await completed(one) == (third["loginId"], None)
        assert await cancel(two, second["loginId"]) == "notFound"


async def test_a_server_takes_its_own_port_over(
    client: WireClient, stand_in: StandIn, free_port: int
) -> None:
    ids = []
    for _ in range(3):
        login = await start(client)
        assert f"127.0.0.1%3A{free_port}%2F" in login["authUrl"]
        ids.append(login["loginId"])
    for former in ids[:-1]:
        cancelled = (former, "Login server error: Login cancelled")
        assert await completed(client) == cancelled
    await stand_in.visit(login["authUrl"])
    assert await completed(client) == (ids[-1], None)


async def test_a_server_falls_back_to_the_next_port(
    settings: Settings, stand_in: StandIn, free_port: int
) -> None:
    async with open_neighbour() as neighbour:
        ports = (neighbour.port, free_port)
        async with open_another_server(settings, login_callback_ports=ports) as client:
            login = await start(client)
            assert f"127.0.0.1%3A{free_port}%2F" in login["authUrl"]
            await stand_in.visit(login["authUrl"])
            assert await completed(client) == (login["loginId"], None)


async def leave_at_the_last_page(stand_in: StandIn, client: WireClient) -> None:
    """Sign in with a browser that does not come for its last page, which waits for it."""
    login = await start(client)
    page = await stand_in.visit(login["authUrl"], follow=False)
    page = await stand_in.visit(page.headers["location"], follow=False)
    assert page.headers["location"].endswith("/success")
    assert await completed(client) == (login["loginId"], None)


async def test_a_login_whose_last_page_still_waits_gives_way(
    server: Server, stand_in: StandIn, client: WireClient
) -> None:
    await leave_at_the_last_page(stand_in, client)
    with trio.fail_after(2):
        await leave_at_the_last_page(stand_in, client)
    await server.account.desk.clear()


async def test_a_login_whose_last_page_still_waits_gives_way_to_another_server(
    stand_in: StandIn, client: WireClient, settings: Settings
) -> None:
    await leave_at_the_last_page(stand_in, client)
    async with open_another_server(settings) as another:
        await start(another)
