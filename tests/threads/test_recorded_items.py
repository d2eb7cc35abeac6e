"""What the original writes, and versions before it: older files, its own items, compactions."""

from __future__ import annotations

from typing import Any

import pytest

from codex_trio.protocol import items, turns
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.fold import Fold
from codex_trio.threads.line import Line
from codex_trio.threads.rollout_items import preview_of, read_item
from tests.threads import records


def fold_of(*happened: Line, **meta: Any) -> Fold:
    fold = Fold()
    for line in (lines.session_meta(records.meta(**meta)), *happened):
        fold.take(line)
    return fold


def event(kind: str, **members: Any) -> Line:
    return Line("event_msg", {"type": kind, **members})


def legacy(*happened: Line) -> Fold:
    return fold_of(*happened, history_mode="legacy")


class TestOlderFiles:
    def test_items_are_numbered(self) -> None:
        fold = legacy(
            event("task_started", turn_id="t1", started_at=5),
            event(
                "user_message",
                message="look",
                images=["data:x"],
                local_images=["/p.png"],
                text_elements=[],
            ),
            event("agent_reasoning", text="think"),
            event("agent_reasoning", text="more"),
            event("agent_message", message="seen"),
            event("task_complete", turn_id="t1", completed_at=6),
            event("task_started", turn_id="t2"),
            event("user_message", message="again"),
            event("context_compacted"),
        )
        assert records.shown(fold.turns) == [
            ("t1", "completed", ["item-1", "item-2", "item-3"]),
            ("t2", "inProgress", ["item-4", "item-5"]),
        ]
        first, thought, answer = fold.turns[0].items
        assert first == items.UserMessageThreadItem(
            id="item-1",
            content=[
                items.TextUserInput(text="look"),
                items.ImageUserInput(url="data:x"),
                items.LocalImageUserInput(path="/p.png"),
            ],
        )
        assert thought == items.ReasoningThreadItem(id="item-2", summary=["think", "more"])
        assert answer == items.AgentMessageThreadItem(id="item-3", text="seen")
        assert fold.preview == "look"
        fold.settle()
        assert fold.turns[1].status == "interrupted"

    def test_without_turns_each_message_of_the_user_begins_one(self) -> None:
        fold = legacy(
            event("user_message", message="one"),
            event("agent_message", message="first"),
            event("user_message", message="two"),
        )
        assert records.shown(fold.turns) == [
            ("rollout-1", "completed", ["item-1", "item-2"]),
            ("rollout-3", "completed", ["item-3"]),
        ]
        assert fold.turns[0].started_at is None

    def test_several_messages_of_a_turn_are_of_that_turn(self) -> None:
        fold = legacy(
            event("task_started", turn_id="t1"),
            event("user_message", message="one"),
            event("user_message", message="and two"),
        )
        assert records.shown(fold.turns) == [("t1", "inProgress", ["item-1", "item-2"])]

    def test_what_has_no_turn_gets_one(self) -> None:
        fold = legacy(
            event("agent_message", message="hello?"), event("agent_reasoning", text="x")
        )
        assert records.shown(fold.turns) == [("rollout-1", "completed", ["item-1", "item-2"])]

    def test_an_end_without_an_id_is_that_of_the_present_turn(self) -> None:
        fold = legacy(
            event("turn_aborted", reason="interrupted"),
            event("task_started", turn_id="t1"),
            event("turn_aborted", reason="interrupted"),
            event("turn_aborted", turn_id="t0"),
        )
        assert records.shown(fold.turns) == [("t1", "interrupted", [])]

    def test_turns_that_were_taken_back_are_gone(self) -> None:
        fold = legacy(
            *records.turn(1, "one"), *records.turn(2, "two"), *records.turn(3, "three")
        )
        fold.take(event("thread_rolled_back", num_turns=2))
        assert [turn.id for turn in fold.turns] == ["turn-1"]
        assert records.texts(fold.history) == ["one", "yes"]
        fold.take(lines.thread_rolled_back(0))
        assert len(fold.turns) == 1
        fold.take(lines.thread_rolled_back(99))
        assert fold.turns == []
        assert fold.history == []

    def test_newer_files_have_no_such_events(self) -> None:
        fold = fold_of(
            event("task_started", turn_id="t1"),
            event("user_message", message="one"),
            event("agent_reasoning", text="x"),
            event("agent_message", message="one"),
        )
        assert records.shown(fold.turns) == [("t1", "inProgress", [])]
        assert not fold.user_has_spoken


