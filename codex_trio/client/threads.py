"""Conversations with models: threads, and the turns in them as blocks."""

from __future__ import annotations

import logging
import math
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import trio

from codex_trio import protocol as words
from codex_trio.client.news import News, read_params
from codex_trio.errors import (
    AnswerError,
    LaggedError,
    RpcError,
    ServerGoneError,
    TurnFailedError,
)
from codex_trio.protocol import thread_rows
from codex_trio.protocol.rows import ServerNotification

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from codex_trio.client.client import Client

    Prompt: TypeAlias = str | Sequence[words.items.UserInput]
    Rows: TypeAlias = tuple[ServerNotification[Any], ...]

log = logging.getLogger(__name__)

INTERRUPTING: Final = 5.0
"""Seconds that a turn has to be interrupted when its block is left; ours needs none."""

REACHING: Final = 60.0
"""Seconds for which ``ask`` waits for a model whose host cannot be reached."""

_UNREACHED: Final = "waiting for network"  # how servers end the text of an error that says so

# Taken without its words, for an end counts even if they cannot be read.
_END: Final[ServerNotification[Any]] = ServerNotification(thread_rows.TURN_COMPLETED.name)

_ENDS: Final[Rows] = (thread_rows.ITEM_COMPLETED, _END)
_ASKED: Final[Rows] = (*_ENDS, thread_rows.ITEM_STARTED, thread_rows.ERROR)
_ALL: Final[Rows] = (
    *_ENDS,
    thread_rows.TURN_STARTED,
    thread_rows.ITEM_STARTED,
    thread_rows.AGENT_MESSAGE_DELTA,
    thread_rows.PLAN_DELTA,
    thread_rows.REASONING_SUMMARY_TEXT_DELTA,
    thread_rows.REASONING_SUMMARY_PART_ADDED,
    thread_rows.REASONING_TEXT_DELTA,
    thread_rows.TURN_DIFF_UPDATED,
    thread_rows.TURN_PLAN_UPDATED,
    thread_rows.THREAD_TOKEN_USAGE_UPDATED,
    thread_rows.THREAD_COMPACTED,
    thread_rows.MODEL_REROUTED,
    thread_rows.AUTH_RECOVERY_STARTED,
    thread_rows.AUTH_RECOVERY_COMPLETED,
    thread_rows.ERROR,
)


@attrs.define(eq=False)
class Thread:
    """A conversation; made by ``Client.start_thread`` and its like.

    It stays with the server when the client leaves, and can be resumed by its id.
    """

    client: Client = attrs.field(repr=False)
    known: words.threads.Thread = attrs.field(repr=False)
    """What the server has said of it when it was started or resumed."""
    model: str
    """The model that answers."""
    _told: News[Any] | None = attrs.field(default=None, init=False, repr=False)

    @property
    def id(self) -> str:
        """What the thread is called everywhere."""
        return self.known.id

    @asynccontextmanager
    async def run(self, prompt: Prompt, **more: Any) -> AsyncGenerator[Turn]:
        """Say something, and have the turn that comes of it within the block.

        Leaving the block interrupts the turn, unless its end has been seen; a cancellation does
        that, too. Either waits five seconds for it at most.

        There is one turn at a time: the server would add what is said meanwhile to that one, as
        ``turn/steer`` does on purpose.

        Args:
            prompt: text; or several inputs, out of ``codex_trio.protocol.items``.
            **more: fields of ``codex_trio.protocol.turns.TurnStartParams``.

        Raises:
            RpcError: the server refuses, because the thread is gone for example.
            AnswerError: its answer cannot be read.
            ServerGoneError: it hangs up.
            trio.BusyResourceError: a turn of this object is under way.
        """
        async with self._run(_ALL, prompt, more) as turn:
            yield turn

    async def ask(self, prompt: Prompt, **more: Any) -> str:
        """Say something, and return what the model answers in the end.

        A cancelled call interrupts the turn. It takes what ``run`` takes, and raises besides:

        Raises:
            TurnFailedError: there is no answer, or the model could not be reached for a minute.
                (A server would wait for the network for ever; ``run`` leaves it that.)
        """
        why = ""

        def hear(told: object) -> None:
            nonlocal why
            match told:
                case words.turns.ErrorNotification(error=error, will_retry=True):
                    log.warning("the model has not answered yet: %s", error.message)
                    if error.message.endswith(_UNREACHED):
                        why = error.additional_details or error.message
                        given_up = trio.current_time() + REACHING
                        reaching.deadline = min(reaching.deadline, given_up)
                        return
                case _:
                    pass
            reaching.deadline = math.inf

        async with self._run(_ASKED, prompt, more) as turn:
            with trio.CancelScope() as reaching:
                await turn._follow(hear)
                return turn._answered()
            raise TurnFailedError(
                f"the model was not reached within {REACHING:g} s: {why}"
                " (codex-trio doctor looks for the reason)",
                "interrupted",
            )

    @asynccontextmanager
    async def _run(
        self, rows: Rows, prompt: Prompt, more: dict[str, Any]
    ) -> AsyncGenerator[Turn]:
        if self._told is not None and not self._told.closed:
            raise trio.BusyResourceError("a turn of this thread is under way")
        said = [words.items.TextUserInput(text=prompt)] if isinstance(prompt, str) else prompt
        params = words.turns.TurnStartParams(thread_id=self.id, input=list(said), **more)
        ours: News[Any] = News(
            {row.name: row for row in rows},
            self._concerned,
            frozenset(row.name for row in _ENDS),
        )
        self._told = ours
        with self.client.listening(ours) as news:
            begun = await self.client.call(thread_rows.TURN_START, params, undo=self._interrupt)
            turn = Turn(self, begun.turn.id, news)
            try:
                yield turn
            finally:
                if turn.completed is None:
                    with (
                        trio.move_on_after(INTERRUPTING, shield=True),
                        suppress(RpcError, AnswerError, ServerGoneError),
                    ):
                        await self._interrupt(begun)

    def _concerned(self, told: Any) -> bool:
        return isinstance(told, dict) and told.get("threadId") == self.id

    async def _interrupt(self, begun: words.turns.TurnStartResponse) -> None:
        params = words.turns.TurnInterruptParams(thread_id=self.id, turn_id=begun.turn.id)
        await self.client.call(thread_rows.TURN_INTERRUPT, params)


