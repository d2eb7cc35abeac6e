"""Reading what the stand-in's models say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from codex_trio.testing import ModelResponse


def read_events(body: bytes) -> list[dict[str, Any]]:
    """Decode a stream of events, each of which must be named as its type."""
    events = []
    for block in body.decode().split("\n\n")[:-1]:
        *names, data = block.split("\n")
        event = orjson.loads(data.removeprefix("data: "))
        assert names == ([f"event: {event['type']}"] if "type" in event else [])
        events.append(event)
    return events


def events_of(response: ModelResponse) -> list[dict[str, Any]]:
    """What a response says whose steps are all bytes."""
    return read_events(b"".join(step for step in response.steps if isinstance(step, bytes)))


def types_of(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def deltas_of(events: list[dict[str, Any]]) -> list[str]:
    return [event["delta"] for event in events if event["type"].endswith("output_text.delta")]
