"""The lines of a rollout: builders of all that we write.

What 0.163.0 writes and reads was observed; this is what we make of it. The first column says
when, the last what is lost when a reader does not find the line.

======================== ============================================= =======================
line                     when                                          without it
======================== ============================================= =======================
session_meta             first; without it there is no thread          the thread
task_started             a turn begins                                 its start
response_item            the model is told, or says, something         the model's memory of it
world_state              never: what the model was told of the world   nothing
                         is in the history itself
turn_context             a turn begins, behind what it tells the model the model's name in lists
thread_settings_applied  the first turn, and what is set changes       what the thread is set to
item_completed           clients are told something; before the        what clients can read;
                         response_item that it shows                   without any, the thread
                                                                       is in no list
token_count              an answer is complete                         the usage after a resume
token_usage_record       never: it says the same                       nothing
compacted                a summary takes the place of the history      the history grows again
task_complete            a turn ends; with its error if it has failed  it reads as interrupted
turn_aborted             a turn is interrupted                         nothing but its end
======================== ============================================= =======================

Every line has ``timestamp``, ``ordinal`` and ``type`` beside its ``payload``; ordinals go on
across restarts, and over the files of a fork and of what it was made from. Names, branches that
somebody has noted and the like are in files beside the rollouts.

Older files have no ordinals, and other events in place of ``item_completed``: ``as_legacy``
turns lines into theirs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from codex_trio import protocol as words
from codex_trio.protocol.structure import unstructure
from codex_trio.threads.line import Line, timestamp_of
from codex_trio.threads.recorded_settings import write_sandbox
from codex_trio.threads.rollout_items import snake, snake_keys, write_item

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from codex_trio.protocol.items import ThreadItem
    from codex_trio.protocol.limits import RateLimitSnapshot
    from codex_trio.protocol.thread_news import ThreadTokenUsage, TokenUsageBreakdown
    from codex_trio.protocol.threads import ThreadSettings
    from codex_trio.protocol.turns import TurnError
    from codex_trio.threads.meta import Meta
    from codex_trio.threads.rollout_items import Json

TURN_OF_ITEM: Final = "internal_chat_message_metadata_passthrough"
"""The member of a response item that says of which turn it is; no host is sent it."""


def _event(kind: str, **members: Any) -> Line:
    return Line("event_msg", {"type": kind, **members})


def _known(**members: Any) -> Json:
    return {name: value for name, value in members.items() if value is not None}


def session_meta(meta: Meta, *, instructions_of: str | None = None) -> Line:
    """Say how a thread begins.

    Args:
        meta: all of it.
        instructions_of: the model whose usual instructions these are; None when a client has
            brought its own.
    """
    payload = _known(
        session_id=meta.session_id,
        id=meta.id,
        forked_from_id=meta.forked_from_id,
        parent_thread_id=meta.parent_thread_id,
        timestamp=timestamp_of(meta.created_ms),
        cwd=meta.cwd,
        runtime_workspace_roots=list(meta.workspace_roots) or None,
        originator=meta.originator,
        cli_version=meta.cli_version,
        source=meta.source,
        thread_source=meta.thread_source,
        agent_nickname=meta.agent_nickname,
        agent_role=meta.agent_role,
        model_provider=meta.model_provider,
    )
    if meta.base_instructions is not None:
        provenance = {"type": "custom"}
        if instructions_of is not None:
            provenance = {"type": "model", "model": instructions_of}
        payload["base_instructions"] = {
            "text": meta.base_instructions,
            "provenance": provenance,
        }
    if meta.history_mode == "paginated":
        payload["history_mode"] = "paginated"
    if (base := meta.history_base) is not None:
        payload["history_base"] = _known(
            thread_id=base.thread_id,
            end_ordinal_exclusive=base.end_ordinal,
            end_byte_offset=base.end_offset,
        )
    if (git := meta.git_info) is not None:
        payload["git"] = _known(
            commit_hash=git.sha, branch=git.branch, repository_url=git.origin_url
        )
    return Line("session_meta", payload)


def task_started(
    *, turn_id: str, started_at: int | None, model_context_window: int | None = None
) -> Line:
    """Say that a turn begins, at a second of Unix time."""
    return _event(
        "task_started",
        turn_id=turn_id,
        root_turn_id=turn_id,
        started_at=started_at,
        model_context_window=model_context_window,
        collaboration_mode_kind="default",
    )


def turn_context(turn_id: str, settings: ThreadSettings) -> Line:
    """Say what a turn runs with."""
    payload = {
        "turn_id": turn_id,
        "root_turn_id": turn_id,
        "disabled_plugin_ids": settings.disabled_plugin_ids,
        "cwd": settings.cwd,
        "approval_policy": unstructure(settings.approval_policy),
        "approvals_reviewer": settings.approvals_reviewer,
        "sandbox_policy": write_sandbox(settings.sandbox_policy),
        **_profile(settings),
        "model": settings.model,
        **_known(personality=settings.personality),
        "collaboration_mode": unstructure(settings.collaboration_mode),
        "realtime_active": False,
        **_known(effort=settings.effort),
        "summary": settings.summary or "auto",
    }
    return Line("turn_context", payload)


def thread_settings_applied(
    thread_id: str, settings: ThreadSettings, workspace_roots: Sequence[str]
) -> Line:
    """Say what a thread is set to from now on."""
    return _event(
        "thread_settings_applied",
        thread_id=thread_id,
        thread_settings={
            "model": settings.model,
            "model_provider_id": settings.model_provider,
            **_known(service_tier=settings.service_tier),
            "approval_policy": unstructure(settings.approval_policy),
            "approvals_reviewer": settings.approvals_reviewer,
            **_profile(settings),
            "cwd": settings.cwd,
            "runtime_workspace_roots": list(workspace_roots),
            **_known(
                reasoning_effort=settings.effort,
                reasoning_summary=settings.summary,
                personality=settings.personality,
            ),
            "collaboration_mode": unstructure(settings.collaboration_mode),
            "disabled_plugin_ids": settings.disabled_plugin_ids,
        },
    )


def _profile(settings: ThreadSettings) -> Json:
    profile = settings.active_permission_profile
    return {} if profile is None else {"active_permission_profile": _known(id=profile.id)}


def response_item(
    item: Mapping[str, Any],
    *,
    turn_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Line:
    """Record an item of the history, in the words of the Responses API."""
    payload = dict(item)
    if turn_id is not None:
        payload.setdefault(TURN_OF_ITEM, {"turn_id": turn_id})
    return Line("response_item", payload, metadata)


def item_completed(
    thread_id: str,
    turn_id: str,
    item: ThreadItem,
    *,
    started_at_ms: int | None = None,
    completed_at_ms: int | None = None,
) -> Line:
    """Record what clients are told; times are in milliseconds of Unix time, now by default."""
    now = time.time_ns() // 1_000_000
    completed_at_ms = now if completed_at_ms is None else completed_at_ms
    return _event(
        "item_completed",
        thread_id=thread_id,
        turn_id=turn_id,
        item=write_item(item),
        started_at_ms=completed_at_ms if started_at_ms is None else started_at_ms,
        completed_at_ms=completed_at_ms,
    )


def token_count(usage: ThreadTokenUsage, limits: RateLimitSnapshot | None = None) -> Line:
    """Record what an answer has cost, and what is known of the account's limits."""
    return _event(
        "token_count",
        info={
            "total_token_usage": snake_keys(unstructure(usage.total)),
            "last_token_usage": snake_keys(unstructure(usage.last)),
            "model_context_window": usage.model_context_window,
        },
        rate_limits=None if limits is None else snake_keys(unstructure(limits)),
    )


