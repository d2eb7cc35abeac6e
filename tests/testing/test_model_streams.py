"""Responses of models that take their time, are held, are cut, or are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import trio
import trio.testing

from codex_trio.testing import Cut, Hold, ModelResponse, Pause, Repeat, Text
from tests.testing.events import deltas_of, read_events

if TYPE_CHECKING:
    from trio.testing import MockClock

    from codex_trio.testing import StandIn

PATH = "/v1/responses"


async def read(web: httpx.AsyncClient) -> tuple[bytes, bool]:
    """The body of a response as far as it comes, and whether that is its end."""
    body = bytearray()
    async with web.stream("POST", PATH, json={}) as response:
        try:
            async for data in response.aiter_raw():
                body += data
        except httpx.RemoteProtocolError:
            return bytes(body), False
    return bytes(body), True


# --- time ---


async def test_a_response_may_take_its_time(
    autojump_clock: MockClock, stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    text = Text("a b c", every=2)
    stand_in.answer(ModelResponse.of(text, Pause(3), wait=Pause(4)))
    stand_in.answer(Repeat(b": still there\n\n", 3, every=2))
    begin = trio.current_time()
    data, is_whole = await read(web)
    assert (deltas_of(read_events(data)), is_whole) == (["a ", "b ", "c"], True)
    assert trio.current_time() - begin == pytest.approx(4 + 2 + 2 + 3)
    data, is_whole = await read(web)
    assert (data.count(b": still there\n\n"), is_whole) == (3, True)
    assert trio.current_time() - begin == pytest.approx(11 + 4)


async def test_a_response_may_have_no_end(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.answer(Repeat(b"x" * 2**16))
    stand_in.answer(Repeat(b"x" * 2**16, 2**14))  # a line of a gigabyte, if somebody reads it
    for number in (1, 2):
        size = 0
        with trio.CancelScope() as scope:
            async with web.stream("POST", PATH, json={}) as response:
                async for data in response.aiter_raw():
                    size += len(data)
                    if size > 2**24:
                        scope.cancel()  # httpx leaves a generator behind when we break
        assert (await stand_in.wait_closed(number)).course == "closed"


# --- what is held ---


async def test_a_response_is_held_until_it_is_let_go(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    parts = (b"one", Hold("a"), b"two", Hold("b"), b"three", Hold("a"), b"four")
    stand_in.answer(ModelResponse.of(*parts, bare=True))
    async with web.stream("POST", PATH, json={}) as response:
        body = response.aiter_raw()
        assert await anext(body) == b"one"
        await stand_in.wait_held("a")
        assert stand_in.open_responses == 1
        stand_in.release("b")  # before anybody is there
        await trio.testing.wait_all_tasks_blocked()
        stand_in.release("a")
        assert b"".join([data async for data in body]) == b"twothreefour"
    assert stand_in.open_responses == 0
    assert stand_in.response_requests[0].course == "complete"


async def test_a_name_holds_again_when_it_is_told_to(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.release("a")
    stand_in.answer(Hold("a"))
    await web.post(PATH, json={})
    stand_in.hold("a")
    stand_in.hold("a")
    stand_in.responses += [ModelResponse.of(Hold("a"))] * 2
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(read, web)
        await stand_in.wait_held("a", 2)
        stand_in.release("a")
    assert len(stand_in.response_requests) == 3


async def test_even_the_head_may_be_held(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.answer(ModelResponse.error(500, wait=Hold("head")))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, web)
        await stand_in.wait_held("head")
        assert (stand_in.open_responses, stand_in.response_requests[0].course) == (0, "waiting")
        stand_in.release("head")
    assert stand_in.response_requests[0].course == "complete"


async def test_a_request_is_held_where_its_path_is(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.hold(PATH)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, web)
        await stand_in.wait_held(PATH)
        stand_in.release(PATH)


# --- what is cut ---


@pytest.mark.parametrize(
    ("response", "sent"),
    [
        (ModelResponse.of(b"one", Cut(), b"two", bare=True), b"one"),
        (ModelResponse.of(b"caf\xc3\xa9", bare=True, cut_inside="é"), b"caf\xc3"),
        (ModelResponse.of(b"one", bare=True, cut_after=0), b""),
        (ModelResponse.plain(500, "Internal", cut_after=3), b"Int"),
    ],
)
async def test_a_response_is_cut(
    stand_in: StandIn, web: httpx.AsyncClient, response: ModelResponse, sent: bytes
) -> None:
    stand_in.answer(response)
    assert await read(web) == (sent, False)
    assert stand_in.response_requests[0].course == "cut"
    assert (await read(web))[1]


async def test_nothing_may_be_said(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.answer(ModelResponse.nothing())
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await web.post(PATH, json={})
    assert stand_in.response_requests[0].course == "cut"


async def test_a_response_may_come_in_crumbs(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.answer(ModelResponse.of("Ünïcode", chunk_size=3))
    async with web.stream("POST", PATH, json={}) as response:
        crumbs = [data async for data in response.aiter_raw()]
    assert max(map(len, crumbs)) == 3
    assert deltas_of(read_events(b"".join(crumbs))) == ["Ünïcode"]


# --- who leaves ---


@pytest.mark.parametrize(
    "response",
    [
        ModelResponse.of("x", wait=Hold("a")),
        ModelResponse.of("x", wait=Pause(1e6)),
        ModelResponse.of("x", Hold("a")),
        ModelResponse.of("x", Pause(1e6)),
        ModelResponse.of(Repeat(b"x", every=1e6)),
    ],
)
async def test_it_is_seen_that_a_client_leaves(
    stand_in: StandIn, web: httpx.AsyncClient, response: ModelResponse
) -> None:
    stand_in.answer("whole")
    await read(web)
    stand_in.answer(response)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, web)
        request = await stand_in.wait_response_request(2)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert request.course == ("waiting" if response.wait else "open")
        nursery.cancel_scope.cancel()
    assert await stand_in.wait_closed() is request
    assert (request.course, stand_in.open_responses) == ("closed", 0)


async def test_whoever_closes_is_counted(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.respond = lambda _: ModelResponse.of(Hold("a"))
    found = []

    async def wait(number: int) -> None:
        found.append(await stand_in.wait_closed(number))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, 2)
        for number in (1, 2):
            async with web.stream("POST", PATH, json={}):
                assert stand_in.open_responses == 1
            assert await stand_in.wait_closed(number) is stand_in.response_requests[-1]
    assert found == [stand_in.response_requests[1]]
