"""Pages of a thread's turns, and of its items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

import attrs
import orjson

from codex_trio import protocol as words
from codex_trio.errors import RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codex_trio.protocol.items import ThreadItem
    from codex_trio.protocol.listing import ThreadItemEntry
    from codex_trio.protocol.turns import Turn, TurnItemsView
    from codex_trio.threads.fold import Fold, FoldedItem, FoldedTurn

T = TypeVar("T")

Scope: TypeAlias = Literal["turns", "itemsByCreatedAtOrdinal"]

INVALID_PARAMS: Final = -32602
USUAL: Final = 25
MOST: Final = 100
"""How many things are on a page, unless somebody wants less or more; and how many at most."""


def page_size(limit: int | None) -> int:
    """Say how many things are on a page of which a client wants ``limit``."""
    return USUAL if limit is None else min(max(limit, 1), MOST)


@attrs.frozen
class Cursor:
    """A place in a thread: at a line of its rollout, or just behind it in the order asked for.

    Clients are told it as JSON in a text (observed on 0.163.0).
    """

    thread_id: str
    ordinal: int
    inclusive: bool
    scope: Scope

    def text(self) -> str:
        """Write it for a client to bring back."""
        return orjson.dumps(
            {
                "requestedThreadId": self.thread_id,
                "rolloutOrdinal": self.ordinal,
                "includeAnchor": self.inclusive,
                "scope": {"kind": self.scope},
            }
        ).decode()

    @classmethod
    def parse(cls, text: str, thread_id: str, scope: Scope) -> Cursor:
        """Read what a client has brought back.

        Raises:
            RpcError: it is none, or of another thread, or of something else.
        """
        try:
            fields = orjson.loads(text)
        except ValueError:
            fields = None
        match fields:
            case {
                "requestedThreadId": requested,
                "rolloutOrdinal": int(ordinal),
                "includeAnchor": bool(inclusive),
                "scope": {"kind": kind},
            } if (requested, kind) == (thread_id, scope):
                return cls(thread_id, ordinal, inclusive, scope)
            case _:
                raise RpcError.invalid_request(f"invalid cursor: {text}")

    def leaves_out(self, ordinal: int, *, descending: bool) -> bool:
        """Say whether what is at a line is on another page."""
        if ordinal == self.ordinal:
            return not self.inclusive
        return (ordinal > self.ordinal) if descending else (ordinal < self.ordinal)


def cut_page(
    things: Sequence[T],
    ordinal_of: Callable[[T], int],
    cursor: Cursor,
    *,
    limit: int,
    descending: bool,
    from_start: bool,
) -> tuple[list[T], str | None, str | None]:
    """Cut a page out of things that are in order.

    Args:
        things: all of them, oldest first.
        ordinal_of: where each is.
        cursor: where the page begins, unless ``from_start``.
        limit: how many at most.
        descending: the latest first.
        from_start: the page begins with the first there is.

    Returns:
        The page; where the next one begins, if there is one; and where a page in the other
        direction begins that has the first of this one in it.
    """
    ordered = list(reversed(things)) if descending else list(things)
    if not from_start:
        ordered = [
            thing
            for thing in ordered
            if not cursor.leaves_out(ordinal_of(thing), descending=descending)
        ]
    page = ordered[:limit]
    if not page:
        return [], None, None
    following = None
    if len(ordered) > limit:
        following = attrs.evolve(cursor, ordinal=ordinal_of(page[-1]), inclusive=False).text()
    before = attrs.evolve(cursor, ordinal=ordinal_of(page[0]), inclusive=True).text()
    return page, following, before


def turns_page(
    thread_id: str,
    fold: Fold,
    *,
    cursor: str | None = None,
    limit: int | None = None,
    descending: bool = True,
    view: TurnItemsView = "summary",
) -> tuple[list[Turn], str | None, str | None]:
    """Cut a page out of the turns of a thread; see ``cut_page`` for what is returned.

    Raises:
        RpcError: the cursor is none.
    """
    start = Cursor(thread_id, 0, inclusive=True, scope="turns")
    page, following, before = cut_page(
        list(fold.folded_turns.values()),
        _start_of,
        start if cursor is None else Cursor.parse(cursor, thread_id, "turns"),
        limit=page_size(limit),
        descending=descending,
        from_start=cursor is None,
    )
    return [viewed(turn.words(), view) for turn in page], following, before


def items_page(
    thread_id: str,
    fold: Fold,
    *,
    turn_id: str | None = None,
    cursor: str | None = None,
    anchor: str | None = None,
    limit: int | None = None,
    descending: bool = False,
) -> tuple[list[ThreadItemEntry], str | None, str | None]:
    """Cut a page out of the items of a thread, or of one of its turns.

    Args:
        thread_id: of the thread.
        fold: what is known of it.
        turn_id: of the turn; None for all of them.
        cursor: where the page begins.
        anchor: the id of the item behind which it begins, instead; only with a turn.
        limit: how many items at most; None for the usual number.
        descending: the latest first.

    Returns:
        See ``cut_page``.

    Raises:
        RpcError: the cursor is none, or there is no such item.
    """
    turns = list(fold.folded_turns.values())
    if turn_id is not None:
        turns = [turn for turn in turns if turn.id == turn_id]
    place = Cursor(thread_id, 0, inclusive=True, scope="itemsByCreatedAtOrdinal")
    if cursor is not None:
        place = Cursor.parse(cursor, thread_id, "itemsByCreatedAtOrdinal")
    elif anchor is not None:
        if turn_id is None:
            raise RpcError(INVALID_PARAMS, "turnId is required when cursor is an item anchor")
        found = next((turn.items[anchor] for turn in turns if anchor in turn.items), None)
        if found is None:
            raise RpcError(
                INVALID_PARAMS,
                "cursor.itemId does not identify an item in the requested history scope",
            )
        place = attrs.evolve(place, ordinal=found.ordinal, inclusive=False)
    items = [(turn, folded) for turn in turns for folded in turn.items.values()]
    items.sort(key=_ordinal_of)  # turns can overlap
    page, following, before = cut_page(
        items,
        _ordinal_of,
        place,
        limit=page_size(limit),
        descending=descending,
        from_start=cursor is None and anchor is None,
    )
    return [_entry(turn, folded) for turn, folded in page], following, before


def cursors_at_end(thread_id: str, fold: Fold) -> tuple[str | None, str | None]:
    """Say where the past of a thread can be read from its end: its turns, and its items."""
    turns, items = list(fold.folded_turns.values()), _all_items(fold)
    return (
        Cursor(thread_id, _start_of(turns[-1]), inclusive=True, scope="turns").text()
        if turns
        else None,
        Cursor(
            thread_id,
            max(folded.ordinal for folded in items),
            inclusive=True,
            scope="itemsByCreatedAtOrdinal",
        ).text()
        if items
        else None,
    )


def viewed(turn: Turn, view: TurnItemsView) -> Turn:
    """Show as much of a turn's items as a client wants; all of them are there.

    In short these are what the user has said first, and what the model has said last (observed).
    """
    if view == "full":
        return turn
    return attrs.evolve(
        turn, items=_summary(turn.items) if view == "summary" else [], items_view=view
    )


def _summary(items: Sequence[ThreadItem]) -> list[ThreadItem]:
    said = (item for item in items if isinstance(item, words.items.UserMessageThreadItem))
    answered = (
        item for item in reversed(items) if isinstance(item, words.items.AgentMessageThreadItem)
    )
    shown: list[ThreadItem | None] = [next(said, None), next(answered, None)]
    return [item for item in shown if item is not None]


def _start_of(turn: FoldedTurn) -> int:
    return turn.place.ordinal


def _ordinal_of(item: tuple[FoldedTurn, FoldedItem]) -> int:
    return item[1].ordinal


def _all_items(fold: Fold) -> list[FoldedItem]:
    return [item for turn in fold.folded_turns.values() for item in turn.items.values()]


def _entry(turn: FoldedTurn, folded: FoldedItem) -> ThreadItemEntry:
    return words.listing.ThreadItemEntry(
        turn_id=turn.id,
        item=folded.item,
        started_at_ms=folded.started_at_ms,
        completed_at_ms=folded.completed_at_ms,
    )
