"""Disks that hang or are full: who waits for them, who does not, and that nothing is lost."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from codex_trio.errors import RpcError
from codex_trio.protocol.items import LocalImageUserInput
from codex_trio.responses.providers import find_provider
from codex_trio.testing import Hold, StandIn, Text, WireClient
from codex_trio.threads.desk import IDLE
from codex_trio.threads.surroundings import Outlook
from codex_trio.threads.terms import Terms
from tests.threads.conversing import Conversation, Ear, converse, ends_in, resume
from tests.threads.disks import hung_disk

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.settings import Settings


@pytest.fixture
def still_clock() -> MockClock:
    """A clock that stands still but where a test lets it go."""
    return MockClock()


async def wait_idle(clock: MockClock) -> None:
    """Let the time pass in which nobody does anything."""
    clock.autojump_threshold = 0.05
    await trio.sleep(IDLE + 120)
    clock.autojump_threshold = math.inf


ITEM = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "injected"}],
}


async def inject(talk: Conversation) -> None:
    assert (
        await talk.client.call("thread/inject_items", {"threadId": talk.id, "items": [ITEM]})
        == {}
    )


async def test_an_interrupt_does_not_wait_for_a_disk(
    still_clock: MockClock, talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"))
    with hung_disk() as hang:
        await talk.start()
        await hang.begun()
        await stand_in.wait_held("middle")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(inject, talk)
            await trio.testing.wait_all_tasks_blocked()
            await talk.interrupt()
            await talk.ended("interrupted")
            hang.end()


async def test_a_disk_that_hangs_is_told_of_once(
    patient_clock: MockClock, talk: Conversation, ear: Ear
) -> None:
    await talk.run("one")
    with hung_disk():
        await talk.run("two")
        await talk.run("three")
        (warning,) = ear.of("warning")
        assert warning["message"] == "the disk has not answered within 5 s"
        assert warning["threadId"] == talk.id
    await talk.run("four")
    assert len(ear.of("warning")) == 1
    assert ends_in(talk.path) == ["task_complete"] * 4


async def test_what_is_not_on_disk_stays_loaded(
    still_clock: MockClock, talk: Conversation, ear: Ear
) -> None:
    await talk.run("one")
    aside = talk.path.with_suffix(".aside")
    talk.path.rename(aside)
    await talk.run("two")
    await talk.client.call("thread/unsubscribe", {"threadId": talk.id})
    await wait_idle(still_clock)
    assert ear.of("thread/closed") == []
    aside.rename(talk.path)
    await wait_idle(still_clock)
    assert len(ear.of("thread/closed")) == 1
    again = await resume(talk.client, talk.id)
    assert len(again.words["turns"]) == 2


async def test_what_is_not_on_disk_is_not_put_away(talk: Conversation, home: Path) -> None:
    await talk.run("one")
    aside = talk.path.with_suffix(".aside")
    talk.path.rename(aside)
    await talk.run("two")
    with pytest.raises(RpcError, match="failed to store thread"):
        await talk.client.call("thread/archive", {"threadId": talk.id})
    assert (await talk.client.call("thread/loaded/list", {}))["data"] == [talk.id]
    aside.rename(talk.path)
    await talk.client.call("thread/archive", {"threadId": talk.id})
    (archived,) = (home / "archived_sessions").iterdir()
    assert ends_in(archived) == ["task_complete"] * 2


async def test_what_is_not_on_disk_can_be_deleted(talk: Conversation) -> None:
    await talk.run("one")
    talk.path.unlink()
    await talk.run("two")
    await talk.client.call("thread/delete", {"threadId": talk.id})
    assert (await talk.client.call("thread/loaded/list", {}))["data"] == []


async def test_who_comes_back_while_the_disk_is_busy_finds_the_thread(
    still_clock: MockClock, talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    await talk.run("one")
    aside = talk.path.with_suffix(".aside")
    talk.path.rename(aside)
    await talk.run("two")  # which is not on disk, so that the sweep waits for it
    await talk.client.call("thread/unsubscribe", {"threadId": talk.id})
    aside.rename(talk.path)
    with hung_disk() as hang:
        still_clock.jump(IDLE + 120)
        await hang.begun()
        again = await resume(talk.client, talk.id)
        hang.end()
    await again.run("three")
    assert ear.of("thread/closed") == []
    assert ends_in(talk.path) == ["task_complete"] * 3


# --- looking around ---


@pytest.mark.parametrize("name", [".git", "HEAD", "config", "commondir", "packed-refs", "ref"])
async def test_a_pipe_in_the_place_of_a_file_keeps_nobody(
    client: WireClient, tmp_path: Path, name: str
) -> None:
    place = tmp_path / "repository" / ".git"
    place.parent.mkdir()
    if name == ".git":
        os.mkfifo(place)
    else:
        (place / "refs/heads").mkdir(parents=True)
        (place / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
        pipe = place / ("refs/heads/main" if name == "ref" else name)
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
    talk = await converse(client, cwd=str(place.parent))
    await talk.run()


async def test_files_that_hang_are_done_without(
    patient_clock: MockClock, settings: Settings, talk: Conversation, tmp_path: Path
) -> None:
    """All threads of those who look are on a disk that hangs."""
    (tmp_path / "AGENTS.md").write_text("be kind", encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    outlook = Outlook(tmp_path)
    cwd = str(tmp_path)
    provider = find_provider("openai", {}, settings)
    terms = Terms(model="gpt-5.5", provider=provider, cwd=cwd, workspace_roots=(cwd,))
    picture = [LocalImageUserInput(path="picture.png")]
    assert (await outlook.around(terms)).project_instructions
    assert (await outlook.instructions(terms)).sources
    assert await outlook.git(cwd) is not None
    assert len(await outlook.parts(picture, cwd)) == 3
    for _ in range(int(outlook._looks.total_tokens)):
        outlook._looks.acquire_on_behalf_of_nowait(object())
    before = trio.current_time()
    assert (await outlook.around(terms)).project_instructions is None
    assert (await outlook.instructions(terms)).sources == ()
    assert await outlook.git(cwd) is None
    (omitted,) = await outlook.parts(picture, cwd)
    assert omitted["text"] == "image content omitted: picture.png"
    assert trio.current_time() - before == pytest.approx(4 * 5.0, abs=1)
    await talk.run()  # whose own looks are others
