"""How conversations are begun, resumed and forked, and with which terms."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.server import Server, open_server
from codex_trio.testing import Hold, StandIn, Text, WireClient
from tests.threads.conversing import (
    Conversation,
    Ear,
    connect,
    converse,
    lines_of,
    resume,
    spoken,
)
from tests.threads.cutting import at_step

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.settings import Settings


async def test_what_is_wished_is_said_back(client: WireClient, tmp_path: Path) -> None:
    answer = await client.call(
        "thread/start",
        {
            "model": "gpt-5.5",
            "cwd": str(tmp_path),
            "approvalPolicy": "never",
            "sandbox": "workspace-write",
            "serviceTier": "fast",
            "config": {"model_reasoning_effort": "high"},
        },
    )
    assert answer["model"] == answer["thread"]["model"] == "gpt-5.5"
    assert answer["cwd"] == answer["thread"]["cwd"] == str(tmp_path)
    assert answer["approvalPolicy"] == "never"
    assert answer["sandbox"]["type"] == "workspaceWrite"
    assert answer["serviceTier"] == "priority"
    assert answer["reasoningEffort"] == "high"


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"modelProvider": "nobody"}, "Model provider `nobody` not found"),
        ({"permissions": ":nope"}, "unknown built-in profile `:nope`"),
        ({"permissions": ":workspace", "sandbox": "read-only"}, "cannot be combined"),
        ({"sandbox": "nope"}, "unknown variant `nope`"),
        ({"config": {"model_providers": 7}}, "model_providers"),
    ],
)
async def test_what_cannot_be_is_refused(
    client: WireClient, ear: Ear, wishes: dict[str, Any], message: str
) -> None:
    with pytest.raises(RpcError, match=message):
        await client.call("thread/start", wishes)
    assert "thread/started" not in ear.methods


async def test_everybody_is_told_of_a_beginning(server: Server, client: WireClient) -> None:
    ear = Ear()
    async with connect(server, ear) as other:
        talk = await converse(client)
        told = (await other.next_notification("thread/started"))["params"]
        assert told["thread"]["id"] == talk.id


# --- resuming ---


async def test_what_was_never_said_cannot_be_resumed(talk: Conversation) -> None:
    with pytest.raises(RpcError, match=f"no rollout found for thread id {talk.id}"):
        await resume(talk.client, talk.id)


async def test_what_was_set_holds_after_a_resume(
    settings: Settings, stand_in: StandIn, tmp_path: Path
) -> None:
    wishes = {"model": "gpt-5.5", "cwd": str(tmp_path), "approvalPolicy": "never"}
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client, **wishes)
        await talk.run(effort="high")
    async with open_server(settings) as server, connect(server) as client:
        answer = await client.call("thread/resume", {"threadId": talk.id})
        assert {name: answer[name] for name in wishes} == wishes
        assert answer["reasoningEffort"] == "high"
        answer = await client.call("thread/resume", {"threadId": talk.id, "model": "other"})
        assert answer["model"] == "gpt-5.5"  # it is loaded already


async def test_two_who_resume_at_once_have_the_same(
    settings: Settings, stand_in: StandIn
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run()
    async with open_server(settings) as server, connect(server) as client:
        async with trio.open_nursery() as nursery:
            for params in ({}, {"path": str(talk.path)}, {}):
                nursery.start_soon(partial(resume, client, talk.id, **params))
        again = await resume(client, talk.id)
        turn = await again.run("once")
        assert turn["status"] == "completed"


async def test_a_resume_that_is_cut_leaves_nothing_behind(
    settings: Settings, stand_in: StandIn
) -> None:
    """At every step of it; whoever comes next resumes the thread, or another server does."""
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run()
    step, reached = 0, True
    while reached:
        step += 1
        async with open_server(settings) as server:
            scope = trio.CancelScope()
            with at_step("Reader._serve", step, partial(cancel, scope)) as cut:
                with scope:
                    async with connect(server) as client:
                        await resume(client, talk.id)
            reached = cut.reached
            async with connect(server) as client:
                assert len((await resume(client, talk.id)).words["turns"]) == 1
    assert step > 3


def cancel(scope: trio.CancelScope, _: object) -> None:
    scope.cancel()


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\0" * 5000, b"[" * 5000])
async def test_a_record_that_is_none_is_told_of(
    settings: Settings, client: WireClient, talk: Conversation, content: bytes, home: Path
) -> None:
    await talk.run()
    path = home / "sessions" / "none.jsonl"
    path.write_bytes(content)
    with pytest.raises(RpcError):
        await resume(client, talk.id.replace("0", "1"), path=str(path))
    with pytest.raises(RpcError):
        await resume(client, talk.id.replace("0", "1"), path=str(home))
    await talk.run("I am still here")


# --- forking ---


async def fork(talk: Conversation, **params: Any) -> Conversation:
    params = {"threadId": talk.id, **params}
    thread = (await talk.client.call("thread/fork", params))["thread"]
    return Conversation(talk.client, thread["id"], thread)


async def test_a_fork_knows_the_past_and_goes_its_own_way(
    talk: Conversation, stand_in: StandIn, settings: Settings
) -> None:
    for text in ("one", "two"):
        stand_in.answer(f"answer to {text}")
        await talk.run(text)
    other = await fork(talk)
    assert other.words["forkedFromId"] == talk.id
    assert len(other.words["turns"]) == 2
    await other.run("three")
    assert spoken(stand_in.response_requests[-1]) == [
        "one", "answer to one", "two", "answer to two", "three",
    ]  # fmt: skip
    await talk.run("four")
    assert "three" not in spoken(stand_in.response_requests[-1])
    assert lines_of(other.path)[0]["payload"]["forked_from_id"] == talk.id


async def test_a_fork_may_begin_in_the_middle(talk: Conversation, stand_in: StandIn) -> None:
    turns = [(await talk.run(text))["id"] for text in ("one", "two", "three")]
    for params, texts in (
        ({"lastTurnId": turns[1]}, ["one", "two"]),
        ({"beforeTurnId": turns[1]}, ["one"]),
        ({"lastTurnId": turns[2]}, ["one", "two", "three"]),
    ):
        other = await fork(talk, **params)
        await other.run("and now")
        said = stand_in.response_requests[-1].input_texts("user")
        assert [text for text in said if not text.startswith("<")] == [*texts, "and now"]
    with pytest.raises(RpcError, match="turn not found: nope"):
        await fork(talk, lastTurnId="nope")


async def test_a_fork_is_there_when_it_is_resumed(
    settings: Settings, stand_in: StandIn
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client)
        await talk.run("one")
        other = await fork(talk)
        await other.run("two")
        await talk.run("not of the fork")
    async with open_server(settings) as server, connect(server) as client:
        again = await resume(client, other.id)
        assert len(again.words["turns"]) == 2
        await again.run("three")
    said = stand_in.response_requests[-1].input_texts("user")
    assert [text for text in said if not text.startswith("<")] == ["one", "two", "three"]


async def test_a_fork_in_the_middle_of_a_turn_has_what_was_complete(
    talk: Conversation, stand_in: StandIn
) -> None:
    await talk.run("one")
    stand_in.answer(Text("complete", deltas=1), Hold("middle"))
    await talk.start("two")
    await stand_in.wait_held("middle")
    while (await talk.heard("item/completed"))["item"].get("text") != "complete":
        pass
    other = await fork(talk)
    stand_in.release("middle")
    await talk.ended()
    assert len(other.words["turns"]) == 2
    await other.run("three")
    assert spoken(stand_in.response_requests[-1])[-3:] == ["two", "complete", "three"]
