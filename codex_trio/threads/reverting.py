"""Taking back the last turns of a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from codex_trio.errors import RpcError
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.fold import Fold
from codex_trio.threads.rollout import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.threads.desk import Threads
    from codex_trio.threads.recorded import Recorded
    from codex_trio.threads.rollout import Rollout
    from codex_trio.threads.shelf import Shelf
    from codex_trio.threads.thread import Thread


async def revert(
    thread: Thread,
    turn_id: str,
    threads: Threads,
    shelf: Shelf,
    open_file: Callable[[str, int], Rollout],
) -> None:
    """Take back a turn and all that came after it; one that is under way ends first.

    What is recorded stays as it is: the conversation goes on in another file, which begins with
    a part of the one before (observed). A cancelled call may have ended the turn, and nothing
    else.

    Args:
        thread: the conversation.
        turn_id: the first turn that is taken back.
        threads: those that are loaded.
        shelf: those on disk.
        open_file: begins a file for the thread of an id, from a number of its lines on.

    Raises:
        RpcError: there is no such turn, or what is recorded cannot be read, or is of the older
            kind.
    """
    await threads.end_turn(thread)
    if thread.rollout is None:
        thread.write(lines.thread_rolled_back(_turns_from(thread, turn_id)))
        return
    if not thread.is_paginated:
        raise RpcError.invalid_request("thread/revert only supports paginated threads")
    try:
        past, recorded = await _read_past(thread, turn_id, threads, shelf)
    except (OSError, RecordError) as error:
        raise RpcError.internal(
            f"failed to read thread: thread-store internal error: {error}"
        ) from None
    base = recorded.base_at(turn_id)
    past.preview, past.user_has_spoken = recorded.preview, True  # it is the same thread
    thread.meta = attrs.evolve(thread.meta, history_base=base)
    thread.fold, thread.failed = past, False
    thread.rollout = open_file(thread.id, past.next_ordinal)
    terms = thread.terms
    thread.beginning = lines.session_meta(
        thread.meta, instructions_of=None if terms.base_instructions else terms.model
    )
    thread.note_terms(anew=True)
    thread.chronicle.forget_unread()
    with trio.CancelScope(shield=True):  # until both say the same; the disk has its patience
        await thread.flush()
        await shelf.set_place(thread.id, thread.rollout.path)


async def _read_past(
    thread: Thread, turn_id: str, threads: Threads, shelf: Shelf
) -> tuple[Fold, Recorded]:
    """Read what is left of a conversation; what happens in it meanwhile is taken back too."""
    while True:
        _turns_from(thread, turn_id)
        if (trouble := await thread.flush()) is not None:
            raise trouble
        path = Path(thread.path or "")
        recorded = await shelf.read(path)
        base = recorded.base_at(turn_id)
        past = Fold() if base is None else await shelf.read_past(path, base)
        if thread.turn is None and recorded.next_ordinal == thread.fold.next_ordinal:
            return past, recorded
        await threads.end_turn(thread)


def _turns_from(thread: Thread, turn_id: str) -> int:
    ids = [turn.id for turn in thread.turns]
    if turn_id not in ids:
        raise RpcError.invalid_request(f"turn not found: {turn_id}")
    return len(ids) - ids.index(turn_id)
