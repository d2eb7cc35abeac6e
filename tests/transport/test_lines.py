"""Lines out of any stream, however it is cut."""

from __future__ import annotations

from functools import partial

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_trio.errors import MessageTooLongError
from codex_trio.transport.lines import LineWire
from codex_trio.transport.memory import memory_wire_pair
from tests.cancellation import cancel_at_step

LIMIT = 20


async def read_all(chunks: list[bytes], limit: int = LIMIT) -> list[bytes | None]:
    """Read the lines of a stream that comes in these chunks; None for one that is refused."""
    ours, theirs = trio.testing.memory_stream_pair()
    wire = LineWire(theirs, limit)
    lines: list[bytes | None] = []

    async def feed() -> None:
        for chunk in chunks:
            await ours.send_all(chunk)
            await trio.testing.wait_all_tasks_blocked()
        await ours.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed)
        await read_into(lines, wire)
    return lines


async def read_into(lines: list[bytes | None], wire: LineWire) -> None:
    while True:  # noqa: ASYNC913 - receive waits
        try:
            lines.append(await wire.receive())
        except MessageTooLongError:
            lines.append(None)
        except trio.EndOfChannel:
            return


def expected_lines(data: bytes, limit: int = LIMIT) -> list[bytes | None]:
    *lines, rest = data.split(b"\n")
    if rest:
        lines.append(rest)
    return [line if len(line) <= limit else None for line in lines]


@given(
    st.lists(
        st.binary(max_size=30) | st.sampled_from([b"\n", b"a\n\nb", b"x" * 25]), max_size=12
    )
)
@settings(max_examples=200, deadline=None)
def test_lines_do_not_depend_on_how_the_stream_is_cut(chunks: list[bytes]) -> None:
    assert trio.run(read_all, chunks) == expected_lines(b"".join(chunks))


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\nnext\n", b""])
async def test_a_line_may_be_as_long_as_the_limit(size: int, end: bytes) -> None:
    data = b"x" * size + end
    assert await read_all([data]) == expected_lines(data)
    assert await read_all([data[:7], data[7:]]) == expected_lines(data)


async def test_a_long_line_is_not_held() -> None:
    """100 MB go past a limit of 1 MiB, and hardly more than the limit is ever kept."""
    chunk = b"x" * (64 * 2**10)
    left = 100 * 2**20 // len(chunk)

    class Endless(trio.abc.Stream):
        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            nonlocal left
            left -= 1
            assert len(wire._buffer) <= 2**20 + 2 * len(chunk)
            return chunk if left > 0 else b"" if left < 0 else b"\n"

        async def send_all(self, data: bytes | bytearray | memoryview) -> None: ...
        async def wait_send_all_might_not_block(self) -> None: ...
        async def aclose(self) -> None: ...

    wire = LineWire(Endless(), 2**20)
    with pytest.raises(MessageTooLongError) as caught:
        await wire.receive()
    assert caught.value.head == chunk[:1024]
    with pytest.raises(trio.EndOfChannel):
        await wire.receive()


async def test_a_cancelled_read_loses_nothing() -> None:
    data = [b"one\ntw", b"o\n" + b"x" * 30, b"xx\nthree\n"]
    step = 1
    while True:
        ours, theirs = trio.testing.memory_stream_pair()
        wire = LineWire(theirs, LIMIT)
        lines: list[bytes | None] = []

        async def feed(ours: trio.abc.Stream = ours) -> None:
            for chunk in data:
                await ours.send_all(chunk)
                await trio.testing.wait_all_tasks_blocked()
            await ours.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed)
            reached = await cancel_at_step(partial(read_into, lines, wire), step)
            if reached:
                await read_into(lines, wire)
        assert lines == [b"one", b"two", None, b"three"]
        if not reached:
            break
        step += 1
    assert step > 3


async def test_lines_that_are_there_do_not_starve_others() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await ours.send_all(b"a\n" * 1000)
    wire, others = LineWire(theirs), 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(1000):
            await wire.receive()
        nursery.cancel_scope.cancel()
    assert others > 50


async def test_what_is_sent_arrives_as_lines() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    wire = LineWire(ours)
    await wire.send(b"one")
    await wire.send_batch([b"two", b"three"])
    await wire.aclose()
    assert [line async for line in LineWire(theirs)] == [b"one", b"two", b"three"]


async def test_any_wire_can_send_a_batch() -> None:
    ours, theirs = memory_wire_pair(buffered=5)
    await ours.send_batch([b"one", b"two"])
    ours.hang_up()
    assert [message async for message in theirs] == [b"one", b"two"]
