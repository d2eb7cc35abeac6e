"""Lists of threads: what is in them, in which order, and how pages follow one another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.shelf import Shelf
from codex_trio.threads.shelf_page import Cursor, Query
from tests.threads import records
from tests.threads.records import T1, T2, T3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
    for number, thread_id in enumerate((T1, T2, T3)):
        records.put(tmp_path, thread_id, question=f"question {number}", modified=1e9 - number)


async def listed(shelf: Shelf, **query: Any) -> list[str]:
    return [entry.glance.meta.id for entry in (await shelf.page(Query(**query))).entries]


async def test_the_latest_is_first(shelf: Shelf, three: None) -> None:
    assert await listed(shelf) == [T3, T2, T1]
    assert await listed(shelf, descending=False) == [T1, T2, T3]
    assert await listed(shelf, sort_key="updated_at") == [T1, T2, T3]
    assert await listed(shelf, sort_key="recency_at", descending=False) == [T3, T2, T1]


async def test_nothing_is_in_an_empty_home(shelf: Shelf) -> None:
    page = await shelf.page(Query())
    assert (page.entries, page.next_cursor, page.backwards_cursor) == ((), None, None)
    assert await shelf.find(T1) is None
    assert await shelf.entry(T1) is None


async def test_what_a_list_tells(shelf: Shelf, tmp_path: Path) -> None:
    changed = records.settings(
        model="gpt-5.4", effort="high", cwd="/else", model_provider="other"
    )
    path = records.put(
        tmp_path,
        content=records.encode(
            [
                *records.thread(),
                lines.thread_settings_applied(T1, changed, ["/else"]),
                *records.turn(2, "more", "x" * 100_000, model="gpt-5.3", cwd="/there"),
                lines.response_item(records.said("user", '"type":"turn_context"', "m")),
            ]
        ),
    )
    entry = await shelf.entry(T1)
    assert entry is not None
    glance = entry.glance
    assert glance.meta == records.meta(base_instructions=None)
    assert glance.preview == "hello"
    assert (glance.model, glance.effort, glance.cwd) == ("gpt-5.5", None, "/srv/place")
    with path.open("ab") as file:
        file.write(lines.thread_settings_applied(T1, changed, ["/else"]).encode(30))
    entry = await shelf.entry(T1)
    assert entry is not None
    glance = entry.glance
    assert (glance.model, glance.effort, glance.cwd) == ("gpt-5.4", "high", "/else")
    assert glance.model_provider == "other"
    assert await shelf.entry_at(path) == entry


async def test_settings_at_the_very_end_may_have_no_newline(
    shelf: Shelf, tmp_path: Path
) -> None:
    content = records.encode([*records.thread(), *records.turn(2, "b", model="gpt-5.4")])
    cut = content[: content.index(b"\n", content.rindex(b'"turn_context"'))]
    records.put(tmp_path, content=cut)
    entry = await shelf.entry(T1)
    assert entry is not None
    assert entry.glance.model == "gpt-5.4"
    records.put(tmp_path, content=content + b'{"type":"turn_context"')
    entry = await shelf.entry(T1)
    assert entry is not None
    assert entry.glance.model == "gpt-5.5"  # of the first turn; the last one is torn


class TestFilters:
    async def test_who_has_said_nothing_is_in_no_list(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        records.put(tmp_path, T1, records.encode(records.thread()[:3]))
        assert await listed(shelf) == []
        assert await shelf.find(T1) is not None

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"search_term": "question 1"}, [T2]),
            ({"search_term": "QUESTION"}, []),
            ({"search_term": ""}, [T3, T2, T1]),
            ({"model_providers": frozenset({"mock"})}, [T3, T2, T1]),
            ({"model_providers": frozenset({"other"})}, []),
            ({"cwds": frozenset({"/srv/place"})}, [T3, T2, T1]),
            ({"cwds": frozenset({"/srv"})}, []),
            ({"excluded_ids": frozenset({T2})}, [T3, T1]),
            ({"archived": True}, []),
            ({"sources": frozenset({"vscode"})}, [T3, T2, T1]),
            ({"sources": frozenset({"cli", "exec"})}, []),
        ],
    )
    async def test_what_is_asked_for(
        self, shelf: Shelf, three: None, query: Any, found: list[str]
    ) -> None:
        assert await listed(shelf, **query) == found
        assert await listed(shelf, **query) == found  # as before, from what was remembered

    async def test_names_are_searched_too(self, shelf: Shelf, three: None) -> None:
        await shelf.set_name(T1, "Nice Name")
        assert await listed(shelf, search_term="Nice") == [T1]
        assert await listed(shelf, search_term="nice") == []

    @pytest.mark.parametrize(
        ("source", "kinds", "interactive"),
        [
            ("cli", {"cli"}, True),
            ("vscode", {"vscode"}, True),
            ("exec", {"exec"}, False),
            ("mcp", {"appServer"}, False),
            ("to come", {"unknown"}, False),
            (5, {"unknown"}, False),
            ({"custom": "atlas"}, set(), True),
            ({"subagent": "review"}, {"subAgent", "subAgentReview"}, False),
            ({"subagent": "compact"}, {"subAgent", "subAgentCompact"}, False),
            (
                {"subagent": {"thread_spawn": {"depth": 1}}},
                {"subAgent", "subAgentThreadSpawn"},
                False,
            ),
            ({"subagent": {"other": "x"}}, {"subAgent", "subAgentOther"}, False),
            ({"subagent": {}}, {"subAgent", "subAgentOther"}, False),
        ],
    )
    async def test_sources(
        self, shelf: Shelf, tmp_path: Path, source: object, kinds: set[str], interactive: bool
    ) -> None:
        records.put(tmp_path, source=source)
        every = ("cli", "vscode", "exec", "appServer", "subAgent", "subAgentReview",
                 "subAgentCompact", "subAgentThreadSpawn", "subAgentOther", "unknown")  # fmt: skip
        found = {kind for kind in every if await listed(shelf, sources=frozenset({kind}))}
        assert found == kinds
        assert bool(await listed(shelf)) is interactive

    async def test_threads_that_others_have_begun(self, shelf: Shelf, tmp_path: Path) -> None:
        records.put(tmp_path, T1)
        records.put(tmp_path, T2, parent_thread_id=T1)
        records.put(tmp_path, T3, parent_thread_id=T2)
        assert await listed(shelf, parent_id=T1) == [T2]
        assert await listed(shelf, ancestor_id=T1) == [T3, T2]
        assert await listed(shelf, ancestor_id=T3) == []

    async def test_threads_that_have_begun_one_another(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        records.put(tmp_path, T1, parent_thread_id=T2)
        records.put(tmp_path, T2, parent_thread_id=T1)
        assert await listed(shelf, ancestor_id=T3) == []
        assert await listed(shelf, ancestor_id=T1) == [T2, T1]


class TestPages:
    @pytest.mark.parametrize("sort_key", ["created_at", "updated_at", "recency_at"])
    @pytest.mark.parametrize("descending", [True, False])
    @pytest.mark.parametrize("fine", [True, False])
    @pytest.mark.parametrize("limit", [1, 2, 3])
    async def test_pages_have_everything_once(
        self, tmp_path: Path, sort_key: Any, descending: bool, fine: bool, limit: int
    ) -> None:
        """Also what was begun or written in the same second, or the same millisecond."""
        moments = [1000, 1000, 1001, 1400, 2000, 2000, 3005, 3900, 4000]
        for number, moment in enumerate(moments):
            made = 1795267403000 + moment
            thread_id = f"{made >> 16:08x}-{made & 0xFFFF:04x}-7a30-8f57-{number:012x}"
            records.put(tmp_path, thread_id, modified=1e9 + moment / 1000)
        shelf = Shelf(tmp_path)
        order: dict[str, Any] = {
            "sort_key": sort_key,
            "descending": descending,
            "fine_cursors": fine,
        }
        whole = await listed(shelf, **order)
        assert len(set(whole)) == len(moments)
        found: list[str] = []
        cursor = None
        for _ in moments:
            page = await shelf.page(Query(limit=limit, cursor=cursor, **order))
            assert len(page.entries) <= limit
            found += [entry.glance.meta.id for entry in page.entries]
            if page.next_cursor is None:
                break
            cursor = Cursor.parse(page.next_cursor)
        assert found == whole

    async def test_cursors_are_as_the_original_writes_them(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        for thread_id in (T1, T2, T3):
            made = records.CREATED[thread_id]
            records.put(tmp_path, thread_id, modified=(made // 10 * 10) / 1000)
        first = await shelf.page(Query(limit=1))
        assert first.next_cursor == "2026-11-21T13:35:20Z"
        assert first.backwards_cursor == "2026-11-21T13:35:20.308Z"
        first = await shelf.page(Query(limit=1, descending=False))
        assert first.next_cursor == "2026-11-21T13:23:23Z"
        assert first.backwards_cursor == "2026-11-21T13:23:23.452Z"
        first = await shelf.page(Query(limit=1, sort_key="updated_at"))
        assert first.next_cursor == "2026-11-21T13:35:20.3Z"
        assert first.backwards_cursor == "2026-11-21T13:35:20.299Z"
        first = await shelf.page(Query(limit=1, sort_key="recency_at"))
        assert first.next_cursor == f"2026-11-21T13:35:20.3Z|{T3}"
        first = await shelf.page(Query(limit=1, fine_cursors=True))
        assert first.next_cursor == "2026-11-21T13:35:20.309Z"
        assert first.backwards_cursor == "2026-11-21T13:35:19.999Z"

    async def test_a_list_can_be_read_backwards(self, shelf: Shelf, three: None) -> None:
        second = await shelf.page(Query(cursor=Cursor(records.CREATED[T3]), limit=1))
        assert [entry.glance.meta.id for entry in second.entries] == [T2]
        assert second.backwards_cursor is not None
        back = Cursor.parse(second.backwards_cursor)
        assert await listed(shelf, cursor=back, descending=False) == [T2, T3]

    @pytest.mark.parametrize(
        "text",
        [
            "bad",
            "",
            "2026-11-21",
            "2026-11-21T13:23:23",
            "2026-13-21T13:23:23Z",
            "2026-11-21T13:23:23Z|",
            "2026-11-21T13:23:23Z|x",
            "|",
        ],
    )
    def test_what_is_no_cursor(self, text: str) -> None:
        with pytest.raises(RpcError) as caught:
            Cursor.parse(text)
        assert caught.value.message == f"invalid cursor: {text}"


async def test_a_cancelled_look_leaves_its_thread_behind(shelf: Shelf, three: None) -> None:
    with trio.move_on_after(0) as scope:
        await shelf.page(Query())
    assert scope.cancelled_caught
    assert await listed(shelf) == [T3, T2, T1]
