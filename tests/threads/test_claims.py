"""Who may write to a record: its thread's one owner, and nobody by way of a strange file."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from codex_trio.errors import RpcError
from codex_trio.server import Server, open_server
from codex_trio.testing import Hold, StandIn, Text, WireClient
from codex_trio.threads.ids import new_id
from codex_trio.threads.meta import Meta
from codex_trio.threads.writers import Writers
from tests.threads.conversing import Conversation, connect, converse, ends_in, lines_of, resume
from tests.threads.disks import hung_disk
from tests.threads.records import T1

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.settings import Settings


@pytest.fixture
def still_clock() -> MockClock:
    """A clock that stands still: a disk that hangs is waited for."""
    return MockClock()


def with_id(path: Path, thread_id: str) -> bytes:
    """Say the record of another thread."""
    first, *rest = path.read_bytes().splitlines(keepends=True)
    line = orjson.loads(first)
    line["payload"]["id"] = thread_id
    return b"".join((orjson.dumps(line), b"\n", *rest))


@pytest.mark.parametrize("kind", ["absolute", "relative"])
async def test_no_file_is_touched_that_a_record_names(
    talk: Conversation, home: Path, tmp_path: Path, kind: str
) -> None:
    await talk.run()
    victim = tmp_path / "victim.lock"
    victim.write_text("precious", encoding="utf-8")
    stem = str(victim.with_suffix(""))
    name = stem if kind == "absolute" else os.path.relpath(stem, home / "thread-writer-locks")  # noqa: ASYNC240 - it asks no disk
    strange = tmp_path / f"rollout-2026-11-21T13-23-23-{T1}.jsonl"
    strange.write_bytes(with_id(talk.path, name))
    with pytest.raises(RpcError, match="is empty"):
        await talk.client.call("thread/resume", {"threadId": "", "path": str(strange)})
    assert victim.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize(
    "thread_id",
    ["", "x", T1.upper(), f"{{{T1}}}", f"urn:uuid:{T1}", T1.replace("-", ""), f"{T1}\n"],
)
def test_a_record_has_the_id_of_a_thread_as_we_write_it(thread_id: str) -> None:
    payload = {
        "timestamp": "2026-11-21T13:23:23.450Z",
        "cwd": "/",
        "originator": "lab",
        "cli_version": "0",
    }
    assert Meta.read({**payload, "id": thread_id}) is None
    assert Meta.read({**payload, "id": T1}) is not None


async def test_a_copy_under_another_name_is_not_the_thread(
    talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"))
    await talk.start()
    await stand_in.wait_held("middle")
    other = new_id()
    copy = talk.path.with_name(talk.path.name.replace(talk.id, other))
    shutil.copy(talk.path, copy)
    before = copy.read_bytes()
    for _ in range(2):  # nor does the first attempt keep the second from it
        with pytest.raises(RpcError, match="is the record of another thread"):
            await resume(talk.client, other)
    stand_in.release("middle")
    await talk.ended()
    assert (await talk.client.call("thread/loaded/list", {}))["data"] == [talk.id]
    assert ends_in(talk.path) == ["task_complete"]
    assert copy.read_bytes() == before


async def test_a_thread_is_resumed_once_however_it_is_named(settings: Settings) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run()
    async with open_server(settings) as server, connect(server) as client:
        ways: list[dict[str, Any]] = [
            {"threadId": talk.id},
            {"threadId": "", "path": str(talk.path)},
            {"threadId": talk.id.upper()},
            {"threadId": "any", "path": str(talk.path)},
        ]
        async with trio.open_nursery() as nursery:
            for params in ways:
                nursery.start_soon(client.call, "thread/resume", params)
        assert (await client.call("thread/loaded/list", {}))["data"] == [talk.id]
        await (await resume(client, talk.id)).run()
    assert ends_in(talk.path) == ["task_complete"] * 2


async def test_nobody_else_writes_before_the_last_line_of_a_server_that_ends(
    still_clock: MockClock, settings: Settings, stand_in: StandIn
) -> None:
    stop = trio.Event()
    async with trio.open_nursery() as nursery, open_server(settings) as other:
        server: Server = await nursery.start(serve, settings, stop)
        async with connect(server) as client:
            talk = await converse(client)
            await talk.run()
            with hung_disk() as hang:
                stand_in.answer(Text("one", deltas=1), Hold("middle"))
                await talk.start()
                await hang.begun()
                await stand_in.wait_held("middle")
                stop.set()
                await talk.ended("interrupted")
                await trio.testing.wait_all_tasks_blocked()
                async with connect(other) as another:
                    with pytest.raises(RpcError, match="already has an active writer"):
                        await resume(another, talk.id)
        async with connect(other) as another:
            again = await eventually_resumed(another, talk.id)
            assert [turn["status"] for turn in again.words["turns"]] == [
                "completed",
                "interrupted",
            ]
            await again.run()
    lines = lines_of(talk.path)
    assert [line["ordinal"] for line in lines] == list(range(len(lines)))


async def serve(
    settings: Settings, stop: trio.Event, *, task_status: trio.TaskStatus[Server]
) -> None:
    async with open_server(settings) as server:
        task_status.started(server)
        await stop.wait()


async def eventually_resumed(client: WireClient, thread_id: str) -> Conversation:
    """Resume a thread as soon as another server lets go of it."""
    while True:
        try:
            return await resume(client, thread_id)
        except RpcError as error:
            assert "active writer" in error.message
        await trio.lowlevel.checkpoint()


def test_a_disk_that_complains_at_the_end_keeps_no_claim(tmp_path: Path) -> None:
    claim = Writers.of(tmp_path).claim_now(T1)
    assert claim._fd is not None
    os.close(claim._fd)  # what comes then is an OSError, as from a disk that writes back late
    claim.release()
    Writers.of(tmp_path).claim_now(T1).release()
