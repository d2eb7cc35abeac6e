"""Lists that clients read page by page; a cursor is how many they have seen (observed)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from codex_trio.errors import RpcError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def page(
    items: Sequence[T], cursor: str | None, limit: int | None, what: str
) -> tuple[list[T], str | None]:
    """Return a page, and the cursor of the next if there is one.

    Args:
        items: all that there is.
        cursor: where the page begins, as it was told with the one before; None for the first.
        limit: how long it is at most; at least one, and everything by default.
        what: what is counted, for the error.

    Raises:
        RpcError: that is no cursor.
    """
    start = 0
    if cursor is not None:
        # Not every digit is one of ours, and numbers without end are no numbers.
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20):
            raise RpcError.invalid_request(f"invalid cursor: {cursor}")
        start = int(cursor)
    if start > len(items):
        raise RpcError.invalid_request(f"cursor {start} exceeds total {what} {len(items)}")
    end = len(items) if limit is None else min(start + max(limit, 1), len(items))
    return list(items[start:end]), str(end) if end < len(items) else None
