"""Turns whose listeners lag, share, come late or cannot read what they are told."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import orjson
import pytest
import trio

import codex_trio
from codex_trio.client import Thread, Turn, news, threads
from codex_trio.errors import AnswerError, LaggedError, ServerGoneError, TurnFailedError
from codex_trio.testing import Reasoning, open_stand_in
from tests.account.conftest import find_free_port
from tests.client.servers import puppet_and_client
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.server import Server
    from tests.client.servers import Puppet

TURN = {"id": "ours", "items": [], "status": "inProgress"}


@attrs.define(eq=False)
class Teller:
    """Tells what happens in a turn, in the words of a server."""

    _puppet: Puppet
    _thread_id: str

    async def say(self, delta: str) -> None:
        await self._tell("item/agentMessage/delta", turnId="ours", itemId="i", delta=delta)

    async def answer(self, text: str) -> None:
        item = {"type": "agentMessage", "text": text}
        await self._tell("item/completed", turnId="ours", item=item, completedAtMs=1)

    async def end(self, status: object = "completed") -> None:
        await self._tell("turn/completed", turn={**TURN, "status": status})

    async def fail(self, message: str) -> None:
        error = {"message": message, "additionalDetails": "no route"}
        await self._tell("error", turnId="ours", error=error, willRetry=True)

    async def begin(self) -> None:
        item = {"type": "reasoning"}
        await self._tell("item/started", turnId="ours", item=item, startedAtMs=1)

    async def _tell(self, method: str, **params: object) -> None:
        params["threadId"] = self._thread_id
        await self._puppet.say(method=method, params=params)
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def told_thread(server: Server) -> AsyncGenerator[tuple[Teller, Thread]]:
    async with server.connect() as real:
        known = (await real.start_thread(ephemeral=True)).known
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def serve() -> None:
            async for data in puppet.wire:
                request = orjson.loads(data)
                result = {"turn": TURN} if request["method"] == "turn/start" else {}
                await puppet.say(id=request["id"], result=result)

        nursery.start_soon(serve)  # noqa: ASYNC113 - what is said waits in the wire
        thread = Thread(client, known, "a model")
        yield Teller(puppet, known.id), thread
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def told_turn(server: Server) -> AsyncGenerator[tuple[Teller, Thread, Turn]]:
    async with told_thread(server) as (teller, thread), thread.run("Hello?") as turn:
        yield teller, thread, turn


async def test_of_a_turn_that_lags_what_is_said_is_missed_where_it_was(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "MAX_UNHEARD", 1000)
    async with told_turn(server) as (teller, _, turn):
        for _ in range(30):
            await teller.say("word ")
        await teller.answer("word " * 30)
        await teller.end()
        text = turn.text()
        with pytest.raises(LaggedError) as caught:
            [piece async for piece in text]
        assert 0 < caught.value.missed < 30
        assert [piece async for piece in text] == []
        assert turn.answer == "word " * 30


async def test_the_answer_of_a_turn_that_lags_is_not_missed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "MAX_UNHEARD", 1000)
    async with told_turn(server) as (teller, _, turn):
        for _ in range(30):
            await teller.say("word ")
        await teller.answer("word " * 30)
        await teller.say("more")
        await teller.end()
        assert await turn.wait_answer() == "word " * 30


async def test_the_end_of_a_turn_wakes_all_who_wait(server: Server) -> None:
    async with told_turn(server) as (teller, _, turn), trio.open_nursery() as nursery:
        said: list[str] = []
        ends: list[object] = []

        async def read() -> None:
            said.extend([piece async for piece in turn.text()])

        async def wait() -> None:
            ends.append((await turn.wait_completed()).status)

        nursery.start_soon(read)
        for _ in range(3):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await teller.answer("Yes.")
        await teller.end()
        await trio.testing.wait_all_tasks_blocked()
        assert ends == ["completed"] * 3


@pytest.mark.parametrize("status", [5, None])
async def test_a_turn_whose_end_cannot_be_read_is_over(server: Server, status: object) -> None:
    async with told_turn(server) as (teller, thread, turn):
        await teller.end(status)
        with pytest.raises(AnswerError, match="turn/completed"):
            await turn.wait_answer()
        with pytest.raises(ServerGoneError, match="nothing more is told of this turn"):
            await turn.wait_answer()
        async with thread.run("Again?"):
            pass


async def test_a_status_that_is_new_ends_a_turn(server: Server) -> None:
    async with told_turn(server) as (teller, _, turn):
        await teller.end("paused")
        with pytest.raises(TurnFailedError, match="the turn was paused") as caught:
            await turn.wait_answer()
        assert caught.value.status == "paused"


async def test_a_turn_is_of_no_use_behind_its_block(server: Server) -> None:
    async with told_turn(server) as (_, _, turn):
        pass
    for wait in (turn.wait_answer, turn.wait_completed, turn.text().__anext__):
        with pytest.raises(ServerGoneError, match="its block was left"):
            await wait()


async def test_a_thread_has_one_turn_at_a_time(server: Server) -> None:
    async with told_turn(server) as (teller, thread, turn):
        with pytest.raises(trio.BusyResourceError):
            await thread.ask("And this?")
        await teller.end()
        await turn.wait_completed()
        async with thread.run("And this?") as other:
            await teller.end()
            await other.wait_completed()


async def test_a_turn_may_end_without_an_answer(home: Path) -> None:
    async with (
        open_stand_in() as stand_in,
        codex_trio.open_server(stand_in.settings(home)) as server,
        server.connect() as client,
    ):
        await client.login_with_api_key("sk-test")
        thread = await client.start_thread(ephemeral=True)
        stand_in.answer(Reasoning("Hm."))
        with pytest.raises(TurnFailedError, match="without an answer") as caught:
            await thread.ask("Well?")
        assert caught.value.status == "completed"
        stand_in.answer(Reasoning("Hm."))
        async with thread.run("Well?") as turn:
            with pytest.raises(TurnFailedError, match="without an answer"):
                [piece async for piece in turn.text()]
            assert turn.answer is None


async def test_who_asks_is_told_that_no_model_can_be_reached(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads, "REACHING", 0.3)
    nobody = f"http://127.0.0.1:{find_free_port()}/v1"
    provider = {"name": "Nobody", "base_url": nobody, "wire_api": "responses"}
    config = {"model_provider": "nobody", "model_providers": {"nobody": provider}}
    settings = codex_trio.Settings(codex_home=home, config=config)
    async with codex_trio.open_server(settings) as server, server.connect() as client:
        thread = await client.start_thread(ephemeral=True)
        with (
            trio.fail_after(PATIENCE),
            pytest.raises(
                TurnFailedError, match=r"not reached within 0.3 s: Connection failed"
            ),
        ):
            await thread.ask("Is anybody there?")
    assert "waiting for network" in caplog.text


async def test_a_model_that_is_reached_in_time_may_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "REACHING", 0.2)
    async with told_thread(server) as (teller, thread), trio.open_nursery() as nursery:
        answers: list[str] = []

        async def ask() -> None:
            answers.append(await thread.ask("Hello?"))

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(2):
            await teller.fail("Reconnecting... waiting for network")
            await teller.fail("Reconnecting... 1/5")
            await trio.sleep(0.3)
            await teller.fail("Reconnecting... waiting for network")
            await teller.begin()
            await trio.sleep(0.3)
        await teller.answer("Here I am.")
        await teller.end()
    assert answers == ["Here I am."]
