"""Making a summary of a conversation, with which it goes on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from codex_trio.protocol import items as words
from codex_trio.responses.failures import ResponseError
from codex_trio.responses.prompt import Prompt
from codex_trio.threads import instructions
from codex_trio.threads.asking import Asking
from codex_trio.threads.assembly import Assembly, text_of
from codex_trio.threads.context import as_sent, base_message, is_context, message, paired
from codex_trio.threads.ids import message_id, new_id
from codex_trio.threads.inputs import text_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codex_trio.responses import events
    from codex_trio.responses.sampling import Responses
    from codex_trio.threads.context import Item
    from codex_trio.threads.turn import Turn

MAX_KEPT: Final = 80_000
"""Characters of what the user has said that are kept word for word beside a summary."""

WARNING: Final = (
    "Heads up: a conversation that is long, or was summarized more than once, makes the model less"
    " accurate. Start a new one when you can, and keep each small and to the point."
)


@attrs.define(eq=False)
class Compacting:
    """Has the model summarize a conversation, and puts the summary in its history's place."""

    _turn: Turn
    _responses: Responses

    async def compact(self) -> None:
        """Do it; the work of a turn of its own, or the first thing in one that answers.

        Until the summary is there, the history stays as it is. A cancelled call leaves it so.

        Raises:
            ResponseError: the model does not make a summary.
        """
        turn, thread = self._turn, self._turn.thread
        item = words.ContextCompactionThreadItem(id=new_id())
        telling = Assembly(thread.followers, thread.id, turn.id)
        telling.begin(item)
        summary = await self._summarize()
        thread.chronicle.replace_history(
            turn, item, summary, _replacement(thread.history, summary)
        )
        thread.tell_usage(turn.id, {})
        telling.complete(item)
        thread.warn(WARNING)

    async def _summarize(self) -> str:
        """Have all of it summarized, or as much of its end as the model can take."""
        history = list(self._turn.thread.history)
        while True:  # noqa: ASYNC913 - the model is waited for each time
            try:
                return await self._summary_of(history)
            except ResponseError as error:
                if error.info != "contextWindowExceeded" or len(history) < 2:
                    raise
            history = history[(len(history) + 1) // 2 :]  # the older half has to go

    async def _summary_of(self, history: Sequence[Item]) -> str:
        heard: list[_Summary] = []

        def listen() -> _Summary:
            heard.append(_Summary())
            return heard[-1]

        prompt = partial(self._prompt, history)
        asking = Asking(self._turn, self._responses, prompt, listen, steerable=False)
        await asking.ask()
        if not heard or not (text := heard[-1].text.strip()):
            raise ResponseError("the model has made no summary", "other")
        return text

    def _prompt(self, history: Sequence[Item]) -> Prompt:
        wording = self._turn.terms.compact_prompt or instructions.SUMMARIZE
        request = message("user", [text_part(wording)], message_id())
        prompt = make_prompt(self._turn, [*history, request])
        return attrs.evolve(prompt, output_schema=None, metadata={"request_kind": "compaction"})


class _Summary:
    """Hears a summary, of which nobody is told before it is complete."""

    def __init__(self) -> None:
        self.text = ""

    def add_text(self, delta: str) -> None:
        pass

    def take(self, event: events.Event) -> None:
        pass

    def keep(self, item: Item) -> bool:
        if item.get("type") == "message":
            self.text += text_of(item)
        return False


def _replacement(history: Sequence[Item], summary: str) -> list[Item]:
    """Make the new history: the last of what the user has said, and the summary."""
    kept: list[Item] = []
    left = MAX_KEPT
    for item in reversed(history):
        if (
            item.get("type") == "message"
            and item.get("role") == "user"
            and not is_context(item)
        ):
            text = text_of(item)
            if text.startswith(instructions.SUMMARY) or not text:
                continue
            # Pictures go: what is too big because of them would stay so for ever.
            item_id = str(item.get("id") or message_id())
            kept.append(message("user", [text_part(text[:left])], item_id))
            if (left := left - len(text)) <= 0:
                break
    introduced = text_part(f"{instructions.SUMMARY}{summary}")
    return [*reversed(kept), message("user", [introduced], message_id())]


def make_prompt(turn: Turn, history: Iterable[Item]) -> Prompt:
    """Make what a model is sent: the base instructions, the history, and how it is to respond."""
    thread, terms = turn.thread, turn.terms
    model = terms.known_model
    effort = terms.effort or (None if model is None else model.default_reasoning_effort)
    return Prompt(
        model=terms.model,
        input=as_sent(
            [base_message(terms.base_instructions or instructions.BASE), *paired(history)]
        ),
        effort=effort,
        summary=None if terms.summary_asked == "none" else terms.summary_asked,
        verbosity=terms.verbosity or (None if model is None else model.verbosity),
        output_schema=turn.output_schema,
        service_tier=None if terms.service_tier == "default" else terms.service_tier,
        thread_id=thread.id,
        session_id=thread.meta.session_id,
        cache_key=thread.cache_key,
        turn_id=turn.id,
        root_turn_id=turn.id,
        window=thread.fold.compactions,
    )
