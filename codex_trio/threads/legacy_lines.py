"""Lines for rollouts of the older kind, in which items have other events and no ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codex_trio.threads.line import Line


def as_legacy(line: Line) -> Iterator[Line]:
    """Turn a line into those that say the same in an older file, which may be none."""
    if line.event != "item_completed":
        yield line
        return
    item = line.payload["item"]
    for event in _events(item):
        yield attrs.evolve(line, payload=event)


def _events(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    match item["type"]:
        case "UserMessage":
            yield _user_message(item["content"])
        case "AgentMessage":
            text = "".join(part["text"] for part in item["content"])
            yield {"type": "agent_message", "message": text, "phase": item.get("phase")}
        case "Reasoning":
            for text in item["summary_text"]:
                yield {"type": "agent_reasoning", "text": text}
        case "ContextCompaction":
            yield {"type": "context_compacted"}
        case _:  # what older files do not tell of
            return


def _user_message(content: list[dict[str, Any]]) -> dict[str, Any]:
    texts = [part for part in content if part["type"] == "text"]
    return {
        "type": "user_message",
        "message": "".join(part["text"] for part in texts),
        "images": [part["image_url"] for part in content if "image_url" in part],
        "local_images": [part["path"] for part in content if part["type"] == "local_image"],
        "text_elements": texts[0]["text_elements"] if len(texts) == 1 else [],
    }
