"""Whose a login is: whether it goes on when the client leaves that has begun it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.server import open_server
from tests.account.conftest import (
    BROWSER,
    DEVICE,
    account,
    completed,
    is_free,
    is_quiet,
    port_of,
    start,
)
from tests.checked import connect

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn

either = pytest.mark.parametrize("way", [BROWSER, DEVICE], ids=["browser", "device"])


@pytest.fixture
def settings(stand_in: StandIn, tmp_path: Path) -> Settings:
    return stand_in.settings(tmp_path, login_ends_with_client=True)


@either
async def test_a_login_ends_with_its_client_where_that_is_wished(
    settings: Settings, way: dict[str, str]
) -> None:
    async with open_server(settings) as server, connect(server) as other:
        await other.initialize()
        async with connect(server) as one:
            await one.initialize()
            login = await start(one, way)
        login_id, error = await completed(other)
        assert login_id == login["loginId"]
        assert error is not None
        assert error.endswith("Login was not completed")
        assert is_quiet(server)
        if way is BROWSER:
            assert is_free(port_of(login["authUrl"]))


async def test_it_ends_with_a_connection_that_breaks(settings: Settings) -> None:
    async with open_server(settings) as server, connect(server) as other:
        await other.initialize()
        async with trio.open_nursery() as nursery:
            async with connect(server) as one:
                await one.initialize()
                login = await start(one)
                nursery.start_soon(completed, other)
                # As if its wire had broken: nobody reads what is in flight.
                server.account.board.router.clients[1].connection.cancel(reason="a broken wire")
        assert is_quiet(server)
        assert is_free(port_of(login["authUrl"]))


async def test_a_login_of_somebody_else_goes_on(settings: Settings) -> None:
    async with open_server(settings) as server, connect(server) as owner:
        await owner.initialize()
        login = await start(owner)
        async with connect(server) as passer_by:
            await passer_by.initialize()
        assert not is_quiet(server)
        assert not is_free(port_of(login["authUrl"]))


async def test_who_has_signed_in_stays_so_and_sees_the_last_page(
    settings: Settings, stand_in: StandIn
) -> None:
    async def visit(url: str) -> None:
        assert "Signed in to Codex" in (await stand_in.visit(url)).text

    async with (
        open_server(settings) as server,
        connect(server) as other,
        trio.open_nursery() as nursery,
    ):
        await other.initialize()
        async with connect(server) as one:
            await one.initialize()
            login = await start(one)
            nursery.start_soon(visit, login["authUrl"])
            assert await completed(one) == (login["loginId"], None)
        assert await completed(other) == (login["loginId"], None)
        assert await account(other) == "chatgpt"


async def test_logins_that_have_ended_are_not_kept_with_their_client(
    settings: Settings,
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        await client.initialize()
        for _ in range(3):
            login = await start(client)
            await client.call("account/login/cancel", {"loginId": login["loginId"]})
        (far_end,) = server.account.board.router.clients
        assert not far_end._errands
