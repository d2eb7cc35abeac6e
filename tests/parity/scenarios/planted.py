"""Conversations that are on disk already, as short as servers take them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from tests.parity.scenarios.keeping import write

if TYPE_CHECKING:
    from tests.parity.steps import Act


@attrs.frozen(kw_only=True)
class Planted:
    """A conversation of one turn.

    Args:
        number: tells it from others, and when it was begun: in this hour of a day.
        said: what the user has said; None for nothing.
        meta: what its first line says besides; what is None is left out.
        legacy: it is recorded in the older way.
        archived: it was put away.
        lines: further ones, as they are.
    """

    number: int
    said: str | None = "hello"
    meta: dict[str, Any] = attrs.field(factory=dict)
    legacy: bool = False
    archived: bool = False
    lines: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id of the conversation."""
        return f"01a1fe46-0000-7000-8000-{self.number:012d}"

    @property
    def time(self) -> str:
        """When it was begun."""
        return f"2026-03-01T{self.number:02d}:00:00"

    @property
    def path(self) -> str:
        """Its file, seen from the home."""
        folder = "archived_sessions" if self.archived else "sessions/2026/03/01"
        return f"{folder}/rollout-{self.time.replace(':', '-')}-{self.id}.jsonl"

    @property
    def text(self) -> str:
        """What is in the file."""
        return "".join(f"{line}\n" for line in (*self._lines(), *self.lines))

    def _lines(self) -> list[str]:
        meta = {
            "id": self.id,
            "timestamp": f"{self.time}.000Z",
            "cwd": "<home>/project",
            "originator": "probe",
            "cli_version": "0.163.0",
            "source": "vscode",
            "model_provider": "stand_in",
            "history_mode": None if self.legacy else "paginated",
            **self.meta,
        }
        happened = [("session_meta", {k: v for k, v in meta.items() if v is not None})]
        if self.said is not None:
            happened += self._legacy_turn() if self.legacy else self._turn()
        return [
            json.dumps(
                {
                    "timestamp": f"{self.time}.000Z",
                    **({} if self.legacy else {"ordinal": ordinal}),
                    "type": kind,
                    "payload": payload,
                }
            )
            for ordinal, (kind, payload) in enumerate(happened)
        ]

    def _turn(self) -> list[tuple[str, Any]]:
        return [
            ("event_msg", self._began()),
            ("response_item", _message("user", "input_text", self.said)),
            self._item("UserMessage", "item_user", {"type": "text", "text": self.said}),
            self._item("AgentMessage", "msg_1", {"type": "Text", "text": "Hello"}),
            ("response_item", _message("assistant", "output_text", "Hello")),
            ("event_msg", self._done()),
        ]

    def _legacy_turn(self) -> list[tuple[str, Any]]:
        return [
            ("event_msg", self._began()),
            ("response_item", _message("user", "input_text", self.said)),
            ("event_msg", {"type": "user_message", "message": self.said}),
            ("event_msg", {"type": "agent_message", "message": "Hello"}),
            ("response_item", _message("assistant", "output_text", "Hello")),
            ("event_msg", self._done()),
        ]

    def _began(self) -> dict[str, Any]:
        return {"type": "task_started", "turn_id": self._turn_id, "started_at": 1772000000}

    def _done(self) -> dict[str, Any]:
        times = {"started_at": 1772000000, "completed_at": 1772000001, "duration_ms": 53}
        return {"type": "task_complete", "turn_id": self._turn_id, **times}

    def _item(self, kind: str, item_id: str, part: dict[str, Any]) -> tuple[str, Any]:
        item = {"type": kind, "id": item_id, "content": [part]}
        about = {"thread_id": self.id, "turn_id": self._turn_id}
        return "event_msg", {"type": "item_completed", **about, "item": item}

    @property
    def _turn_id(self) -> str:
        return f"turn-{self.number}"


def _message(role: str, kind: str, text: str | None) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def plant(*threads: Planted) -> tuple[Act, ...]:
    """Have these conversations on disk, written last an hour after they were begun."""
    first = 1772323200  # that day, in seconds of Unix time
    return tuple(write(one.path, one.text, first + 3600 * (one.number + 1)) for one in threads)
