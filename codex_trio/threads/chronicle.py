"""What happens in a turn: as it is recorded, and as followers are told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from codex_trio.protocol import items as item_words
from codex_trio.protocol import thread_news as news
from codex_trio.protocol import thread_rows as rows
from codex_trio.protocol import turns
from codex_trio.threads import instructions
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.assembly import Assembly, text_of
from codex_trio.threads.context import context_messages, message
from codex_trio.threads.ids import message_id, new_id
from codex_trio.threads.inputs import shown_parts, text_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_trio.responses.events import Usage
    from codex_trio.threads.context import Item
    from codex_trio.threads.inputs import Part
    from codex_trio.threads.instructions import Surroundings
    from codex_trio.threads.thread import Thread
    from codex_trio.threads.turn import Said, Turn

_CHARACTERS_PER_TOKEN: Final = 4  # about


@attrs.define(eq=False)
class Chronicle:
    """Records and tells what happens in the turns of one conversation; nothing here waits."""

    _thread: Thread
    _first_unread: str | None = attrs.field(default=None, init=False)

    def note_usage(self, turn: Turn, usage: Usage) -> None:
        """Note what a response has cost."""
        last = news.TokenUsageBreakdown(
            total_tokens=usage.total_tokens,
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            cache_write_input_tokens=usage.cache_write_input_tokens,
            output_tokens=usage.output_tokens,
            reasoning_output_tokens=usage.reasoning_output_tokens,
        )
        window = turn.terms.context_window
        total = lines.add_usage(self._thread.fold.usage, last, window)
        self._thread.write(lines.token_count(total, self._thread.limits))

    def note_full(self, turn: Turn) -> None:
        """Note that the model can take no more, and tell it."""
        full = news.TokenUsageBreakdown(
            total_tokens=turn.terms.context_window,
            input_tokens=0,
            cached_input_tokens=0,
            output_tokens=0,
            reasoning_output_tokens=0,
        )
        total = news.ThreadTokenUsage(
            total=full, last=full, model_context_window=turn.terms.context_window
        )
        self._thread.write(lines.token_count(total, self._thread.limits))
        self._thread.tell_usage(turn.id, {})

    def replace_history(
        self,
        turn: Turn,
        item: item_words.ContextCompactionThreadItem,
        summary: str,
        history: Sequence[Item],
    ) -> None:
        """Go on with a summary in the place of the history."""
        self._thread.write(
            lines.compacted(summary, history),
            lines.item_completed(self._thread.id, turn.id, item),
        )
        if (usage := self._thread.fold.usage) is not None:
            # What the model was sent for the summary says nothing of what it will be sent now.
            characters = sum(len(text_of(one)) for one in history)
            last = news.TokenUsageBreakdown(
                total_tokens=characters // _CHARACTERS_PER_TOKEN,
                input_tokens=0,
                cached_input_tokens=0,
                output_tokens=0,
                reasoning_output_tokens=0,
            )
            self._thread.write(
                lines.token_count(attrs.evolve(usage, last=last), self._thread.limits)
            )

    def begin(self, turn: Turn) -> None:
        """Note and tell that a turn is under way."""
        self._thread.turn, self._thread.failed = turn, False
        self._thread.write(
            lines.task_started(
                turn_id=turn.id,
                started_at=turn.started_at,
                model_context_window=turn.terms.context_window,
            )
        )
        self._thread.announce_status()
        self._thread.tell(
            rows.TURN_STARTED,
            turns.TurnStartedNotification(thread_id=self._thread.id, turn=turn.words()),
        )

    def take_said(
        self, turn: Turn, said: Said, parts: Sequence[Part], now: Surroundings | None = None
    ) -> None:
        """Put what the user says into the history, behind what the model does not know yet.

        Args:
            turn: the turn in which it is said.
            said: what followers are shown.
            parts: what the model is told.
            now: the world around the conversation; None tells nothing of it.
        """
        if now is not None:
            fresh = context_messages(self._thread.history, now, iter(message_id, None))
            self._thread.write(*(lines.response_item(one, turn_id=turn.id) for one in fresh))
            terms = turn.terms
            settings = attrs.evolve(terms.words(), summary=terms.summary_asked)
            self._thread.write(lines.turn_context(turn.id, settings))
            self._thread.note_terms()
        if not said.inputs:  # which asks the model to go on, and is nothing that anybody said
            return
        item = item_words.UserMessageThreadItem(
            id=new_id(), client_id=said.client_id, content=list(said.inputs)
        )
        telling = Assembly(self._thread.followers, self._thread.id, turn.id)
        telling.begin(item)
        self._thread.write(
            lines.response_item(message("user", parts, message_id()), turn_id=turn.id),
            lines.item_completed(self._thread.id, turn.id, item),
        )
        telling.complete(item)

    def settle(self, turn: Turn, duration_ms: int) -> None:
        """Note how a turn has ended; of an interrupted one, what came is kept and marked.

        What the user has said and the model was not told is kept, too.
        """
        completed_at = int(time.time())
        while turn.said:
            said = turn.said.popleft()
            self.take_said(turn, said, shown_parts(said.inputs))
        if turn.status == "interrupted":
            self._keep_partial(turn)
            if turn.headers is not None:
                self._thread.tell_usage(turn.id, turn.headers)
            if turn.last_message is not None:
                self._tell_unread(turn)
            marker = message("user", [text_part(instructions.ABORTED)], message_id())
            self._thread.write(
                lines.response_item(marker, turn_id=turn.id),
                lines.turn_aborted(
                    turn_id=turn.id,
                    started_at=turn.started_at,
                    completed_at=completed_at,
                    duration_ms=duration_ms,
                ),
            )
            return
        self._thread.write(
            lines.task_complete(
                turn_id=turn.id,
                last_agent_message=None
                if turn.last_message is None
                else turn.last_message.text,
                started_at=turn.started_at,
                completed_at=completed_at,
                duration_ms=duration_ms,
                error=turn.error,
            )
        )

    def _keep_partial(self, turn: Turn) -> None:
        """Keep what has come of a message that will not be finished (ours)."""
        if turn.assembly is None or (partial := turn.assembly.take_partial()) is None:
            return
        self.keep(
            turn,
            {
                "type": "message",
                "id": partial.id,
                "role": "assistant",
                "content": [{"type": "output_text", "text": partial.text}],
            },
            partial,
        )
        turn.assembly.complete(partial)

    def keep(self, turn: Turn, item: Item, shown: Any = None) -> None:
        """Note an item of the history, and what clients are shown of it."""
        if isinstance(shown, item_words.AgentMessageThreadItem) and shown.text:
            turn.last_message = shown
        if shown is not None:
            self._thread.write(lines.item_completed(self._thread.id, turn.id, shown))
        self._thread.write(lines.response_item(item, turn_id=turn.id))

    def end(self, turn: Turn) -> None:
        """Tell that a turn has ended."""
        self._thread.turn, self._thread.failed = None, turn.status == "failed"
        self._thread.used_at = trio.current_time()
        if self._thread.failed:
            self._thread.announce_status()
            assert turn.error is not None  # it has failed
            self._thread.tell(
                rows.ERROR,
                turns.ErrorNotification(
                    error=turn.error,
                    will_retry=False,
                    thread_id=self._thread.id,
                    turn_id=turn.id,
                ),
            )
        if self._thread.failed or (
            turn.status == "completed" and turn.last_message is not None
        ):
            self._tell_unread(turn)
        if not self._thread.failed:
            self._thread.announce_status()
        items: list[item_words.ThreadItem] = []
        if turn.last_message is not None and not self._thread.failed:
            items = [turn.last_message]
        whole = next(
            (one for one in reversed(self._thread.turns) if one.id == turn.id), turn.words()
        )
        view: turns.TurnItemsView = "summary" if items else "notLoaded"
        self._thread.tell(
            rows.TURN_COMPLETED,
            turns.TurnCompletedNotification(
                thread_id=self._thread.id,
                turn=attrs.evolve(
                    whole, status=turn.status, items=items, items_view=view, error=turn.error
                ),
            ),
        )

    def forget_unread(self) -> None:
        """Have nothing that is unread if that has been taken back; followers are told."""
        first = self._first_unread
        if first is not None and all(turn.id != first for turn in self._thread.turns):
            self._first_unread = None
            self._tell_read_state(None)

    def _tell_unread(self, turn: Turn) -> None:
        if self._thread.ephemeral:
            return
        self._first_unread = self._first_unread or turn.id
        self._tell_read_state(news.TurnThreadUnreadPosition(turn_id=self._first_unread))

    def _tell_read_state(self, unread: news.ThreadUnreadPosition | None) -> None:
        state = news.ThreadReadState(first_unread=unread, revision=new_id())
        self._thread.read_state = state
        self._thread.tell(
            rows.THREAD_READ_STATE_CHANGED,
            news.ThreadReadStateChangedNotification(
                thread_id=self._thread.id,
                read_state=state,
            ),
        )
