"""How connections of the little HTTP end: by the clock, by the peer, by us, by whatever comes."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_trio.httpd import (
    MAX_HEAD,
    PATIENCE,
    Answer,
    HttpHandler,
    HttpRequest,
    HttpResponse,
    serve_http,
)
from tests.cancellation import cancel_at_step
from tests.raw_http import (
    GET,
    HOST,
    LAST,
    POST,
    converse,
    open_socket_pair,
    open_wire,
    read_all,
    read_responses,
    tell,
)

if TYPE_CHECKING:
    from trio.testing import MockClock


async def hang(request: HttpRequest) -> Answer:
    await trio.sleep_forever()
    raise AssertionError("it sleeps for ever")


# --- who takes too long ---


@pytest.mark.parametrize("before", [b"", GET])
@pytest.mark.parametrize(
    ("begun", "statuses"),
    [
        (b"", []),
        (b"GET /sl", []),
        (POST + b"X-More", []),
        (POST + b"Content-Length: 5\r\n\r\nhal", [408]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", [408]),
    ],
)
async def test_a_request_has_to_arrive_in_time(
    begun: bytes, statuses: list[int], before: bytes, autojump_clock: MockClock
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, tell, theirs)
        await trio.sleep(PATIENCE / 2)
        await ours.send_all(before)
        started = trio.current_time() if before else 0.0
        for byte in begun:
            await trio.sleep(0.1)
            await ours.send_all(bytes([byte]))
        answers = read_responses(await read_all(ours))
        assert trio.current_time() == pytest.approx(started + PATIENCE)
    assert [status for status, _ in answers] == [200] * bool(before) + statuses


@pytest.mark.parametrize(
    "answer", [HttpResponse.text(200, "x" * 2**20), b"x" * 2**20], ids=["response", "bytes"]
)
async def test_a_response_has_to_be_taken_in_time(
    answer: Answer, autojump_clock: MockClock
) -> None:
    async def handler(request: HttpRequest) -> Answer:
        await trio.sleep(2 * PATIENCE)  # it may take as long as it likes
        return answer

    ours, theirs = trio.testing.lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, handler, theirs)
        await ours.send_all(GET)
        assert await ours.receive_some(10)
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(PATIENCE)
    assert trio.current_time() == 3 * PATIENCE


# --- who leaves ---


@pytest.mark.parametrize("said", [b"", b"GET", POST + b"Content-Length: 5\r\n\r\nh", GET])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_peer_may_leave_at_any_time(said: bytes, reset: bool) -> None:
    async with open_wire() as wire:
        await wire.send_all(said)
        if reset:  # the other side is told at once, with an error
            linger = struct.pack("ii", 1, 0)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            await trio.testing.wait_all_tasks_blocked()


async def test_a_peer_may_leave_while_its_request_is_dealt_with() -> None:
    dealing, left = trio.Event(), trio.Event()

    async def handler(request: HttpRequest) -> Answer:
        dealing.set()
        await left.wait()
        return HttpResponse.text(200, "x" * 10 * 2**20)

    async with open_wire(handler) as wire:
        await wire.send_all(GET)
        await dealing.wait()
        await wire.aclose()
        left.set()


@pytest.mark.parametrize("handler", [tell, hang])
@pytest.mark.parametrize("said", [b"", b"GET", GET])
async def test_a_cancelled_call_closes_the_connection(
    said: bytes, handler: HttpHandler
) -> None:
    ours, theirs = await open_socket_pair()
    async with ours, trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, handler, theirs)
        await ours.send_all(said)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert theirs.socket.fileno() == -1


async def test_a_call_cancelled_at_any_step_closes_the_connection() -> None:
    step, reached = 0, True
    while reached:
        step += 1
        ours, theirs = await open_socket_pair()
        async with ours:
            await ours.send_all(GET + POST + b"Content-Length: 1\r\n\r\nx" + LAST)
            reached = await cancel_at_step(partial(serve_http, tell, theirs), step)
            assert theirs.socket.fileno() == -1
    assert step > 5


# --- whatever comes ---


async def test_the_refusal_of_a_head_request_has_no_body() -> None:
    head = b"HEAD / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = await converse(head + b"2\r\nabc\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"\r\n\r\n")


PIECES = [
    GET,
    LAST,
    POST,
    HOST,
    b"HEAD / HTTP/1.1\r\n",
    b"CONNECT / HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.0\r\n",
    b"\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"x" * MAX_HEAD,
]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=30), max_size=8), st.booleans())
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_answered_or_ends(chunks: list[bytes], ends: bool) -> None:
    async def run() -> bytes:
        ours, theirs = trio.testing.memory_stream_pair()
        answer = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_http, tell, theirs)
            for chunk in chunks:
                with suppress(trio.BrokenResourceError):  # it has been refused before
                    await ours.send_all(chunk)
                await trio.testing.wait_all_tasks_blocked()
            if ends:
                await ours.send_eof()
            answer += await read_all(ours)
        return bytes(answer)

    answer = trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
    assert all(
        status in (100, 200, 400, 405, 408, 413, 431) for status, _ in read_responses(answer)
    )
