"""How WebSockets end, and what a cancellation leaves of them."""

from __future__ import annotations

import struct

import pytest
import trio
import trio.testing

from codex_trio.transport.websocket import WebSocketWire
from codex_trio.wire import Ending
from tests import conftest, websockets
from tests.cancellation import cancel_at_step
from tests.websockets import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    frame,
    open_pair,
    read_close,
    read_frame,
    read_rest,
)

BIG = 2**20


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, "ü".encode()[:1]), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),  # a surrogate
        (frame(TEXT, b"x", masked=False), 1002),
        (frame(3), 1002),
        (frame(0, b"x"), 1002),
        (frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, fin=False), 1002),
        (b"\xc1\x80" + bytes(4), 1002),  # a bit of an extension
        (b"\x81\xfe\x00\x01" + bytes(5), 1002),  # a length that is longer than need be
        (frame(CLOSE, b"x"), 1002),
        (frame(CLOSE, struct.pack("!H", 999)), 1002),
        (frame(CLOSE, struct.pack("!H", 1005)), 1002),
        (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
    ],
)
async def test_what_is_no_websocket_s_ends_the_connection_with_a_close(
    data: bytes, code: int
) -> None:
    async with open_pair() as (wire, peer):
        await peer.send_all(data)
        with pytest.raises(trio.EndOfChannel):
            await wire.receive()
        with pytest.raises(trio.EndOfChannel):  # still
            await wire.receive()
        assert (await read_close(peer))[0] == code
        with pytest.raises(trio.BrokenResourceError):
            await wire.send(b"too late")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.aclose)
            assert await read_rest(peer) == b""
            await peer.aclose()


@pytest.mark.parametrize(
    "payload", [b"", struct.pack("!H", 1000) + b"bye", struct.pack("!H", 4000)]
)
async def test_a_close_is_echoed_and_ends_the_channel(payload: bytes) -> None:
    async with open_pair() as (wire, peer):
        await peer.send_all(frame(TEXT, b"last") + frame(CLOSE, payload) + frame(TEXT, b"x"))
        assert await wire.receive() == b"last"
        with pytest.raises(trio.EndOfChannel):
            await wire.receive()
        assert await read_frame(peer) == (CLOSE, payload)


async def test_a_peer_that_ends_its_side_ends_the_channel_and_can_still_be_told() -> None:
    async with open_pair() as (wire, peer):
        await peer.send_all(frame(TEXT, b"1") + frame(TEXT, b"half")[:-1])
        await peer.send_eof()
        assert await wire.receive() == b"1"
        with pytest.raises(trio.EndOfChannel):
            await wire.receive()
        await wire.send(b"answer")
        assert await read_frame(peer) == (TEXT, b"answer")


@pytest.mark.parametrize(
    ("ending", "code"),
    [(Ending.DONE, 1000), (Ending.SHUTTING_DOWN, 1001), (Ending.TOO_SLOW, 1013)],
)
async def test_closing_says_why_and_waits_for_the_peer(ending: Ending, code: int) -> None:
    async with open_pair() as (wire, peer), trio.open_nursery() as nursery:
        wire.ending = ending
        nursery.start_soon(wire.aclose)
        assert await read_close(peer) == (code, ending.value)
        await peer.send_all(
            frame(TEXT, b"not read any more") + frame(CLOSE, struct.pack("!H", code))
        )
        assert await read_rest(peer) == b""
        await peer.aclose()


