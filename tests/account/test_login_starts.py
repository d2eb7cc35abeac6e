"""A login that is still being started: it holds up nobody, and anybody can end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.server import Server, open_server
from codex_trio.testing import Fault
from codex_trio.testing.client import open_client
from codex_trio.transport.memory import memory_wire_pair
from tests.account.conftest import (
    BROWSER,
    DEVICE,
    KEY,
    NOT_COMPLETED,
    Witness,
    account,
    cancel,
    completed,
    is_quiet,
    open_witness,
    patience,
    start,
    until,
)
from tests.checked import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient

USERCODE = "/api/accounts/deviceauth/usercode"
REFUSED = "-32600 Login was not completed"

either = pytest.mark.parametrize("way", [BROWSER, DEVICE], ids=["port", "code"])


@pytest.fixture
async def silent_port() -> AsyncGenerator[int]:
    """A port on which somebody takes calls and says nothing."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        yield listener.socket.getsockname()[1]


@pytest.fixture
def login_settings(home: Path, stand_in: StandIn, silent_port: int) -> Settings:
    """Settings of a server that is kept waiting for the port, and for the first code."""
    stand_in.faults.add(USERCODE, Fault.hang())
    return stand_in.settings(home, login_callback_ports=(silent_port,))


async def begin(client: WireClient, server: Server, way: dict[str, str]) -> None:
    """Send a start, and return while it waits."""
    await client.send({"id": "start", "method": "account/login/start", "params": way})
    await until(lambda: server.account.desk._attempts)
    (attempt,) = server.account.desk._attempts
    for _ in range(20):  # well into its waiting, and short of 0.3 s
        await trio.lowlevel.checkpoint()
    assert attempt.login is None


@either
async def test_it_does_not_delay_who_asks_for_the_account(
    login_server: Server, login_client: WireClient, witness: Witness, way: dict[str, str]
) -> None:
    await begin(login_client, login_server, way)
    assert await account(login_client) is None
    assert await cancel(login_client, "0" * 32) == "notFound"
    status = await login_client.call("getAuthStatus", {})
    assert status["authMethod"] is None
    assert len(login_server.account.desk._attempts) == 1
    assert REFUSED not in witness.told


@either
async def test_signing_out_ends_it(
    login_server: Server, login_client: WireClient, witness: Witness, way: dict[str, str]
) -> None:
    await begin(login_client, login_server, way)
    await login_client.call("account/logout")
    await until(lambda: len(witness.told) == 3)
    assert sorted(witness.told) == [REFUSED, "done", "now None"]
    assert all(quiet for _, quiet in witness.story)


@either
async def test_an_api_key_ends_it(
    login_server: Server, login_client: WireClient, witness: Witness, way: dict[str, str]
) -> None:
    await begin(login_client, login_server, way)
    await start(login_client, KEY)
    await until(lambda: len(witness.told) == 4)
    assert sorted(witness.told) == [REFUSED, "None: None", "done", "now apikey"]


@either
async def test_a_newer_one_ends_it(
    login_server: Server,
    login_client: WireClient,
    witness: Witness,
    stand_in: StandIn,
    way: dict[str, str],
) -> None:
    await begin(login_client, login_server, way)
    stand_in.faults.clear()
    newer = await start(login_client, DEVICE)
    await until(lambda: len(witness.told) == 2)
    assert sorted(witness.told) == sorted([REFUSED, f"{newer['loginId']} has begun"])
    assert await cancel(login_client, newer["loginId"]) == "canceled"
    assert await completed(login_client) == (newer["loginId"], NOT_COMPLETED[DEVICE["type"]])


@either
async def test_its_owner_s_leaving_ends_it(
    login_server: Server, login_client: WireClient, witness: Witness, way: dict[str, str]
) -> None:
    async with connect(login_server) as owner:
        await owner.initialize()
        await begin(owner, login_server, way)
    assert is_quiet(login_server)
    assert await account(login_client) is None
    assert witness.told == ["done"]


@either
async def test_an_owner_that_only_ends_its_side_is_told(
    login_server: Server, way: dict[str, str]
) -> None:
    ours, theirs = memory_wire_pair()
    witness = Witness()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(login_server.serve, theirs)
        async with open_client(ours, witness) as owner:
            await owner.initialize()
            await begin(owner, login_server, way)
            witness.server = login_server
            ours.hang_up()
            with trio.fail_after(patience()), pytest.raises(trio.EndOfChannel):
                await owner.next_notification()
    assert witness.story == [(REFUSED, True)]


@either
async def test_somebody_else_s_leaving_does_not(
    login_server: Server, login_client: WireClient, witness: Witness, way: dict[str, str]
) -> None:
    await begin(login_client, login_server, way)
    async with connect(login_server) as other:
        await other.initialize()
    assert not is_quiet(login_server) or way is BROWSER  # which waits 0.3 s at most
    assert REFUSED not in witness.told


@either
@pytest.mark.parametrize("grace", [0.0, None])
async def test_the_server_s_hanging_up_ends_it(
    login_server: Server,
    login_client: WireClient,
    witness: Witness,
    way: dict[str, str],
    grace: float | None,
) -> None:
    await begin(login_client, login_server, way)
    login_server.hang_up(grace)
    with pytest.raises(trio.EndOfChannel):
        await login_client.next_notification()
    assert witness.told == [REFUSED] or grace == 0
    await until(lambda: is_quiet(login_server))


@either
async def test_the_end_of_the_server_ends_it(
    login_settings: Settings, way: dict[str, str]
) -> None:
    """Its block is cancelled, with the client that waits in it."""
    with trio.CancelScope() as scope:
        async with (
            open_server(login_settings) as server,
            open_witness(server, Witness()) as client,
        ):
            await begin(client, server, way)
            scope.cancel()
    assert is_quiet(server)


@either
async def test_one_that_fails_leaves_the_former_login_alone(
    login_server: Server,
    login_client: WireClient,
    witness: Witness,
    stand_in: StandIn,
    way: dict[str, str],
) -> None:
    stand_in.faults.clear()
    former = await start(login_client, DEVICE)
    stand_in.faults.add(USERCODE, Fault.status(503))
    with pytest.raises(RpcError):
        await start(login_client, way)
    assert await cancel(login_client, former["loginId"]) == "canceled"


async def test_many_at_once_leave_the_last_one(
    login_server: Server, login_client: WireClient, witness: Witness, stand_in: StandIn
) -> None:
    stand_in.faults.clear()
    answers: list[Any] = []

    async def try_to(way: dict[str, str]) -> None:
        try:
            answers.append((await start(login_client, way))["loginId"])
        except RpcError as error:
            answers.append(error.message)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(try_to, DEVICE)
    begun = [answer for answer in answers if answer != "Login was not completed"]
    assert begun
    (attempt,) = login_server.account.desk._attempts
    assert attempt.id in begun
    ended = {(await completed(login_client))[0] for _ in begun[1:]}
    assert ended == set(begun) - {attempt.id}
