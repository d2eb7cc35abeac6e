"""Names, metadata, archive and deletion, as clients ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.protocol import threads
from codex_trio.threads.meta import HistoryBase
from tests.threads import records
from tests.threads.listing import Listing, open_listing
from tests.threads.records import T1, T2

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

BAD = "abc"
BAD_ID = "invalid length: expected length 32 for simple format, found 3"
MISSING = (-32600, f"no rollout found for thread id {T1}")


@pytest.fixture
async def listing(tmp_path: Path) -> AsyncGenerator[Listing]:
    async with open_listing(tmp_path) as listing:
        yield listing


class TestNames:
    async def test_everybody_is_told_after_the_answer(
        self, listing: Listing, tmp_path: Path
    ) -> None:
        records.put(tmp_path)
        params = {"threadId": T1, "name": "  Nice Name "}
        assert await listing.client.call("thread/name/set", params) == {}
        news = await listing.client.next_notification()
        assert news["method"] == "thread/name/updated"
        assert news["params"] == {"threadId": T1, "threadName": "Nice Name"}
        assert listing.heard() == ["answer", "thread/name/updated"]
        (told,) = (await listing.client.call("thread/list", {"searchTerm": "Nice"}))["data"]
        assert told["name"] == "Nice Name"

    async def test_a_thread_that_is_loaded_has_it_too(
        self, listing: Listing, tmp_path: Path
    ) -> None:
        thread = listing.threads.load(tmp_path / "not there yet.jsonl")
        await listing.client.call("thread/name/set", {"threadId": T1, "name": "N"})
        assert thread.name == "N"
        assert (await listing.shelf.note(T1)).name == "N"

    async def test_refusals(self, listing: Listing, tmp_path: Path) -> None:
        method, params = "thread/name/set", {"threadId": T1, "name": "N"}
        assert await listing.refusal(method, {**params, "threadId": BAD}) == (
            -32600,
            f"invalid thread id: {BAD_ID}",
        )
        assert await listing.refusal(method, {**params, "name": "  "}) == (
            -32600,
            "thread name must not be empty",
        )
        assert await listing.refusal(method, params) == MISSING
        records.put(tmp_path, archived=True)
        assert await listing.refusal(method, params) == MISSING
        listing.threads.load(None)
        assert await listing.refusal(method, params) == (
            -32600,
            f"ephemeral thread does not support metadata updates: {T1}",
        )
        assert listing.heard() == ["error"] * 5


class TestMetadata:
    async def update(self, listing: Listing, **wishes: Any) -> Any:
        params = {"threadId": T1, **wishes}
        return (await listing.client.call("thread/metadata/update", params))["thread"]

    @pytest.mark.parametrize("loaded", [False, True])
    async def test_what_is_not_mentioned_stays(
        self, listing: Listing, tmp_path: Path, loaded: bool
    ) -> None:
        git = threads.GitInfo(origin_url="https://x/r.git")
        path = records.put(tmp_path, git_info=None if loaded else git)
        url = None if loaded else "https://x/r.git"
        if loaded:
            listing.threads.load(path)
        told = await self.update(listing, gitInfo={"branch": " br ", "sha": "abc"})
        assert told["gitInfo"] == {"sha": "abc", "branch": "br", "originUrl": url}
        told = await self.update(listing, gitInfo={"branch": None})
        assert told["gitInfo"] == {"sha": "abc", "branch": None, "originUrl": url}
        told = await self.update(listing, daybreakEnabled=True)
        assert told["gitInfo"]["sha"] == "abc"
        assert told["daybreakEnabled"] is True
        for method, params in (("thread/list", {}), ("thread/read", {"threadId": T1})):
            answer = await listing.client.call(method, params)
            seen = answer["thread"] if "thread" in answer else answer["data"][0]
            assert seen["gitInfo"] == {"sha": "abc", "branch": None, "originUrl": url}
            assert seen["daybreakEnabled"] is True

    @pytest.mark.parametrize(
        ("wishes", "message"),
        [
            ({}, "thread metadata update must include at least one field"),
            ({"gitInfo": None}, "thread metadata update must include at least one field"),
            ({"gitInfo": {}}, "gitInfo must include at least one field"),
            ({"gitInfo": {"branch": ""}}, "gitInfo.branch must not be empty"),
            ({"gitInfo": {"originUrl": " "}}, "gitInfo.originUrl must not be empty"),
            ({"projectId": "x"}, "project not found: x"),
        ],
    )
    async def test_refusals(
        self, listing: Listing, tmp_path: Path, wishes: Any, message: str
    ) -> None:
        records.put(tmp_path)
        params = {"threadId": T1, **wishes}
        refusal = await listing.refusal("thread/metadata/update", params)
        assert refusal == (-32600, message)

    async def test_what_is_not_there(self, listing: Listing, tmp_path: Path) -> None:
        method, params = "thread/metadata/update", {"threadId": T1, "gitInfo": {"sha": "x"}}
        assert await listing.refusal(method, params) == MISSING
        path = records.put(tmp_path, content=b"garbage\n")
        assert await listing.refusal(method, params) == (
            -32603,
            f"the rollout of thread {T1} cannot be read",
        )
        assert path.read_bytes() == b"garbage\n"


class TestArchive:
    async def test_there_and_back(self, listing: Listing, tmp_path: Path) -> None:
        path = records.put(tmp_path)
        assert await listing.client.call("thread/archive", {"threadId": T1}) == {}
        await listing.client.next_notification("thread/archived")
        assert listing.heard() == ["answer", "thread/archived"]
        assert not path.exists()
        answer = await listing.client.call("thread/unarchive", {"threadId": T1})
        assert answer["thread"]["path"] == str(path)
        news = await listing.client.next_notification("thread/unarchived")
        assert news["params"] == {"threadId": T1}
        assert listing.heard()[2:] == ["answer", "thread/unarchived"]

    async def test_what_is_loaded_is_unloaded_first(
        self, listing: Listing, tmp_path: Path
    ) -> None:
        path = records.put(tmp_path)
        listing.threads.load(path, *records.turn(1, "hello"))
        await listing.client.call("thread/archive", {"threadId": T1})
        await listing.client.next_notification("thread/archived")
        assert listing.threads.loaded == {}
        assert listing.heard() == ["thread/status/changed", "answer", "thread/archived"]

    async def test_nothing_is_put_away_of_what_was_never_recorded(
        self, listing: Listing, tmp_path: Path
    ) -> None:
        listing.threads.load(tmp_path / "not there yet.jsonl")
        await listing.client.call("thread/archive", {"threadId": T1})
        await listing.client.next_notification("thread/archived")
        assert listing.threads.loaded == {}

    async def test_refusals(self, listing: Listing, tmp_path: Path) -> None:
        for method in ("thread/archive", "thread/unarchive"):
            assert await listing.refusal(method, {"threadId": BAD}) == (
                -32600,
                f"invalid session id: {BAD_ID}",
            )
        assert await listing.refusal("thread/archive", {"threadId": T1}) == MISSING
        listing.threads.load(None)
        assert await listing.refusal("thread/archive", {"threadId": T1}) == MISSING
        records.put(tmp_path)
        claim = await listing.shelf.writers.claim(T1)
        listing.threads.loaded.clear()
        assert await listing.refusal("thread/archive", {"threadId": T1}) == (
            -32600,
            f"thread {T1} already has an active writer",
        )
        claim.release()
        assert await listing.refusal("thread/unarchive", {"threadId": T1}) == (
            -32600,
            f"no archived rollout found for thread id {T1}",
        )


class TestDelete:
    @pytest.mark.parametrize("loaded", [False, True])
    async def test_it_is_gone(self, listing: Listing, tmp_path: Path, loaded: bool) -> None:
        path = records.put(tmp_path)
        if loaded:
            listing.threads.load(path)
        assert await listing.client.call("thread/delete", {"threadId": T1}) == {}
        await listing.client.next_notification("thread/deleted")
        assert listing.heard() == [
            *["thread/status/changed"] * loaded,
            "answer",
            "thread/deleted",
        ]
        assert not path.exists()
        assert listing.threads.loaded == {}

    async def test_what_was_never_recorded(self, listing: Listing, tmp_path: Path) -> None:
        listing.threads.load(tmp_path / "not there yet.jsonl")
        assert await listing.client.call("thread/delete", {"threadId": T1}) == {}

    async def test_refusals(self, listing: Listing, tmp_path: Path) -> None:
        method, params = "thread/delete", {"threadId": T1}
        assert await listing.refusal(method, {"threadId": BAD}) == (
            -32600,
            f"invalid thread id: {BAD_ID}",
        )
        assert await listing.refusal(method, params) == MISSING
        listing.threads.load(None)
        assert await listing.refusal(method, params) == (
            -32600,
            f"thread is not persisted and cannot be deleted: {T1}",
        )
        records.put(tmp_path)
        records.put(tmp_path, T2, history_base=HistoryBase(T1, 9))
        listing.threads.load(tmp_path / "x.jsonl")
        assert await listing.refusal(method, params) == (
            -32600,
            f"cannot delete thread {T1}: forked history still references it",
        )
        assert listing.threads.loaded == {}  # all the same (observed)
