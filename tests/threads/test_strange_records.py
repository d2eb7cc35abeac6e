"""Records that say what no server would write: they spoil neither lists nor conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from codex_trio.server import open_server
from codex_trio.threads.ids import new_id
from codex_trio.threads.line import Line
from codex_trio.threads.meta import Meta
from codex_trio.threads.shelf import Shelf
from codex_trio.threads.shelf_page import Query, has_read_state, kinds_of, source_words
from tests.threads import records
from tests.threads.conversing import connect, converse, resume
from tests.threads.listing import open_listing
from tests.threads.records import T1, T2

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn

SOURCES = [
    {"subagent": 5},
    {"subagent": True},
    {"subagent": 1.5},
    {"subagent": ["review"]},
    {"subagent": {}},
    {"subagent": {"thread_spawn": 5}},
    {"subAgent": None},
    {"custom": 5},
    {},
    ["cli"],
    7,
    True,
    "what nobody knows",
]


def strange(source: Any) -> bytes:
    """The record of a thread whose first line names a strange source."""
    first, *rest = records.thread(T2)
    payload = {**first.payload, "source": source}
    return records.encode([Line(first.kind, payload), *rest])


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kinds", [[], ["vscode"], ["subAgentOther", "unknown"]])
async def test_a_strange_source_spoils_no_list(
    tmp_path: Path, source: Any, kinds: list[str]
) -> None:
    records.put(tmp_path, T1)
    records.put(tmp_path, T2, strange(source))
    async with open_listing(tmp_path) as listing:
        answer = await listing.client.call("thread/list", {"sourceKinds": kinds})
        listed = {one["id"] for one in answer["data"]}
        assert (T1 in listed) == (kinds != ["subAgentOther", "unknown"])
        told = (await listing.client.call("thread/read", {"threadId": T2}))["thread"]
        assert told["id"] == T2


@pytest.mark.parametrize("source", SOURCES)
def test_a_strange_source_has_a_kind(source: Any) -> None:
    assert kinds_of(source)
    assert isinstance(has_read_state(source), bool)
    assert source_words(source)


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp": "0001-01-01T00:00:00+23:59"},
        {"timestamp": "9999-12-31T23:59:59-23:59"},
        {"cwd": "\0"},
        {"cwd": ""},
        {"git": [1]},
        {"git": {"commit_hash": 5}},
        {"history_base": {"thread_id": "../../x", "end_ordinal_exclusive": -1}},
        {"runtime_workspace_roots": [1, None]},
        {"base_instructions": 5},
        {"model_provider": {}},
        {"parent_thread_id": 7},
    ],
)
async def test_a_strange_beginning_spoils_no_list(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    records.put(tmp_path, T1)
    first, *rest = records.thread(T2)
    content = records.encode([Line(first.kind, {**first.payload, **changes}), *rest])
    records.put(tmp_path, T2, content)
    shelf = Shelf(tmp_path)
    page = await shelf.page(Query(cwds=frozenset({"/srv/place"})))
    assert T1 in {entry.glance.meta.id for entry in page.entries}
    async with open_listing(tmp_path) as listing:
        answer = await listing.client.call("thread/list", {"modelProviders": []})
        assert T1 in {one["id"] for one in answer["data"]}


ITEMS: list[dict[str, Any]] = [
    {"type": "message", "role": "user", "content": 5},
    {"type": "message", "role": "nobody", "content": []},
    {"type": "message", "role": ["user"], "content": []},
    {"type": "message", "role": "user", "content": [{"type": "input_text"}]},
    {"type": "message", "role": "user", "content": [{"type": ["input_text"], "text": "x"}]},
    {"type": "what_nobody_knows", "x": 1},
    {"type": "function_call", "call_id": 5, "name": "x", "arguments": "{}"},
    {"type": "local_shell_call", "call_id": None, "action": {}},
    {"type": ["message"]},
    {},
]


@pytest.mark.parametrize("how", ["item", "summary"])
async def test_a_strange_item_is_not_sent_to_a_model(
    settings: Settings, stand_in: StandIn, how: str
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run("before")
    lines = [("response_item", item) for item in ITEMS]
    if how == "summary":
        kept = records.said("user", "kept", "msg_k")
        lines = [("compacted", {"message": "", "replacement_history": [5, kept, *ITEMS]})]
    with talk.path.open("ab") as file:
        for kind, payload in lines:
            file.write(records.raw_line(kind, payload))
    async with open_server(settings) as server, connect(server) as client:
        again = await resume(client, talk.id)
        await again.run("go on")
    told = stand_in.response_requests[-1].json["input"]
    assert {one["type"] for one in told} == {"message"}
    assert {one["role"] for one in told} <= {"developer", "user", "assistant"}
    assert all(part["text"] for one in told for part in one["content"])
    assert ("kept" if how == "summary" else "before") in stand_in.response_requests[
        -1
    ].input_texts()


async def test_what_is_too_deep_to_be_written_is_not_taken(
    settings: Settings, stand_in: StandIn
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run("before")
    deep = b'{"type":"web_search_call","action":{"q":%b}}' % (b"[" * 245 + b"]" * 245)
    with talk.path.open("ab") as file:
        file.write(
            b'{"timestamp":"2026-11-21T13:23:23.974Z","type":"response_item","payload":%b}\n'
            % deep
        )
    assert orjson.loads(talk.path.read_bytes().splitlines()[-1])
    async with open_server(settings) as server, connect(server) as client:
        await (await resume(client, talk.id)).run("go on")
    told = stand_in.response_requests[-1].json["input"]
    assert {one["type"] for one in told} == {"message"}


def test_a_beginning_without_an_id_is_none() -> None:
    assert Meta.read({}) is None
    assert Meta.read({"id": new_id()}) is None
