"""Frames to messages and back, at the server's end of a websocket."""

from __future__ import annotations

import logging

import pytest
import trio

from codex_trio.errors import MessageTooLongError
from codex_trio.transport.websocket import MAX_FRAME
from tests.websockets import (
    BINARY,
    PING,
    PONG,
    TEXT,
    frame,
    frame_head,
    open_pair,
    read_close,
    read_frame,
)

BIG = 2**20


async def test_a_text_frame_is_a_message() -> None:
    async with open_pair() as (wire, peer):
        await peer.send_all(frame(TEXT, b'{"a":1}') + frame(TEXT, "ü".encode()))
        assert [await wire.receive(), await wire.receive()] == [b'{"a":1}', "ü".encode()]


async def test_what_was_read_beyond_the_handshake_comes_first() -> None:
    async with open_pair(trailing=frame(TEXT, b"1") + frame(TEXT, b"2")[:3]) as (wire, peer):
        await peer.send_all(frame(TEXT, b"2")[3:])
        assert [await wire.receive(), await wire.receive()] == [b"1", b"2"]


async def test_a_masked_frame_is_unmasked() -> None:
    async with open_pair() as (wire, peer):
        await peer.send_all(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")  # RFC 6455, 5.7
        assert await wire.receive() == b"Hello"


async def test_bytes_may_come_one_at_a_time() -> None:
    async with open_pair() as (wire, peer), trio.open_nursery() as nursery:

        async def drip() -> None:
            for byte in frame(TEXT, b"x" * 200):
                await peer.send_all(bytes((byte,)))

        nursery.start_soon(drip)
        assert await wire.receive() == b"x" * 200


async def test_fragments_are_joined_with_pings_between_them() -> None:
    async with open_pair() as (wire, peer):
        umlaut = "ü".encode()
        await peer.send_all(frame(TEXT, b"a" + umlaut[:1], fin=False))
        await peer.send_all(frame(PING, b"there?") + frame(0, umlaut[1:], fin=False))
        await peer.send_all(frame(0, b"b"))
        assert await wire.receive() == "aüb".encode()
        assert await read_frame(peer) == (PONG, b"there?")


async def test_a_binary_frame_is_dropped_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_pair() as (wire, peer):
        await peer.send_all(frame(BINARY, b"secret", fin=False) + frame(0, b"secret"))
        await peer.send_all(frame(TEXT, b"1"))
        assert await wire.receive() == b"1"
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.WARNING,
        "dropped a binary message",
    )


async def test_pings_get_one_pong_each_and_pongs_nothing() -> None:
    async with open_pair() as (wire, peer):
        await peer.send_all(frame(PING, b"1") + frame(PONG, b"?") + frame(PING, b"2"))
        await peer.send_all(frame(TEXT, b"x"))
        await wire.receive()
        await wire.send(b"y")
        assert [await read_frame(peer) for _ in range(3)] == [
            (PONG, b"1"),
            (PONG, b"2"),
            (TEXT, b"y"),
        ]


async def test_a_message_is_a_frame_without_a_newline() -> None:
    async with open_pair() as (wire, peer):
        for size in (0, 125, 126, 2**16 - 1, 2**16):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wire.send, b"x" * size)
                assert await read_frame(peer) == (TEXT, b"x" * size)


async def test_several_messages_are_as_many_frames() -> None:
    async with open_pair() as (wire, peer):
        await wire.send_batch([b"1", b"2", b"3"])
        assert [await read_frame(peer) for _ in range(3)] == [
            (TEXT, b"1"),
            (TEXT, b"2"),
            (TEXT, b"3"),
        ]


async def test_a_message_that_is_longer_than_a_frame_is_cut_into_several() -> None:
    async with open_pair() as (wire, peer), trio.open_nursery() as nursery:
        nursery.start_soon(wire.send, b"x" * (MAX_FRAME + 1))
        opcode, first = await read_frame(peer)
        assert (opcode, len(first)) == (-1 - TEXT, MAX_FRAME)
        assert await read_frame(peer) == (0, b"x")


async def test_a_frame_of_15_mib_is_taken() -> None:
    async with open_pair() as (wire, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.send_all, frame(TEXT, b"x" * (15 * BIG)))
        assert len(await wire.receive()) == 15 * BIG


async def test_a_frame_that_is_too_long_is_refused_by_what_it_announces() -> None:
    async with open_pair() as (wire, peer):
        await peer.send_all(frame_head(TEXT, MAX_FRAME + 1))
        with pytest.raises(trio.EndOfChannel):
            await wire.receive()
        assert (await read_close(peer))[0] == 1009


async def test_a_message_of_60_mib_is_taken_in_fragments() -> None:
    async with open_pair() as (wire, peer), trio.open_nursery() as nursery:

        async def feed() -> None:
            for number in range(60):
                await peer.send_all(frame(0 if number else TEXT, b"x" * BIG, fin=number == 59))

        nursery.start_soon(feed)
        assert len(await wire.receive()) == 60 * BIG


async def test_a_message_that_is_too_long_is_not_held_and_the_next_one_is_read() -> None:
    async with open_pair() as (wire, peer), trio.open_nursery() as nursery:

        async def feed() -> None:
            for number in range(65):
                await peer.send_all(frame(0 if number else TEXT, b"x" * BIG, fin=number == 64))
            await peer.send_all(frame(TEXT, b"next"))

        nursery.start_soon(feed)
        with pytest.raises(MessageTooLongError) as caught:
            await wire.receive()
        assert (caught.value.head, caught.value.limit) == (b"x" * 1024, 64 * BIG)
        assert await wire.receive() == b"next"


async def test_a_message_may_be_exactly_as_long_as_the_limit() -> None:
    async with open_pair(max_message=10) as (wire, peer):
        await peer.send_all(frame(TEXT, b"x" * 10) + frame(TEXT, b"x" * 11))
        assert await wire.receive() == b"x" * 10
        with pytest.raises(MessageTooLongError):
            await wire.receive()
