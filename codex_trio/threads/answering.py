"""Answering a user: the work of most turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from codex_trio.responses import events
from codex_trio.threads.asking import Asking
from codex_trio.threads.assembly import Assembly
from codex_trio.threads.compacting import Compacting, make_prompt
from codex_trio.threads.ids import new_id
from codex_trio.threads.inputs import needs_reading, read_parts
from codex_trio.threads.items_taken import is_taken
from codex_trio.threads.turn import Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_trio.protocol.items import UserInput
    from codex_trio.responses.prompt import Prompt
    from codex_trio.responses.sampling import Responses
    from codex_trio.threads.context import Item
    from codex_trio.threads.inputs import Part
    from codex_trio.threads.surroundings import Outlook
    from codex_trio.threads.turn import Turn

_ANSWERS: Final = {
    "function_call": ("function_call_output", "fco_", "unsupported call: {}"),
    "custom_tool_call": (
        "custom_tool_call_output", "ctco_", "unsupported custom tool call: {}"
    ),
    "local_shell_call": ("function_call_output", "fco_", "unsupported call: {}"),
}  # fmt: skip
"""What is answered when a model calls a tool: that there is none. (The texts are observed.)"""

_OUTPUTS: Final = frozenset(kind for kind, *_ in _ANSWERS.values())


@attrs.define(eq=False)
class Answering:
    """Tells the model what the user says, and goes on until it has nothing more to say.

    Args:
        outlook: finds out what the model is to be told of the world.
    """

    _turn: Turn
    _responses: Responses
    _outlook: Outlook

    async def answer(self) -> None:
        """Do the work of the turn.

        Raises:
            ResponseError: the model does not answer.
        """
        turn = self._turn
        asking = Asking(turn, self._responses, self._prompt, lambda: _Hearing(turn))
        while True:
            if turn.thread.is_full(turn.terms):
                await Compacting(turn, self._responses).compact()
                if (
                    not turn.said
                ):  # in the middle of a turn, what is left tells nothing of the world
                    turn.said.append(Said(inputs=()))
            await self._take_said()
            wants_more = await asking.ask()
            if not wants_more and not turn.said:
                return

    def _prompt(self) -> Prompt:
        return make_prompt(self._turn, self._turn.thread.history)

    async def _take_said(self) -> None:
        """Put what the user has said into the history, behind what of the world has changed."""
        turn, said = self._turn, self._turn.said
        if not said:
            return
        surroundings = await self._outlook.around(turn.terms)
        while said:
            parts = await self._parts(said[0].inputs)
            turn.thread.chronicle.take_said(turn, said.popleft(), parts, surroundings)

    async def _parts(self, inputs: Sequence[UserInput]) -> list[Part]:
        if needs_reading(inputs):
            return await self._outlook.parts(inputs, self._turn.terms.cwd)
        return read_parts(inputs, self._turn.terms.cwd)


class _Hearing:
    """Hears one response: keeps what is complete, and has followers told of all of it."""

    def __init__(self, turn: Turn) -> None:
        thread = turn.thread
        self._turn = turn
        self._assembly = turn.assembly = Assembly(
            thread.followers, thread.id, turn.id, turn.item_ids
        )
        self.add_text = self._assembly.add_text

    def take(self, event: events.Event) -> None:
        match event:
            case events.ItemAdded(item=item):
                self._assembly.add_item(item)
            case events.SummaryPartAdded(index=index):
                self._assembly.add_summary_part(index)
            case events.SummaryDelta(index=index, delta=delta):
                self._assembly.add_summary(index, delta)
            case events.ReasoningDelta(index=index, delta=delta):
                self._assembly.add_reasoning(index, delta)
            case _:
                pass

    def keep(self, item: Item) -> bool:
        turn = self._turn
        if item.get("type") in _OUTPUTS or not is_taken(item):
            return False  # what only we may say, and what would spoil the history
        shown = self._assembly.finish(item)
        if shown is not None and item["type"] == "message" and not item.get("id"):
            item = {**item, "id": shown.id}  # observed; one that tells it has it too
        turn.thread.chronicle.keep(turn, item, shown)
        if shown is not None:
            self._assembly.complete(shown)
        if (answer := _answer(item)) is None:
            return False
        turn.thread.chronicle.keep(turn, answer)
        return True


def _answer(item: Item) -> Item | None:
    """Answer a call of a tool; None if it is none."""
    if (how := _ANSWERS.get(str(item.get("type")))) is None:
        return None
    kind, prefix, text = how
    return {
        "type": kind,
        "id": f"{prefix}{new_id()}",
        "call_id": item.get("call_id"),
        "output": text.format(f"{item.get('namespace') or ''}{item.get('name', 'shell')}"),
    }
