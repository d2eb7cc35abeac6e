"""Words of what reads threads: lists of them, of their turns, of their items."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from attrs import frozen

from codex_trio.protocol.items import ThreadItem
from codex_trio.protocol.thread_news import ThreadReadState
from codex_trio.protocol.threads import SortDirection, Thread, ThreadSection
from codex_trio.protocol.turns import Turn, TurnItemsView
from codex_trio.protocol.words import ABSENT, U32, Absent, Untagged

ThreadSortKey: TypeAlias = Literal["created_at", "updated_at", "recency_at", "section_position"]


ThreadSourceKind: TypeAlias = Literal[
    "cli",
    "vscode",
    "exec",
    "appServer",
    "subAgent",
    "subAgentReview",
    "subAgentCompact",
    "subAgentThreadSpawn",
    "subAgentOther",
    "unknown",
]


ThreadListCwdFilter: TypeAlias = Annotated[str | list[str], Untagged("ThreadListCwdFilter")]


@frozen(kw_only=True)
class ThreadListParams:
    """Which threads, in which order; null takes them all."""

    cursor: str | None = None
    limit: U32 | None = None
    excluded_thread_ids: list[str] | None = None
    sort_key: ThreadSortKey | None = None
    sort_direction: SortDirection | None = None
    model_providers: list[str] | None = None
    source_kinds: list[ThreadSourceKind] | None = None
    originators: list[str] | None = None
    archived: bool | None = None
    section_id: str | Absent | None = ABSENT
    project_id: str | Absent | None = ABSENT
    cwd: ThreadListCwdFilter | None = None
    use_state_db_only: bool = False
    search_term: str | None = None
    parent_thread_id: str | None = None
    ancestor_thread_id: str | None = None


@frozen(kw_only=True)
class ThreadListResponse:
    """Some threads, without their turns."""

    data: list[Thread]
    read_states: dict[str, ThreadReadState] | None = None
    next_cursor: str | None = None
    backwards_cursor: str | None = None


@frozen(kw_only=True)
class ThreadLoadedListParams:
    """Which page of the threads that are loaded."""

    cursor: str | None = None
    limit: U32 | None = None


@frozen(kw_only=True)
class ThreadLoadedListResponse:
    """The ids of some threads that are loaded."""

    data: list[str]
    next_cursor: str | None = None


@frozen(kw_only=True)
class ThreadReadParams:
    """Which thread, and with its turns?"""

    thread_id: str
    include_turns: bool = False


@frozen(kw_only=True)
class ThreadReadResponse:
    """The thread, loaded or not."""

    thread: Thread
    read_state: ThreadReadState | None = None


@frozen(kw_only=True)
class ThreadTurnsListParams:
    """Which turns of a thread, in which order, with how much of their items."""

    thread_id: str
    cursor: str | None = None
    limit: U32 | None = None
    sort_direction: SortDirection | None = None
    items_view: TurnItemsView | None = None


@frozen(kw_only=True)
class ThreadTurnsListResponse:
    """Some turns of a thread."""

    data: list[Turn]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


@frozen(kw_only=True)
class ThreadItemsListAnchor:
    """A page that begins at an item."""

    type: Literal["item"] = "item"
    item_id: str


ThreadItemsListCursor: TypeAlias = Annotated[
    str | ThreadItemsListAnchor, Untagged("ThreadItemsListCursor")
]


@frozen(kw_only=True)
class ThreadItemsListParams:
    """Which items of a thread, in which order."""

    thread_id: str
    turn_id: str | None = None
    cursor: ThreadItemsListCursor | None = None
    limit: U32 | None = None
    sort_direction: SortDirection | None = None


@frozen(kw_only=True)
class ThreadItemEntry:
    """An item, its turn, and its times in milliseconds of Unix time."""

    turn_id: str
    item: ThreadItem
    started_at_ms: int | None = None
    completed_at_ms: int | None = None


@frozen(kw_only=True)
class ThreadItemsListResponse:
    """Some items of a thread."""

    data: list[ThreadItemEntry]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


@frozen(kw_only=True)
class ThreadSectionListParams:
    """Which page of the sections."""

    cursor: str | None = None
    limit: U32 | None = None


@frozen(kw_only=True)
class ThreadSectionListResponse:
    """Some sections."""

    data: list[ThreadSection]
    next_cursor: str | None = None
