"""One turn: from turn/started to turn/completed, which comes exactly once."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs
import trio

from codex_trio.groups import describe_ways
from codex_trio.protocol import turns as words
from codex_trio.responses.failures import ResponseError
from codex_trio.threads.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_trio.protocol.items import AgentMessageThreadItem, UserInput
    from codex_trio.protocol.turns import TurnInterruptParams
    from codex_trio.rpc.calls import Call
    from codex_trio.threads.assembly import Assembly
    from codex_trio.threads.terms import Terms
    from codex_trio.threads.thread import Thread

Work: TypeAlias = Callable[[], Awaitable[None]]
"""What is done in a turn; it raises ``ResponseError`` when that has failed."""

Status: TypeAlias = Literal["completed", "interrupted", "failed", "inProgress"]

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Said:
    """Something that the user says: what the model is told, and what followers are."""

    inputs: Sequence[UserInput] = attrs.field(repr=False)
    client_id: str | None = None


@attrs.define(eq=False)
class Turn:
    """A turn of a conversation.

    ::

        run
        └─ nursery                  cut by interrupt, and when the server ends
           └─ the work              asks the model; where tools will run

    Whatever happens, the turn ends once: what came of it is recorded, those who wait for an
    interrupt are answered, and followers are told, in this order and without waiting in between.

    Args:
        terms: what holds in it; what is set meanwhile counts from the next turn on.
        kind: what sort of turn it is; only those that answer a user can be steered.
        agent: the headers that say on whose behalf the model is asked.
        output_schema: the JSON schema that the answer has to meet.
    """

    thread: Thread = attrs.field(repr=False)
    terms: Terms
    kind: Literal["answer", "compact"]
    agent: Mapping[str, str] = attrs.field(repr=False)
    output_schema: object = attrs.field(default=None, repr=False)
    id: str = attrs.field(factory=new_id, init=False)
    status: Status = attrs.field(default="inProgress", init=False)
    error: words.TurnError | None = attrs.field(default=None, init=False)
    started_at: int | None = attrs.field(default=None, init=False)  # Unix time
    said: deque[Said] = attrs.field(factory=deque, init=False, repr=False)
    """What the user has said, and the model has not been told yet."""
    last_message: AgentMessageThreadItem | None = attrs.field(
        default=None, init=False, repr=False
    )
    """The last message of the model that is complete."""
    item_ids: set[str] = attrs.field(factory=set, init=False, repr=False)
    """The ids of its items that are complete."""
    assembly: Assembly | None = attrs.field(default=None, init=False)
    """What has come of the response that is coming in."""
    response: trio.CancelScope | None = attrs.field(default=None, init=False)
    """The response that is coming in; steering cuts it."""
    headers: Mapping[str, str] | None = attrs.field(default=None, init=False, repr=False)
    """Those of the response that is coming in, as soon as they are there."""
    ended: trio.Event = attrs.field(factory=trio.Event, init=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _interrupts: list[Call[TurnInterruptParams]] = attrs.field(factory=list, init=False)
    _began: float = attrs.field(default=0.0, init=False)  # Trio's clock

    @property
    def takes_more(self) -> bool:
        """Whether what the user says now is still answered in it."""
        return self.status == "inProgress" and not self._scope.cancel_called

    def words(self) -> words.Turn:
        """Say the turn as it stands, without its items."""
        return words.Turn(
            id=self.id, root_turn_id=self.id, items=[], items_view="notLoaded",
            status=self.status, error=self.error, started_at=self.started_at,
        )  # fmt: skip

    async def run(self, work: Work) -> None:
        """Do the work, from the first notification to the last.

        What goes wrong in it ends the turn, and nothing else. A cancelled call ends it too: as
        interrupted, with everything recorded and told that there is.
        """
        try:
            self._begin()
            with self._scope:
                while True:
                    async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - for tools, too
                        nursery.start_soon(self._try, work, name=f"turn {self.id}")
                    # The nursery's end takes a step, in which more may have been said.
                    if self.error is not None or not self.said:
                        break
                self._settle("completed" if self.error is None else "failed")
                await self.thread.flush()  # which has its own patience, and warns at its end
        finally:
            try:
                self._settle("interrupted")
            finally:
                self._end()

    def interrupt(self, call: Call[TurnInterruptParams]) -> None:
        """End the turn now; the call is answered when it has ended. Never waits."""
        self._interrupts.append(call)
        self._scope.cancel(reason="turn/interrupt")

    def cut(self) -> None:
        """End the turn now, because its conversation ends. Never waits."""
        self._scope.cancel(reason="the conversation ends")

    def steer(self, said: Said) -> None:
        """Say something more; what the model is just answering is dropped. Never waits.

        It is told at once, with what came before (observed).
        """
        self.said.append(said)
        if self.response is not None:
            self.response.cancel(reason="turn/steer")

    async def _try(self, work: Work) -> None:
        """Do the work; what is foreseen, and what is not, becomes the error of the turn."""
        try:
            await work()
        except ResponseError as error:
            self.error = turn_error(error)
        except Exception as error:  # a fault of ours, whose text may hold what was said
            log.error("turn %s failed: %s", self.id, describe_ways(error))  # noqa: TRY400 - see above
            self.error = words.TurnError(message="Internal error", codex_error_info="other")

    def _begin(self) -> None:
        self.started_at, self._began = int(time.time()), trio.current_time()
        self.thread.chronicle.begin(self)

    def _settle(self, status: Status) -> None:
        """Decide how the turn has ended, once, and record it."""
        if self.status == "inProgress":
            self.status = status
            duration = round((trio.current_time() - self._began) * 1000)
            self.thread.chronicle.settle(self, duration)

    def _end(self) -> None:
        # Whatever is wrong in ours, nobody waits for ever: not who has interrupted it, and not
        # who wants the next turn.
        try:
            for call in self._interrupts:
                call.reply(words.TurnInterruptResponse())
            self.thread.chronicle.end(self)
        finally:
            self.thread.turn = None
            self.ended.set()


def turn_error(error: ResponseError) -> words.TurnError:
    """Say an error as followers are told it."""
    return words.TurnError(
        message=error.message,
        codex_error_info=error.info,
    )
