"""The conversations that are loaded: beginning, finding and unloading them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from codex_trio import telemetry
from codex_trio.errors import RpcError
from codex_trio.groups import describe_ways
from codex_trio.protocol import thread_news as news
from codex_trio.protocol import thread_rows as rows
from codex_trio.protocol.threads import NotLoadedThreadStatus
from codex_trio.threads.answering import Answering
from codex_trio.threads.compacting import Compacting
from codex_trio.threads.ids import check_id
from codex_trio.threads.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from codex_trio.protocol.rows import ServerNotification
    from codex_trio.responses.sampling import Responses
    from codex_trio.rpc.router import Router
    from codex_trio.rpc.work import Work
    from codex_trio.threads.surroundings import Outlook
    from codex_trio.threads.thread import Thread

IDLE: Final = 30 * 60.0
"""Seconds after which a conversation that nobody follows is unloaded (as documented)."""

_SWEEP: Final = 60.0  # seconds between two looks for such

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Threads:
    """The conversations of one account scope.

    ::

        scope
        ├─ records             lines on their way to disk; they have time to get there
        └─ conversations       a task for each turn, and ``sweep``

    A conversation is on disk; loading it makes a ``Thread`` of it, and unloading it forgets that
    one. It belongs to no connection.

    Args:
        work: what is waited for when the server shuts down: turns.
        conversations: where turns run; when it is cancelled they end, as interrupted.
    """

    _router: Router
    _responses: Responses
    _work: Work
    _conversations: trio.Nursery
    _outlook: Outlook
    loaded: dict[str, Thread] = attrs.field(factory=dict, init=False)
    """The conversations that are loaded, by id."""

    def expect(self, thread_id: str) -> Thread:
        """Return a conversation that is loaded.

        Raises:
            RpcError: it is not, or the id is none.
        """
        found = self.loaded.get(check_id(thread_id))
        if found is None:
            raise RpcError.invalid_request(f"thread not found: {thread_id}")
        found.used_at = trio.current_time()
        return found

    def load(self, thread: Thread) -> None:
        """Have a conversation among those that are loaded.

        Raises:
            ValueError: it is loaded already.
        """
        if thread.id in self.loaded:
            raise ValueError("a conversation is loaded once")
        self.loaded[thread.id] = thread

    def tell(self, thread_id: str | None, row: ServerNotification[Any], params: Any) -> None:
        """Tell those who follow a conversation, or everybody."""
        if thread_id is None:
            self._router.broadcast(row, params)
        elif (thread := self.loaded.get(thread_id)) is not None:
            thread.tell(row, params)

    # --- turns ---

    def make_turn(
        self,
        thread: Thread,
        agent: Mapping[str, str],
        output_schema: object = None,
    ) -> Turn:
        """Make the next turn of a conversation; ``begin`` runs it."""
        turn = Turn(thread, thread.terms, "answer", agent, output_schema)
        thread.turn = turn
        return turn

    def begin(self, turn: Turn) -> None:
        """Run a turn. Never waits."""
        answering = Answering(turn, self._responses, self._outlook)
        self._work.begin(turn)  # here, so that there is no moment between its request and it
        self._conversations.start_soon(
            self._run, turn, answering.answer, name=f"turn {turn.id}"
        )

    async def compact(self, thread: Thread, agent: Mapping[str, str]) -> None:
        """Begin a turn that makes a summary of a conversation; one under way ends first.

        A cancelled call has begun none.
        """
        await self.end_turn(thread)
        turn = Turn(thread, thread.terms, "compact", agent)
        thread.turn = turn
        compacting = Compacting(turn, self._responses)
        self._work.begin(turn)
        self._conversations.start_soon(
            self._run, turn, compacting.compact, name=f"turn {turn.id}"
        )

    async def _run(self, turn: Turn, work: Callable[[], Awaitable[None]]) -> None:
        try:
            with telemetry.span("turn", turn_id=turn.id) as span:
                if telemetry.is_enabled():
                    span.note(conversation_id=turn.thread.id, turn_kind=turn.kind)
                    span.note(turn_model=turn.terms.model)
                try:
                    await turn.run(work)
                finally:
                    span.note(turn_status=turn.status)
        except Exception as error:  # one conversation must not end the others
            log.error("a turn could not be ended: %s", describe_ways(error))  # noqa: TRY400 - its text may hold what was said
        finally:
            self._work.end(turn)

    async def end_turn(self, thread: Thread) -> None:
        """End the turn that is under way, if there is one, and wait until it has ended."""
        while (turn := thread.turn) is not None:
            turn.cut()
            await turn.ended.wait()

    def warn_of_model(self, thread: Thread) -> None:
        """Warn those who follow a conversation if its model is none that we know."""
        if thread.terms.known_model is None:
            thread.warn(
                f"Model metadata for `{thread.terms.model}` not found. Defaulting to fallback"
                " metadata; this can degrade performance and cause issues."
            )

    def warn_of_switch(self, thread: Thread) -> None:
        """Warn those who follow a conversation if it goes on with another model."""
        before, model = thread.fold.settings.model, thread.terms.model
        if before not in (None, model):
            thread.warn(
                f"This conversation was held with `{before}`, and goes on with `{model}`. One"
                " model may not do well what another has begun."
            )

    # --- unloading ---

    async def unload(self, thread_id: str, *, lossy: bool = False) -> None:
        """Unload a conversation: its turn ends, and what has happened in it is on disk.

        Everybody is told. A cancelled call may have ended the turn and nothing else.

        Args:
            thread_id: the conversation; one that is not loaded stays so.
            lossy: unload it also if its last lines cannot be written.

        Raises:
            RpcError: they cannot, and so it stays loaded.
        """
        if (thread := self.loaded.get(thread_id)) is None:
            return
        while True:
            await self.end_turn(thread)
            trouble = await thread.flush()
            if thread.turn is not None:
                continue  # it was begun while the disk took its time
            if trouble is not None or thread.is_stored:
                break
        if trouble is not None and not lossy:
            raise RpcError.internal(f"failed to store thread {thread_id}: {trouble}")
        self._forget(thread)

    def _forget(self, thread: Thread) -> None:
        if self.loaded.get(thread.id) is thread:  # and nobody else has unloaded it meanwhile
            del self.loaded[thread.id]
            thread.let_go()
            thread.announce(
                rows.THREAD_STATUS_CHANGED,
                news.ThreadStatusChangedNotification(
                    thread_id=thread.id, status=NotLoadedThreadStatus()
                ),
            )

    def forget_limits(self) -> None:
        """Forget how much of an account is used up: it is another one now."""
        for thread in self.loaded.values():
            thread.limits = None

    def let_go(self) -> None:
        """Let other processes write to what is loaded, once all is on disk. Blocks briefly."""
        for thread in self.loaded.values():
            thread.let_go()

    async def sweep(self) -> None:
        """Unload, until cancelled, what nobody has followed or used for ``IDLE`` seconds."""
        while True:
            await trio.sleep(_SWEEP)
            for thread in list(self.loaded.values()):
                try:
                    await self._sweep(thread)
                except Exception as error:  # one conversation must not end the others
                    log.error("a thread could not be unloaded: %s", describe_ways(error))  # noqa: TRY400 - see above

    async def _sweep(self, thread: Thread) -> None:
        if not thread.is_idle(IDLE) or await thread.flush() is not None:
            return  # it is in use, or would be lost
        if thread.is_idle(IDLE):  # still: nobody has come back while the disk was busy
            self._forget(thread)
            thread.announce(
                rows.THREAD_CLOSED, news.ThreadClosedNotification(thread_id=thread.id)
            )