@attrs.define(eq=False)
class Turn:
    """One turn: an async iterator over what is told of it; made by ``Thread.run``.

    It iterates over words of ``codex_trio.protocol.items`` and ``.turns``, until
    ``TurnCompletedNotification``, which is the last; it raises what ``News`` raises. The items in
    them are plain JSON. What is told in methods without words is left to
    ``Client.notifications``. Several tasks may iterate; what is told goes to one of them, and the
    end ends all. Of who lags, completed items and the end are not left out.
    """

    thread: Thread = attrs.field(repr=False)
    id: str
    """What ``turn/steer`` and its like call it."""
    _news: News[Any] = attrs.field(repr=False)
    completed: words.turns.Turn | None = attrs.field(default=None, init=False, repr=False)
    """The turn as it was in the end, as soon as the iteration has come there."""
    answer: str | None = attrs.field(default=None, init=False, repr=False)
    """What the model has answered in the end, as far as the iteration has come."""

    def __aiter__(self) -> Turn:
        return self

    async def __anext__(self) -> Any:
        while True:
            told = await anext(self._news)
            match told:
                case {"turn": {"id": self.id}}:
                    self._news.close()
                    end = read_params(thread_rows.TURN_COMPLETED, told)
                    self.completed = end.turn
                    return end
                case {}:
                    pass  # the end of another
                case words.turns.TurnStartedNotification(turn=turn):
                    if turn.id == self.id:
                        return told
                case words.items.ItemCompletedNotification(turn_id=self.id, item=item):
                    self._note(item)
                    return told
                case _:
                    if told.turn_id == self.id:
                        return told

    def _note(self, item: Any) -> None:
        match item:
            case {"type": "agentMessage", "text": str(text), **others}:
                if others.get("phase") in (None, "final_answer"):
                    self.answer = text
            case _:
                pass

    def text(self) -> Text:
        """Iterate over what the model says, piece by piece, until the turn has ended.

        That is all of it, without a seam: what it says on its way, and its ``answer``.

        Raises:
            TurnFailedError: it has ended without an answer.
            LaggedError: some of it was left out.
        """
        return Text(self)

    async def wait_completed(self) -> words.turns.Turn:
        """Pass over what is told until the turn has ended, in whatever way; returns how.

        Raises:
            AnswerError: what is told cannot be read; if that is the end, it is over all the same.
            ServerGoneError: the server has hung up, or the block was left.
        """
        await self._follow(lambda told: None)
        return self._ended()

    async def _follow(self, hear: Callable[[object], None]) -> None:
        while True:  # noqa: ASYNC913 - iterating waits
            with suppress(LaggedError):  # what this is called for is never left out
                async for told in self:
                    hear(told)
                return

    async def wait_answer(self) -> str:
        """Wait for the end of the turn, and return what the model has answered.

        Raises:
            TurnFailedError: there is no answer.
        """
        await self.wait_completed()
        return self._answered()

    def _ended(self) -> words.turns.Turn:
        if self.completed is None:
            raise ServerGoneError("nothing more is told of this turn: its block was left")
        return self.completed

    def _answered(self) -> str:
        turn = self._ended()
        if turn.status != "completed":
            text = f"the turn was {turn.status}" if turn.error is None else turn.error.message
            raise TurnFailedError(text, turn.status)
        if self.answer is None:
            raise TurnFailedError("the turn has ended without an answer", turn.status)
        return self.answer


@attrs.define(eq=False)
class Text:
    """The pieces of what a model says; made by ``Turn.text``."""

    _turn: Turn

    def __aiter__(self) -> Text:
        return self

    async def __anext__(self) -> str:
        async for told in self._turn:
            if isinstance(told, words.items.AgentMessageDeltaNotification):
                return told.delta
        self._turn._answered()
        raise StopAsyncIteration