class TestCompaction:
    def test_a_summary_takes_the_place_of_the_history(self) -> None:
        kept = records.said("user", "summary", "msg_s")
        fold = fold_of(
            *records.turn(1, "one"),
            lines.compacted("summary", [kept]),
            *records.turn(2, "two"),
        )
        assert records.texts(fold.history) == ["summary", "two", "yes"]
        assert fold.compactions == 1
        fold.take(lines.thread_rolled_back(1))
        assert records.texts(fold.history) == ["summary"]
        fold.take(lines.thread_rolled_back(1))
        assert records.texts(fold.history) == ["summary"]  # what was before is not known

    def test_an_older_one_keeps_what_the_user_has_said(self) -> None:
        fold = fold_of(*records.turn(1, "one"), Line("compacted", {"message": "summary"}))
        assert records.texts(fold.history) == ["one", "summary"]
        assert fold.history[-1]["role"] == "user"


def test_what_the_model_is_not_told_is_not_in_its_history() -> None:
    fold = fold_of(Line("response_item", {"type": "ghost_snapshot"}), Line("world_state", {}))
    assert fold.history == []


def test_a_turn_without_a_beginning_is_one() -> None:
    """What a file says of its items is enough (observed)."""
    fold = fold_of(*[line for line in records.turn(1, "one") if line.event != "task_started"])
    (turn,) = fold.turns
    assert (turn.status, turn.root_turn_id, turn.started_at) == (
        "completed",
        "turn-1",
        records.SECONDS,
    )


def test_an_error_that_cannot_be_read_is_one() -> None:
    fold = fold_of(
        event("task_started", turn_id="t1"),
        event("task_complete", turn_id="t1", error={"message": 5}),
        event("task_started", turn_id="t2"),
        event("task_complete", turn_id="t2", error="x"),
    )
    assert [turn.status for turn in fold.turns] == ["failed", "failed"]
    assert fold.turns[0].error == turns.TurnError(message="", codex_error_info="other")


ORIGINAL: list[tuple[dict[str, Any], Any]] = [
    (
        {
            "type": "CommandExecution",
            "id": "call-1",
            "process_id": "77431",
            "command": ["/bin/bash", "-lc", "echo hi"],
            "cwd": "file:///srv/a%20b",
            "parsed_cmd": [
                {"type": "unknown", "cmd": "echo hi"},
                {"type": "list_files", "cmd": "ls", "path": None},
            ],
            "source": "unified_exec_startup",
            "status": "completed",
            "aggregated_output": "hi\n",
            "exit_code": 0,
            "duration": {"secs": 1, "nanos": 46784000},
        },
        {
            "type": "commandExecution",
            "id": "call-1",
            "command": "/bin/bash -lc 'echo hi'",
            "cwd": "/srv/a b",
            "processId": "77431",
            "source": "unifiedExecStartup",
            "status": "completed",
            "commandActions": [
                {"type": "unknown", "command": "echo hi"},
                {"type": "listFiles", "command": "ls", "path": None},
            ],
            "aggregatedOutput": "hi\n",
            "exitCode": 0,
            "durationMs": 1046,
            "pluginId": None,
            "scriptPath": None,
        },
    ),
    (
        {
            "type": "CommandExecution",
            "id": "call-2",
            "command": ["ls"],
            "cwd": "/srv",
            "status": "in_progress",
        },
        {
            "type": "commandExecution",
            "id": "call-2",
            "command": "ls",
            "cwd": "/srv",
            "processId": None,
            "source": "agent",
            "status": "inProgress",
            "commandActions": [],
            "aggregatedOutput": None,
            "exitCode": None,
            "durationMs": None,
            "pluginId": None,
            "scriptPath": None,
        },
    ),
    (
        {
            "type": "FileChange",
            "id": "c1",
            "changes": {
                "/w/b.txt": {"type": "add", "content": "new\n"},
                "/w/a.txt": {"type": "update", "unified_diff": "@@", "move_path": None},
            },
            "status": "completed",
            "stdout": "Success.",
        },
        {
            "type": "fileChange",
            "id": "c1",
            "changes": [
                {
                    "path": "/w/a.txt",
                    "kind": {"type": "update", "move_path": None},
                    "diff": "@@",
                },
                {"path": "/w/b.txt", "kind": {"type": "add"}, "diff": "new\n"},
            ],
            "status": "completed",
        },
    ),
    (
        {
            "type": "WebSearch",
            "id": "ws",
            "query": "c",
            "action": {"type": "search", "query": "c"},
        },
        items.WebSearchThreadItem(
            id="ws", query="c", action={"type": "search", "query": "c", "queries": None}
        ),
    ),
    (
        {
            "type": "McpToolCall",
            "id": "m",
            "server": "s",
            "tool": "t",
            "arguments": {"a_b": 1},
            "status": "in_progress",
            "read_only_hint": True,
        },
        {
            "type": "mcpToolCall",
            "id": "m",
            "server": "s",
            "tool": "t",
            "arguments": {"a_b": 1},
            "status": "inProgress",
            "readOnlyHint": True,
        },
    ),
    (
        {"type": "EnteredReviewMode", "id": "e", "review": "this"},
        {"type": "enteredReviewMode", "id": "e", "review": "this"},
    ),
]


