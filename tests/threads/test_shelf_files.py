"""Which files are rollouts, and threads of which there are several."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.meta import HistoryBase
from codex_trio.threads.rollout import RecordError
from codex_trio.threads.rollout_files import read_name, revised_path, rollout_path
from codex_trio.threads.shelf import Shelf
from codex_trio.threads.shelf_page import Query
from tests.conftest import PATIENCE
from tests.threads import records
from tests.threads.records import T1, T2, T3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codex_trio.threads.line import Line


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The names of rollouts are in local time."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def three(tmp_path: Path) -> None:
    for thread_id in (T1, T2, T3):
        records.put(tmp_path, thread_id)


async def listed(shelf: Shelf, **query: str) -> list[str]:
    page = await shelf.page(Query(**query))  # type: ignore[arg-type]  # a sort key at most
    return [entry.glance.meta.id for entry in page.entries]


class TestFiles:
    @pytest.mark.parametrize(
        "name",
        [
            "rollout.jsonl",
            f"rollout-{T1}.jsonl",
            f"rollout-2026-11-21T13-23-23-{T1}.json",
            f"rollout-2026-11-21T13-23-23-{T1}.jsonl.tmp",
            f"rollout-2026-13-21T13-23-23-{T1}.jsonl",
            "rollout-2026-11-21T13-23-23-x.jsonl",
        ],
    )
    async def test_other_names_are_of_no_rollouts(
        self, shelf: Shelf, tmp_path: Path, name: str
    ) -> None:
        path = records.put(tmp_path)
        path.rename(path.with_name(name))
        assert await listed(shelf) == []
        assert await shelf.entry_at(path.with_name(name)) is None

    async def test_what_cannot_be_read_is_left_out(
        self, shelf: Shelf, three: None, tmp_path: Path
    ) -> None:
        records.place(tmp_path, T1).write_bytes(b"garbage\n" + b"\x00" * 100)
        path = records.place(tmp_path, T2)
        path.unlink()
        path.mkdir()
        assert await listed(shelf) == [T3]
        assert await shelf.entry_at(path) is None
        path.rmdir()
        os.mkfifo(path)
        records.place(tmp_path, T1).write_bytes(b"")
        assert await listed(shelf) == [T3]
        path.unlink()
        path.symlink_to(tmp_path / "missing")
        records.place(tmp_path, T1).write_bytes(records.event("task_started"))
        assert await listed(shelf) == [T3]
        assert await listed(shelf, sort_key="updated_at") == [T3]
        assert await shelf.entry(T2) is None

    async def test_garbage_before_the_beginning(self, shelf: Shelf, tmp_path: Path) -> None:
        torn = records.encode(records.thread()).replace(b'"UserMessage"', b'"UserMessage')
        records.put(tmp_path, T1, b"garbage\n" + records.encode(records.thread()))
        records.put(tmp_path, T2, torn)
        assert await listed(shelf) == [T1]

    async def test_folders_may_be_anything(self, shelf: Shelf, tmp_path: Path) -> None:
        records.put(tmp_path)
        (tmp_path / "sessions/2026/12").touch()
        (tmp_path / "sessions/2025").symlink_to(tmp_path / "missing")
        (tmp_path / "sessions/notes").mkdir()
        assert await listed(shelf) == [T1]

    async def test_changes_are_seen(self, shelf: Shelf, tmp_path: Path) -> None:
        path = records.put(tmp_path)
        assert await listed(shelf) == [T1]
        records.put(tmp_path, T2)
        assert await listed(shelf) == [T2, T1]
        path.unlink()
        assert await listed(shelf) == [T2]

    async def test_folders_that_have_settled_are_not_read_again(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        path = records.put(tmp_path)
        os.utime(path.parent, (1e9, 1e9))
        assert await listed(shelf) == [T1]
        records.put(tmp_path, T2)
        os.utime(path.parent, (1e9, 1e9))
        assert await listed(shelf) == [T1]  # it looks as if nothing had changed
        os.utime(path.parent)
        assert await listed(shelf) == [T2, T1]

    async def test_a_thread_that_is_as_old_as_its_name(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        """An id that says nothing of its time, or something else than the name."""
        for thread_id in ("01a1fe46-9ebb-4a30-8f57-3b9f155c0712", T1.replace("01a1", "0001")):
            path = records.place(tmp_path, thread_id)
            file = read_name(str(path.parent), path.name, archived=False)
            assert file is not None
            assert file.created_ms == 1795267403000

    def test_new_rollouts_are_in_the_folder_of_the_day(self, tmp_path: Path) -> None:
        path = rollout_path(tmp_path, T1)
        today = time.strftime("%Y/%m/%d")
        assert path.parent == tmp_path / "sessions" / today
        assert read_name(str(path.parent), path.name, archived=False) is not None
        file = read_name("", revised_path(tmp_path, T1).name, archived=False)
        assert file is not None
        assert file.thread_id == T1
        assert abs(file.revised_ms - time.time() * 1000) < PATIENCE * 1000


class TestSeveralFiles:
    """A thread of which something was taken back has another file."""

    def revised(self, base: HistoryBase | None, *happened: Line) -> bytes:
        start = lines.session_meta(records.meta(history_base=base))
        return records.encode([start, *happened], 0 if base is None else base.end_ordinal)

    @pytest.fixture
    def revisions(self, tmp_path: Path) -> list[Path]:
        records.put(tmp_path, T1, records.encode([*records.thread(), *records.turn(2, "two")]))
        paths = [
            records.place(tmp_path, T1, revision=f"_{thread_id}") for thread_id in (T2, T3)
        ]
        base = HistoryBase(T1, 9)
        paths[0].write_bytes(self.revised(base, *records.turn(3, "three")))
        paths[1].write_bytes(self.revised(HistoryBase(T1, 18), *records.turn(4, "four")))
        return paths

    async def test_the_latest_counts(self, shelf: Shelf, revisions: list[Path]) -> None:
        assert await listed(shelf) == [T1]
        assert await shelf.find(T1) == revisions[1]
        recorded = await shelf.read(revisions[1])
        assert [turn.id for turn in recorded.turns] == ["turn-1", "turn-3", "turn-4"]
        assert recorded.preview == "hello"
        recorded = await shelf.read(revisions[0])
        assert [turn.id for turn in recorded.turns] == ["turn-1", "turn-3"]
        base = recorded.base_at("turn-3")
        assert base is not None
        past = await shelf.read_past(revisions[0], base)
        assert [turn.id for turn in past.turns] == ["turn-1"]

    async def test_it_is_shown_with_what_was_said_first(
        self, shelf: Shelf, revisions: list[Path]
    ) -> None:
        revisions[1].write_bytes(self.revised(HistoryBase(T1, 9)))
        entry = await shelf.entry(T1)
        assert entry is not None
        assert entry.file.path == str(revisions[1])
        assert entry.glance.preview == "hello"
        assert await listed(shelf) == [T1]
        revisions[0].unlink()
        entry = await shelf.entry_at(revisions[1])
        assert entry is not None

    async def test_without_the_former_file_nothing_is_shown(
        self, shelf: Shelf, tmp_path: Path, revisions: list[Path]
    ) -> None:
        records.place(tmp_path, T1).unlink()
        revisions[0].unlink()
        revisions[1].write_bytes(self.revised(HistoryBase(T1, 9)))
        assert await listed(shelf) == []

    async def test_a_fork_begins_with_what_was_there_then(
        self, shelf: Shelf, tmp_path: Path, revisions: list[Path]
    ) -> None:
        """Not with what has taken its place since, nor with a file that begins later."""
        before = "01a1fe47-0000-7000-8000-000000000000"
        meta = records.meta(before, history_base=HistoryBase(T1, 17))
        path = records.put(
            tmp_path,
            before,
            records.encode([lines.session_meta(meta), *records.turn(9, "x")], 17),
        )
        recorded = await shelf.read(path)
        assert [turn.id for turn in recorded.turns] == ["turn-1", "turn-2", "turn-9"]
        outside = tmp_path / "elsewhere.jsonl"
        shutil.copy(path, outside)
        recorded = await shelf.read(outside)
        assert [turn.id for turn in recorded.turns] == ["turn-1", "turn-3", "turn-9"]

    async def test_what_is_put_away_counts_as_well(self, shelf: Shelf, tmp_path: Path) -> None:
        records.put(tmp_path, T1, archived=True)
        meta = records.meta(T2, history_base=HistoryBase(T1, 9))
        content = records.encode([lines.session_meta(meta), *records.turn(9, "x")], 9)
        path = records.put(tmp_path, T2, content)
        recorded = await shelf.read(path)
        assert [turn.id for turn in recorded.turns] == ["turn-1", "turn-9"]


async def test_what_cannot_be_read_is_said(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="No such file"):
        await shelf.read(tmp_path / "missing")
    with pytest.raises(RecordError, match="No such file"):
        await shelf.read_past(tmp_path / "missing", HistoryBase(T1, 1))
