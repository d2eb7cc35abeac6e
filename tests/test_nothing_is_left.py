"""A server in the user's own process leaves nothing behind, over whichever wires it is spoken to."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.client import connect
from codex_trio.server import Server, open_server
from codex_trio.settings import Settings
from codex_trio.testing import Fault, StandIn, no_leaks, open_stand_in
from tests.account.conftest import until
from tests.processes import OURS
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0
USAGE = "/backend-api/wham/usage"


async def use(client: Any, stand_in: StandIn) -> None:
    """Do something of everything, and leave it as it is."""
    stand_in.device.approve_after = 0
    async with client.login_with_device_code() as login:
        await login.wait_completed()
    await client.call("thread/start", {"cwd": "/"})
    stand_in.faults.add(USAGE, Fault.hang())
    asked = len(stand_in.requests)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, "account/rateLimits/read")
            await until(lambda: len(stand_in.requests) > asked)
            scope.cancel()
    await client.call("account/login/start", {"type": "chatgpt"})  # and nobody finishes it


@pytest.mark.parametrize("url", ["ws://127.0.0.1:0", "unix://{home}/socket", None])
async def test_of_a_server_that_was_used_nothing_is_left(home: Path, url: str | None) -> None:
    with trio.fail_after(PATIENCE):
        async with no_leaks(), open_stand_in() as stand_in:
            async with open_server(stand_in.settings(home)) as server:
                if url is None:
                    async with server.connect() as client:
                        await use(client, stand_in)
                else:
                    await over_a_socket(server, url.format(home=home), stand_in)


async def over_a_socket(server: Server, url: str, stand_in: StandIn) -> None:
    async with trio.open_nursery() as nursery:
        bound = await nursery.start(server.listen, url)
        async with connect(bound) as client:
            await use(client, stand_in)
        nursery.cancel_scope.cancel()


async def test_of_a_server_that_was_started_nothing_is_left(home: Path) -> None:
    command = shlex.join([*OURS, "app-server"])
    with trio.fail_after(PATIENCE):
        async with no_leaks(), open_stand_in() as stand_in:
            environ = {**genuine_environment(home), **stand_in.environ}
            backend = f"chatgpt_base_url={stand_in.url}/backend-api"
            async with connect(f"stdio:{command} -c {backend}", environ=environ) as client:
                await use(client, stand_in)


async def test_of_several_servers_nothing_is_left_also_when_they_are_cut(home: Path) -> None:
    folders = [home / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    begun: list[Server] = []

    async def run(folder: Path) -> None:
        async with open_server(Settings(codex_home=folder)) as server:
            async with server.connect() as client:
                await client.call("thread/start", {"cwd": "/"})
                begun.append(server)
                await trio.sleep_forever()

    with trio.fail_after(PATIENCE):
        async with no_leaks(), trio.open_nursery() as nursery:
            for folder in folders:
                nursery.start_soon(run, folder)
            await until(lambda: len(begun) == len(folders))
            nursery.cancel_scope.cancel()


async def test_an_error_of_the_block_leaves_it_as_it_is_and_nothing_behind(home: Path) -> None:
    async def fail(url: str) -> None:
        async with connect(url):
            raise KeyError("mine")

    with trio.fail_after(PATIENCE):
        async with no_leaks(), open_server(Settings(codex_home=home)) as server:
            async with trio.open_nursery() as nursery:
                bound = await nursery.start(server.listen, "ws://127.0.0.1:0")
                with pytest.raises(KeyError, match="mine"):
                    await fail(bound)
                nursery.cancel_scope.cancel()