@pytest.mark.parametrize(("raw", "item"), ORIGINAL)
def test_its_items_are_told_as_it_tells_them(raw: dict[str, Any], item: Any) -> None:
    assert read_item(raw) == item


@pytest.mark.parametrize(
    "raw",
    [
        None,
        5,
        {},
        {"type": "AgentMessage"},
        {"type": "AgentMessage", "id": 5, "content": []},
        {"type": "AgentMessage", "id": "a"},
        {"type": "AgentMessage", "id": "a", "content": [{"type": "Image"}]},
        {"type": "AgentMessage", "id": "a", "content": [{"text": 5}]},
        {"type": "UserMessage", "id": "u", "content": [{"type": "hologram"}]},
        {"type": "UserMessage", "id": "u", "content": ["x"]},
        {"type": "UserMessage", "id": "u", "content": [{"type": ["x"]}]},
        {"type": "Reasoning", "id": "r"},
        {"type": "Reasoning", "id": "r", "summary_text": "x"},
        {"type": "WebSearch", "id": "w", "action": {}},
        {"type": "CommandExecution", "id": "c", "command": "ls", "cwd": 5},
        {"type": "FileChange", "id": "f", "changes": {"/a": {"type": "update"}}},
        {"type": "ToCome", "id": "x"},
        {"type": "", "id": "x"},
        {"type": ["x"], "id": "x"},
        {"type": "McpToolCall", "id": "m", "server": "s"},
    ],
)
def test_an_item_that_clients_could_not_read_is_none(raw: object) -> None:
    assert read_item(raw) is None


def test_pictures_alone_make_a_preview_too() -> None:
    picture = items.LocalImageUserInput(path="/p.png")
    alone = items.UserMessageThreadItem(id="u", content=[picture])
    assert preview_of(alone) == "[Image]"
    text = items.TextUserInput(text="  first  ")
    more = items.TextUserInput(text="second ")
    both = items.UserMessageThreadItem(id="u", content=[text, picture, more])
    assert preview_of(both) == "first  second"
    mention = items.MentionUserInput(name="m", path="app://m")
    assert preview_of(items.UserMessageThreadItem(id="u", content=[mention])) == ""
    assert preview_of(items.PlanThreadItem(id="p", text="x")) is None


def test_words_are_made_again_only_after_a_change() -> None:
    fold = fold_of(*records.turn(1, "one", None))
    (before,) = fold.turns
    assert fold.turns[0] is before
    fold.take(lines.item_completed(records.T1, "turn-1", items.PlanThreadItem(id="p", text="")))
    assert fold.turns[0] is not before
    assert len(before.items) == 1
