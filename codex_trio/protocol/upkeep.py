"""Words of what changes a thread outside its turns."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from codex_trio.protocol.threads import Thread
from codex_trio.protocol.words import ABSENT, U32, Absent

ThreadUnsubscribeStatus: TypeAlias = Literal["notLoaded", "notSubscribed", "unsubscribed"]


ThreadGoalStatus: TypeAlias = Literal[
    "active", "paused", "blocked", "usageLimited", "budgetLimited", "complete"
]


@frozen(kw_only=True)
class ThreadSetNameParams:
    """Give a thread a name."""

    thread_id: str
    name: str


@frozen(kw_only=True)
class ThreadSetNameResponse:
    """It has it."""


@frozen(kw_only=True)
class ThreadArchiveParams:
    """Put a thread away."""

    thread_id: str


@frozen(kw_only=True)
class ThreadArchiveResponse:
    """It is."""


@frozen(kw_only=True)
class ThreadUnarchiveParams:
    """Take a thread back that was put away."""

    thread_id: str


@frozen(kw_only=True)
class ThreadUnarchiveResponse:
    """The thread."""

    thread: Thread


@frozen(kw_only=True)
class ThreadDeleteParams:
    """Delete a thread for ever."""

    thread_id: str


@frozen(kw_only=True)
class ThreadDeleteResponse:
    """It is gone."""


@frozen(kw_only=True)
class ThreadUnsubscribeParams:
    """Do not tell this client of a thread any more."""

    thread_id: str


@frozen(kw_only=True)
class ThreadUnsubscribeResponse:
    """Whether it was told before."""

    status: ThreadUnsubscribeStatus


@frozen(kw_only=True)
class ThreadRevertParams:
    """Take back a turn and all that came after it."""

    thread_id: str
    before_turn_id: str


@frozen(kw_only=True)
class ThreadRevertResponse:
    """The thread as it is now, and where its past can be read."""

    thread: Thread
    turns_backwards_cursor: str | None = None
    items_backwards_cursor: str | None = None


@frozen(kw_only=True)
class ThreadMetadataGitInfoUpdateParams:
    """What is known of the git repository: null forgets it, what is left out stays."""

    sha: str | Absent | None = ABSENT
    branch: str | Absent | None = ABSENT
    origin_url: str | Absent | None = ABSENT


@frozen(kw_only=True)
class ThreadMetadataUpdateParams:
    """Change what is known about a thread."""

    thread_id: str
    project_id: str | None = None
    git_info: ThreadMetadataGitInfoUpdateParams | None = None
    daybreak_enabled: bool | None = None


@frozen(kw_only=True)
class ThreadMetadataUpdateResponse:
    """The thread as it is now."""

    thread: Thread


@frozen(kw_only=True)
class ThreadCompactStartParams:
    """Have the past of a thread summarised."""

    thread_id: str


@frozen(kw_only=True)
class ThreadCompactStartResponse:
    """That has begun, as a turn."""


@frozen(kw_only=True)
class ThreadInjectItemsParams:
    """Put items into what the model knows."""

    thread_id: str
    items: list[object]


@frozen(kw_only=True)
class ThreadInjectItemsResponse:
    """They are in it."""


@frozen(kw_only=True)
class ThreadGoalGetParams:
    """What is the goal of this thread?"""

    thread_id: str


@frozen(kw_only=True)
class ThreadGoal:
    """What a thread is to come to; times are in seconds."""

    thread_id: str
    objective: str
    status: ThreadGoalStatus
    token_budget: int | None = None
    tokens_used: int
    time_used_seconds: int
    created_at: int
    updated_at: int


@frozen(kw_only=True)
class ThreadGoalGetResponse:
    """It, if there is one."""

    goal: ThreadGoal | None = None


@frozen(kw_only=True)
class ThreadBackgroundTerminalsListParams:
    """What has this thread left running in terminals?"""

    thread_id: str
    cursor: str | None = None
    limit: U32 | None = None


@frozen(kw_only=True)
class ThreadBackgroundTerminal:
    """A command that goes on running; ``rss_kb`` is its memory in KiB."""

    item_id: str
    process_id: str
    command: str
    cwd: str
    os_pid: U32 | None = None
    cpu_percent: float | None = None
    rss_kb: int | None = None


@frozen(kw_only=True)
class ThreadBackgroundTerminalsListResponse:
    """Some of them, and where the next ones begin."""

    data: list[ThreadBackgroundTerminal]
    next_cursor: str | None = None
