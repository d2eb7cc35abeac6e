"""thread/turns/list and thread/items/list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.protocol import items
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.fold import Fold
from codex_trio.threads.turn_pages import cursors_at_end
from tests.threads import records
from tests.threads.listing import Listing, open_listing
from tests.threads.records import T1, T2

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

BAD_ID = "invalid length: expected length 32 for simple format, found 3"
TURNS, ITEMS = "turns", "itemsByCreatedAtOrdinal"
HAPPENED = [
    lines.session_meta(records.meta()),
    *records.turn(1, "one"),
    *records.turn(2, "two"),
    *records.turn(3, "three", None),
]
# The first lines of the turns, and those of their items, by their numbers.
STARTS = {"turn-1": 1, "turn-2": 9, "turn-3": 17}
PLACES = {"user-1": 4, "msg_a1": 5, "user-2": 12, "msg_a2": 13, "user-3": 20}


@pytest.fixture
async def listing(tmp_path: Path) -> AsyncGenerator[Listing]:
    async with open_listing(tmp_path) as listing:
        yield listing


@pytest.fixture(params=["disk", "loaded"])
def told(request: pytest.FixtureRequest, listing: Listing, tmp_path: Path) -> Listing:
    path = records.put(tmp_path, content=records.encode(HAPPENED))
    if request.param == "loaded":
        listing.threads.load(path, *HAPPENED[1:])
    return listing


def cursor(scope: str, ordinal: int, *, inclusive: bool, thread_id: str = T1) -> str:
    anchor = json.dumps(inclusive)
    return (
        f'{{"requestedThreadId":"{thread_id}","rolloutOrdinal":{ordinal},'
        f'"includeAnchor":{anchor},"scope":{{"kind":"{scope}"}}}}'
    )


class TestTurns:
    async def page(self, listing: Listing, **params: Any) -> tuple[list[str], Any, Any]:
        answer = await listing.client.call("thread/turns/list", {"threadId": T1, **params})
        found = [turn["id"] for turn in answer["data"]]
        return found, answer["nextCursor"], answer["backwardsCursor"]

    async def test_the_latest_is_first(self, told: Listing) -> None:
        back = cursor(TURNS, 17, inclusive=True)
        assert await self.page(told) == (["turn-3", "turn-2", "turn-1"], None, back)
        first = cursor(TURNS, 1, inclusive=True)
        found = await self.page(told, sortDirection="asc")
        assert found == (["turn-1", "turn-2", "turn-3"], None, first)
        assert told.heard() == ["answer", "answer"]

    async def test_pages_there_and_back(self, told: Listing) -> None:
        found, following, _ = await self.page(told, limit=1)
        assert (found, following) == (["turn-3"], cursor(TURNS, 17, inclusive=False))
        found, following, before = await self.page(told, limit=1, cursor=following)
        assert (found, following) == (["turn-2"], cursor(TURNS, 9, inclusive=False))
        assert before == cursor(TURNS, 9, inclusive=True)
        found, following, _ = await self.page(told, limit=5, cursor=following)
        assert (found, following) == (["turn-1"], None)
        found, _, _ = await self.page(told, cursor=before, sortDirection="asc")
        assert found == ["turn-2", "turn-3"]
        gone = cursor(TURNS, 1, inclusive=False)
        assert await self.page(told, cursor=gone) == ([], None, None)

    @pytest.mark.parametrize(
        ("view", "shown"),
        [
            (None, ["user-2", "msg_a2"]),
            ("summary", ["user-2", "msg_a2"]),
            ("full", ["user-2", "plan", "msg_a2"]),
            ("notLoaded", []),
        ],
    )
    async def test_as_much_as_is_wanted(
        self, listing: Listing, tmp_path: Path, view: str | None, shown: list[str]
    ) -> None:
        start, end = records.turn(2, "two")[:4], records.turn(2, "two")[4:]
        plan = lines.item_completed(T1, "turn-2", items.PlanThreadItem(id="plan", text=""))
        happened = [HAPPENED[0], *start, plan, *end]
        records.put(tmp_path, content=records.encode(happened))
        params = {"threadId": T1, "itemsView": view}
        (turn,) = (await listing.client.call("thread/turns/list", params))["data"]
        assert [item["id"] for item in turn["items"]] == shown
        assert turn["itemsView"] == (view or "summary")

    async def test_how_many_there_are(self, listing: Listing, tmp_path: Path) -> None:
        happened = [line for number in range(120) for line in records.turn(number, "x")]
        records.put(tmp_path, content=records.encode([HAPPENED[0], *happened]))
        for limit, count in ((None, 25), (0, 1), (9999, 100)):
            found, following, _ = await self.page(listing, limit=limit)
            assert len(found) == count
            assert following is not None

    @pytest.mark.parametrize(
        "bad",
        [
            "bad",
            "{}",
            "[]",
            "5",
            cursor(ITEMS, 5, inclusive=True),
            cursor(TURNS, 5, inclusive=True, thread_id=T2),
            cursor(TURNS, 5, inclusive=True).replace("5,", '"5",'),
        ],
    )
    async def test_what_is_no_cursor(self, told: Listing, bad: str) -> None:
        params = {"threadId": T1, "cursor": bad}
        refusal = await told.refusal("thread/turns/list", params)
        assert refusal == (-32600, f"invalid cursor: {bad}")

    async def test_what_has_none(self, listing: Listing, tmp_path: Path) -> None:
        method, params = "thread/turns/list", {"threadId": T1}
        assert await listing.refusal(method, {"threadId": "abc"}) == (
            -32600,
            f"invalid thread id: {BAD_ID}",
        )
        assert await listing.refusal(method, params) == (-32600, f"thread not loaded: {T1}")
        listing.threads.load(None, *HAPPENED[1:])
        assert await listing.refusal(method, params) == (
            -32600,
            "ephemeral threads do not support thread/turns/list",
        )
        listing.threads.load(tmp_path / "x.jsonl")
        code, message = await listing.refusal(method, params)
        assert code == -32600
        assert message == (
            f"thread {T1} is not materialized yet; thread/turns/list is unavailable before"
            " first user message"
        )
        listing.threads.loaded.clear()
        path = records.put(tmp_path, content=b"")
        code, message = await listing.refusal(method, params)
        assert code == -32603
        assert str(path) in message


class TestItems:
    async def page(self, listing: Listing, **params: Any) -> tuple[list[str], Any, Any]:
        answer = await listing.client.call("thread/items/list", {"threadId": T1, **params})
        found = [entry["item"]["id"] for entry in answer["data"]]
        return found, answer["nextCursor"], answer["backwardsCursor"]

    async def test_the_oldest_is_first(self, told: Listing) -> None:
        back = cursor(ITEMS, 4, inclusive=True)
        assert await self.page(told) == (list(PLACES), None, back)
        found, following, before = await self.page(told, sortDirection="desc", limit=2)
        assert found == ["user-3", "msg_a2"]
        assert following == cursor(ITEMS, 13, inclusive=False)
        assert before == cursor(ITEMS, 20, inclusive=True)
        found, _, _ = await self.page(told, sortDirection="desc", cursor=following)
        assert found == ["user-2", "msg_a1", "user-1"]

    async def test_what_is_told_of_them(self, told: Listing) -> None:
        params = {"threadId": T1, "turnId": "turn-1"}
        answer = await told.client.call("thread/items/list", params)
        assert answer["data"][1] == {
            "turnId": "turn-1",
            "item": {
                "type": "agentMessage",
                "id": "msg_a1",
                "text": "yes",
                "phase": None,
                "memoryCitation": None,
                "delivery": None,
                "questions": None,
            },
            "startedAtMs": 1500,
            "completedAtMs": 2000,
        }

    async def test_those_of_a_turn(self, told: Listing) -> None:
        assert (await self.page(told, turnId="turn-2"))[0] == ["user-2", "msg_a2"]
        assert await self.page(told, turnId="nope") == ([], None, None)

    async def test_those_behind_one(self, told: Listing) -> None:
        anchor = {"type": "item", "itemId": "msg_a2"}
        of_turn = {"turnId": "turn-2", "cursor": anchor}
        assert await self.page(told, **of_turn) == ([], None, None)
        found, _, _ = await self.page(told, **of_turn, sortDirection="desc")
        assert found == ["user-2"]
        params = {"threadId": T1, "cursor": anchor}
        assert await told.refusal("thread/items/list", params) == (
            -32602,
            "turnId is required when cursor is an item anchor",
        )
        params = {"threadId": T1, "turnId": "turn-1", "cursor": anchor}
        assert await told.refusal("thread/items/list", params) == (
            -32602,
            "cursor.itemId does not identify an item in the requested history scope",
        )

    async def test_what_has_none(self, listing: Listing, tmp_path: Path) -> None:
        method, params = "thread/items/list", {"threadId": T1}
        unsupported = (-32601, "thread/items/list is not supported yet")
        assert await listing.refusal(method, params) == unsupported
        listing.threads.load(None, *HAPPENED[1:])
        assert await listing.refusal(method, params) == unsupported
        listing.threads.load(tmp_path / "x.jsonl")
        assert await listing.refusal(method, params) == unsupported


def test_where_the_past_is_read_from_its_end() -> None:
    fold = Fold()
    fold.take(HAPPENED[0])
    assert cursors_at_end(T1, fold) == (None, None)
    for line in HAPPENED[1:]:
        fold.take(line)
    assert cursors_at_end(T1, fold) == (
        cursor(TURNS, STARTS["turn-3"], inclusive=True),
        cursor(ITEMS, PLACES["user-3"], inclusive=True),
    )
