"""Reading rollouts: whole ones, damaged ones, and those that begin with others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.protocol import items
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.meta import HistoryBase
from codex_trio.threads.recorded import (
    Recorded,
    first_ordinal,
    read_past,
    read_rollout,
)
from codex_trio.threads.rollout import RecordError
from tests.threads import records

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.threads.line import Line

WHOLE = records.encode([*records.thread(), *records.turn(2, "again", "sure")])
BOTH = [
    ("turn-1", "completed", ["user-1", "msg_a1"]),
    ("turn-2", "completed", ["user-2", "msg_a2"]),
]


def read(folder: Path, content: bytes, find: Any = None) -> Recorded:
    return read_rollout(records.put(folder, content=content), find)


def test_a_thread_is_read_as_it_was(tmp_path: Path) -> None:
    recorded = read(tmp_path, WHOLE)
    assert records.shown(recorded.turns) == BOTH
    assert records.texts(recorded.history) == ["hello", "yes", "again", "sure"]
    assert recorded.preview == "hello"
    # The instructions are a model's: whoever goes on has its own.
    assert recorded.meta == records.meta(base_instructions=None)
    assert recorded.settings.model == "gpt-5.5"
    assert recorded.usage is not None
    assert recorded.usage.total.total_tokens == 12
    assert recorded.next_ordinal == 17
    assert recorded.damaged == 0
    assert recorded.end.offset == len(WHOLE)


def test_wherever_a_file_is_cut_the_whole_lines_are_read(tmp_path: Path) -> None:
    ends = [0]
    for raw in WHOLE.splitlines(keepends=True):
        ends.append(ends[-1] + len(raw))
    for cut in range(ends[1] + 1, len(WHOLE), 7):
        recorded = read(tmp_path, WHOLE[:cut])
        whole = sum(1 for end in ends[1:] if end - 1 <= cut)  # but for the newline
        assert recorded.next_ordinal == whole
        assert recorded.damaged == (cut not in ends and cut + 1 not in ends)


@pytest.mark.parametrize(
    "garbage",
    [
        b"garbage\n",
        b"\n\n  \n",
        bytes(range(256)) + b"\n",
        b'{"timestamp":"2026-11-21T13:23:23.974Z","type":"event_msg"}\n',
        b'{"timestamp":"t","ordinal":5,"type":"of a version to come","payload":{"a":[1]}}\n',
        b'{"timestamp":"t","ordinal":5,"type":"event_msg","payload":{"type":"to come"}}\n',
        b'{"timestamp":"t","ordinal":5,"type":"event_msg","payload":{"type":["x"]}}\n',
        b"[" * 5000 + b"\n",
        b"x" * 10_000_000 + b"\n",
    ],
    ids=range(9),
)
def test_garbage_in_the_middle_costs_nothing_else(tmp_path: Path, garbage: bytes) -> None:
    raw = WHOLE.splitlines(keepends=True)
    for place in (0, 1, 5, len(raw)):
        if place == 0 and b"timestamp" in garbage:
            continue  # it would be the first line, which says how the thread began
        recorded = read(tmp_path, b"".join([*raw[:place], garbage, *raw[place:]]))
        assert records.shown(recorded.turns) == BOTH
        assert len(recorded.history) == 4


def test_events_may_have_any_members(tmp_path: Path) -> None:
    strange: list[Any] = [None, 5, "x", [], {}, [None], {"a": 1}]
    names = [
        "turn_id", "root_turn_id", "started_at", "completed_at", "duration_ms", "error", "item",
        "info", "thread_settings", "num_turns", "message", "text", "images", "content",
    ]  # fmt: skip
    events = [
        "task_started", "task_complete", "turn_aborted", "item_completed", "token_count",
        "user_message", "agent_message", "agent_reasoning", "context_compacted",
        "thread_settings_applied",
    ]  # fmt: skip
    odd = b"".join(
        records.event(event, **{**dict.fromkeys(names, value), name: other})
        for event in events
        for name in names
        for value in strange[:3]
        for other in strange
        if not (name == "turn_id" and isinstance(other, str))
    )
    odd += b"".join(
        records.raw_line(kind, {"type": value, "replacement_history": value, "message": value})
        for kind in ("session_meta", "response_item", "turn_context")
        for value in strange
    )
    for mode in ("paginated", "legacy"):
        start = records.encode(records.thread(history_mode=mode), None)
        recorded = read(tmp_path, start + odd)
        assert recorded.turns[0].id == "turn-1"
        assert records.texts(recorded.history[:2]) == ["hello", "yes"]


class TestWhatIsNoRollout:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"garbage\n",
            b"\n\n",
            records.event("task_started", turn_id="x"),
            records.raw_line("session_meta", {"id": records.T1}),
        ],
    )
    def test_a_file_without_a_beginning(self, tmp_path: Path, content: bytes) -> None:
        path = records.put(tmp_path, content=content)
        with pytest.raises(RecordError) as caught:
            read_rollout(path)
        assert str(caught.value) == (
            f"failed to read session metadata {path}: rollout at {path} is empty"
        )

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(RecordError, match=r"Is a directory \(os error 21\)"):
            read_rollout(tmp_path)

    def test_none_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(RecordError, match=r"No such file or directory \(os error 2\)"):
            read_rollout(tmp_path / "missing")
        assert first_ordinal(tmp_path / "missing") is None

    def test_a_pipe_that_nobody_writes_to(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(RecordError, match=r"Invalid argument"):
            read_rollout(tmp_path / "pipe")
        with pytest.raises(RecordError, match=r"Invalid argument"):
            read_past(tmp_path / "pipe", HistoryBase(records.T1, 1))


def test_a_turn_without_an_end_is_interrupted(tmp_path: Path) -> None:
    content = records.encode([*records.thread(), *records.turn(2, "again", None)])
    recorded = read(tmp_path, content)
    assert records.shown(recorded.turns)[1] == ("turn-2", "interrupted", ["user-2"])
    assert recorded.turns[1].completed_at is None


class TestBeginningWithOthers:
    """A fork, and a thread of which something was taken back, begin with another file."""

    def fork(self, base: HistoryBase, thread_id: str = records.T2) -> list[Line]:
        meta = records.meta(thread_id, forked_from_id=records.T1, history_base=base)
        return [lines.session_meta(meta), *records.turn(3, "mine", "ours", thread_id)]

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        return records.put(tmp_path, content=WHOLE)

    def put_fork(self, home: Path, base: HistoryBase, thread_id: str = records.T2) -> Path:
        content = records.encode(self.fork(base, thread_id), base.end_ordinal)
        return records.put(home, thread_id, content)

    def test_all_of_the_past(self, tmp_path: Path, source: Path) -> None:
        base = read_rollout(source).base_at()
        assert base == HistoryBase(records.T1, 17, len(WHOLE))
        forked = read_rollout(self.put_fork(tmp_path, base), lambda *_: source)
        assert [turn.id for turn in forked.turns] == ["turn-1", "turn-2", "turn-3"]
        assert records.texts(forked.history) == [
            "hello",
            "yes",
            "again",
            "sure",
            "mine",
            "ours",
        ]
        assert forked.preview == "mine"
        assert forked.meta.id == records.T2
        assert forked.next_ordinal == 26

    def test_some_of_it(self, tmp_path: Path, source: Path) -> None:
        recorded = read_rollout(source)
        base = recorded.base_at("turn-2")
        assert base is not None
        assert WHOLE[: base.end_offset].count(b"\n") == base.end_ordinal == 9
        past = read_past(source, base)
        assert records.shown(past.turns) == BOTH[:1]
        assert (past.meta, past.preview, past.next_ordinal) == (None, "", base.end_ordinal)
        forked = read_rollout(self.put_fork(tmp_path, base), lambda *_: source)
        assert [turn.id for turn in forked.turns] == ["turn-1", "turn-3"]
        with pytest.raises(LookupError):
            recorded.base_at("turn-9")

    def test_nothing_of_it(self, source: Path) -> None:
        assert read_rollout(source).base_at("turn-1") is None

    def test_without_offsets_numbers_will_do(self, tmp_path: Path, source: Path) -> None:
        path = self.put_fork(tmp_path, HistoryBase(records.T1, 9))
        assert [turn.id for turn in read_rollout(path, lambda *_: source).turns] == [
            "turn-1",
            "turn-3",
        ]

    def test_what_was_written_since_is_no_part_of_it(
        self, tmp_path: Path, source: Path
    ) -> None:
        base = read_rollout(source).base_at()
        assert base is not None
        path = self.put_fork(tmp_path, base)
        with source.open("ab") as file:
            file.write(records.encode(records.turn(4, "later"), 17))
        forked = read_rollout(path, lambda *_: source)
        assert [turn.id for turn in forked.turns] == ["turn-1", "turn-2", "turn-3"]

    def test_a_fork_of_a_fork(self, tmp_path: Path, source: Path) -> None:
        base = read_rollout(source).base_at("turn-2")
        assert base is not None
        middle = self.put_fork(tmp_path, base)
        files = {records.T1: source, records.T2: middle}

        def find(base: HistoryBase, _: Path) -> Path:
            return files[base.thread_id]

        second = read_rollout(middle, find)
        for turn_id, turns in (
            (None, ["turn-1", "turn-3"]),
            ("turn-3", ["turn-1"]),
        ):
            base = second.base_at(turn_id)
            assert base is not None
            assert [turn.id for turn in read_past(middle, base, find).turns] == turns
            last = self.put_fork(tmp_path, base, records.T3)
            third = read_rollout(last, find)
            assert [turn.id for turn in third.turns] == [*turns[:1], "turn-3"]
        # What begins in the middle of the first file belongs to that one.
        whole = read_rollout(source).base_at()
        assert whole is not None
        inner = self.put_fork(tmp_path, whole)
        before = read_rollout(inner, find).base_at("turn-2")
        assert before is not None
        assert before.thread_id == records.T1
        assert [turn.id for turn in read_past(inner, before, find).turns] == ["turn-1"]

    def test_without_the_other_file_the_rest_is_read(
        self, tmp_path: Path, source: Path
    ) -> None:
        path = self.put_fork(tmp_path, HistoryBase(records.T1, 9))
        for find in (None, lambda *_: None, lambda *_: tmp_path / "missing"):
            if find is None or find(None, None) is None:
                assert [turn.id for turn in read_rollout(path, find).turns] == ["turn-3"]
            else:
                with pytest.raises(RecordError, match="No such file"):
                    read_rollout(path, find)

    def test_files_that_begin_with_one_another_have_an_end(self, tmp_path: Path) -> None:
        one = self.put_fork(tmp_path, HistoryBase(records.T3, 9), records.T2)
        other = self.put_fork(tmp_path, HistoryBase(records.T2, 99), records.T3)
        files = {records.T2: one, records.T3: other}
        recorded = read_rollout(one, lambda base, _: files[base.thread_id])
        assert [turn.id for turn in recorded.turns] == ["turn-3"]


def test_a_line_is_read_again_where_it_was(tmp_path: Path) -> None:
    """An item that is said twice stays at its place, with what was said last."""
    better = items.AgentMessageThreadItem(id="msg_a1", text="better")
    content = WHOLE + lines.item_completed(records.T1, "turn-1", better).encode(17)
    recorded = read(tmp_path, content)
    assert records.shown(recorded.turns) == BOTH
    folded = recorded.fold.folded_turns["turn-1"].items["msg_a1"]
    assert folded.item == better
    assert folded.ordinal == 5
