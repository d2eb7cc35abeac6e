"""A server that is killed in the middle of a turn, and another one that goes on."""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.testing import FunctionCall, Hold, StandIn, Text, open_client
from tests.processes import start, wire_of
from tests.threads.conversing import (
    Conversation,
    connect,
    converse,
    ends_in,
    lines_of,
    resume,
    spoken,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.server import Server


@asynccontextmanager
async def converse_with_process(
    home: Path, stand_in: StandIn
) -> AsyncGenerator[tuple[trio.Process, Conversation]]:
    (home / "config.toml").write_text(stand_in.config, encoding="utf-8")
    async with start(home, environ=stand_in.environ) as process:
        async with open_client(wire_of(process)) as client:
            await client.initialize()
            yield process, await converse(client, cwd=str(home))


async def test_what_was_complete_when_it_was_killed_is_not_lost(
    home: Path, stand_in: StandIn, server: Server
) -> None:
    stand_in.answer("first answer")
    stand_in.answer("I shall look", FunctionCall("nope", call_id="c"))
    stand_in.answer(Text("and then", deltas=1), Hold("middle"))
    async with converse_with_process(home, stand_in) as (process, talk):
        await talk.run("first")
        turn_id = await talk.start("second")
        await stand_in.wait_held("middle")
        while (await talk.heard("item/completed"))["item"].get("text") != "and then":
            pass
        async with connect(server) as client:
            with pytest.raises(RpcError, match="already has an active writer"):
                await resume(client, talk.id)
        await until(lambda: b"and then" in talk.path.read_bytes())
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with connect(server) as client:
        again = await resume(client, talk.id)
        first, second = again.words["turns"]
        assert (first["status"], second["status"]) == ("completed", "interrupted")
        assert second["id"] == turn_id
        assert [item.get("text") for item in second["items"]] == [
            None, "I shall look", "and then",
        ]  # fmt: skip
        await again.run("third")
    request = stand_in.response_requests[-1]
    assert spoken(request) == [
        "first", "first answer", "second", "I shall look", "and then", "third",
    ]  # fmt: skip
    assert request.tool_outputs() == {"c": "unsupported call: nope"}
    lines = lines_of(talk.path)
    assert [line["ordinal"] for line in lines] == list(range(len(lines)))
    assert ends_in(talk.path) == ["task_complete", "task_complete"]


async def test_a_line_that_was_cut_is_the_only_one_that_is_lost(
    home: Path, stand_in: StandIn, server: Server
) -> None:
    stand_in.answer("first answer")
    async with converse_with_process(home, stand_in) as (process, talk):
        await talk.run("first")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    whole = talk.path.read_bytes()
    talk.path.write_bytes(whole[:-40])  # in the midst of the line with the turn's end
    async with connect(server) as client:
        again = await resume(client, talk.id)
        (turn,) = again.words["turns"]
        assert turn["status"] == "interrupted"
        await again.run("second")
    assert spoken(stand_in.response_requests[-1]) == ["first", "first answer", "second"]


async def test_the_end_of_its_input_ends_a_server_that_answers(
    home: Path, stand_in: StandIn
) -> None:
    stand_in.answer(Text("some", deltas=1), Hold("middle"))
    async with converse_with_process(home, stand_in) as (process, talk):
        await talk.start()
        await stand_in.wait_held("middle")
        while (await talk.heard("item/completed"))["item"].get("text") != "some":
            pass
        assert process.stdin is not None
        await process.stdin.aclose()
        with trio.fail_after(10):
            assert await process.wait() == 0
    assert ends_in(talk.path) == ["turn_aborted"]