async def test_closing_waits_a_second_at_most(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_pair() as (wire, peer):
        before = trio.current_time()
        await wire.aclose()
        assert trio.current_time() - before == pytest.approx(1.0)
        assert (await read_close(peer))[0] == 1000


async def test_a_cancelled_close_says_why_too(autojump_clock: trio.testing.MockClock) -> None:
    async with open_pair() as (wire, peer):
        wire.ending = Ending.TOO_SLOW
        before = trio.current_time()
        with trio.CancelScope() as scope:
            scope.cancel()
            await wire.aclose()
        assert trio.current_time() - before == pytest.approx(0.25)
        assert await read_close(peer) == (1013, Ending.TOO_SLOW.value)
        assert await read_rest(peer) == b""


async def test_closing_twice_is_no_error() -> None:
    async with open_pair() as (wire, peer):
        await peer.aclose()
        await wire.aclose()
        await wire.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await wire.send(b"x")
        with pytest.raises(trio.ClosedResourceError):
            await wire.receive()


async def test_a_peer_that_has_left_breaks_the_wire() -> None:
    async with open_pair() as (wire, peer):
        await peer.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await wire.send(b"x" * BIG)


async def test_a_cancelled_receive_loses_nothing() -> None:
    data = (
        frame(TEXT, b"one", fin=False)
        + frame(PING, b"p")
        + frame(0, b"two")
        + frame(TEXT, b"3")
    )
    for cut in range(len(data)):
        async with open_pair() as (wire, peer):
            await peer.send_all(data[:cut])
            received = []
            while True:
                with trio.CancelScope() as scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(cancel_when_blocked, scope)
                        received.append(await wire.receive())
                        nursery.cancel_scope.cancel()
                if scope.cancelled_caught:
                    break
            await peer.send_all(data[cut:])
            while len(received) < 2:
                received.append(await wire.receive())
            assert received == [b"onetwo", b"3"]
            assert await read_frame(peer) == (PONG, b"p")


async def cancel_when_blocked(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def fill(wire: WebSocketWire, message: bytes) -> None:
    """Begin to send a message that nobody reads yet, and be cancelled."""
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel_when_blocked, scope)
            await wire.send(message)
    assert scope.cancelled_caught


async def test_a_cancelled_send_tears_no_frame() -> None:
    async with open_pair() as (wire, peer):
        await fill(wire, b"x" * (4 * BIG))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.send, b"next")
            assert await read_frame(peer) == (TEXT, b"x" * (4 * BIG))
            assert await read_frame(peer) == (TEXT, b"next")


async def test_after_a_cancelled_send_a_close_still_comes_whole() -> None:
    async with open_pair() as (wire, peer):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_when_blocked, scope)
                await wire.send_batch([b"x" * size for size in (10, 300, 4 * BIG, 5)])
        wire.ending = Ending.TOO_SLOW
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.aclose)
            sizes = [len((await read_frame(peer))[1]) for _ in range(3)]
            assert sizes == [10, 300, 4 * BIG]  # the last one had not begun
            assert await read_close(peer) == (1013, Ending.TOO_SLOW.value)
            await peer.aclose()


async def test_pings_that_come_while_we_send_get_one_pong_behind_it() -> None:
    async with open_pair() as (wire, peer), trio.open_nursery() as nursery:
        nursery.start_soon(wire.send, b"x" * (4 * BIG))
        await trio.testing.wait_all_tasks_blocked()
        await peer.send_all(frame(PING, b"1") + frame(PING, b"2") + frame(TEXT, b"go on"))
        assert await wire.receive() == b"go on"
        assert await read_frame(peer) == (TEXT, b"x" * (4 * BIG))
        assert await read_frame(peer) == (PONG, b"2")  # the last one is enough


async def test_one_sends_while_another_sends() -> None:
    async with open_pair() as (wire, peer), trio.open_nursery() as nursery:
        nursery.start_soon(wire.send, b"x" * BIG)
        nursery.start_soon(wire.send, b"y" * BIG)
        got = {(await read_frame(peer))[1][:1] for _ in range(2)}
        assert got == {b"x", b"y"}


async def test_a_silent_peer_is_asked_and_then_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_pair(ping_after=3) as (wire, peer):
        before = trio.current_time()
        with pytest.raises(trio.BrokenResourceError, match="does not answer"):
            await wire.receive()
        assert trio.current_time() - before == pytest.approx(6)
        assert await read_frame(peer) == (PING, b"")


