"""The little HTTP that we serve: responses that are written piece by piece."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from codex_trio.httpd import PATIENCE, Answer, HttpRequest, HttpStream, Send, serve_http
from tests.cancellation import cancel_at_step
from tests.raw_http import (
    GET,
    HOST,
    LAST,
    POST,
    open_socket_pair,
    open_wire,
    read_all,
    read_responses,
    read_until,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SECRET = "sk-secret"
PLAIN = (("Content-Type", "text/plain"),)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"


async def write(send: Send) -> bool:
    for piece in (b"one", b"", b"two!"):
        await send(piece)
    return True


async def give(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
    return HttpStream(write=write, headers=PLAIN)


async def ask(request: bytes, stream: HttpStream) -> bytes:
    """All that is answered to a request, and to another one behind it."""

    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return stream

    async with open_wire(handler) as wire:
        await wire.send_all(request + LAST)
        return await read_all(wire)


async def test_a_body_goes_out_in_chunks_and_the_connection_goes_on() -> None:
    async with open_wire(give) as wire:
        for _ in range(2):
            await wire.send_all(GET)
            answer = await read_until(wire, b"0\r\n\r\n")
            assert answer == HEAD + b"3\r\none\r\n4\r\ntwo!\r\n0\r\n\r\n"


async def test_a_piece_goes_out_when_it_is_sent_and_the_head_with_the_first() -> None:
    say, said = trio.open_memory_channel[bytes](0)

    async def write(send: Send) -> bool:
        async for piece in said:
            await send(piece)
        return True

    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return HttpStream(write=write, headers=PLAIN)

    async with open_wire(handler) as wire, said:
        await wire.send_all(GET)
        with say:
            for piece, sent in ((b"", HEAD), (b"x", b"1\r\nx\r\n"), (b"yz", b"2\r\nyz\r\n")):
                await say.send(piece)
                assert await wire.receive_some() == sent
        assert await wire.receive_some() == b"0\r\n\r\n"


@pytest.mark.parametrize("status", [200, 404, 299])
async def test_a_body_may_have_a_length_a_status_and_nothing_in_it(status: int) -> None:
    async def write(send: Send) -> bool:  # noqa: ASYNC124 - as it is called
        return True

    stream = HttpStream(write=write, status=status, headers=(("Content-Length", "0"),))
    answer = read_responses(await ask(GET, stream))
    assert answer == [(status, ""), (status, "")]


async def test_a_peer_of_the_old_protocol_reads_to_the_end() -> None:
    answer = await ask(b"GET / HTTP/1.0\r\n\r\n", HttpStream(write=write, headers=PLAIN))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body == b"onetwo!"


async def test_head_is_answered_with_the_head() -> None:
    async def write(send: Send) -> bool:  # noqa: ASYNC124 - as it is called
        raise AssertionError("there is nothing to write")

    request = b"HEAD / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    answer = await ask(request, HttpStream(write=write, headers=PLAIN))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(("pieces", "sent"), [(0, b""), (1, HEAD + b"1\r\nx\r\n")])
async def test_a_body_that_is_not_complete_ends_the_connection(
    pieces: int, sent: bytes
) -> None:
    async def write(send: Send) -> bool:
        for _ in range(pieces):
            await send(b"x")
        return False

    assert await ask(GET, HttpStream(write=write, headers=PLAIN)) == sent


# --- what goes wrong ---


@pytest.mark.parametrize(("pieces", "statuses"), [(0, [500]), (1, [200])])
async def test_a_writer_that_fails_is_an_error_without_its_text(
    pieces: int, statuses: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    async def write(send: Send) -> bool:
        for _ in range(pieces):
            await send(b"x")
        raise ValueError(SECRET)

    request = f"GET /here?code={SECRET} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    answer = await ask(request, HttpStream(write=write, headers=(("Content-Length", "1"),)))
    assert [status for status, _ in read_responses(answer)] == statuses
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage().startswith("/here failed: ValueError\n")
    assert SECRET not in caplog.text


@pytest.mark.parametrize("name", ["a b", "Content-Length"])
async def test_a_head_that_is_none_is_the_fault_of_its_handler(name: str) -> None:
    answer = await ask(GET, HttpStream(write=write, headers=((name, "x"),)))
    assert [status for status, _ in read_responses(answer)] == [500]


async def test_a_writer_that_fails_when_nobody_is_there_has_nobody_to_tell() -> None:
    left = trio.Event()

    async def write(send: Send) -> bool:
        with trio.CancelScope(shield=True):
            await left.wait()
        raise ValueError

    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return HttpStream(write=write)

    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, handler, theirs)
        await ours.send_all(GET)
        await trio.testing.wait_all_tasks_blocked()
        await ours.aclose()
        left.set()


# --- who leaves ---


async def keep_silent(send: Send) -> bool:
    await send(b"x")
    await trio.sleep_forever()
    return True


async def keep_talking(send: Send) -> bool:
    while True:
        await send(b"x" * 2**20)


@pytest.mark.parametrize("write", [keep_silent, keep_talking])
@pytest.mark.parametrize("half", [False, True])
async def test_a_writer_is_cancelled_when_its_reader_leaves(
    write: Callable[[Send], Awaitable[bool]], half: bool
) -> None:
    ended: list[str] = []

    async def note(send: Send) -> bool:
        try:
            return await write(send)
        except trio.Cancelled:
            ended.append("cancelled")
            raise
        except trio.BrokenResourceError:
            ended.append("broken")
            raise

    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return HttpStream(write=note)

    async with open_wire(handler) as wire:
        await wire.send_all(GET)
        await wire.receive_some()
        if half:
            await wire.send_eof()
            await read_all(wire)
        else:
            await wire.aclose()
    assert ended == ["cancelled"] if half else ended in (["cancelled"], ["broken"])


async def test_who_asks_for_more_meanwhile_stays_and_is_answered() -> None:
    asked = trio.Event()

    async def write(send: Send) -> bool:
        await send(b"x")
        await asked.wait()
        return True

    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return HttpStream(write=write)

    async with open_wire(handler) as wire:
        await wire.send_all(GET)
        await read_until(wire, b"x\r\n")
        await wire.send_all(LAST[:10])
        await trio.testing.wait_all_tasks_blocked()
        await wire.send_all(LAST[10:])
        asked.set()
        assert (await read_all(wire)).count(b"x\r\n") == 1


async def test_who_leaves_after_that_is_missed_by_the_next_piece() -> None:
    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return HttpStream(write=keep_talking)

    async with open_wire(handler) as wire:
        await wire.send_all(GET + GET[:10])
        await wire.receive_some()
        await wire.send_all(GET[10:])
        await wire.receive_some()
        await wire.aclose()


async def test_a_body_may_take_as_long_as_it_takes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def write(send: Send) -> bool:
        for _ in range(3):
            await trio.sleep(2 * PATIENCE)
            await send(b"x")
        return True

    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return HttpStream(write=write)

    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, handler, theirs)
        await ours.send_all(LAST)
        assert (await read_all(ours)).endswith(b"0\r\n\r\n")
    assert trio.current_time() == 6 * PATIENCE


async def test_a_call_cancelled_at_any_step_closes_the_connection() -> None:
    step, reached = 0, True
    while reached:
        step += 1
        ours, theirs = await open_socket_pair()
        async with ours:
            await ours.send_all(GET + LAST)
            reached = await cancel_at_step(partial(serve_http, give, theirs), step)
            assert theirs.socket.fileno() == -1
    assert step > 5


# --- how much may be sent ---


@pytest.mark.parametrize(("size", "status"), [(7, 200), (8, 413)])
async def test_a_body_may_have_as_many_bytes_as_its_server_says(size: int, status: int) -> None:
    ours, theirs = await open_socket_pair()
    async with ours, trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve_http, max_body=7), give, theirs)
        head = POST + f"Content-Length: {size}\r\nConnection: close\r\n\r\n".encode()
        await ours.send_all(head + b"x" * size)
        assert (await read_all(ours)).startswith(f"HTTP/1.1 {status} ".encode())
