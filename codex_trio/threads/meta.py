"""The first line of a rollout: how its thread began."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from codex_trio import protocol as words
from codex_trio.threads.ids import is_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.protocol.threads import GitInfo, ThreadHistoryMode


@attrs.frozen
class HistoryBase:
    """What of another file a thread begins with.

    Args:
        thread_id: whose file it is, perhaps an earlier one of the same thread.
        end_ordinal: of the first line that does not belong to it.
        end_offset: the bytes that belong to it; None when that is not known.
    """

    thread_id: str
    end_ordinal: int
    end_offset: int | None = None


@attrs.frozen(kw_only=True)
class Meta:
    """How a thread began; times are in milliseconds of Unix time."""

    id: str
    created_ms: int
    cwd: str
    originator: str
    cli_version: str
    session_id: str
    source: object = "vscode"
    thread_source: str | None = None
    model_provider: str | None = None
    base_instructions: str | None = attrs.field(default=None, repr=False)
    history_mode: ThreadHistoryMode = "legacy"
    history_base: HistoryBase | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    agent_nickname: str | None = None
    agent_role: str | None = None
    workspace_roots: tuple[str, ...] = ()
    git_info: GitInfo | None = None

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Meta | None:
        """Read the payload of a ``session_meta`` line; None if the original would not.

        It wants an id, a time, a folder, an originator and a version (observed on 0.163.0). The
        id must be a UUID as we write them; that is ours.
        """
        match payload:
            case {
                "id": str(thread_id),
                "timestamp": str(timestamp),
                "cwd": str(cwd),
                "originator": str(originator),
                "cli_version": str(version),
            }:
                pass
            case _:
                return None
        if not is_id(thread_id):
            return None  # it names files, and what is loaded
        created_ms = read_time(timestamp)
        if created_ms is None:
            return None
        instructions = payload.get("base_instructions")
        paginated = payload.get("history_mode") == "paginated"
        return cls(
            id=thread_id,
            created_ms=created_ms,
            cwd=cwd,
            originator=originator,
            cli_version=version,
            session_id=_text(payload.get("session_id")) or thread_id,
            source=payload.get("source") or "vscode",
            thread_source=_text(payload.get("thread_source")),
            model_provider=_text(payload.get("model_provider")),
            base_instructions=_read_instructions(instructions),
            history_mode="paginated" if paginated else "legacy",
            history_base=_read_base(payload.get("history_base")),
            forked_from_id=_text(payload.get("forked_from_id")),
            parent_thread_id=_text(payload.get("parent_thread_id")),
            agent_nickname=_text(payload.get("agent_nickname")),
            agent_role=_text(payload.get("agent_role")),
            workspace_roots=_texts(payload.get("runtime_workspace_roots")),
            git_info=_read_git(payload.get("git")),
        )


def read_time(text: str) -> int | None:
    """Read a time in RFC 3339 as milliseconds of Unix time; one without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def read_whole(value: object) -> int | None:
    """Read a whole number that is not negative; anything else is none."""
    return value if type(value) is int and value >= 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list) else []
    return tuple(text for text in given if isinstance(text, str))


def _read_instructions(raw: object) -> str | None:
    """Read the instructions that a client has brought; those of a model are whoever runs it's."""
    match raw:
        case {"provenance": {"type": "model"}}:
            return None
        case {"text": str(text)}:
            return text
        case _:
            return None


def _read_base(raw: object) -> HistoryBase | None:
    match raw:
        case {"thread_id": str(thread_id), "end_ordinal_exclusive": int(end), **others}:
            return HistoryBase(thread_id, end, read_whole(others.get("end_byte_offset")))
        case _:
            return None


def _read_git(raw: object) -> GitInfo | None:
    if not isinstance(raw, dict):
        return None
    return words.threads.GitInfo(
        sha=_text(raw.get("commit_hash")),
        branch=_text(raw.get("branch")),
        origin_url=_text(raw.get("repository_url")),
    )
