"""Words about threads that are in no schema any more: of 0.118, and the older summary."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from attrs import field, frozen

from codex_trio.protocol.as_it_came import SessionSource
from codex_trio.protocol.threads import Thread
from codex_trio.protocol.words import AS_WRITTEN, U32, PathText, ThreadId, Untagged


@frozen(kw_only=True)
class ThreadRollbackParams:
    """Take back the last turns of a thread, as many as that."""

    thread_id: str
    num_turns: U32


@frozen(kw_only=True)
class ThreadRollbackResponse:
    """The thread as it is now, with its turns."""

    thread: Thread


@frozen(kw_only=True)
class RolloutPathGetConversationSummaryParams:
    """What is the thread in this file about?"""

    rollout_path: PathText


@frozen(kw_only=True)
class ConversationIdGetConversationSummaryParams:
    """What is this thread about?"""

    conversation_id: ThreadId


GetConversationSummaryParams: TypeAlias = Annotated[
    RolloutPathGetConversationSummaryParams | ConversationIdGetConversationSummaryParams,
    Untagged("GetConversationSummaryParams"),
]


@frozen(kw_only=True)
class ConversationGitInfo:
    """Where it stood in a git repository when it began."""

    sha: str | None = None
    branch: str | None = None
    origin_url: str | None = field(default=None, metadata=AS_WRITTEN)


@frozen(kw_only=True)
class ConversationSummary:
    """A thread in short; times are in the format of RFC 3339."""

    conversation_id: str
    path: str
    preview: str
    timestamp: str | None
    updated_at: str | None
    model_provider: str
    cwd: str
    cli_version: str
    source: SessionSource
    git_info: ConversationGitInfo | None


@frozen(kw_only=True)
class GetConversationSummaryResponse:
    """That."""

    summary: ConversationSummary
