"""The limits and the ends of a connection: nothing is lost, and nothing is left behind."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from codex_trio.errors import ClientGoneError
from codex_trio.rpc.client import LAST_WORDS
from codex_trio.rpc.connection import serve_connection
from codex_trio.rpc.reader import MAX_IN_FLIGHT
from codex_trio.testing import WireClient, open_client
from codex_trio.transport.lines import LineWire
from codex_trio.transport.memory import MemoryWire, memory_wire_pair
from codex_trio.wire import Ending
from tests.conftest import PATIENCE
from tests.rpc.conftest import opened
from tests.rpc.test_connection import refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trio.testing import MockClock

    from codex_trio.rpc.calls import Call
    from codex_trio.rpc.switchboard import Switchboard
    from tests.rpc.conftest import Dial, Family


async def test_too_many_requests_in_flight_are_refused_and_no_answer_is_lost(
    client: WireClient, family: Family
) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(MAX_IN_FLIGHT):
            nursery.start_soon(client.call, "wait", {"name": str(number)})
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(300):
            assert await refusal(client, "wait", "x") == (
                -32001,
                "Server overloaded; retry later.",
            )
        for gate in list(family.gates.values()):
            gate.set()
    assert sorted(family.started, key=int) == [str(number) for number in range(MAX_IN_FLIGHT)]
    assert await client.call("echo", {"name": "a"}) == {"name": "a"}


async def test_a_client_may_write_a_great_deal_before_it_reads(board: Switchboard) -> None:
    """With a wire that holds nothing, a server that stopped reading would never go on."""
    ours, theirs = memory_wire_pair()
    answers = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, board)
        with trio.fail_after(PATIENCE):
            await ours.send(b'{"id":0,"method":"open"}')
            for number in range(1, 5000):
                await ours.send(b'{"id":%d,"method":"echo","params":{}}' % number)
            ours.hang_up()
            answers.extend([line async for line in ours])
    assert len(answers) == 5000


async def test_a_client_that_leaves_megabytes_unread_is_held_up_and_loses_nothing(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_trio.rpc.client.MAX_UNREAD", 10_000)
    ours, theirs = memory_wire_pair()
    sent = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, board)
        await ours.send(b'{"id":0,"method":"open"}')

        async def flood() -> None:
            nonlocal sent
            for number in range(1, 2000):
                await ours.send(b'{"id":%d,"method":"echo","params":{}}' % number)
                sent = number
            ours.hang_up()

        nursery.start_soon(flood)
        await trio.testing.wait_all_tasks_blocked()
        assert 200 < sent < 1000
        with trio.fail_after(PATIENCE):
            assert len([line async for line in ours]) == 2000


async def test_large_answers_are_not_joined_without_end(board: Switchboard) -> None:
    request = b'{"id":1,"method":"echo","params":{"name":"%s"}}' % (b"x" * 100_000)
    async with opened(board) as ours:
        for _ in range(20):
            await ours.send(request)
        ours.hang_up()
        assert len([line async for line in ours]) == 21


# --- ends ---


async def test_the_client_hangs_up_and_is_still_answered(
    board: Switchboard, family: Family
) -> None:
    async with opened(board) as ours:
        await ours.send(b'{"id":1,"method":"wait","params":{"name":"a"}}')
        await ours.send(b'{"id":2,"method":"echo","params":{"name":"b"}}')
        ours.hang_up()
        await ours.receive()
        family.gate("a").set()
        rest = {await ours.receive(), await ours.receive()}
    assert rest == {b'{"id":1,"result":{"name":"a"}}', b'{"id":2,"result":{"name":"b"}}'}


async def test_stragglers_are_cut_after_the_grace(
    board: Switchboard, family: Family, autojump_clock: trio.testing.MockClock
) -> None:
    started = trio.current_time()
    async with opened(board) as ours:
        await ours.send(b'{"id":1,"method":"wait","params":{"name":"never"}}')
        ours.hang_up()
        _, answer = [json.loads(line) async for line in ours]
    assert (answer["id"], answer["error"]["code"]) == (1, -32802)
    assert trio.current_time() - started == pytest.approx(board.grace)


async def test_stragglers_of_a_server_that_shuts_down_are_told_so(
    board: Switchboard, family: Family, autojump_clock: trio.testing.MockClock
) -> None:
    async with opened(board) as ours:
        await ours.send(b'{"id":1,"method":"wait","params":{"name":"never"}}')
        await trio.testing.wait_all_tasks_blocked()
        board.hang_up(5)
        _, answer = [json.loads(line) async for line in ours]
    assert answer["error"]["data"] == {"reason": "serverShuttingDown"}


async def test_who_has_hung_up_may_read_for_as_long_as_it_likes(
    board: Switchboard, autojump_clock: trio.testing.MockClock
) -> None:
    started = trio.current_time()
    async with opened(board) as ours:
        for number in range(1, 20):
            await ours.send(_echo(number, 200_000))  # of which two are written at once
        ours.hang_up()
        ids = []
        with suppress(trio.EndOfChannel):
            while True:
                await trio.sleep(board.grace / 3)
                ids.append(json.loads(await ours.receive())["id"])
    assert ids == list(range(20))
    assert trio.current_time() - started > 5 * board.grace


def _echo(number: int, size: int) -> bytes:
    params = {"name": "a" * size}
    return json.dumps({"id": number, "method": "echo", "params": params}).encode()


async def test_who_has_hung_up_and_reads_has_little_time_when_the_server_ends(
    board: Switchboard, autojump_clock: trio.testing.MockClock
) -> None:
    async with opened(board) as ours:
        for number in range(1, 20):
            await ours.send(_echo(number, 200_000))
        ours.hang_up()
        await ours.receive()
        await trio.testing.wait_all_tasks_blocked()
        board.hang_up(1)
        started = trio.current_time()
        with suppress(trio.EndOfChannel):
            while True:
                await ours.receive()
                await trio.sleep(0.5)
    assert trio.current_time() - started < 2


async def test_what_has_failed_is_not_answered_again_by_somebody_else(
    dial: Dial, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Call[Any]] = []

    async def fail(call: Call[Any]) -> None:
        calls.append(call)  # somebody else is to answer
        await trio.lowlevel.checkpoint()
        raise KeyError("unforeseen")

    monkeypatch.setitem(board.handlers, "wait", fail)
    async with dial() as client:
        await client.call("open")
        assert await refusal(client, "wait", "a") == (-32603, "Internal error")
        calls[0].reply({"name": "late"})
        assert await client.call("echo", {"name": "b"}) == {"name": "b"}


@pytest.mark.parametrize("in_flight", [True, False])
async def test_who_hangs_up_and_reads_no_more_cannot_keep_us(
    board: Switchboard, in_flight: bool, autojump_clock: trio.testing.MockClock
) -> None:
    started = trio.current_time()
    async with opened(board) as ours:
        if in_flight:
            await ours.send(b'{"id":1,"method":"wait","params":{"name":"never"}}')
        ours.hang_up()
    assert board.router.clients == []
    assert trio.current_time() - started == pytest.approx(board.grace + LAST_WORDS)


async def test_hanging_up_on_a_client_that_has_hung_up_shortens_its_grace(
    board: Switchboard, autojump_clock: trio.testing.MockClock
) -> None:
    async with opened(board) as ours:
        await ours.send(b'{"id":1,"method":"wait","params":{"name":"never"}}')
        ours.hang_up()
        await trio.sleep(1)
        started = trio.current_time()
        board.hang_up(0.25)
    assert trio.current_time() - started == pytest.approx(0.25 + LAST_WORDS)


async def test_news_never_overtakes_the_answer_it_follows_from(board: Switchboard) -> None:
    """Not even when the client has not read for a thousand messages."""
    async with opened(board) as ours:
        for number in range(1, 1000):
            await ours.send(b'{"id":%d,"method":"echo","params":{}}' % number)
        await ours.send(b'{"id":1000,"method":"tale","params":{}}')
        for number in range(1001, 2000):
            await ours.send(b'{"id":%d,"method":"echo","params":{}}' % number)
        ours.hang_up()
        said = [json.loads(line) async for line in ours]
    names = [message.get("id", message.get("method")) for message in said]
    assert names[names.index(1000) : names.index(1000) + 2] == [1000, "news"]
    assert [name for name in names if name != "news"] == list(range(2000))


async def test_a_cut_reader_has_said_what_it_took(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_trio.rpc.client.MAX_UNREAD", 1000)
    ours, theirs = memory_wire_pair()
    sent = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, board)

        async def flood() -> None:
            nonlocal sent
            await ours.send(b'{"id":0,"method":"open"}')
            with suppress(trio.BrokenResourceError):
                for number in range(1, 1000):
                    sent = number
                    await ours.send(b'{"id":%d,"method":"echo","params":{}}' % number)

        nursery.start_soon(flood)
        await trio.testing.wait_all_tasks_blocked()
        board.hang_up(5)
        answers = [json.loads(line)["id"] async for line in ours]
    assert answers == list(range(sent))  # the last one was not taken


async def test_a_client_that_stops_reading_ends_its_connection(
    board: Switchboard, family: Family
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, LineWire(theirs), board)
        await ours.send_all(b'{"id":0,"method":"open"}\n')
        await ours.receive_some()
        await ours.send_all(b'{"id":1,"method":"inTurn","params":{"name":"a"}}\n')
        await trio.testing.wait_all_tasks_blocked()
        assert len(board.lanes) == 1
        await ours.aclose()
    assert (len(board.lanes), board.router.clients) == (0, [])


async def test_the_server_hangs_up_and_answers_what_is_in_flight(
    dial: Dial, client: WireClient, family: Family, board: Switchboard
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "wait", {"name": "a"})
        await trio.testing.wait_all_tasks_blocked()
        board.hang_up(5)
        await trio.testing.wait_all_tasks_blocked()
        family.gate("a").set()
    with pytest.raises(ClientGoneError, match="the server hung up"):
        await client.call("echo")
    async with dial() as late:
        with pytest.raises(ClientGoneError):
            await late.call("open")


async def test_a_cancelled_connection_leaves_nothing(
    board: Switchboard, family: Family
) -> None:
    ours, theirs = memory_wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, board)
        async with open_client(ours) as client:
            await client.call("open")
            async with trio.open_nursery() as calls:
                for name in ("a", "b", "c"):
                    calls.start_soon(client.call, "inTurn", {"name": name})
                await trio.testing.wait_all_tasks_blocked()
                calls.cancel_scope.cancel()
            nursery.cancel_scope.cancel()
    assert (len(board.lanes), board.router.clients) == (0, [])


@pytest.mark.parametrize("ending", [Ending.SHUTTING_DOWN, Ending.TOO_SLOW, Ending.DONE])
async def test_a_wire_knows_why_it_is_closed(board: Switchboard, ending: Ending) -> None:
    ours, theirs = memory_wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, board)
        async with open_client(ours) as client:
            await client.call("open")
            (far_end,) = board.router.clients
            if ending is Ending.SHUTTING_DOWN:
                board.hang_up(5)
            elif ending is Ending.TOO_SLOW:
                far_end.cut(ending)
    assert theirs.ending is ending


async def test_who_comes_while_the_server_shuts_down_is_told_so(board: Switchboard) -> None:
    ours, theirs = memory_wire_pair()
    board.hang_up(5)
    async with ours:
        await serve_connection(theirs, board)
    assert theirs.ending is Ending.SHUTTING_DOWN


class ImpatientWire(MemoryWire):
    """A wire whose other end takes nothing for too long."""

    async def send_batch(self, messages: Sequence[bytes]) -> None:
        with trio.fail_after(30):
            await super().send_batch(messages)


async def test_a_client_that_takes_nothing_for_too_long_is_given_up(
    board: Switchboard,
    family: Family,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent, theirs_in = trio.open_memory_channel[bytes](10)
    theirs_out, _unread = trio.open_memory_channel[bytes](0)
    wire = ImpatientWire(theirs_out, theirs_in)
    for line in (
        b'{"id":0,"method":"open"}',
        b'{"id":1,"method":"wait","params":{"name":"a"}}',
    ):
        await sent.send(line)
    await serve_connection(wire, board)
    assert trio.current_time() == pytest.approx(30, abs=1)
    assert wire.ending is Ending.TOO_SLOW
    assert family.started == ["a"]
    assert not board.router.clients
    assert "has not read for too long" in caplog.text


async def test_what_waits_for_a_client_is_given_up_when_it_leaves(board: Switchboard) -> None:
    given_up: list[str] = []
    ours, theirs = memory_wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, board)
        async with open_client(ours) as client:
            await client.call("open")
            (far_end,) = board.router.clients
            far_end.when_hung_up(lambda: given_up.append("kept"))
            forget = far_end.when_hung_up(lambda: given_up.append("forgotten"))
            forget()
            forget()
            assert not given_up
    assert set(given_up) == {"kept"}
    far_end.when_hung_up(lambda: given_up.append("late"))
    assert given_up[-1] == "late"
