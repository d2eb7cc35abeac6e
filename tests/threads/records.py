"""Rollouts for tests: written by our own builders, and as the original writes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from codex_trio.protocol import items, permissions, thread_news, threads
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.line import Line
from codex_trio.threads.meta import Meta

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

T1 = "01a1fe46-9ebb-7a30-8f57-3b9f155c0712"
T2 = "01a1fe50-71f5-7621-9624-cab5c564e057"
T3 = "01a1fe51-8ef5-7670-b53f-fe278812ca7c"
CREATED = {thread_id: int(thread_id[:8] + thread_id[9:13], 16) for thread_id in (T1, T2, T3)}
SECONDS = 1795267403


def meta(thread_id: str = T1, **changes: Any) -> Meta:
    values: dict[str, Any] = {
        "id": thread_id,
        "created_ms": int(thread_id[:8] + thread_id[9:13], 16),
        "cwd": "/srv/place",
        "originator": "lab",
        "cli_version": "0.163.0",
        "session_id": thread_id,
        "model_provider": "mock",
        "base_instructions": "Be kind.",
        "history_mode": "paginated",
        **changes,
    }
    return Meta(**values)


def settings(**changes: Any) -> threads.ThreadSettings:
    values: dict[str, Any] = {
        "cwd": "/srv/place",
        "approval_policy": "never",
        "approvals_reviewer": "user",
        "sandbox_policy": permissions.WorkspaceWriteSandboxPolicy(),
        "model": "gpt-5.5",
        "model_provider": "mock",
        "collaboration_mode": permissions.CollaborationMode(
            mode="default", settings=permissions.Settings(model="gpt-5.5")
        ),
        **changes,
    }
    return threads.ThreadSettings(**values)


def said(role: str, text: str, item_id: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {
        "type": "message",
        "id": item_id,
        "role": role,
        "content": [{"type": kind, "text": text}],
    }


def tokens(total: int) -> thread_news.TokenUsageBreakdown:
    return thread_news.TokenUsageBreakdown(
        total_tokens=total,
        input_tokens=total - 1,
        cached_input_tokens=0,
        output_tokens=1,
        reasoning_output_tokens=0,
    )


def turn(
    number: int, question: str, answer: str | None = "yes", thread_id: str = T1, **changes: Any
) -> list[Line]:
    """The lines of a turn; one without an answer has not ended."""
    turn_id = f"turn-{number}"
    user = items.UserMessageThreadItem(
        id=f"user-{number}", content=[items.TextUserInput(text=question)]
    )
    happened = [
        lines.task_started(turn_id=turn_id, started_at=SECONDS, model_context_window=1000),
        lines.turn_context(turn_id, settings(**changes)),
        lines.response_item(said("user", question, f"msg_u{number}"), turn_id=turn_id),
        lines.item_completed(thread_id, turn_id, user, completed_at_ms=1000),
    ]
    if answer is None:
        return happened
    agent = items.AgentMessageThreadItem(id=f"msg_a{number}", text=answer)
    usage = lines.add_usage(None, tokens(12), 1000)
    return [
        *happened,
        lines.item_completed(
            thread_id, turn_id, agent, started_at_ms=1500, completed_at_ms=2000
        ),
        lines.response_item(said("assistant", answer, f"msg_a{number}"), turn_id=turn_id),
        lines.token_count(usage),
        lines.task_complete(
            turn_id=turn_id,
            last_agent_message=answer,
            started_at=SECONDS,
            completed_at=SECONDS + 1,
            duration_ms=900,
        ),
    ]


def encode(happened: Iterable[Line], first: int | None = 0) -> bytes:
    return b"".join(
        line.encode(None if first is None else first + index)
        for index, line in enumerate(happened)
    )


def thread(thread_id: str = T1, question: str = "hello", **changes: Any) -> list[Line]:
    """A thread of one turn."""
    return [
        lines.session_meta(meta(thread_id, **changes), instructions_of="gpt-5.5"),
        *turn(1, question, thread_id=thread_id),
    ]


def place(home: Path, thread_id: str, *, archived: bool = False, revision: str = "") -> Path:
    """Where the rollout of a thread is, in UTC."""
    name = f"rollout-2026-11-21T13-23-23-{thread_id}{revision}.jsonl"
    folder = home / "archived_sessions" if archived else home / "sessions/2026/11/21"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def put(
    home: Path,
    thread_id: str = T1,
    content: bytes | None = None,
    *,
    archived: bool = False,
    modified: float | None = None,
    **changes: Any,
) -> Path:
    """Put a rollout into a home."""
    path = place(home, thread_id, archived=archived)
    path.write_bytes(encode(thread(thread_id, **changes)) if content is None else content)
    if modified is not None:
        nanoseconds = round(modified * 1000) * 1_000_000
        os.utime(path, ns=(nanoseconds, nanoseconds))
    return path


def raw_line(kind: str, payload: dict[str, Any], ordinal: int | None = None) -> bytes:
    """A line as it is on disk."""
    return Line(kind, payload, timestamp="2026-11-21T13:23:23.974Z").encode(ordinal)


def event(kind: str, **members: Any) -> bytes:
    return raw_line("event_msg", {"type": kind, **members})


def decoded(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def texts(history: Iterable[dict[str, Any]]) -> list[str]:
    """What has been said in a history, in short."""
    return [
        "".join(part["text"] for part in item["content"]) if "content" in item else item["type"]
        for item in history
    ]


def shown(turns: Iterable[Any]) -> list[tuple[str, str, list[str]]]:
    """Turns in short: id, status, ids of items."""
    return [
        (
            one.id,
            one.status,
            [item["id"] if isinstance(item, dict) else item.id for item in one.items],
        )
        for one in turns
    ]


def without_times(line: Line) -> Line:
    return attrs.evolve(line, timestamp="")
