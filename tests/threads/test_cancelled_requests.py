"""Requests about threads that are cancelled at every step: whole, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.server import open_server
from codex_trio.testing import Hold, Text
from tests.cutting import CANCELLED, answer_of, cancelled_at
from tests.threads.conversing import Conversation, connect, converse, resume, said

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient


def claims(home: Path) -> set[str]:
    """Name the threads that somebody may write to."""
    return {path.stem for path in (home / "thread-writer-locks").glob("[0-9a-f]*.lock")}


async def listed(client: WireClient, **params: Any) -> set[str]:
    return {one["id"] for one in (await client.call("thread/list", params))["data"]}


async def loaded(client: WireClient) -> set[str]:
    return set((await client.call("thread/loaded/list", {}))["data"])


async def cut_everywhere(client: WireClient, method: str, params: Any) -> list[Any]:
    """Cancel a request at every step, until one comes through; what was answered."""
    answers: list[Any] = []
    reached = True
    while reached:
        with cancelled_at(method, len(answers) + 1) as at:
            answers.append(await answer_of(client, method, params))
        reached = at.reached
    assert answers[0] == CANCELLED
    assert answers[-1] != CANCELLED
    return answers


def threads_in(answers: list[Any]) -> set[str]:
    return {answer["thread"]["id"] for answer in answers if answer != CANCELLED}


@pytest.mark.parametrize("more", [{}, {"ephemeral": True}, {"daybreakEnabled": True}])
async def test_of_a_start_that_is_cancelled_there_is_no_thread(
    client: WireClient, settings: Settings, more: dict[str, bool]
) -> None:
    answers = await cut_everywhere(client, "thread/start", {"cwd": "/", **more})
    assert await loaded(client) == threads_in(answers)
    ours = set() if "ephemeral" in more else threads_in(answers)
    assert claims(settings.codex_home) == ours


async def test_of_a_fork_that_is_cancelled_there_is_no_thread(
    client: WireClient, settings: Settings, talk: Conversation
) -> None:
    await talk.run()
    answers = await cut_everywhere(client, "thread/fork", {"threadId": talk.id})
    expected = {talk.id, *threads_in(answers)}
    assert await loaded(client) == claims(settings.codex_home) == expected
    files = (settings.codex_home / "sessions").rglob("rollout-*.jsonl")
    assert {path.stem[-36:] for path in files} == expected


async def test_a_resume_that_is_cancelled_can_be_tried_again(settings: Settings) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run()
    step, reached = 0, True
    while reached:
        step += 1
        async with open_server(settings) as server, connect(server) as client:
            with cancelled_at("thread/resume", step) as at:
                answer = await answer_of(client, "thread/resume", {"threadId": talk.id})
            reached = at.reached
            expected = set() if answer == CANCELLED else {talk.id}
            assert await loaded(client) == claims(settings.codex_home) == expected
            if answer == CANCELLED:
                again = await resume(client, talk.id)
                assert len(again.words["turns"]) == 1
    assert step > 3


async def test_a_revert_that_is_cancelled_has_taken_back_all_or_nothing(
    server: Server, settings: Settings, talk: Conversation, client: WireClient
) -> None:
    for text in ("zero", "one", "two", "three", "four", "five"):
        await talk.run(text)
    params = {"threadId": talk.id, "includeTurns": True}
    outcomes = set()
    for step in range(1, 40):
        turns = (await client.call("thread/read", params))["thread"]["turns"]
        last = {"threadId": talk.id, "beforeTurnId": turns[-1]["id"]}
        with cancelled_at("thread/revert", step) as at:
            answer = await answer_of(client, "thread/revert", last)
        outcomes.add(str(answer)[:6])
        left = (await client.call("thread/read", params))["thread"]["turns"]
        assert [one["id"] for one in left] == [
            one["id"] for one in (turns if answer == CANCELLED else turns[:-1])
        ]
        # And so it is on disk.
        async with open_server(settings) as other, connect(other) as reader:
            stored = (await reader.call("thread/read", params))["thread"]["turns"]
            assert [one["id"] for one in stored] == [one["id"] for one in left]
        if not at.reached:
            break
        if answer != CANCELLED:
            await talk.run("once more")
    assert not at.reached
    assert len(outcomes) == 2


@pytest.mark.parametrize("method", ["thread/archive", "thread/delete"])
async def test_a_thread_is_put_away_or_it_is_not(
    client: WireClient, settings: Settings, method: str
) -> None:
    step, reached, outcomes = 0, True, set()
    while reached:
        step += 1
        talk = await converse(client)
        await talk.run()
        with cancelled_at(method, step) as at:
            answer = await answer_of(client, method, {"threadId": talk.id})
        reached = at.reached
        outcomes.add(str(answer))
        there = talk.id in await listed(client)
        assert there is (answer == CANCELLED)
        assert talk.id not in claims(settings.codex_home) or talk.id in await loaded(client)
        if there:  # it can be tried again
            await client.call(method, {"threadId": talk.id})
    assert outcomes == {CANCELLED, "{}"}


async def test_what_is_taken_back_is_told_to_everybody_come_what_may(
    client: WireClient, server: Server
) -> None:
    talk = await converse(client)
    await talk.run()
    await client.call("thread/archive", {"threadId": talk.id})
    async with connect(server) as other:
        step, reached, told = 0, True, 0
        while reached:
            step += 1
            with cancelled_at("thread/unarchive", step) as at:
                await answer_of(client, "thread/unarchive", {"threadId": talk.id})
            reached = at.reached
            if talk.id in await listed(client):
                await other.next_notification("thread/unarchived")
                told += 1
                await client.call("thread/archive", {"threadId": talk.id})
    assert told >= 2


async def test_a_name_is_given_and_told_or_it_is_not(
    client: WireClient, talk: Conversation
) -> None:
    await talk.run()
    for step in range(1, 30):
        params = {"threadId": talk.id, "name": f"number {step}"}
        with cancelled_at("thread/name/set", step) as at:
            answer = await answer_of(client, "thread/name/set", params)
        thread = (await client.call("thread/read", {"threadId": talk.id}))["thread"]
        if answer == CANCELLED:
            assert thread["name"] != params["name"]
        else:
            assert thread["name"] == params["name"]
            told = await talk.heard("thread/name/updated")
            assert told["threadName"] == params["name"]
        if not at.reached:
            break
    assert not at.reached


async def test_a_value_is_written_or_it_is_not(client: WireClient, home: Path) -> None:
    for step in range(1, 30):
        params = {"keyPath": "model", "value": f"number-{step}", "mergeStrategy": "replace"}
        with cancelled_at("config/value/write", step) as at:
            answer = await answer_of(client, "config/value/write", params)
        config = home / "config.toml"
        text = config.read_text(encoding="utf-8") if config.exists() else ""
        assert (f"number-{step}" in text) is (answer != CANCELLED)
        if not at.reached:
            break
    assert not at.reached


async def test_a_turn_is_no_request(client: WireClient, talk: Conversation) -> None:
    params = {"threadId": talk.id, "input": said("hi")}
    await client.send({"id": "mine", "method": "turn/start", "params": params})
    await talk.heard("turn/started")
    await client.notify("$/cancelRequest", {"id": "mine"})
    await talk.ended("completed")


async def test_an_interrupt_that_is_cancelled_interrupts(
    client: WireClient, talk: Conversation
) -> None:
    for step in (1, 2, 3):
        turn_id = await talk.start()
        params = {"threadId": talk.id, "turnId": turn_id}
        with cancelled_at("turn/interrupt", step):
            assert await answer_of(client, "turn/interrupt", params) in (CANCELLED, {})
        # … unless it had not begun.
        await talk.ended("completed" if step == 1 else "interrupted")


async def test_a_compaction_that_is_cancelled_at_once_ends_no_turn(
    client: WireClient, talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"))
    await talk.start()
    await stand_in.wait_held("middle")
    with cancelled_at("thread/compact/start", 1):
        params = {"threadId": talk.id}
        assert await answer_of(client, "thread/compact/start", params) == CANCELLED
    stand_in.release("middle")
    await talk.ended("completed")


async def test_a_compaction_that_has_been_promised_is_made(
    client: WireClient, talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"))
    stand_in.answer("what it was about")
    await talk.start()
    await stand_in.wait_held("middle")
    with cancelled_at("thread/compact/start", 2):
        params = {"threadId": talk.id}
        assert await answer_of(client, "thread/compact/start", params) == {}
    await talk.ended("interrupted")
    await talk.ended("completed")
