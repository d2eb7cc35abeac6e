"""$/cancelRequest and deadlines: every request is answered once, and gives its place up."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from codex_trio.errors import RpcError
from tests.rpc.conftest import NEWS, Named, opened

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.rpc.calls import Call
    from codex_trio.rpc.switchboard import Switchboard
    from codex_trio.testing import WireClient
    from codex_trio.transport.memory import MemoryWire
    from tests.rpc.conftest import Family

CANCELLED = {"code": -32800, "message": "Request cancelled"}
LATE = {"code": -32802, "message": "Request cancelled: no answer within 3 s"}


@pytest.fixture
async def wire(board: Switchboard) -> AsyncGenerator[MemoryWire]:
    async with opened(board) as wire:
        await wire.receive()  # the answer to open
        with trio.fail_after(20):
            yield wire
        wire.hang_up()


async def ask(wire: MemoryWire, request_id: Any, method: str, name: str = "") -> None:
    await say(wire, {"id": request_id, "method": method, "params": {"name": name}})


async def cancel(wire: MemoryWire, params: Any) -> None:
    await say(wire, {"method": "$/cancelRequest", "params": params})


async def say(wire: MemoryWire, message: Any) -> None:
    await wire.send(json.dumps(message).encode())


async def hear(wire: MemoryWire) -> Any:
    return json.loads(await wire.receive())


async def test_a_request_that_waits_is_cancelled_and_told_so(
    wire: MemoryWire, family: Family, board: Switchboard
) -> None:
    await ask(wire, 1, "wait", "a")
    await trio.testing.wait_all_tasks_blocked()
    assert family.started == ["a"]
    await cancel(wire, {"id": 1})
    assert await hear(wire) == {"id": 1, "error": CANCELLED}
    family.gate("a").set()
    await ask(wire, 2, "echo", "next")
    assert await hear(wire) == {"id": 2, "result": {"name": "next"}}
    (client,) = board.router.clients
    assert client.calls == {}


async def test_a_cancel_right_behind_its_request_finds_it(
    wire: MemoryWire, family: Family
) -> None:
    await ask(wire, "a", "wait", "a")
    await cancel(wire, {"id": "a"})
    assert await hear(wire) == {"id": "a", "error": CANCELLED}


@pytest.mark.parametrize(
    "params",
    [None, [], "1", {}, {"id": None}, {"id": "1"}, {"id": True}, {"id": 1.0}, {"id": 2}],
)
async def test_who_is_not_in_flight_is_not_cancelled(
    wire: MemoryWire, family: Family, params: Any
) -> None:
    await ask(wire, 1, "wait", "a")
    await cancel(wire, params)
    await trio.testing.wait_all_tasks_blocked()
    family.gate("a").set()
    assert await hear(wire) == {"id": 1, "result": {"name": "a"}}
    await cancel(wire, {"id": 1})  # it is too late for that
    await ask(wire, 2, "echo")
    assert (await hear(wire))["id"] == 2


async def test_ids_of_others_are_not_theirs(
    wire: MemoryWire, client: WireClient, family: Family
) -> None:
    await ask(wire, 1, "wait", "a")
    await trio.testing.wait_all_tasks_blocked()
    await client.notify("$/cancelRequest", {"id": 1})
    await client.call("echo", {"name": ""})
    family.gate("a").set()
    assert await hear(wire) == {"id": 1, "result": {"name": "a"}}


async def test_requests_with_one_id_cannot_be_told_apart(
    wire: MemoryWire, family: Family
) -> None:
    await ask(wire, 1, "wait", "a")
    await ask(wire, 1, "wait", "b")
    await ask(wire, 2, "wait", "c")
    await cancel(wire, {"id": 1})
    await cancel(wire, {"id": 1})
    for _ in range(2):
        assert await hear(wire) == {"id": 1, "error": CANCELLED}
    family.gate("c").set()
    assert (await hear(wire))["id"] == 2


async def test_who_waits_for_its_lane_leaves_it_in_order(
    wire: MemoryWire, family: Family, board: Switchboard
) -> None:
    for number, name in enumerate("abc"):
        await ask(wire, number, "inTurn", name)
    await trio.testing.wait_all_tasks_blocked()
    await cancel(wire, {"id": 1})
    assert await hear(wire) == {"id": 1, "error": CANCELLED}
    assert family.started == ["a"]
    await cancel(wire, {"id": 0})
    assert await hear(wire) == {"id": 0, "error": CANCELLED}
    await trio.testing.wait_all_tasks_blocked()
    assert family.started == ["a", "c"]
    family.gate("c").set()
    assert await hear(wire) == {"id": 2, "result": {"name": "c"}}
    assert len(board.lanes) == 0


async def test_what_has_replied_goes_on_undisturbed(
    wire: MemoryWire, family: Family, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(call: Call[Named]) -> None:
        call.reply(Named(name="answer"))
        await family.gate("story").wait()
        call.client.tell(NEWS, Named(name="after"))

    board.request_deadline = 3
    monkeypatch.setitem(board.handlers, "story", story)
    await ask(wire, 1, "story")
    assert await hear(wire) == {"id": 1, "result": {"name": "answer"}}
    await cancel(wire, {"id": 1})
    await trio.testing.wait_all_tasks_blocked()
    family.gate("story").set()
    assert (await hear(wire))["method"] == "news"


async def test_what_must_be_whole_becomes_whole_and_is_answered(
    wire: MemoryWire, family: Family, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def store(call: Call[Named]) -> Named:
        with trio.CancelScope(shield=True):
            await family.wait_for_gate(call)
        return call.params

    monkeypatch.setitem(board.handlers, "wait", store)
    await ask(wire, 1, "wait", "a")
    await trio.testing.wait_all_tasks_blocked()
    await cancel(wire, {"id": 1})
    await trio.testing.wait_all_tasks_blocked()
    family.gate("a").set()
    assert await hear(wire) == {"id": 1, "result": {"name": "a"}}


async def test_an_answer_that_comes_from_elsewhere_later_is_dropped(
    wire: MemoryWire, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Call[Named]] = []

    async def leave(call: Call[Named]) -> None:
        calls.append(call)
        await trio.sleep_forever()

    monkeypatch.setitem(board.handlers, "wait", leave)
    for request_id in (1, 2):
        await ask(wire, request_id, "wait")
        await trio.testing.wait_all_tasks_blocked()
        await cancel(wire, {"id": request_id})
        assert await hear(wire) == {"id": request_id, "error": CANCELLED}
    one, other = calls
    one.reply(Named())
    other.fail(RpcError.internal())
    await ask(wire, 3, "echo")
    assert (await hear(wire))["id"] == 3


async def test_what_fails_because_it_is_cut_says_how(
    wire: MemoryWire, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(call: Call[Named]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise RpcError(-7, "half of it is done")

    monkeypatch.setitem(board.handlers, "wait", fail)
    await ask(wire, 1, "wait")
    await trio.testing.wait_all_tasks_blocked()
    await cancel(wire, {"id": 1})
    assert await hear(wire) == {
        "id": 1,
        "error": {"code": -7, "message": "half of it is done"},
    }


async def test_what_replies_when_it_is_cut_has_said_so(
    wire: MemoryWire, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reply(call: Call[Named]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            call.reply(Named(name="done all the same"))

    monkeypatch.setitem(board.handlers, "wait", reply)
    await ask(wire, 1, "wait")
    await trio.testing.wait_all_tasks_blocked()
    await cancel(wire, {"id": 1})
    assert await hear(wire) == {"id": 1, "result": {"name": "done all the same"}}
    await ask(wire, 2, "echo")
    assert (await hear(wire))["id"] == 2


async def test_what_fails_in_a_nursery_while_it_is_cut_is_cancelled(
    wire: MemoryWire,
    board: Switchboard,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("unforeseen")

    async def work(call: Call[Named]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(trio.sleep_forever)

    monkeypatch.setitem(board.handlers, "wait", work)
    await ask(wire, 1, "wait")
    await trio.testing.wait_all_tasks_blocked()
    await cancel(wire, {"id": 1})
    assert await hear(wire) == {"id": 1, "error": CANCELLED}
    assert "wait failed: KeyError" in caplog.text


async def test_a_question_is_taken_back(client: WireClient, board: Switchboard) -> None:
    await client.send({"id": "mine", "method": "ask", "params": {"name": "?"}})
    question = await client.next_question()
    assert board.router.questions == 1
    await client.notify("$/cancelRequest", {"id": "mine"})
    await trio.testing.wait_all_tasks_blocked()
    assert board.router.questions == 0
    await client.answer(question, {"name": "late"})
    await client.call("echo", {"name": ""})


async def test_of_many_that_are_cancelled_at_any_moment_each_is_answered_once(
    wire: MemoryWire, family: Family, board: Switchboard
) -> None:
    """Some are answered in time and some are not, in lanes and out of them."""
    answered: Counter[int] = Counter()

    async def listen() -> None:
        while answered.total() < 100:
            answered[(await hear(wire))["id"]] += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        for number in range(100):
            await ask(wire, number, ("wait", "inTurn")[number % 2], str(number))
            if number % 3:
                family.gate(str(number)).set()
            if number % 5:
                await trio.lowlevel.checkpoint()
            if number % 3 == 0 or number % 7 == 0:
                await cancel(wire, {"id": number})
    assert set(answered.values()) == {1}
    assert len(board.lanes) == 0


async def test_what_takes_too_long_is_cut(
    wire: MemoryWire, board: Switchboard, autojump_clock: trio.testing.MockClock
) -> None:
    board.request_deadline = 3
    await ask(wire, 1, "wait", "a")
    assert await hear(wire) == {"id": 1, "error": LATE}
    assert trio.current_time() == pytest.approx(3)


async def test_waiting_for_a_lane_counts(
    wire: MemoryWire, family: Family, board: Switchboard, autojump_clock: trio.testing.MockClock
) -> None:
    board.request_deadline = 3
    await ask(wire, 1, "inTurn", "a")
    await trio.sleep(2)
    await ask(wire, 2, "inTurn", "b")
    assert await hear(wire) == {"id": 1, "error": LATE}
    await trio.testing.wait_all_tasks_blocked()
    assert family.started == ["a", "b"]
    assert await hear(wire) == {"id": 2, "error": LATE}
    assert trio.current_time() == pytest.approx(5)


async def test_a_client_that_cancels_what_is_late_is_told_what_it_wants(
    wire: MemoryWire, board: Switchboard, autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def take_time(call: Call[Named]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(5)
        await trio.lowlevel.checkpoint()

    monkeypatch.setitem(board.handlers, "wait", take_time)
    board.request_deadline = 3
    await ask(wire, 1, "wait")
    await trio.sleep(1)
    await cancel(wire, {"id": 1})
    assert await hear(wire) == {"id": 1, "error": CANCELLED}


async def test_the_end_of_a_connection_is_no_cancel(
    board: Switchboard, autojump_clock: trio.testing.MockClock
) -> None:
    async with opened(board) as wire:
        await ask(wire, 1, "wait", "a")
        wire.hang_up()
        _, heard = [json.loads(line) async for line in wire]
    assert heard["error"]["message"] == f"Request cancelled: no answer within {board.grace:g} s"
