"""However many calls to hosts are stuck, requests that need no host are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.testing import Fault, Hold, ModelResponse
from tests.checked import connect

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient

STUCK = 100
USAGE = "/backend-api/wham/usage"
PATIENCE = 30.0


@pytest.fixture
def settings(home: Path, stand_in: StandIn) -> Settings:
    return stand_in.settings(home)


async def ask_around(client: WireClient) -> None:
    answer = await client.call("account/read", {})
    assert answer["account"]["type"] == "chatgpt"
    assert (await client.call("config/read", {}))["config"]
    assert isinstance((await client.call("thread/list", {}))["data"], list)
    await client.call("thread/start", {"cwd": "/"})


async def test_requests_to_a_host_that_says_nothing_delay_no_others(
    server: Server, client: WireClient, stand_in: StandIn
) -> None:
    await client.call("account/login/start", {"type": "chatgptDeviceCode"})
    await client.next_notification("account/login/completed")
    stand_in.faults.add(USAGE, *[Fault.hang()] * STUCK)
    asked = len([one for one in stand_in.requests if one.path == USAGE])
    for number in range(STUCK):
        await client.send({"id": f"s{number}", "method": "account/rateLimits/read"})
    while len([one for one in stand_in.requests if one.path == USAGE]) < asked + STUCK:  # noqa: ASYNC110 - requests have no event
        await trio.sleep(0.005)
    await ask_around(client)
    async with connect(server) as other:
        await other.initialize()
        await ask_around(other)
    for number in range(STUCK):
        await client.notify("$/cancelRequest", {"id": f"s{number}"})
    await ask_around(client)


async def test_models_that_say_nothing_delay_no_requests(
    server: Server, client: WireClient, stand_in: StandIn
) -> None:
    await client.call("account/login/start", {"type": "chatgptDeviceCode"})
    await client.next_notification("account/login/completed")
    for _ in range(STUCK):
        stand_in.answer(ModelResponse.of("x", wait=Hold("stuck")))
        thread = (await client.call("thread/start", {"cwd": "/"}))["thread"]["id"]
        said = [{"type": "text", "text": "hi"}]
        await client.call("turn/start", {"threadId": thread, "input": said})
    await stand_in.wait_held("stuck", STUCK)
    await ask_around(client)
    async with connect(server) as other:
        await other.initialize()
        await ask_around(other)
    stand_in.release("stuck")
