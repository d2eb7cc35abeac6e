"""A turn by itself, whatever is done in it: it ends once, and says how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.protocol.items import TextUserInput
from codex_trio.responses.failures import ResponseError
from codex_trio.responses.providers import find_provider
from codex_trio.rpc.router import Router
from codex_trio.threads.fold import Fold, Place
from codex_trio.threads.ids import new_id
from codex_trio.threads.meta import Meta
from codex_trio.threads.terms import Terms
from codex_trio.threads.thread import Thread
from codex_trio.threads.turn import Said, Turn

if TYPE_CHECKING:
    from codex_trio.settings import Settings
    from codex_trio.threads.line import Line

SECRET = "what somebody has said"


@pytest.fixture
async def thread(settings: Settings) -> Thread:
    thread_id = new_id()
    meta = Meta(
        id=thread_id,
        session_id=thread_id,
        created_ms=0,
        cwd="/",
        originator="test",
        cli_version="0",
        source="vscode",
        model_provider="openai",
    )
    provider = find_provider("openai", {}, settings)
    terms = Terms(model="gpt-5.5", provider=provider, cwd="/", workspace_roots=("/",))
    return Thread(meta, terms, Fold(), None, Router(), ephemeral=True)


@pytest.fixture
async def turn(thread: Thread) -> Turn:
    return Turn(thread, thread.terms, "answer", {})


async def do_nothing() -> None:  # noqa: ASYNC124 - it is the work of a turn
    pass


def ended(thread: Thread) -> list[Any]:
    """The ends of turns that are recorded."""
    return [turn.status for turn in thread.turns]


async def test_work_that_is_done_completes_it(thread: Thread, turn: Turn) -> None:
    await turn.run(do_nothing)
    assert turn.status == "completed"
    assert turn.ended.is_set()
    assert thread.turn is None
    assert ended(thread) == ["completed"]


async def fail_foreseen() -> None:  # noqa: ASYNC124 - as above
    raise ResponseError("no answer", "serverOverloaded")


async def fail_unforeseen() -> None:  # noqa: ASYNC124 - as above
    raise ValueError(SECRET)


async def fail_in_a_group() -> None:
    async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - for its group
        nursery.start_soon(fail_unforeseen)


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (fail_foreseen, "no answer"),
        (fail_unforeseen, "Internal error"),
        (fail_in_a_group, "Internal error"),
    ],
)
async def test_work_that_fails_fails_it_and_nothing_else(
    thread: Thread, turn: Turn, work: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    await turn.run(work)
    assert turn.status == "failed"
    assert turn.error is not None
    assert turn.error.message == message
    assert turn.ended.is_set()
    assert thread.turn is None
    assert thread.status.type == "systemError"
    assert ended(thread) == ["failed"]
    assert SECRET not in caplog.text


async def test_an_interrupt_before_it_runs_ends_it(thread: Thread, turn: Turn) -> None:
    turn.cut()
    await turn.run(trio.sleep_forever)
    assert turn.status == "interrupted"
    assert ended(thread) == ["interrupted"]


async def test_whoever_runs_it_may_be_cancelled(thread: Thread, turn: Turn) -> None:
    with trio.move_on_after(0):
        await turn.run(trio.sleep_forever)
    assert turn.status == "interrupted"
    assert turn.ended.is_set()
    assert thread.turn is None


async def test_a_failure_while_it_is_cut_does_not_keep_it_from_ending(
    thread: Thread, turn: Turn
) -> None:
    async def fail_when_cut() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError(SECRET)

    turn.cut()
    await turn.run(fail_when_cut)
    assert turn.ended.is_set()
    assert thread.turn is None
    assert ended(thread) != ["inProgress"]


class BrokenFold(Fold):
    """Cannot take some kind of line, because of a fault of ours."""

    broken: str = ""

    def take(self, line: Line, place: Place | None = None) -> None:
        if line.event == self.broken:
            raise ValueError(SECRET)
        super().take(line, place)


@pytest.mark.parametrize("broken", ["task_started", "task_complete"])
async def test_a_fault_of_ours_in_what_is_noted_keeps_nobody_waiting(
    thread: Thread, broken: str
) -> None:
    thread.fold = fold = BrokenFold()
    fold.broken = broken
    turn = Turn(thread, thread.terms, "answer", {})
    with pytest.raises(ValueError, match=SECRET):
        await turn.run(do_nothing)
    assert turn.ended.is_set()
    assert thread.turn is None
    fold.broken = ""
    turn = Turn(thread, thread.terms, "answer", {})
    await turn.run(do_nothing)
    assert turn.status == "completed"


async def test_what_is_said_at_the_last_moment_is_still_worked_on(
    thread: Thread, turn: Turn
) -> None:
    rounds = 0

    async def work() -> None:  # noqa: ASYNC124 - as above
        nonlocal rounds
        rounds += 1
        turn.said.clear()
        if rounds == 1:
            turn.steer(Said(inputs=[]))

    await turn.run(work)
    assert rounds == 2
    assert turn.status == "completed"


async def test_a_failure_leaves_what_was_said_in_the_history(
    thread: Thread, turn: Turn
) -> None:
    turn.said.append(Said(inputs=[TextUserInput(text="hello")]))
    await turn.run(fail_foreseen)
    assert [item["content"][0]["text"] for item in thread.history] == ["hello"]
