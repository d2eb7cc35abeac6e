"""Conversations with the typed client: asked, streamed, interrupted, failed, cut at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.errors import RpcError, TurnFailedError
from codex_trio.protocol import items, turns
from codex_trio.testing import Failed, Hold, Text
from tests.cancellation import cancel_at_step
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.client import Client, Thread
    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn


@pytest.fixture
def settings(home: Path, stand_in: StandIn) -> Settings:
    return stand_in.settings(home)


@pytest.fixture
async def thread(typed: Client, tmp_path: Path) -> Thread:
    await typed.login_with_api_key("sk-test")
    return await typed.start_thread(cwd=str(tmp_path))


async def test_a_question_is_answered(
    typed: Client, thread: Thread, stand_in: StandIn, tmp_path: Path
) -> None:
    assert thread.known.cwd == str(tmp_path)
    stand_in.answer("It is four.")
    stand_in.answer("And this is five.")
    assert await thread.ask("What is 2 + 2?") == "It is four."
    again = await typed.resume_thread(thread.id)
    assert again.model == thread.model
    assert await again.ask([items.TextUserInput(text="And 2 + 3?")]) == "And this is five."


async def test_a_turn_is_followed(thread: Thread, stand_in: StandIn) -> None:
    stand_in.answer(Text("One, two.", deltas=["One, ", "two."]))
    async with thread.run("Count.") as turn:
        told = [event async for event in turn]
        assert [event async for event in turn] == []
        assert turn.answer == "One, two."
        assert (await turn.wait_completed()).status == "completed"
    assert isinstance(told[0], turns.TurnStartedNotification)
    assert isinstance(told[-1], turns.TurnCompletedNotification)
    said = [one.delta for one in told if isinstance(one, items.AgentMessageDeltaNotification)]
    assert said == ["One, ", "two."]


async def test_what_the_model_says_streams(thread: Thread, stand_in: StandIn) -> None:
    stand_in.answer(Text("One, two.", deltas=["One, ", "two."]))
    async with thread.run("Count.") as turn:
        assert [piece async for piece in turn.text()] == ["One, ", "two."]


async def test_a_turn_that_fails_is_an_error(thread: Thread, stand_in: StandIn) -> None:
    stand_in.answer(Failed("invalid_prompt", "I will not."))
    with pytest.raises(TurnFailedError, match="I will not") as caught:
        await thread.ask("Do it.")
    assert caught.value.status == "failed"
    stand_in.answer(Failed("invalid_prompt", "I will not."))
    async with thread.run("Do it.") as turn:
        with pytest.raises(TurnFailedError):
            [piece async for piece in turn.text()]
    assert await thread.ask("Are you there?")


async def test_a_turn_that_is_interrupted_is_an_error(
    typed: Client, thread: Thread, stand_in: StandIn
) -> None:
    stand_in.answer(Hold("here"))
    async with thread.run("Wait.") as turn:
        await stand_in.wait_response_request()
        await typed.call("turn/interrupt", {"threadId": thread.id, "turnId": turn.id})
        with pytest.raises(TurnFailedError, match="interrupted"):
            await turn.wait_answer()


async def test_leaving_the_block_interrupts_the_turn(thread: Thread, stand_in: StandIn) -> None:
    stand_in.answer(Hold("here"))
    async with thread.run("Wait."):
        await stand_in.wait_response_request()
    await stand_in.wait_closed()
    assert await thread.ask("Are you there?")


async def test_turns_of_others_are_no_business_of_ours(
    server: Server, thread: Thread, stand_in: StandIn
) -> None:
    stand_in.answer("First.")
    stand_in.answer("Second.")
    async with server.connect() as client, trio.open_nursery() as nursery:
        async with thread.run("One.") as turn:
            await turn.wait_completed()
            other = await client.resume_thread(thread.id)
            nursery.start_soon(other.ask, "Two.")
            async for told in turn:
                pytest.fail(f"{told} is of another turn")
        assert turn.answer == "First."


async def test_a_thread_that_is_gone_is_an_error(typed: Client, thread: Thread) -> None:
    with pytest.raises(RpcError):
        await typed.resume_thread("01900000-0000-7000-8000-000000000000")


async def test_a_question_is_cut_at_every_step(
    typed: Client, thread: Thread, stand_in: StandIn
) -> None:
    """No turn goes on behind it, and no call is left."""
    step = 0
    with trio.fail_after(PATIENCE):
        while await cancel_at_step(lambda: thread.ask("Hello?"), step := step + 1):
            assert not typed._link._calls
            read = await typed.call("thread/read", {"threadId": thread.id})
            assert read["thread"]["status"] == {"type": "idle"}
    assert step > 4
    assert not stand_in.open_responses
