"""What a model is told of the world: once, and again when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.server import open_server
from codex_trio.threads import instructions
from codex_trio.threads.context import as_sent, context_messages, is_context, message, with_id
from codex_trio.threads.inputs import text_part
from codex_trio.threads.instructions import Surroundings
from tests.threads.conversing import Conversation, connect, converse, resume

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient


def surroundings(**changed: Any) -> Surroundings:
    return Surroundings(
        **{
            "cwd": "/srv",
            "date": "2026-11-21",
            "timezone": "Etc/UTC",
            "shell": "bash",
            "sandbox": {"type": "readOnly"},
            "approval_policy": "on-request",
            "workspace_roots": ("/srv",),
            **changed,
        }
    )


def tell(history: list[Any], now: Surroundings) -> list[tuple[str, list[str]]]:
    """Tell the model what it does not know; returns the texts by role."""
    told = context_messages(history, now, (f"msg_{number}" for number in range(9)))
    history += told
    return [(one["role"], [part["text"] for part in one["content"]]) for one in told]


def test_all_of_it_is_told_at_first_and_nothing_again() -> None:
    history: list[Any] = []
    now = surroundings(developer_instructions="be kind", project_instructions="# AGENTS.md x")
    (developer, told), (user, others) = tell(history, now)
    assert (developer, told) == ("developer", ["be kind", now.permissions])
    assert (user, others) == ("user", ["# AGENTS.md x", now.environment])
    assert tell(history, now) == []


def test_what_has_changed_is_told_and_what_it_was_before_is_told_again() -> None:
    history: list[Any] = []
    here, there = surroundings(), surroundings(cwd="/there")
    tell(history, here)
    assert tell(history, there) == [("user", [there.environment])]
    assert tell(history, here) == [("user", [here.environment])]
    free = surroundings(sandbox={"type": "dangerFullAccess"})
    assert [role for role, _ in tell(history, free)] == ["developer", "user"]


def test_what_somebody_has_said_in_these_words_is_not_the_same_role() -> None:
    now = surroundings()
    history: list[Any] = [message("assistant", [text_part(now.environment)], "msg_1")]
    assert [role for role, _ in tell(history, now)] == ["developer", "user"]


@pytest.mark.parametrize("content", [None, [], ["text"], [{"type": "input_image"}]])
def test_items_without_text_are_passed_over(content: Any) -> None:
    history = [{"type": "message", "role": "user", "content": content}, {"type": "reasoning"}]
    assert len(tell(history, surroundings())) == 2


@pytest.mark.parametrize(
    ("sandbox", "expected"),
    [
        ({"type": "readOnly"}, 'type="managed"><file_system type="restricted">'),
        ({"type": "dangerFullAccess"}, 'type="disabled"><file_system type="unrestricted" />'),
        (
            {"type": "workspaceWrite", "writableRoots": ["/more"]},
            '<entry access="write"><path>/more</path></entry>',
        ),
    ],
)
def test_the_environment_is_told_as_the_original_does(
    sandbox: dict[str, Any], expected: str
) -> None:
    text = surroundings(sandbox=sandbox, cwd="/a&b").environment
    assert expected in text
    assert "<cwd>/a&amp;b</cwd>" in text
    assert text.startswith("<environment_context>\n  <cwd>")


def test_context_is_told_from_what_users_say() -> None:
    now = surroundings(project_instructions="# AGENTS.md instructions")
    for text in (now.environment, "# AGENTS.md instructions", instructions.ABORTED):
        assert is_context(message("user", [text_part(text)], "msg_1"))
    assert is_context(message("developer", [text_part("anything")], "msg_1"))
    assert not is_context(message("user", [text_part("hello")], "msg_1"))
    assert not is_context(message("user", [], "msg_1"))


def test_hosts_are_sent_their_own_ids_and_no_notes_of_ours() -> None:
    ours = {"type": "message", "id": "msg_1", "metadata": {}}
    theirs = {"type": "message", "id": "chatcmpl-1"}
    assert as_sent([ours, theirs, {"type": "reasoning"}]) == [
        {"type": "message", "id": "msg_1"},
        {"type": "message"},
        {"type": "reasoning"},
    ]


def test_what_has_no_id_is_given_one_of_its_kind() -> None:
    assert with_id({"type": "message", "id": "msg_1"})["id"] == "msg_1"
    assert with_id({"type": "function_call"})["id"].startswith("fc_")
    assert "id" not in with_id({"type": "reasoning"})


# --- on the wire ---


def contexts(stand_in: StandIn) -> list[str]:
    """What the last request tells of the world, in short."""
    kinds = {
        "<environment_context>": "environment",
        "<permissions instructions>": "permissions",
    }
    return [
        kinds.get(text.split("\n")[0], text)
        for role in ("developer", "user")
        for text in stand_in.response_requests[-1].input_texts(role)
    ]


async def test_it_is_told_once(talk: Conversation, stand_in: StandIn) -> None:
    await talk.run("one")
    await talk.run("two")
    assert contexts(stand_in)[1:] == ["permissions", "environment", "one", "two"]
    await talk.run("three", cwd="/")
    assert contexts(stand_in)[1:] == [
        "permissions", "environment", "one", "two", "environment", "three",
    ]  # fmt: skip


async def test_it_is_told_again_by_nobody_who_resumes(
    settings: Settings, stand_in: StandIn, tmp_path: Path
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client, cwd=str(tmp_path), developerInstructions="be kind")
        await talk.run("one")
    async with open_server(settings) as server, connect(server) as client:
        again = await resume(client, talk.id, developerInstructions="be kind")
        await again.run("two")
    assert contexts(stand_in)[1:] == ["be kind", "permissions", "environment", "one", "two"]


async def test_base_instructions_are_those_of_the_client(
    client: WireClient, stand_in: StandIn
) -> None:
    talk = await converse(client, baseInstructions="be a cat")
    await talk.run()
    first = stand_in.response_requests[-1].input[0]
    assert first["content"] == [{"type": "input_text", "text": "be a cat"}]
    await talk.run()
    assert stand_in.response_requests[-1].input[0] == first


async def test_base_instructions_are_those_of_the_client_after_a_resume(
    settings: Settings, stand_in: StandIn
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        talk = await converse(client, baseInstructions="be a cat")
        await talk.run()
    async with open_server(settings) as server, connect(server) as client:
        await (await resume(client, talk.id)).run()
    one, other = stand_in.response_requests
    assert one.input[0] == other.input[0]
