"""What tests of the official SDK look at: typed notifications, and what the model was asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openai_codex.models import UnknownNotification

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openai_codex.models import Notification

SLOW = {"text": "Once upon a time there was a king.", "every": 60}
"""A first word, and nothing more for as long as a test takes."""

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""One pixel, as a PNG in base64."""


def body_of(request: dict[str, Any]) -> Any:
    return json.loads(request["body"])


def texts_of(request: dict[str, Any], *roles: str) -> list[str]:
    """List the texts that the model was given, all of them or those of some roles."""
    return [
        part["text"]
        for item in body_of(request)["input"]
        if item["type"] == "message" and (not roles or item["role"] in roles)
        for part in item["content"]
        if "text" in part
    ]


def spoken_in(request: dict[str, Any]) -> list[str]:
    """List what was said, without the surroundings, of which the model is told in elements."""
    texts = texts_of(request, "user", "assistant")
    return [text for text in texts if not text.startswith("<")]


def understood(events: Iterable[Notification]) -> list[Any]:
    """Return events for which the SDK has words, as it must have for all of them."""
    kept: list[Any] = list(events)
    unknown = [one.method for one in kept if isinstance(one.payload, UnknownNotification)]
    assert not unknown
    return kept


def deltas_of(events: Iterable[Any], method: str) -> list[str]:
    return [event.payload.delta for event in events if event.method == method]
