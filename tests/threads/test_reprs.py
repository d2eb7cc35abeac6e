"""What is shown of conversations where objects are shown: nothing that anybody has said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_trio.protocol.items import TextUserInput
from codex_trio.responses.providers import find_provider
from codex_trio.threads.fold import Fold, FoldedItem
from codex_trio.threads.terms import Terms
from codex_trio.threads.turn import Said
from tests.threads import records

if TYPE_CHECKING:
    from codex_trio.settings import Settings


async def test_a_repr_tells_nothing_that_was_said(settings: Settings) -> None:  # noqa: ASYNC124 - its settings come from such a fixture
    fold = Fold()
    for line in records.thread(question="a secret"):
        fold.take(line)
    assert "a secret" in str(fold.turns)
    (turn,) = fold.folded_turns.values()
    item: FoldedItem = next(iter(turn.items.values()))
    terms = Terms(
        model="gpt-5.5",
        provider=find_provider("openai", {}, settings),
        cwd="/",
        workspace_roots=("/",),
        base_instructions="a secret",
        developer_instructions="a secret",
    )
    said = Said(inputs=[TextUserInput(text="a secret")])
    for one in (fold, turn, item, terms, said):
        assert "secret" not in repr(one)
