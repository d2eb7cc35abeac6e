"""Nothing is left of a client, a server and what they have done, however the block is left."""

from __future__ import annotations

import asyncio
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
import trio

import codex_trio
import codex_trio.asyncio
import codex_trio.blocking
from codex_trio.client import connect
from codex_trio.protocol import account as words
from codex_trio.protocol import methods
from codex_trio.testing import Hold, no_leaks, open_stand_in
from tests.cancellation import cancel_at_step
from tests.conftest import PATIENCE
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn

READ = words.GetAccountParams()


async def live(settings: Settings, stand_in: StandIn) -> None:
    """Sign in, converse, and have a turn and a sign-in under way when it ends."""
    async with codex_trio.open_server(settings) as server, server.connect() as client:
        await client.login_with_api_key("sk-test")
        thread = await client.start_thread()
        await thread.ask("Hello?")
        stand_in.answer(Hold("here"))
        async with thread.run("Wait."), client.login_with_browser():
            await client.call(methods.ACCOUNT_READ, READ)


async def test_nothing_is_left_of_a_life(home: Path) -> None:
    async with open_stand_in() as stand_in:
        with trio.fail_after(PATIENCE):
            async with no_leaks():
                await live(stand_in.settings(home), stand_in)


async def test_nothing_is_left_of_a_life_that_is_cut(home: Path) -> None:
    async with open_stand_in() as stand_in:
        with trio.fail_after(PATIENCE * 2):  # noqa: ASYNC912 - there is a first step
            step, reached = 1, True
            while reached:
                async with no_leaks():
                    reached = await cancel_at_step(
                        lambda: live(stand_in.settings(home), stand_in), step
                    )
                stand_in.responses.clear()
                step += 7
    assert step > 30


async def test_nothing_is_left_of_a_child(home: Path) -> None:
    url = f"stdio:{shlex.quote(sys.executable)} -m codex_trio app-server"
    with trio.fail_after(PATIENCE):
        async with no_leaks():
            async with connect(url, environ=genuine_environment(home)) as client:
                await client.call(methods.ACCOUNT_READ, READ)


async def test_nothing_is_left_of_a_websocket(server: Server) -> None:
    async with trio.open_nursery() as nursery:
        url = await nursery.start(server.listen, "ws://127.0.0.1:0")
        with trio.fail_after(PATIENCE):
            async with no_leaks():
                async with connect(url) as client:
                    await client.call(methods.ACCOUNT_READ, READ)
        nursery.cancel_scope.cancel()


def test_nothing_is_left_in_asyncio(settings: Settings) -> None:
    async def main() -> None:
        async with (
            codex_trio.asyncio.open_server(settings) as server,
            server.connect() as client,
        ):
            await client.login_with_api_key("sk-test")

    with no_leaks():
        asyncio.run(main())


def test_nothing_is_left_without_a_loop(settings: Settings) -> None:
    with (
        no_leaks(),
        codex_trio.blocking.open_server(settings) as server,
        server.connect() as client,
    ):
        client.login_with_api_key("sk-test")


async def test_servers_that_share_a_home_do_not_interfere(home: Path, tmp_path: Path) -> None:
    async with open_stand_in() as stand_in:
        settings = stand_in.settings(home, watch_interval=0.01)
        with trio.fail_after(PATIENCE):
            async with (
                no_leaks(),
                codex_trio.open_server(settings) as one,
                codex_trio.open_server(settings) as other,
                codex_trio.open_server(stand_in.settings(tmp_path / "third")) as third,
                one.connect() as first,
                other.connect() as second,
                third.connect() as apart,
            ):
                async with second.notifications(methods.ACCOUNT_UPDATED) as news:
                    async with first.login_with_browser() as login:
                        await stand_in.visit(login.auth_url)
                        await login.wait_completed()
                    # The store is shared, so the other server notices.
                    assert (await anext(news)).auth_mode == "chatgpt"
                assert (await apart.call(methods.ACCOUNT_READ, READ)).account is None
                await apart.login_with_api_key("sk-apart")
                clients = first, second, apart
                threads = [await client.start_thread() for client in clients]
                said: list[str] = []

                async def ask(number: int) -> None:
                    said.append(await threads[number].ask("Hello?"))

                async with trio.open_nursery() as nursery:
                    for number in range(len(threads)):
                        nursery.start_soon(ask, number)
                assert len(said) == len(clients)
                # A thread has one writer, whichever server asks.
                with pytest.raises(codex_trio.errors.RpcError, match="active writer"):
                    await second.resume_thread(threads[0].id)
                await first.logout()
                with pytest.raises(codex_trio.errors.RpcError):
                    await apart.resume_thread(threads[0].id)
                assert (await apart.call(methods.ACCOUNT_READ, READ)).account is not None
