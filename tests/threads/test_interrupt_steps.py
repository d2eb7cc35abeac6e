"""Turns that are cut at every step of theirs: by an interrupt, and by the end of their server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.server import open_server
from codex_trio.testing import Completed, Cut, FunctionCall, ModelResponse, StandIn, Text
from tests.threads.conversing import (
    ABORTED,
    Conversation,
    Ear,
    connect,
    converse,
    ends_in,
    lines_of,
    resume,
    spoken,
)
from tests.threads.cutting import WHOLE, WORK, at_step, turn_in

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.settings import Settings

RECORDED = {"completed": "task_complete", "failed": "task_complete"}
RECORDED["interrupted"] = "turn_aborted"


@pytest.fixture
def config() -> dict[str, Any]:
    return {"model_providers": {"stand_in": {"request_max_retries": 0}}}


def simple(stand_in: StandIn) -> None:
    """Have the next turn go well."""
    stand_in.answer(Text("one two", deltas=2, item_id="msg_1"))


def eventful(stand_in: StandIn) -> None:
    """Have the next turn break off, call a tool, and go on."""
    stand_in.answer(Text("one", deltas=1), Cut())
    stand_in.answer("I shall look", FunctionCall("nope", call_id="c1"))
    stand_in.answer("I cannot", Completed(end_turn=False))
    simple(stand_in)


def failing(stand_in: StandIn) -> None:
    """Have the next turn fail."""
    stand_in.answer(ModelResponse.error(400, "no"))


@pytest.mark.parametrize("of", [WORK, WHOLE])
@pytest.mark.parametrize("script", [simple, eventful, failing])
async def test_it_ends_once_wherever_it_is_interrupted(
    talk: Conversation, ear: Ear, stand_in: StandIn, of: str, script: Any
) -> None:
    step, reached, statuses = 0, True, []
    while reached:
        step += 1
        stand_in.responses.clear()
        script(stand_in)
        with at_step(of, step, partial(interrupt, of)) as cut:
            turn_id = await talk.start(f"number {step}")
            turn = await talk.heard("turn/completed")
        assert turn["turn"]["id"] == turn_id
        statuses.append(turn["turn"]["status"])
        reached = cut.reached
    ear.check()
    assert len(ear.of("turn/completed")) == len(statuses)
    assert ends_in(talk.path) == [RECORDED[status] for status in statuses]
    assert "interrupted" in statuses
    assert statuses[-1] == ("failed" if script is failing else "completed")
    check_history(await what_is_sent(talk, stand_in), statuses)


def interrupt(of: str, names: Any) -> None:
    turn_in(of, names).cut()


async def what_is_sent(talk: Conversation, stand_in: StandIn) -> list[str]:
    stand_in.responses.clear()
    await talk.run("last")
    return spoken(stand_in.response_requests[-1])


def check_history(texts: list[str], statuses: list[str]) -> None:
    """Fail unless all that was said is there, and each interruption is marked where it was."""
    numbers = [text for text in texts if text.startswith("number ")]
    assert numbers == [f"number {step}" for step in range(1, len(statuses) + 1)]
    for step, status in enumerate(statuses):
        start = texts.index(numbers[step])
        more = numbers[step + 1 :]
        end = texts.index(more[0]) if more else len(texts) - 1
        marked = any(text.startswith(ABORTED) for text in texts[start:end])
        assert marked is (status == "interrupted")


@pytest.mark.parametrize("of", [WORK, WHOLE])
async def test_it_is_whole_on_disk_wherever_the_server_ends(
    home: Path, stand_in: StandIn, settings: Settings, of: str
) -> None:
    step, reached, kept = 0, True, 0
    while reached:
        step += 1
        stand_in.responses.clear()
        eventful(stand_in)
        ear, scope, ends = Ear(), trio.CancelScope(), []
        with at_step(of, step, partial(cancel, scope)) as cut, scope:
            async with open_server(settings) as server, connect(server, ear) as client:
                talk = await converse(client)
                await talk.start()
                ends.append(await talk.heard("turn/completed"))
        reached = cut.reached
        assert len(ear.of("turn/completed")) <= 1
        if talk.path.exists():
            kept += 1
            (end,) = ends_in(talk.path)
            assert end == "task_complete" or not ends  # it may end before anybody is told
            check_calls(talk.path)
            async with open_server(settings) as server, connect(server) as client:
                again = await resume(client, talk.id)
                (turn,) = again.words["turns"]
                assert RECORDED[turn["status"]] == end
    assert kept > 2


def cancel(scope: trio.CancelScope, _: object) -> None:
    scope.cancel()


def check_calls(path: Path) -> None:
    """Fail unless each call of a tool has its output, or the host would not take it back."""
    items = [line["payload"] for line in lines_of(path) if line["type"] == "response_item"]
    calls = [item["call_id"] for item in items if item["type"] == "function_call"]
    outputs = [item["call_id"] for item in items if item["type"] == "function_call_output"]
    assert calls == outputs
