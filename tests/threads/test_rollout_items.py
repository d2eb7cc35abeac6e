"""Items as rollouts have them, newer ones and older ones."""

from __future__ import annotations

from typing import Any

import pytest

from codex_trio.protocol import items
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.legacy_lines import as_legacy
from codex_trio.threads.rollout_items import read_item, write_item
from tests.threads import records

ITEMS: list[tuple[Any, dict[str, Any]]] = [
    (
        items.UserMessageThreadItem(
            id="u",
            client_id="c",
            content=[
                items.TextUserInput(
                    text="look @a",
                    text_elements=[
                        items.TextElement(
                            byte_range=items.ByteRange(start=5, end=7), placeholder="pp"
                        )
                    ],
                ),
                items.ImageUserInput(url="data:image/png;base64,eA==", detail="low"),
                items.ImageUserInput(file_id="file-1"),
                items.LocalImageUserInput(path="/p.png"),
                items.AudioUserInput(url="https://x/a.wav"),
                items.LocalAudioUserInput(path="/a.wav"),
                items.SkillUserInput(name="sk", path="/x/SKILL.md"),
                items.MentionUserInput(name="mm", path="app://x"),
            ],
        ),
        {
            "type": "UserMessage",
            "id": "u",
            "client_id": "c",
            "content": [
                {
                    "type": "text",
                    "text": "look @a",
                    "text_elements": [
                        {"byte_range": {"start": 5, "end": 7}, "placeholder": "pp"}
                    ],
                },
                {"type": "image", "detail": "low", "image_url": "data:image/png;base64,eA=="},
                {"type": "image", "file_id": "file-1"},
                {"type": "local_image", "path": "/p.png"},
                {"type": "audio", "audio_url": "https://x/a.wav"},
                {"type": "local_audio", "path": "/a.wav"},
                {"type": "skill", "name": "sk", "path": "/x/SKILL.md"},
                {"type": "mention", "name": "mm", "path": "app://x"},
            ],
        },
    ),
    (
        items.AgentMessageThreadItem(id="a", text="hi", phase="final_answer"),
        {
            "type": "AgentMessage",
            "id": "a",
            "content": [{"type": "Text", "text": "hi"}],
            "phase": "final_answer",
        },
    ),
    (
        items.ReasoningThreadItem(id="r", summary=["think"], content=["raw"]),
        {"type": "Reasoning", "id": "r", "summary_text": ["think"], "raw_content": ["raw"]},
    ),
    (items.PlanThreadItem(id="p", text="1."), {"type": "Plan", "id": "p", "text": "1."}),
    (
        items.WebSearchThreadItem(
            id="w", query="cats", action={"type": "search", "query": "cats", "queries": None}
        ),
        {
            "type": "WebSearch",
            "id": "w",
            "query": "cats",
            "action": {"type": "search", "query": "cats", "queries": None},
        },
    ),
    (
        items.WebSearchThreadItem(
            id="w", query="", action={"type": "openPage", "url": "https://x"}
        ),
        {
            "type": "WebSearch",
            "id": "w",
            "query": "",
            "action": {"type": "open_page", "url": "https://x"},
        },
    ),
    (
        items.WebSearchThreadItem(id="w", query="q"),
        {"type": "WebSearch", "id": "w", "query": "q", "action": None},
    ),
    (items.ContextCompactionThreadItem(id="c"), {"type": "ContextCompaction", "id": "c"}),
]


@pytest.mark.parametrize(("item", "written"), ITEMS)
def test_items_are_written_as_the_original_does_and_come_back(item: Any, written: Any) -> None:
    assert write_item(item) == written
    assert read_item(written) == item


OLDER = [
    (
        items.UserMessageThreadItem(
            id="u",
            content=[
                items.TextUserInput(text="a"),
                items.TextUserInput(text="b"),
                items.ImageUserInput(url="data:x"),
                items.LocalImageUserInput(path="/p.png"),
            ],
        ),
        [
            {
                "type": "user_message",
                "message": "ab",
                "images": ["data:x"],
                "local_images": ["/p.png"],
                "text_elements": [],
            }
        ],
    ),
    (
        items.AgentMessageThreadItem(id="a", text="hi"),
        [{"type": "agent_message", "message": "hi", "phase": None}],
    ),
    (
        items.ReasoningThreadItem(id="r", summary=["one", "two"], content=["raw"]),
        [
            {"type": "agent_reasoning", "text": "one"},
            {"type": "agent_reasoning", "text": "two"},
        ],
    ),
    (items.ContextCompactionThreadItem(id="c"), [{"type": "context_compacted"}]),
    (items.WebSearchThreadItem(id="w", query="q"), []),
]


@pytest.mark.parametrize(("item", "events"), OLDER)
def test_older_files_have_other_lines_for_items(item: Any, events: Any) -> None:
    line = lines.item_completed(records.T1, "turn-1", item)
    older = list(as_legacy(line))
    assert [dict(one.payload) for one in older] == events
    assert all(one.timestamp == line.timestamp for one in older)
    other = lines.turn_context("turn-1", records.settings())
    assert list(as_legacy(other)) == [other]
