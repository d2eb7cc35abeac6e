"""Turns on a disk that takes nothing: they go on, somebody is warned, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_trio.testing import Repeat, StandIn, Text
from codex_trio.testing.events import response_event
from tests.threads.conversing import Conversation, Ear, ends_in, lines_of

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_turn_goes_on_without_a_record_and_it_is_made_up_for(
    talk: Conversation, ear: Ear, home: Path
) -> None:
    (home / "sessions").write_text("in the way", encoding="utf-8")
    await talk.run("one")
    await talk.run("two")
    (warning,) = ear.of("warning")
    assert warning["message"].startswith("failed to write ")
    (home / "sessions").unlink()
    await talk.run("three")
    assert ends_in(talk.path) == ["task_complete"] * 3
    lines = lines_of(talk.path)
    assert [line["ordinal"] for line in lines] == list(range(len(lines)))
    assert len(ear.of("warning")) == 1


async def test_a_flood_is_interrupted_at_once(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    item = {"type": "message", "role": "assistant", "id": "msg_1", "content": []}
    begun = response_event("output_item.added", output_index=0, item=item)
    delta = response_event("output_text.delta", item_id="msg_1", delta="word ")
    stand_in.answer(begun, Repeat(delta * 500))
    await talk.start()
    await talk.text(20)
    assert await talk.interrupt() < 1  # which waits for what was told before to be read
    await talk.ended("interrupted")
    await stand_in.wait_closed()
    told = "".join(one["delta"] for one in ear.of("item/agentMessage/delta"))
    kept = ear.of("item/completed")[-1]["item"]["text"]
    assert told == kept
    stand_in.answer(Text("quiet"))
    await talk.run()
