"""Reading an answer while it streams: in time, within bounds, and to its end."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from codex_trio.errors import UpstreamError
from codex_trio.responses import stream as module
from codex_trio.responses.events import Completed, ItemDone, TextDelta
from codex_trio.responses.failures import ResponseError
from tests.cancellation import cancel_at_step
from tests.responses.asking import (
    AGENT,
    PROMPT,
    ask,
    failure,
    provider_of,
    receive_all,
    text_of,
)
from tests.responses.hosts import (
    END,
    chunked,
    completed,
    cut,
    event,
    head,
    reply,
    stream,
    text_delta,
    then,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from codex_trio.responses.sampling import Responses
    from tests.responses.hosts import ModelHost

HEAD = head(transfer_encoding="chunked")
IDLE = "stream disconnected before completion: idle timeout waiting for SSE"


async def test_events_come_as_they_arrive(responses: Responses, host: ModelHost) -> None:
    more = trio.Event()

    async def slowly(wire: trio.abc.Stream) -> None:
        await wire.send_all(HEAD + chunked(text_delta("a"), text_delta("b")))
        await more.wait()
        await wire.send_all(chunked(b": comment\n\n", completed()) + END)

    host.say(slowly)
    async with responses.open(provider_of(host), PROMPT, AGENT) as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        events = await answer.receive()
        while len(events) < 2:  # however many come at a time
            events += await answer.receive()
        assert events == [TextDelta("msg_1", "a"), TextDelta("msg_1", "b")]
        more.set()
        assert await answer.receive() == [Completed("resp_1", None, None)]
        assert await answer.receive() == []
        assert await answer.receive() == []


async def test_a_reply_may_be_any_success(responses: Responses, host: ModelHost) -> None:
    host.say(reply(201, text_delta("a") + completed()))
    assert text_of(await ask(responses, provider_of(host))) == "a"


async def test_what_comes_behind_the_end_is_not_told(
    responses: Responses, host: ModelHost
) -> None:
    host.say(stream(completed(), text_delta("b"), event("response.failed")))
    assert await ask(responses, provider_of(host)) == [Completed("resp_1", None, None)]


async def test_the_end_needs_no_empty_line(responses: Responses, host: ModelHost) -> None:
    host.say(cut(head() + text_delta("a") + completed().rstrip()))
    assert text_of(await ask(responses, provider_of(host))) == "a"


async def test_a_character_may_be_cut(responses: Responses, host: ModelHost) -> None:
    said = stream(text_delta("\U0001f600é"), completed())

    async def slowly(wire: trio.abc.Stream) -> None:
        for byte in said:
            await wire.send_all(bytes([byte]))
            await wait_all_tasks_blocked()

    host.say(slowly)
    assert text_of(await ask(responses, provider_of(host))) == "\U0001f600é"


async def test_what_cannot_be_read_is_passed_over(
    responses: Responses, host: ModelHost
) -> None:
    host.say(
        stream(
            b"data: \xff\xfe\n\n",
            b'data: {"type":\n\n',
            b"data: [DONE]\n\n",
            b"id: 5\nretry: 1\n\n",
            event("whatever"),
            event("error", message="boom"),
            text_delta("a"),
            completed(),
        )
    )
    assert text_of(await ask(responses, provider_of(host))) == "a"


async def test_a_large_item(responses: Responses, host: ModelHost) -> None:
    item = {"type": "message", "text": "x" * 3_000_000}
    host.say(stream(event("response.output_item.done", item=item), completed()))
    events = await ask(responses, provider_of(host))
    assert events[0] == ItemDone(item)


async def test_an_event_without_end_is_given_up(
    responses: Responses, host: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_EVENT", 1_000_000)

    async def endless(wire: trio.abc.Stream) -> None:
        await wire.send_all(head() + text_delta("a") + b"data: ")
        while True:
            await wire.send_all(b"x" * 100_000)

    host.say(endless)
    caught = await failure(responses, provider_of(host))
    assert caught.message == (
        "stream disconnected before completion: an event exceeds 1000000 bytes"
    )
    assert not caught.retry
    await host.door.wait_open(0)


# --- time ---


async def test_a_stream_that_stops_is_given_up(
    responses: Responses, host: ModelHost, patient_clock: MockClock
) -> None:
    host.say(then(HEAD + chunked(text_delta("a"))))
    begin = trio.current_time()
    caught = await failure(responses, provider_of(host, stream_idle_timeout=30.0))
    assert trio.current_time() - begin == pytest.approx(30, abs=0.5)
    assert (caught.message, caught.info, caught.retry) == (IDLE, "other", True)
    await host.door.wait_open(0)


async def test_each_event_has_its_time(
    responses: Responses, host: ModelHost, patient_clock: MockClock
) -> None:
    async def slowly(wire: trio.abc.Stream) -> None:
        await wire.send_all(HEAD)
        for said in (text_delta("a"), event("whatever"), b"data: x\n\n", text_delta("b")):
            await trio.sleep(20)
            await wire.send_all(chunked(said))
        await trio.sleep(20)
        await wire.send_all(chunked(completed()) + END)

    host.say(slowly)
    events = await ask(responses, provider_of(host, stream_idle_timeout=30.0))
    assert text_of(events) == "ab"


async def test_what_is_no_event_gives_no_time(
    responses: Responses, host: ModelHost, patient_clock: MockClock
) -> None:
    async def drip(wire: trio.abc.Stream) -> None:
        await wire.send_all(HEAD)
        while True:
            await trio.sleep(10)
            await wire.send_all(chunked(b": still there\n\n"))

    host.say(drip)
    begin = trio.current_time()
    caught = await failure(responses, provider_of(host, stream_idle_timeout=30.0))
    assert trio.current_time() - begin == pytest.approx(30, abs=0.5)
    assert caught.message == IDLE


async def test_a_host_may_take_its_time_to_begin(
    responses: Responses, host: ModelHost, patient_clock: MockClock
) -> None:
    async def late(wire: trio.abc.Stream) -> None:
        await trio.sleep(590)
        await wire.send_all(stream(text_delta("a"), completed()))

    host.say(late)
    events = await ask(responses, provider_of(host, stream_idle_timeout=1.0))
    assert text_of(events) == "a"


async def test_but_not_for_ever(
    responses: Responses, host: ModelHost, patient_clock: MockClock
) -> None:
    host.say(then())
    begin = trio.current_time()
    caught = await failure(responses, provider_of(host, request_max_retries=5))
    assert trio.current_time() - begin == pytest.approx(600, abs=0.5)
    assert caught.message == "stream disconnected before completion: error sending request"
    assert caught.details is not None
    assert caught.details.endswith(": no reply within 600 seconds")
    assert caught.retry
    assert len(host.asked) == 1


# --- the connection ---


async def test_an_answer_gives_its_connection_back(
    responses: Responses, host: ModelHost
) -> None:
    for _ in range(3):
        await ask(responses, provider_of(host))
    assert (host.door.opened, host.door.open) == (1, 1)


async def test_an_answer_has_a_moment_to_end(responses: Responses, host: ModelHost) -> None:
    completed_seen = trio.Event()

    async def slowly(wire: trio.abc.Stream) -> None:
        for _ in range(2):
            await wire.send_all(HEAD + chunked(completed()))
            await completed_seen.wait()
            await wire.send_all(chunked(b": bye\n\n") + END)
            await wire.receive_some()

    host.say(slowly)
    for _ in range(2):
        async with responses.open(provider_of(host), PROMPT, AGENT) as answer:
            await receive_all(answer)
            completed_seen.set()
            await wait_all_tasks_blocked()
    assert host.door.opened == 1


@pytest.mark.parametrize("rest", [b"", b"no chunk\r\n"])
async def test_but_only_a_moment(responses: Responses, host: ModelHost, rest: bytes) -> None:
    host.say(then(HEAD + chunked(completed()), rest))
    begin = trio.current_time()
    await ask(responses, provider_of(host))
    await host.door.wait_open(0)
    assert trio.current_time() - begin < 0.5


async def test_an_answer_that_is_left_closes_its_connection(
    responses: Responses, host: ModelHost
) -> None:
    host.say(then(HEAD + chunked(text_delta("a"))))
    async with responses.open(provider_of(host), PROMPT, AGENT) as answer:
        await answer.receive()
    await host.door.wait_open(0)


async def test_an_error_of_who_reads_is_not_ours(responses: Responses, host: ModelHost) -> None:
    host.say(then(HEAD + chunked(text_delta("a"))))
    with pytest.raises(UpstreamError, match=r"^somebody else's$"):
        async with responses.open(provider_of(host, request_max_retries=3), PROMPT, AGENT):
            raise UpstreamError("somebody else's")
    await host.door.wait_open(0)
    assert len(host.asked) == 1


# --- cutting ---


async def test_an_answer_may_be_cut_at_every_step(
    responses: Responses, host: ModelHost
) -> None:
    said = stream(text_delta("a"), completed())

    async def slowly(wire: trio.abc.Stream) -> None:
        for at in range(0, len(said), 50):
            await wire.send_all(said[at : at + 50])
            await trio.lowlevel.checkpoint()

    refused = reply(500, connection="close")
    gc.collect()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        step = 1
        host.say(refused, slowly)
        provider = provider_of(host, request_max_retries=1)
        while await cancel_at_step(lambda: ask(responses, provider), step):
            await host.door.wait_open(0)
            host.say(refused, slowly)
            step += 1
        gc.collect()
    assert step > 10
    assert [str(one.message) for one in warned] == []


async def test_a_stuck_answer_is_cut_at_once(responses: Responses, host: ModelHost) -> None:
    host.say(then(HEAD + chunked(text_delta("a"))))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, responses, provider_of(host))
        await host.door.wait_open(1)
        await wait_all_tasks_blocked(0.02)
        begin = trio.current_time()
        nursery.cancel_scope.cancel(reason="the user has seen enough")
    await host.door.wait_open(0)
    assert trio.current_time() - begin < 0.05


async def test_a_pause_between_attempts_is_cut_at_once(
    responses: Responses, host: ModelHost
) -> None:
    host.say(reply(500, retry_after="50"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, responses, provider_of(host, request_max_retries=1))
        await host.door.wait_open(1)
        await wait_all_tasks_blocked(0.02)
        nursery.cancel_scope.cancel(reason="the user has seen enough")
    assert len(host.asked) == 1


async def test_failures_are_said_again(responses: Responses, host: ModelHost) -> None:
    host.say(stream())
    async with responses.open(provider_of(host), PROMPT, AGENT) as answer:
        for _ in range(2):
            with pytest.raises(ResponseError, match=r"stream closed before"):
                await answer.receive()