def add_usage(
    former: ThreadTokenUsage | None, last: TokenUsageBreakdown, context_window: int | None
) -> ThreadTokenUsage:
    """Add the tokens of an answer to those of its thread."""
    total = last if former is None else _sum(former.total, last)
    return words.thread_news.ThreadTokenUsage(
        total=total, last=last, model_context_window=context_window
    )


def _sum(one: TokenUsageBreakdown, other: TokenUsageBreakdown) -> TokenUsageBreakdown:
    return words.thread_news.TokenUsageBreakdown(
        total_tokens=one.total_tokens + other.total_tokens,
        input_tokens=one.input_tokens + other.input_tokens,
        cached_input_tokens=one.cached_input_tokens + other.cached_input_tokens,
        cache_write_input_tokens=one.cache_write_input_tokens + other.cache_write_input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        reasoning_output_tokens=one.reasoning_output_tokens + other.reasoning_output_tokens,
    )


def compacted(summary: str, history: Iterable[Mapping[str, Any]]) -> Line:
    """Say that a summary has been made, and what the history is from now on."""
    return Line(
        "compacted",
        {"message": summary, "replacement_history": [dict(item) for item in history]},
    )


def task_complete(
    *,
    turn_id: str,
    last_agent_message: str | None,
    started_at: int | None,
    completed_at: int,
    duration_ms: int,
    error: TurnError | None = None,
) -> Line:
    """Say that a turn has ended by itself, or failed."""
    members: Json = {"turn_id": turn_id, "last_agent_message": last_agent_message}
    if error is not None:
        members["error"] = _known(
            message=error.message,
            codex_error_info=_snake_info(error.codex_error_info),
            additional_details=error.additional_details,
        )
    return _event(
        "task_complete",
        root_turn_id=turn_id,
        **members,
        started_at=started_at,
        completed_at=completed_at,
        duration_ms=duration_ms,
    )


def _snake_info(info: Any) -> Any:
    return snake(info) if isinstance(info, str) else snake_keys(info)


def turn_aborted(
    *, turn_id: str, started_at: int | None, completed_at: int, duration_ms: int
) -> Line:
    """Say that a turn has been interrupted."""
    return _event(
        "turn_aborted",
        root_turn_id=turn_id,
        turn_id=turn_id,
        reason="interrupted",
        started_at=started_at,
        completed_at=completed_at,
        duration_ms=duration_ms,
    )


def thread_rolled_back(turns: int) -> Line:
    """Say that the last turns do not count any more, as 0.118 did; the file only ever grows.

    (0.163.0 begins another file instead, which it lists twice in a home that it does not know.)
    """
    return _event("thread_rolled_back", num_turns=turns)
