"""thread/list, thread/loaded/list, thread/read, getConversationSummary."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.protocol import threads
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.meta import HistoryBase
from tests.threads import records
from tests.threads.listing import Listing, open_listing
from tests.threads.records import T1, T2, T3

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

BAD_ID = "invalid length: expected length 32 for simple format, found 3"


@pytest.fixture
async def listing(tmp_path: Path) -> AsyncGenerator[Listing]:
    async with open_listing(tmp_path) as listing:
        yield listing


def ids(answer: Any) -> list[str]:
    return [thread["id"] for thread in answer["data"]]


class TestList:
    async def test_what_it_tells(self, listing: Listing, tmp_path: Path) -> None:
        git = threads.GitInfo(sha="abc", branch="main", origin_url="https://x/r.git")
        path = records.put(tmp_path, question="hello", modified=1e9, git_info=git)
        answer = await listing.client.call("thread/list", {})
        assert answer == {
            "data": [
                {
                    "id": T1,
                    "environments": None,
                    "extra": None,
                    "sessionId": T1,
                    "forkedFromId": None,
                    "parentThreadId": None,
                    "preview": "hello",
                    "ephemeral": False,
                    "section": None,
                    "sectionEnteredAt": None,
                    "projectId": None,
                    "historyMode": "paginated",
                    "modelProvider": "mock",
                    "model": "gpt-5.5",
                    "reasoningEffort": None,
                    "createdAt": 1795267403,
                    "updatedAt": 10**9,
                    "recencyAt": 10**9,
                    "status": {"type": "notLoaded"},
                    "path": str(path),
                    "cwd": "/srv/place",
                    "cliVersion": "0.163.0",
                    "originator": "lab",
                    "source": "vscode",
                    "canAcceptDirectInput": None,
                    "threadSource": None,
                    "agentNickname": None,
                    "agentRole": None,
                    "gitInfo": {
                        "sha": "abc",
                        "branch": "main",
                        "originUrl": "https://x/r.git",
                    },
                    "name": None,
                    "daybreakEnabled": None,
                    "turns": [],
                }
            ],
            "readStates": {T1: {"firstUnread": None, "revision": f"initial:{T1}"}},
            "nextCursor": None,
            "backwardsCursor": "2026-11-21T13:23:23.450Z",
        }

    async def test_a_thread_that_is_loaded_is_told_as_it_is(
        self, listing: Listing, tmp_path: Path
    ) -> None:
        listing.threads.load(records.put(tmp_path))
        await listing.shelf.set_name(T1, "Name")
        (told,) = (await listing.client.call("thread/list", {}))["data"]
        assert told["status"] == {"type": "idle"}
        assert told["name"] == "Name"
        assert told["canAcceptDirectInput"] is None
        assert told["threadSource"] is None

    async def test_a_thread_that_does_not_say_who_runs_its_model(
        self, listing: Listing, tmp_path: Path
    ) -> None:
        content = records.encode(records.thread(model_provider=None))
        records.put(tmp_path, content=content)
        (told,) = (await listing.client.call("thread/list", {}))["data"]
        assert told["modelProvider"] == "mock"

    @pytest.mark.parametrize(
        ("params", "found"),
        [
            ({}, [T3, T2, T1]),
            ({"limit": 0}, [T3]),
            ({"limit": 1000, "sortDirection": "asc"}, [T1, T2, T3]),
            ({"sortKey": "updated_at", "limit": 2}, [T1, T2]),
            ({"modelProviders": [], "sourceKinds": [], "originators": []}, [T3, T2, T1]),
            ({"modelProviders": ["other"]}, []),
            ({"sourceKinds": ["appServer"]}, []),
            ({"cwd": "/srv/place/"}, [T3, T2, T1]),
            ({"cwd": ["/nowhere", "/srv/else/../place"]}, [T3, T2, T1]),
            ({"cwd": "place"}, []),
            ({"archived": True}, []),
            ({"archived": False, "useStateDbOnly": True}, [T3, T2, T1]),
            ({"searchTerm": "question 1"}, [T2]),
            ({"excludedThreadIds": [T2.replace("-", "").upper()]}, [T3, T1]),
            ({"sectionId": "x"}, []),
            ({"sectionId": "x", "sortKey": "section_position"}, []),
            ({"sectionId": None, "projectId": None}, [T3, T2, T1]),
            ({"parentThreadId": T1}, []),
            ({"ancestorThreadId": T1}, []),
        ],
    )
    async def test_filters(
        self, listing: Listing, tmp_path: Path, params: Any, found: list[str]
    ) -> None:
        for number, thread_id in enumerate((T1, T2, T3)):
            question = f"question {number}"
            records.put(tmp_path, thread_id, question=question, modified=1e9 - number)
        answer = await listing.client.call("thread/list", params)
        assert ids(answer) == found
        assert list(answer["readStates"]) == found

    async def test_folders_are_seen_from_here(self, listing: Listing, tmp_path: Path) -> None:
        here = os.getcwd()
        content = records.encode(records.thread(cwd=here)).replace(
            b'"/srv/place"', f'"{here}"'.encode()
        )
        records.put(tmp_path, content=content)
        name = os.path.basename(here)
        assert ids(await listing.client.call("thread/list", {"cwd": f"../{name}"})) == [T1]

    async def test_pages(self, listing: Listing, tmp_path: Path) -> None:
        for thread_id in (T1, T2, T3):
            records.put(tmp_path, thread_id)
        first = await listing.client.call("thread/list", {"limit": 2})
        assert ids(first) == [T3, T2]
        cursor = first["nextCursor"]
        second = await listing.client.call("thread/list", {"limit": 2, "cursor": cursor})
        assert ids(second) == [T1]
        assert second["nextCursor"] is None

    @pytest.mark.parametrize(
        ("params", "refusal"),
        [
            ({"cursor": "bad"}, (-32600, "invalid cursor: bad")),
            (
                {"sortKey": "section_position"},
                (-32600, "section-position sorting requires a section filter"),
            ),
            (
                {"originators": ["lab"]},
                (-32602, "originator filtering is not supported by the local app-server"),
            ),
            ({"projectId": "x"}, (-32602, "project not found: x")),
            (
                {"excludedThreadIds": ["abc"]},
                (-32602, f"invalid excluded thread id: {BAD_ID}"),
            ),
            ({"parentThreadId": "abc"}, (-32600, f"invalid parent thread id: {BAD_ID}")),
            ({"ancestorThreadId": "abc"}, (-32600, f"invalid ancestor thread id: {BAD_ID}")),
        ],
    )
    async def test_refusals(
        self, listing: Listing, params: Any, refusal: tuple[int, str]
    ) -> None:
        assert await listing.refusal("thread/list", params) == refusal


async def test_ids_of_what_is_loaded(listing: Listing, tmp_path: Path) -> None:
    call = listing.client.call
    for thread_id in (T3, T1, T2):
        listing.threads.load(tmp_path, thread_id=thread_id)
    assert await call("thread/loaded/list", {}) == {"data": [T1, T2, T3], "nextCursor": None}
    assert await call("thread/loaded/list", {"limit": 0}) == {"data": [T1], "nextCursor": T1}
    upper = T1.upper()
    assert await call("thread/loaded/list", {"cursor": upper, "limit": 2}) == {
        "data": [T2, T3],
        "nextCursor": None,
    }
    refusal = await listing.refusal("thread/loaded/list", {"cursor": "bad"})
    assert refusal == (-32600, "invalid cursor: bad")
    listing.threads.loaded.clear()
    assert await call("thread/loaded/list", {}) == {"data": [], "nextCursor": None}


class TestRead:
    async def test_from_the_disk(self, listing: Listing, tmp_path: Path) -> None:
        records.put(tmp_path, T1, archived=True)
        answer = await listing.client.call("thread/read", {"threadId": T1.upper()})
        assert answer["thread"]["id"] == T1
        assert answer["thread"]["turns"] == []
        assert answer["readState"] == {"firstUnread": None, "revision": f"initial:{T1}"}
        assert listing.heard() == ["answer"]

    async def test_with_its_turns(self, listing: Listing, tmp_path: Path) -> None:
        records.put(tmp_path, T1)
        params = {"threadId": T1, "includeTurns": True}
        (turn,) = (await listing.client.call("thread/read", params))["thread"]["turns"]
        assert [item["id"] for item in turn["items"]] == ["user-1", "msg_a1"]
        assert turn["itemsView"] == "full"
        assert listing.heard() == ["deprecationNotice", "answer"]

    async def test_a_fork_with_what_it_begins_with(
        self, listing: Listing, tmp_path: Path
    ) -> None:
        records.put(tmp_path, T1)
        meta = records.meta(T2, forked_from_id=T1, history_base=HistoryBase(T1, 9))
        content = records.encode(
            [lines.session_meta(meta), *records.turn(3, "mine", "x", T2)], 9
        )
        records.put(tmp_path, T2, content)
        params = {"threadId": T2, "includeTurns": True}
        thread = (await listing.client.call("thread/read", params))["thread"]
        assert [turn["id"] for turn in thread["turns"]] == ["turn-1", "turn-3"]
        assert thread["forkedFromId"] == T1
        assert thread["preview"] == "mine"

    async def test_an_older_one(self, listing: Listing, tmp_path: Path) -> None:
        content = records.encode(records.thread(history_mode="legacy"), None)
        records.put(tmp_path, content=content)
        params = {"threadId": T1, "includeTurns": True}
        thread = (await listing.client.call("thread/read", params))["thread"]
        assert thread["historyMode"] == "legacy"
        assert len(thread["turns"]) == 1
        assert listing.heard() == ["answer"]

    async def test_what_is_loaded(self, listing: Listing, tmp_path: Path) -> None:
        listing.threads.load(tmp_path / "x.jsonl", *records.turn(1, "hello", None))
        for with_turns in (False, True):
            params = {"threadId": T1, "includeTurns": with_turns}
            thread = (await listing.client.call("thread/read", params))["thread"]
            assert thread["canAcceptDirectInput"] is True
            statuses = [turn["status"] for turn in thread["turns"]]
            assert statuses == ["inProgress"] * with_turns

    async def test_what_has_no_turns(self, listing: Listing, tmp_path: Path) -> None:
        listing.threads.load(tmp_path / "x.jsonl")
        answer = await listing.client.call("thread/read", {"threadId": T1})
        assert answer["readState"] is None
        with_turns = {"threadId": T1, "includeTurns": True}
        assert await listing.refusal("thread/read", with_turns) == (
            -32601,
            "list_turns is not supported yet",
        )

    async def test_what_is_recorded_nowhere(self, listing: Listing) -> None:
        listing.threads.load(None, *records.turn(1, "hello"))
        answer = await listing.client.call("thread/read", {"threadId": T1})
        assert answer["readState"] is None
        with_turns = {"threadId": T1, "includeTurns": True}
        assert await listing.refusal("thread/read", with_turns) == (
            -32600,
            "ephemeral threads do not support includeTurns",
        )

    async def test_what_is_not_there(self, listing: Listing, tmp_path: Path) -> None:
        assert await listing.refusal("thread/read", {"threadId": T1}) == (
            -32600,
            f"thread not loaded: {T1}",
        )
        assert await listing.refusal("thread/read", {"threadId": "abc"}) == (
            -32600,
            f"invalid thread id: {BAD_ID}",
        )
        path = records.put(tmp_path, content=b"garbage\n")
        code, message = await listing.refusal("thread/read", {"threadId": T1})
        assert code == -32603
        assert message == (
            "failed to read thread: thread-store internal error: failed to read session"
            f" metadata {path}: rollout at {path} is empty"
        )


class TestSummary:
    async def test_by_its_id(self, listing: Listing, tmp_path: Path) -> None:
        git = threads.GitInfo(sha="abc")
        path = records.put(tmp_path, modified=1e9, git_info=git, model_provider=None)
        expected = {
            "conversationId": T1,
            "path": str(path),
            "preview": "hello",
            "timestamp": "2026-11-21T13:23:23.451Z",
            "updatedAt": "2001-09-09T01:46:40.000Z",
            "modelProvider": "mock",
            "cwd": "/srv/place",
            "cliVersion": "0.163.0",
            "source": "vscode",
            "gitInfo": {"sha": "abc", "branch": None, "origin_url": None},
        }
        for params in (
            {"conversationId": T1},
            {"rolloutPath": str(path)},
            {"rolloutPath": str(path.relative_to(tmp_path))},
        ):
            answer = await listing.client.call("getConversationSummary", params)
            assert answer == {"summary": expected}

    async def test_without_a_repository(self, listing: Listing, tmp_path: Path) -> None:
        records.put(tmp_path, content=records.encode(records.thread()[:1]))
        params = {"conversationId": T1}
        summary = (await listing.client.call("getConversationSummary", params))["summary"]
        assert (summary["gitInfo"], summary["preview"]) == (None, "")

    async def test_what_is_not_there(self, listing: Listing, tmp_path: Path) -> None:
        method = "getConversationSummary"
        garbage = records.put(tmp_path, content=b"garbage\n")
        assert await listing.refusal(method, {"conversationId": T2}) == (
            -32600,
            f"no rollout found for conversation id {T2}",
        )
        assert await listing.refusal(method, {"rolloutPath": "/nope"}) == (
            -32600,
            "failed to resolve rollout path `/nope`: file does not exist",
        )
        assert await listing.refusal(method, {"rolloutPath": str(tmp_path)}) == (
            -32600,
            f"failed to resolve rollout path `{tmp_path}`: path is a directory",
        )
        code, message = await listing.refusal(method, {"rolloutPath": str(garbage)})
        assert code == -32603
        assert message == (
            f"failed to load conversation summary from {garbage}: thread-store internal error:"
            f" failed to read session metadata {garbage}: rollout at {garbage} is empty"
        )
