"""What a client still says when its block is left, and what it can bear until then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import orjson
import pytest
import trio

from codex_trio.client import open_client
from codex_trio.errors import RpcError, ServerGoneError
from codex_trio.groups import out_of_groups
from codex_trio.protocol import methods
from codex_trio.protocol.rows import ServerNotification
from codex_trio.wire import Wire
from tests.client.servers import INTRODUCTION, puppet_and_client

if TYPE_CHECKING:
    from collections.abc import Callable

CANCEL = "$/cancelRequest"


def _pair() -> tuple[trio.MemorySendChannel[bytes], trio.MemoryReceiveChannel[bytes]]:
    return trio.open_memory_channel[bytes](100)


@attrs.define(eq=False)
class SlowWire(Wire):
    """A wire whose server takes as long for each message as it is told, and notes its method."""

    taking: Callable[[str], float]
    taken: list[str] = attrs.field(factory=list)
    closed: bool = False
    _answers: tuple[trio.MemorySendChannel[bytes], trio.MemoryReceiveChannel[bytes]] = (
        attrs.field(factory=_pair)
    )

    async def send(self, value: bytes) -> None:
        message = orjson.loads(value)
        if message["method"] == "initialize":
            answer = {"id": message["id"], "result": INTRODUCTION}
            self._answers[0].send_nowait(orjson.dumps(answer))
        await trio.sleep(self.taking(message["method"]))
        self.taken.append(message["method"])

    async def receive(self) -> bytes:
        return await self._answers[1].receive()

    async def aclose(self) -> None:
        await trio.sleep(0.5)  # as a handshake takes
        self.closed = True


async def test_leaving_says_its_last_words(autojump_clock: object) -> None:
    wire = SlowWire(lambda method: 0.2 if method != "initialize" else 0)
    async with open_client(wire) as client:
        with trio.move_on_after(0.3):
            await client.call("given/up")
    assert wire.taken == ["initialize", "initialized", "given/up", CANCEL]
    assert wire.closed


async def test_last_words_that_nobody_takes_are_given_up(autojump_clock: object) -> None:
    wire = SlowWire(lambda method: 0 if method.startswith("initialize") else 1000)
    started = trio.current_time()
    async with open_client(wire) as client:
        with trio.move_on_after(1):
            await client.call("given/up")
    assert wire.taken == ["initialize", "initialized"]
    assert trio.current_time() - started == pytest.approx(1 + 1 + 0.5)


async def test_a_call_that_is_given_up_is_told_behind_a_long_one(
    autojump_clock: object,
) -> None:
    wire = SlowWire(lambda method: 1 if method == "slow" else 0)
    async with open_client(wire) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "slow")
        await trio.sleep(0.1)
        with trio.move_on_after(0.1):
            await client.call("given/up")
        nursery.start_soon(client.call, "long", "x" * 300_000)
        await trio.sleep(2)
        assert wire.taken[2:] == ["slow", "given/up", "long", CANCEL]
        nursery.cancel_scope.cancel()


async def test_an_answer_may_come_as_the_wire_breaks() -> None:
    """As when a server dies: its answer is in the pipe, and nothing can be sent any more.

    Both are found in the same step of Trio, in either order; this is the bad one.
    """
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(ServerGoneError, match="broken"):
                await client.call("anything")

        nursery.start_soon(call)
        request = await puppet.hear()
        client._link.give_up("broken")
        client._link._sort(orjson.dumps({"id": request["id"], "result": 1}))


@pytest.mark.parametrize("answer", [{1, 2}, "\ud800", {1: 2}], ids=["set", "surrogate", "key"])
async def test_a_handler_that_gives_what_json_has_no_word_for_has_failed(
    answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    row = methods.SERVER_REQUESTS[0]
    async with puppet_and_client() as (puppet, client):

        async def give(params: object) -> object:
            await trio.lowlevel.checkpoint()
            return answer

        async def refuse(params: object) -> object:
            await trio.lowlevel.checkpoint()
            raise RpcError(-5, "no", answer)

        for handler in (give, refuse):
            client.answers(row, handler)
            await puppet.say(id="q", method=row.name, params={})
            internal = {"code": -32603, "message": "Internal error"}
            assert await puppet.hear() == {"id": "q", "error": internal}
    assert "failed: TypeError" in caplog.text


async def test_what_a_where_raises_is_raised_by_the_iteration() -> None:
    row: ServerNotification[dict[str, int]] = ServerNotification("told")
    async with puppet_and_client() as (puppet, client):

        def wanted(told: dict[str, int]) -> bool:
            return told["number"] > 1

        async with client.notifications(row, where=wanted) as news:
            for params in ({"number": 1}, {"number": 2}, {}, {"number": 3}):
                await puppet.say(method=row.name, params=params)
            assert (await anext(news)) == {"number": 2}
            with pytest.raises(KeyError, match="number"):
                await anext(news)
            assert (await anext(news)) == {"number": 3}


async def test_who_listens_says_to_what() -> None:
    async with puppet_and_client() as (_, client):
        with pytest.raises(ValueError, match="no notifications"):
            async with client.notifications():
                pytest.fail("that would never hear anything")


async def test_what_a_task_of_ours_raises_comes_without_our_groups() -> None:
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise KeyError("ours")

    async def work() -> None:
        with out_of_groups(3):
            async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - it makes the group
                nursery.start_soon(fail)

    with pytest.raises(KeyError, match="ours"):
        await work()
