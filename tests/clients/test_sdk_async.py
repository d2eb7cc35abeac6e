"""The official SDK does the same with asyncio, and several things at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from openai_codex import AsyncCodex
from openai_codex.types import TurnStatus

from tests.clients.sdk import SLOW, deltas_of, texts_of, understood
from tests.clients.servers import MODEL, SDK_MARKS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openai_codex import CodexConfig

    from codex_trio.testing import StandInProcess

pytestmark = SDK_MARKS

TURNS = 8


def work_with(config: CodexConfig, work: Callable[[AsyncCodex], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), AsyncCodex(config=config) as codex:
            await work(codex)

    asyncio.run(run())


def test_turns_are_run_and_streamed(
    sdk_config: CodexConfig, stand_in_process: StandInProcess
) -> None:
    stand_in_process.answer("It is four.", {"text": "It is five.", "deltas": 3})

    async def work(codex: AsyncCodex) -> None:
        thread = await codex.thread_start()
        done = await thread.run("What is 2 + 2?")
        assert (done.status, done.final_response) == (TurnStatus.completed, "It is four.")
        turn = await thread.turn("And 2 + 3?")
        events = understood([event async for event in turn.stream()])
        assert events[-1].method == "turn/completed"
        deltas = deltas_of(events, "item/agentMessage/delta")
        assert (len(deltas), "".join(deltas)) == (3, "It is five.")

    work_with(sdk_config, work)


def test_a_turn_is_steered_and_interrupted(
    sdk_config: CodexConfig, stand_in_process: StandInProcess
) -> None:
    stand_in_process.answer(SLOW, SLOW)

    async def work(codex: AsyncCodex) -> None:
        thread = await codex.thread_start()
        turn = await thread.turn("Tell me a story.")
        events: list[Any] = []
        async for event in turn.stream():
            events.append(event)
            if event.method == "item/agentMessage/delta":
                told = len(deltas_of(events, event.method))
                await (turn.steer("A short one.") if told == 1 else turn.interrupt())
        assert events[-1].payload.turn.status is TurnStatus.interrupted

    work_with(sdk_config, work)
    first, second = stand_in_process.response_requests()
    assert "A short one." not in texts_of(first, "user")
    assert texts_of(second, "user")[-1] == "A short one."
    stand_in_process.wait_closed(2)


def test_many_turns_run_side_by_side(
    sdk_config: CodexConfig, stand_in_process: StandInProcess
) -> None:
    held = [{"parts": [{"hold": "all"}, f"I am number {number}."]} for number in range(TURNS)]
    stand_in_process.answer(*held)

    async def work(codex: AsyncCodex) -> None:
        threads = await asyncio.gather(*(codex.thread_start() for _ in range(TURNS)))
        runs = asyncio.gather(*(thread.run("Who are you?") for thread in threads))
        await asyncio.to_thread(stand_in_process.wait_held, "all", TURNS)
        stand_in_process.release("all")
        said = {done.final_response for done in await runs}
        assert said == {f"I am number {number}." for number in range(TURNS)}
        listed = (await codex.thread_list()).data
        assert {thread.id for thread in listed} == {thread.id for thread in threads}

    work_with(sdk_config, work)


def test_threads_are_kept(sdk_config: CodexConfig, stand_in_process: StandInProcess) -> None:
    stand_in_process.answer("Nice to meet you.", "You are Ada.", "Yes.")

    async def begin(codex: AsyncCodex) -> None:
        thread = await codex.thread_start()
        await thread.run("I am Ada.")
        await thread.set_name("Ada")
        assert {model.id for model in (await codex.models()).data} >= {MODEL}

    async def go_on(codex: AsyncCodex) -> None:
        (listed,) = (await codex.thread_list()).data
        assert listed.name == "Ada"
        thread = await codex.thread_resume(listed.id)
        assert (await thread.run("Who am I?")).final_response == "You are Ada."
        fork = await codex.thread_fork(thread.id)
        assert (await fork.run("Really?")).final_response == "Yes."
        await codex.thread_archive(fork.id)
        assert [one.id for one in (await codex.thread_list()).data] == [thread.id]
        await codex.thread_unarchive(fork.id)
        assert len((await codex.thread_list()).data) == 2
        turns = (await thread.read(include_turns=True)).thread.turns
        assert len(turns) == 2

    work_with(sdk_config, begin)
    work_with(sdk_config, go_on)
