"""One login at a time, and exactly one outcome for each, whatever ends it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.server import Server, open_server
from codex_trio.testing import DeviceScript, Fault
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
    find_free_port,
    is_free,
    is_quiet,
    jump,
    open_login_client,
    patience,
    port_of,
    start,
    until,
)
from tests.checked import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.account.attempt import Attempt, GiveWay
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient

POLL = "/api/accounts/deviceauth/token"

either = pytest.mark.parametrize("way", [BROWSER, DEVICE], ids=["browser", "device"])


async def begin(client: WireClient, witness: Witness, way: dict[str, str]) -> str:
    """Begin to sign in, and have the witness look at what that has taken."""
    login = await start(client, way)
    witness.port = port_of(login["authUrl"]) if way is BROWSER else None
    assert not is_quiet(witness_server(witness))
    assert witness.port is None or not is_free(witness.port)
    witness.forget()
    return str(login["loginId"])


def witness_server(witness: Witness) -> Server:
    assert witness.server is not None
    return witness.server


# --- what ends a login ---


@either
async def test_when_a_cancel_is_answered_nothing_is_left(
    login_client: WireClient, witness: Witness, way: dict[str, str]
) -> None:
    login = await begin(login_client, witness, way)
    assert await cancel(login_client, login) == "canceled"
    assert await completed(login_client) == (login, NOT_COMPLETED[way["type"]])
    assert witness.story == [
        ("canceled", True),
        (f"{login}: {NOT_COMPLETED[way['type']]}", True),
    ]
    assert await cancel(login_client, login) == "notFound"


@either
async def test_an_api_key_ends_a_login(
    login_client: WireClient, witness: Witness, way: dict[str, str]
) -> None:
    login = await begin(login_client, witness, way)
    assert await start(login_client, KEY) == {"type": "apiKey"}
    await login_client.next_notification("account/updated")
    assert witness.story == [
        (f"{login}: {NOT_COMPLETED[way['type']]}", True),
        ("done", True),
        ("None: None", True),
        ("now apikey", True),
    ]
    assert await account(login_client) == "apiKey"


@either
async def test_signing_out_ends_a_login(
    login_client: WireClient, witness: Witness, way: dict[str, str]
) -> None:
    login = await begin(login_client, witness, way)
    await login_client.call("account/logout")
    await login_client.next_notification("account/updated")
    assert witness.story == [
        (f"{login}: {NOT_COMPLETED[way['type']]}", True),
        ("done", True),
        ("now None", True),
    ]


@pytest.mark.parametrize("way", [BROWSER, DEVICE], ids=["to browser", "to device"])
@pytest.mark.parametrize("former", [BROWSER, DEVICE], ids=["from browser", "from device"])
async def test_a_newer_login_takes_the_place_of_the_former(
    login_client: WireClient, witness: Witness, former: dict[str, str], way: dict[str, str]
) -> None:
    login = await begin(login_client, witness, former)
    newer = await start(login_client, way)
    assert await completed(login_client) == (login, NOT_COMPLETED[former["type"]])
    assert witness.told == [
        f"{newer['loginId']} has begun",
        f"{login}: {NOT_COMPLETED[former['type']]}",
    ]
    assert witness.port is None or is_free(witness.port)
    assert len(witness_server(witness).account.desk._nursery.child_tasks) == 1
    assert await cancel(login_client, login) == "notFound"
    assert await cancel(login_client, newer["loginId"]) == "canceled"


async def test_a_newer_login_takes_the_port_of_the_former(
    home: Path, stand_in: StandIn, witness: Witness
) -> None:
    """On one port, the former ends before the newer begins."""
    settings = stand_in.settings(home, login_callback_ports=(find_free_port(),))
    async with open_login_client(settings, witness) as client:
        login = await begin(client, witness, BROWSER)
        newer = await start(client, BROWSER)
        assert port_of(newer["authUrl"]) == witness.port
        assert witness.told == [
            f"{login}: Login server error: Login cancelled",
            f"{newer['loginId']} has begun",
        ]
        assert await cancel(client, newer["loginId"]) == "canceled"
        assert ("canceled", True) in witness.story


@pytest.mark.parametrize(
    ("way", "error", "seconds"),
    [
        (BROWSER, "Login timed out", 600),
        (DEVICE, "device auth timed out after 15 minutes", 900),
    ],
    ids=["browser", "device"],
)
@pytest.mark.parametrize("hung", [False, True])
async def test_nobody_is_waited_for_for_ever(
    still_clock: trio.testing.MockClock,
    login_client: WireClient,
    witness: Witness,
    stand_in: StandIn,
    way: dict[str, str],
    error: str,
    seconds: float,
    hung: bool,
) -> None:
    stand_in.device = DeviceScript(interval="30")
    if hung:
        stand_in.faults.add(POLL, *[Fault.hang()] * 30)
    login = await begin(login_client, witness, way)
    since = trio.current_time()
    jump(still_clock)
    assert await completed(login_client) == (login, error)
    assert trio.current_time() - since == pytest.approx(seconds, abs=1)
    assert witness.story == [(f"{login}: {error}", True)]
    assert await cancel(login_client, login) == "notFound"
    assert await account(login_client) is None


async def test_a_browser_that_hangs_at_the_callback_is_not_waited_for(
    still_clock: trio.testing.MockClock,
    login_client: WireClient,
    witness: Witness,
    stand_in: StandIn,
) -> None:
    stand_in.faults.add("/oauth/token", *[Fault.hang()] * 2)
    login = await begin(login_client, witness, BROWSER)
    assert witness.port is not None
    async with await trio.open_tcp_stream("127.0.0.1", witness.port) as browser:
        await browser.send_all(b"GET /auth/callback?state=")
        jump(still_clock)
        assert await completed(login_client) == (login, "Login timed out")
    assert is_free(witness.port)


async def test_of_a_login_that_has_succeeded_nothing_is_left_either(
    login_client: WireClient, witness: Witness, stand_in: StandIn, login_server: Server
) -> None:
    login = await start(login_client)
    page = await stand_in.visit(login["authUrl"])
    assert page.status == 200
    assert await completed(login_client) == (login["loginId"], None)
    await until(lambda: is_quiet(login_server))
    assert is_free(port_of(login["authUrl"]))
    assert await account(login_client) == "chatgpt"


async def test_the_page_of_success_alone_completes_nothing(
    login_client: WireClient, witness: Witness, stand_in: StandIn
) -> None:
    login = await begin(login_client, witness, BROWSER)
    page = await stand_in.visit(f"http://127.0.0.1:{witness.port}/success")
    assert page.status == 404
    assert await account(login_client) is None
    assert await cancel(login_client, login) == "canceled"
    assert await completed(login_client) == (login, NOT_COMPLETED["chatgpt"])


# --- who is there ---


@either
async def test_anybody_may_cancel_and_everybody_hears_of_it(
    login_server: Server, login_client: WireClient, witness: Witness, way: dict[str, str]
) -> None:
    login = await begin(login_client, witness, way)
    async with connect(login_server) as other:
        await other.initialize()
        assert await cancel(other, login) == "canceled"
        assert await completed(other) == (login, NOT_COMPLETED[way["type"]])
    assert await completed(login_client) == (login, NOT_COMPLETED[way["type"]])
    assert len(witness.story) == 1


@either
async def test_a_login_outlives_its_client(
    login_server: Server, login_client: WireClient, stand_in: StandIn, way: dict[str, str]
) -> None:
    async with connect(login_server) as other:
        await other.initialize()
        login = await start(other, way)
    if way is BROWSER:
        await stand_in.visit(login["authUrl"])
    else:
        stand_in.approve_device(login["userCode"])
    assert await completed(login_client) == (login["loginId"], None)
    assert await account(login_client) == "chatgpt"


# --- the end of the server ---


@either
async def test_who_still_reads_when_the_server_hangs_up_is_told(
    login_server: Server, login_client: WireClient, witness: Witness, way: dict[str, str]
) -> None:
    login = await begin(login_client, witness, way)
    login_server.hang_up()
    assert await completed(login_client) == (login, NOT_COMPLETED[way["type"]])
    with pytest.raises(trio.EndOfChannel):
        await login_client.next_notification()
    assert len(witness.story) == 1
    assert is_quiet(login_server)
    assert witness.port is None or is_free(witness.port)


@either
async def test_a_sole_client_that_has_ended_its_side_is_told(
    login_settings: Settings, way: dict[str, str]
) -> None:
    witness = Witness()
    ours, theirs = memory_wire_pair()
    async with open_server(login_settings) as server, trio.open_nursery() as nursery:
        witness.server = server
        nursery.start_soon(partial(server.serve, theirs, sole=True))
        async with open_client(ours, witness) as client:
            await client.initialize()
            with trio.fail_after(patience()):
                login = await begin(client, witness, way)
                ours.hang_up()
                assert await completed(client) == (login, NOT_COMPLETED[way["type"]])
                with pytest.raises(trio.EndOfChannel):
                    await client.next_notification()
        assert len(witness.story) == 1
        assert is_quiet(server)


@either
async def test_leaving_the_server_s_block_leaves_no_login(
    login_settings: Settings, way: dict[str, str]
) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    async with open_server(login_settings) as server:
        async with connect(server) as client:
            await client.initialize()
            login = await start(client, way)
    # Where it has asked, a connection has to be noticed to be closed.
    await until(lambda: trio.lowlevel.current_statistics().tasks_living == before)
    assert way is DEVICE or is_free(port_of(login["authUrl"]))


async def test_while_the_server_hangs_up_nobody_begins(
    login_server: Server, login_client: WireClient, stand_in: StandIn
) -> None:
    login_server.account.desk._nursery.start_soon(login_server.account.desk.close)
    await until(lambda: login_server.account.desk._closed)
    with pytest.raises(RpcError, match=r"^Login was not completed$"):
        await start(login_client)
    assert is_quiet(login_server)


async def test_a_start_that_cannot_be_answered_fails_and_the_former_ends_as_ever(
    login_server: Server,
) -> None:
    """Its beginning is called in the former's task, which must not suffer from it."""
    desk, told = login_server.account.desk, list[str | None]()

    @asynccontextmanager
    async def flow(_: GiveWay) -> AsyncGenerator[Waiting]:
        yield Waiting()

    await desk.start(desk.reserve(), flow, lambda _: None, told.append)

    def fail(_: Waiting) -> None:
        raise KeyError("s3cret")

    with pytest.raises(KeyError):
        await desk.start(desk.reserve(), flow, fail, told.append)
    assert told == ["Login was not completed"]
    assert is_quiet(login_server)


class Waiting:
    """A way of signing in that nobody ever finishes."""

    patience: ClassVar[float] = 600.0
    prefix: ClassVar[str] = ""
    too_late: ClassVar[str] = "too late"
    port: int | None = None

    async def run(self, attempt: Attempt, nursery: trio.Nursery) -> None:
        await trio.sleep_forever()