async def test_a_peer_that_answers_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    async with open_pair(ping_after=1) as (wire, peer), trio.open_nursery() as nursery:

        async def answer() -> None:
            for _ in range(10):
                assert await read_frame(peer) == (PING, b"")
                await peer.send_all(frame(PONG))
            await peer.send_all(frame(TEXT, b"here"))

        nursery.start_soon(answer)
        assert await wire.receive() == b"here"
        assert trio.current_time() >= 10


async def test_nobody_is_given_up_while_something_is_sent_to_them(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_pair(ping_after=1) as (wire, peer), trio.open_nursery() as nursery:

        async def read_late() -> None:
            await trio.sleep(10)
            await peer.send_all(frame(TEXT, b"here"))
            await read_frame(peer)

        nursery.start_soon(read_late)
        nursery.start_soon(wire.send, b"x" * (4 * BIG))
        assert await wire.receive() == b"here"


async def test_many_messages_at_once_let_others_have_their_turn() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with open_pair() as (wire, peer), trio.open_nursery() as nursery:
        await peer.send_all(frame(TEXT, b"x") * 1000)
        nursery.start_soon(count)
        for _ in range(1000):
            await wire.receive()
        nursery.cancel_scope.cancel()
    assert turns >= 30


async def test_a_peer_that_is_not_read_is_held_up() -> None:
    async with open_pair() as (wire, peer):
        await peer.send_all(frame(TEXT, b"first"))
        assert await wire.receive() == b"first"
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_when_blocked, scope)
                await peer.send_all(frame(TEXT, b"x" * (8 * BIG)))
        assert scope.cancelled_caught


def test_the_helper_masks_as_clients_must() -> None:
    assert websockets.frame(TEXT, b"x")[1] & 0x80


async def test_what_has_come_in_before_a_close_of_ours_is_not_answered() -> None:
    async with open_pair() as (wire, peer), trio.open_nursery() as nursery:
        await peer.send_all(frame(TEXT, b"1") + frame(PING, b"?"))
        assert await wire.receive() == b"1"
        nursery.start_soon(wire.aclose)
        assert (await read_close(peer))[0] == 1000
        await peer.aclose()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.ClosedResourceError):
            await wire.receive()


async def test_a_slow_peer_that_reads_at_last_is_told_why() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        peer = await trio.open_tcp_stream(*listener.socket.getsockname())
        wire = WebSocketWire(await listener.accept())
    with trio.fail_after(conftest.PATIENCE):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_when_blocked, scope)
                while True:
                    await wire.send_batch([b"x" * 3000] * 5)
        wire.ending = Ending.TOO_SLOW
        with trio.CancelScope() as scope:
            scope.cancel()  # as who is too slow is cut off
            await wire.aclose()
        async with peer:
            while (answer := await read_frame(peer))[0] == TEXT:
                assert answer[1] == b"x" * 3000
            assert answer[1][2:] == Ending.TOO_SLOW.value.encode()
            assert await read_rest(peer) == b""


async def test_a_peer_that_takes_half_a_second_is_told_why(
    autojump_clock: trio.testing.MockClock,
) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with open_pair() as (wire, peer):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_when_blocked, scope)
                await wire.send_batch([b"x" * 4 * BIG])
        wire.ending = Ending.SHUTTING_DOWN
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.aclose)
            await trio.sleep(0.5)  # by when the first patience is over
            assert len((await read_frame(peer))[1]) == 4 * BIG
            assert await read_close(peer) == (1001, Ending.SHUTTING_DOWN.value)
            await peer.aclose()


async def test_a_close_that_is_cut_anywhere_closes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    step, is_reached = 0, True
    while is_reached:
        step += 1
        async with open_pair() as (wire, peer):
            await fill(wire, b"x" * BIG)
            is_reached = await cancel_at_step(wire.aclose, step)
            assert wire._stream.socket.fileno() == -1
            assert (await read_rest(peer)).startswith(b"\x81\x7f")
    assert step > 2
