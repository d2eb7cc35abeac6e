"""Responses that break off: asked for again, as often as is configured, with a word each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.server import open_server
from codex_trio.testing import Cut, Failed, Hold, ModelResponse, Pause, StandIn, Text
from tests.threads.conversing import Conversation, Ear, connect, converse, spoken

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


@pytest.fixture
def config() -> dict[str, Any]:
    return {
        "model_providers": {
            "stand_in": {
                "request_max_retries": 2,
                "stream_max_retries": 2,
                "stream_idle_timeout_ms": 700,
            }
        }
    }


def retries(ear: Ear) -> list[tuple[str, int | None]]:
    """What was told of retries, and with which status."""
    return [
        (
            one["error"]["message"],
            one["error"]["codexErrorInfo"]["responseStreamDisconnected"]["httpStatusCode"],
        )
        for one in ear.of("error")
        if one["willRetry"]
    ]


def cut_off() -> ModelResponse:
    return ModelResponse.of(Text("part of it", deltas=["part ", "of it"]), cut_inside="of it")


async def test_a_response_that_breaks_off_is_asked_for_again(
    talk: Conversation, ear: Ear, stand_in: StandIn, patient_clock: MockClock
) -> None:
    stand_in.answer(cut_off())
    stand_in.answer("all of it")
    turn = await talk.run()
    assert turn["items"][0]["text"] == "all of it"
    assert retries(ear) == [("Reconnecting... 1/2", None)]
    statuses = [one["status"]["type"] for one in ear.of("thread/status/changed")]
    assert statuses == ["active", "idle"]


async def test_what_was_complete_before_it_broke_off_is_kept(
    talk: Conversation, stand_in: StandIn, patient_clock: MockClock
) -> None:
    stand_in.answer("complete", Failed("server_error", "oops"))
    stand_in.answer("the rest")
    await talk.run()
    _, second = stand_in.response_requests
    assert spoken(second)[:2] == ["hi", "complete"]


@pytest.mark.parametrize(
    ("response", "requests", "told"),
    [
        (ModelResponse.error(500), 9, 2),
        (ModelResponse.nothing(), 9, 2),
        (ModelResponse.error(503, code="server_is_overloaded"), 3, 0),
        (ModelResponse.error(403), 3, 2),
        (ModelResponse.error(429), 1, 0),
        (ModelResponse.error(429, type="usage_limit_reached"), 1, 0),
        (ModelResponse.error(400), 1, 0),
        (cut_off(), 3, 2),
        (ModelResponse.of(Text("part", item_id=None), Cut()), 3, 2),
        (ModelResponse.of(Failed("rate_limit_exceeded", "try again in 1.5s")), 3, 2),
        (ModelResponse.of(Failed("invalid_prompt")), 1, 0),
        (ModelResponse.of(Text("slow", item_id=None), Hold("for ever")), 3, 2),
    ],
)
async def test_it_is_tried_as_often_as_the_original_does(
    talk: Conversation,
    ear: Ear,
    stand_in: StandIn,
    response: ModelResponse,
    requests: int,
    told: int,
    patient_clock: MockClock,
) -> None:
    stand_in.respond = lambda _: response
    await talk.run(status="failed")
    assert len(stand_in.response_requests) == requests
    assert [message for message, _ in retries(ear)] == [
        f"Reconnecting... {number}/2" for number in range(1, told + 1)
    ]
    assert [one["willRetry"] for one in ear.of("error")] == [True] * told + [False]


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (ModelResponse.error(429, headers={"Retry-After": "7"}), 7.0),
        (ModelResponse.error(500, headers={"Retry-After": "3"}), 3.0),
        (ModelResponse.of(Failed("rate_limit_exceeded", "Try again in 2 seconds")), 2.0),
        (cut_off(), 0.2),
    ],
)
async def test_a_host_says_when_to_come_again(
    talk: Conversation,
    stand_in: StandIn,
    response: ModelResponse,
    seconds: float,
    patient_clock: MockClock,
) -> None:
    stand_in.answer(response)
    await talk.start()
    await stand_in.wait_response_request()
    start = trio.current_time()
    await stand_in.wait_response_request(2)
    assert 0.9 * seconds <= trio.current_time() - start < 1.1 * seconds + 0.5
    await talk.ended()


async def test_silence_before_the_head_is_no_idle_stream(
    talk: Conversation, ear: Ear, stand_in: StandIn, patient_clock: MockClock
) -> None:
    stand_in.answer(ModelResponse.of("at last", wait=Pause(30)))
    await talk.run()
    assert retries(ear) == []


async def test_a_host_that_is_not_there_is_waited_for(
    home: Path, stand_in: StandIn, ear: Ear, patient_clock: MockClock
) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    provider = {"base_url": f"http://127.0.0.1:{port}/v1", "request_max_retries": 0}
    settings = stand_in.settings(home, config={"model_providers": {"stand_in": provider}})
    async with open_server(settings) as server, connect(server, ear) as client:
        talk = await converse(client)
        await talk.start()
        await talk.heard("error")
        start = trio.current_time()
        for seconds in (5, 15, 35, 75):
            await talk.heard("error")
            assert seconds <= trio.current_time() - start < seconds + 3
        await talk.interrupt()
        await talk.ended("interrupted")
    assert {message for message, _ in retries(ear)} == {"Reconnecting... waiting for network"}


async def test_steering_and_retries_do_not_lose_what_was_said(
    talk: Conversation, stand_in: StandIn, patient_clock: MockClock
) -> None:
    stand_in.answer(cut_off())
    stand_in.answer(Text("second", deltas=1), Hold("middle"))
    stand_in.answer(cut_off())
    turn_id = await talk.start()
    await stand_in.wait_held("middle")
    await talk.steer("and this", turn_id)
    await talk.ended()
    assert len(stand_in.response_requests) == 4
    assert spoken(stand_in.response_requests[-1]) == ["hi", "second", "and this"]
