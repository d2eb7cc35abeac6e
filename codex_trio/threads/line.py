"""One line of a rollout: from JSON, and to it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORDINALS: Final = range(2**63)


def timestamp_of(milliseconds: int) -> str:
    """Write a moment of Unix time as lines do: in UTC, with milliseconds."""
    seconds, rest = divmod(milliseconds, 1000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def now() -> str:
    """Write the present moment."""
    return timestamp_of(time.time_ns() // 1_000_000)


@attrs.frozen
class Line:
    """Something that has happened in a thread, as it is recorded.

    Args:
        kind: ``session_meta``, ``response_item``, ``event_msg`` and so on.
        payload: what has happened; of an event, its ``type`` says what kind of event.
        metadata: what is noted beside a response item; left out when it is None.
        timestamp: when, in RFC 3339.
        ordinal: the how-manieth line of its rollout it is, where that is written down.
    """

    kind: str
    payload: Mapping[str, Any] = attrs.field(repr=False)
    metadata: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    timestamp: str = attrs.field(factory=now)
    ordinal: int | None = None

    @property
    def event(self) -> str | None:
        """What kind of event it is, None if it is none."""
        if self.kind != "event_msg":
            return None
        event = self.payload.get("type")
        return event if isinstance(event, str) else None

    def encode(self, ordinal: int | None) -> bytes:
        """Write it as the line of a file; without an ordinal in a file of the older kind.

        What JSON cannot say exactly is written as well as it can be, for a line that is not
        written is worse.
        """
        fields: dict[str, Any] = {"timestamp": self.timestamp}
        if ordinal is not None:
            fields["ordinal"] = ordinal
        fields |= {"type": self.kind, "payload": self.payload}
        if self.metadata is not None:
            fields["metadata"] = self.metadata
        try:
            return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:
            # A number too long for it, half of a character, or too many brackets.
            text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
            return f"{text}\n".encode(errors="replace")

    @classmethod
    def decode(cls, raw: bytes | memoryview) -> Line | None:
        """Read a line of a file; None if it is not one, whatever else it is."""
        try:
            fields = orjson.loads(raw)
        except ValueError:
            return None
        match fields:
            case {"timestamp": str(timestamp), "type": str(kind), "payload": dict(payload)}:
                metadata, ordinal = fields.get("metadata"), fields.get("ordinal")
                return cls(
                    kind,
                    payload,
                    metadata if isinstance(metadata, dict) else None,
                    timestamp,
                    ordinal if type(ordinal) is int and ordinal in _ORDINALS else None,
                )
            case _:
                return None
