"""Putting threads away, deleting them, and what is noted of them beside their rollouts."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import orjson
import pytest

from codex_trio.errors import RpcError
from codex_trio.protocol import threads
from codex_trio.threads.meta import HistoryBase
from codex_trio.threads.shelf import Shelf
from codex_trio.threads.shelf_page import Query
from codex_trio.threads.writers import ActiveWriterError
from tests.cancellation import cancel_at_step
from tests.threads import records
from tests.threads.records import T1, T2, T3

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


async def listed(shelf: Shelf, *, archived: bool = False) -> list[str]:
    page = await shelf.page(Query(archived=archived))
    return [entry.glance.meta.id for entry in page.entries]


class TestArchive:
    async def test_there_and_back(self, shelf: Shelf, tmp_path: Path) -> None:
        path = records.put(tmp_path)
        content = path.read_bytes()
        await shelf.archive(T1)
        away = tmp_path / "archived_sessions" / path.name
        assert away.read_bytes() == content
        assert (await listed(shelf), await listed(shelf, archived=True)) == ([], [T1])
        assert await shelf.find(T1, archived=True) == away
        assert await shelf.find(T1) is None
        entry = await shelf.entry(T1)
        assert entry is not None
        assert entry.file.archived
        await shelf.unarchive(T1)
        assert path.read_bytes() == content
        assert (await listed(shelf), await listed(shelf, archived=True)) == ([T1], [])

    async def test_all_files_of_a_thread_go_together(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        records.put(tmp_path)
        later = records.place(tmp_path, T1, revision=f"_{T2}")
        later.write_bytes(records.encode(records.thread()))
        await shelf.archive(T1)
        assert len(list((tmp_path / "archived_sessions").iterdir())) == 2
        assert not later.exists()
        await shelf.unarchive(T1)
        assert later.exists()

    async def test_what_is_not_there(self, shelf: Shelf) -> None:
        with pytest.raises(RpcError) as caught:
            await shelf.archive(T1)
        assert caught.value.message == f"no rollout found for thread id {T1}"
        with pytest.raises(RpcError) as caught:
            await shelf.unarchive(T1)
        assert caught.value.message == f"no archived rollout found for thread id {T1}"
        with pytest.raises(RpcError) as caught:
            await shelf.delete(T1)
        assert caught.value.message == f"no rollout found for thread id {T1}"

    async def test_what_somebody_writes_to_stays(self, shelf: Shelf, tmp_path: Path) -> None:
        path = records.put(tmp_path)
        claim = await Shelf(tmp_path).writers.claim(T1)
        for change in (shelf.archive, shelf.delete):
            with pytest.raises(ActiveWriterError):
                await change(T1)
        assert path.exists()
        claim.release()
        await shelf.archive(T1)
        claim = await shelf.writers.claim(T1)
        with pytest.raises(ActiveWriterError):
            await shelf.unarchive(T1)
        claim.release()

    async def test_nothing_takes_the_place_of_another_file(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        path = records.put(tmp_path)
        other = records.put(tmp_path, archived=True, question="other")
        content = other.read_bytes()
        with pytest.raises(RpcError, match=r"there is a rollout at .* already"):
            await shelf.archive(T1)
        assert path.exists()
        assert other.read_bytes() == content
        await shelf.delete(T1)  # both of them
        assert not path.exists()
        assert not other.exists()

    async def test_a_disk_that_does_not_let_us(self, shelf: Shelf, tmp_path: Path) -> None:
        records.put(tmp_path)
        (tmp_path / "archived_sessions").touch()
        with pytest.raises(RpcError) as caught:
            await shelf.archive(T1)
        assert caught.value.message == "failed to store it: File exists (os error 17)"
        assert await listed(shelf) == [T1]
        (await shelf.writers.claim(T1)).release()

    async def test_a_cancelled_change_is_made_or_not(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        records.put(tmp_path)
        step = 1
        while await cancel_at_step(lambda: shelf.archive(T1), step):
            (await shelf.writers.claim(T1)).release()
            if await shelf.find(T1) is None:
                await shelf.unarchive(T1)
            assert await listed(shelf) == [T1]
            step += 1
        assert step > 1
        assert await listed(shelf, archived=True) == [T1]


class TestDelete:
    async def test_it_is_gone(self, shelf: Shelf, tmp_path: Path) -> None:
        path = records.put(tmp_path)
        records.put(tmp_path, T2)
        await shelf.delete(T1)
        assert not path.exists()
        assert await listed(shelf) == [T2]

    async def test_what_others_begin_with_stays(self, shelf: Shelf, tmp_path: Path) -> None:
        path = records.put(tmp_path)
        records.put(tmp_path, T2, history_base=HistoryBase(T1, 9))
        records.put(tmp_path, T3, archived=True)
        records.put(tmp_path, "01a1fe46-0000-7a30-8f57-3b9f155c0712", b"garbage\n")
        with pytest.raises(RpcError) as caught:
            await shelf.delete(T1)
        assert caught.value.message == (
            f"cannot delete thread {T1}: forked history still references it"
        )
        assert path.exists()
        await shelf.delete(T2)
        await shelf.delete(T1)
        await shelf.delete(T3)
        assert (await listed(shelf), await listed(shelf, archived=True)) == ([], [])

    async def test_a_thread_may_begin_with_itself(self, shelf: Shelf, tmp_path: Path) -> None:
        records.put(tmp_path)
        later = records.place(tmp_path, T1, revision=f"_{T2}")
        later.write_bytes(records.encode(records.thread(history_base=HistoryBase(T1, 9))))
        await shelf.delete(T1)
        assert not later.exists()


class TestNames:
    async def test_they_are_where_the_original_has_them(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        records.put(tmp_path)
        await shelf.set_name(T1, "first")
        await shelf.set_name(T2, "other")
        await shelf.set_name(T1, "second")
        written = [
            orjson.loads(line)
            for line in (tmp_path / "session_index.jsonl").read_bytes().splitlines()
        ]
        assert [(line["id"], line["thread_name"]) for line in written] == [
            (T1, "first"),
            (T2, "other"),
            (T1, "second"),
        ]
        assert list(written[0]) == ["id", "thread_name", "updated_at"]
        assert (await shelf.note(T1)).name == "second"
        entry = await shelf.entry(T1)
        assert entry is not None
        assert entry.note.name == "second"
        assert (await Shelf(tmp_path).note(T2)).name == "other"

    async def test_what_others_write_is_read(self, shelf: Shelf, tmp_path: Path) -> None:
        index = tmp_path / "session_index.jsonl"
        index.write_bytes(
            b'{"id":"%s","thread_name":"theirs","updated_at":"2026-11-21T13:23:25.95Z"}\n'
            b"garbage\n[]\n{}\n"
            b'{"id":"%s","thread_name":5}\n'
            b'{"id":"x","thread_na' % (T1.encode(), T2.encode())
        )
        assert (await shelf.note(T1)).name == "theirs"
        assert (await shelf.note(T2)).name is None
        await shelf.set_name(T1, "ours")  # the torn line is closed
        assert (await shelf.note(T1)).name == "ours"
        assert b'{"id":"x","thread_na\n' in index.read_bytes()
        index.unlink()
        assert (await shelf.note(T1)).name is None
        index.write_bytes(b'{"id":"%s","thread_name":"new"}\n' % T1.encode())
        assert (await shelf.note(T1)).name == "new"
        with index.open("ab") as file:
            file.write(b'{"id":"%s","thread_name":"half' % T1.encode())
        assert (await shelf.note(T1)).name == "new"
        with index.open("ab") as file:
            file.write(b' done"}\n')
        assert (await shelf.note(T1)).name == "half done"

    async def test_a_disk_that_does_not_let_us(self, shelf: Shelf, tmp_path: Path) -> None:
        (tmp_path / "session_index.jsonl").mkdir()
        with pytest.raises(RpcError) as caught:
            await shelf.set_name(T1, "x")
        assert caught.value.message == "failed to store it: Is a directory (os error 21)"
        assert (await shelf.note(T1)).name is None


GIT = threads.GitInfo(sha="abc", branch="main", origin_url="https://x/r.git")


class TestMetadata:
    async def test_it_is_what_was_noted_last(self, shelf: Shelf, tmp_path: Path) -> None:
        records.put(tmp_path, git_info=GIT)
        assert (await shelf.note(T1, GIT)).git_info == GIT
        entry = await shelf.entry(T1)
        assert entry is not None
        assert entry.note.git_info == GIT
        other = threads.GitInfo(branch="other")
        await shelf.set_metadata(T1, other, True)
        for one in (shelf, Shelf(tmp_path)):
            note = await one.note(T1, GIT)
            assert (note.git_info, note.daybreak_enabled) == (other, True)
        await shelf.set_metadata(T1, None, None)
        note = await shelf.note(T1, GIT)
        assert (note.git_info, note.daybreak_enabled) == (None, None)

    async def test_what_is_noted_may_be_anything(self, shelf: Shelf, tmp_path: Path) -> None:
        (tmp_path / "thread_metadata.jsonl").write_bytes(
            b'{"id":"%s","git_info":{"sha":5,"branch":"b"},"daybreak_enabled":"x"}\n'
            b'{"id":"%s","git_info":[]}\n' % (T1.encode(), T2.encode())
        )
        note = await shelf.note(T1, GIT)
        assert note.git_info == threads.GitInfo(branch="b")
        assert note.daybreak_enabled is None
        assert (await shelf.note(T2, GIT)).git_info == GIT


class TestTheDatabaseOfTheOriginal:
    """It has names and metadata of newer threads; of those that it knows it is told."""

    @pytest.fixture
    def database(self, tmp_path: Path) -> Path:
        path = tmp_path / "state_5.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute(
                "CREATE TABLE threads (id TEXT PRIMARY KEY, name TEXT, git_sha TEXT,"
                " git_branch TEXT, git_origin_url TEXT, daybreak_enabled BOOLEAN)"
            )
            db.execute("INSERT INTO threads (id) VALUES (?)", (T1,))
            db.commit()
        return path

    def rows(self, database: Path) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(database)) as db:
            return list(db.execute("SELECT * FROM threads"))

    async def test_it_says_the_same(self, shelf: Shelf, database: Path) -> None:
        await shelf.set_name(T1, "named")
        await shelf.set_name(T2, "unknown to it")
        await shelf.set_metadata(T1, GIT, True)
        assert self.rows(database) == [(T1, "named", "abc", "main", "https://x/r.git", 1)]
        await shelf.set_metadata(T1, None, None)
        assert self.rows(database) == [(T1, "named", None, None, None, None)]

    async def test_it_need_not_be_what_we_take_it_for(
        self, shelf: Shelf, database: Path
    ) -> None:
        for content in (b"", b"garbage" * 1000):
            database.write_bytes(content)
            await shelf.set_name(T1, "named")
            assert (await shelf.note(T1)).name == "named"
            assert database.read_bytes() == content
