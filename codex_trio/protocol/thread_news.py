"""What is told about threads at any time."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from attrs import field, frozen

from codex_trio.protocol.as_it_came import RequestId
from codex_trio.protocol.threads import Thread, ThreadSettings, ThreadStatus
from codex_trio.protocol.words import LEFT_OUT, Tagged


@frozen(kw_only=True)
class ThreadStartThreadUnreadPosition:
    """Nothing has been read."""

    type: Literal["threadStart"] = "threadStart"


@frozen(kw_only=True)
class TurnThreadUnreadPosition:
    """Everything before this turn has been read."""

    type: Literal["turn"] = "turn"
    turn_id: str


ThreadUnreadPosition: TypeAlias = Annotated[
    ThreadStartThreadUnreadPosition | TurnThreadUnreadPosition,
    Tagged("ThreadUnreadPosition"),
]


@frozen(kw_only=True)
class ThreadReadState:
    """How far a user has read a thread; the revision changes with it."""

    first_unread: ThreadUnreadPosition | None = None
    revision: str


@frozen(kw_only=True)
class TokenUsageBreakdown:
    """Numbers of tokens."""

    total_tokens: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_input_tokens: int = 0
    output_tokens: int
    reasoning_output_tokens: int


@frozen(kw_only=True)
class ThreadTokenUsage:
    """The tokens of a thread and of its last answer; what the model can know at a time."""

    total: TokenUsageBreakdown
    last: TokenUsageBreakdown
    model_context_window: int | None = None


@frozen(kw_only=True)
class ThreadStartedNotification:
    """There is a new thread."""

    thread: Thread


@frozen(kw_only=True)
class ThreadStatusChangedNotification:
    """A thread does something else than before."""

    thread_id: str
    status: ThreadStatus


@frozen(kw_only=True)
class ThreadArchivedNotification:
    """A thread has been put away."""

    thread_id: str


@frozen(kw_only=True)
class ThreadUnarchivedNotification:
    """A thread has been taken back."""

    thread_id: str


@frozen(kw_only=True)
class ThreadDeletedNotification:
    """A thread is gone for ever."""

    thread_id: str


@frozen(kw_only=True)
class ThreadClosedNotification:
    """A thread is on the disk alone."""

    thread_id: str


@frozen(kw_only=True)
class ThreadGoalClearedNotification:
    """A thread has no goal."""

    thread_id: str


@frozen(kw_only=True)
class ThreadRevertedNotification:
    """The last turns of a thread have been taken back."""

    thread_id: str


@frozen(kw_only=True)
class ThreadNameUpdatedNotification:
    """A thread has got another name, or none."""

    thread_id: str
    thread_name: str | None = field(default=None, metadata=LEFT_OUT)


@frozen(kw_only=True)
class ThreadSettingsUpdatedNotification:
    """A thread has been set to something else."""

    thread_id: str
    thread_settings: ThreadSettings


@frozen(kw_only=True)
class ThreadTokenUsageUpdatedNotification:
    """A turn has cost tokens."""

    thread_id: str
    turn_id: str
    token_usage: ThreadTokenUsage


@frozen(kw_only=True)
class ThreadReadStateChangedNotification:
    """A thread has been read, or has got something to be read."""

    thread_id: str
    read_state: ThreadReadState


@frozen(kw_only=True)
class WarningNotification:
    """Something to be known, about a thread or about all of them."""

    thread_id: str | None = None
    message: str


@frozen(kw_only=True)
class DeprecationNoticeNotification:
    """Something that is used will not be there for ever."""

    summary: str
    details: str | None = None


@frozen(kw_only=True)
class ServerRequestResolvedNotification:
    """A question that was put to several clients is answered."""

    thread_id: str
    request_id: RequestId
