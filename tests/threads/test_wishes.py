"""What clients wish for a conversation, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.errors import RpcError
from tests.threads.conversing import Conversation, resume

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import StandIn, WireClient


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"environments": [{"environmentId": "moon", "cwd": "/"}]}, "unknown turn environment"),
        ({"projectId": "p"}, "project not found: p"),
    ],
)
async def test_what_is_nowhere_is_refused(
    client: WireClient, wishes: dict[str, Any], message: str
) -> None:
    with pytest.raises(RpcError, match=message):
        await client.call("thread/start", wishes)


async def test_tools_work_where_it_is_wished(client: WireClient, tmp_path: Path) -> None:
    here, there = str(tmp_path), str(tmp_path / "there")
    places = [
        {"environmentId": "local", "cwd": here},
        {"environmentId": "local", "cwd": there, "runtimeWorkspaceRoots": [there, "/else"]},
    ]
    answer = await client.call("thread/start", {"environments": places})
    assert answer["runtimeWorkspaceRoots"] == [here, there, "/else"]
    assert [one["cwd"] for one in answer["thread"]["environments"]] == [here, there]


async def test_roots_are_told_in_the_usual_way(client: WireClient, tmp_path: Path) -> None:
    wishes = {
        "cwd": str(tmp_path),
        "runtimeWorkspaceRoots": [str(tmp_path / "inner" / ".." / "x"), "/else"],
    }
    answer = await client.call("thread/start", wishes)
    assert answer["runtimeWorkspaceRoots"] == [str(tmp_path / "x"), "/else"]


@pytest.mark.parametrize(
    ("sandbox", "kind"),
    [("danger-full-access", "dangerFullAccess"), ("read-only", "readOnly")],
)
async def test_a_sandbox_is_named(client: WireClient, sandbox: str, kind: str) -> None:
    answer = await client.call("thread/start", {"sandbox": sandbox})
    assert answer["sandbox"]["type"] == kind
    assert answer["activePermissionProfile"] is None


async def test_a_folder_that_is_gone_is_no_place_to_begin(
    client: WireClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(gone)
        gone.rmdir()
        with pytest.raises(RpcError, match="working directory does not exist"):
            await client.call("thread/start", {})
        patch.chdir(tmp_path)


async def test_a_turn_changes_the_folder(talk: Conversation, tmp_path: Path) -> None:
    before = str(talk.words["cwd"])
    await talk.run(cwd=str(tmp_path / "there"))
    read = await talk.client.call("thread/read", {"threadId": talk.id})
    assert read["thread"]["cwd"] == str(tmp_path / "there") != before


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "items must not be empty"),
        (["x"], "items.0. is not a valid response item: expected internally tagged"),
        ([{"type": "message"}], "items.0. is not a valid response item"),
    ],
)
async def test_items_that_are_none_are_refused(
    talk: Conversation, items: list[Any], message: str
) -> None:
    with pytest.raises(RpcError, match=message):
        await talk.client.call("thread/inject_items", {"threadId": talk.id, "items": items})


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"lastTurnId": "a", "beforeTurnId": "b"}, "cannot be combined"),
        ({"ephemeral": True}, "requires `excludeTurns: true`"),
        ({"lastTurnId": "a"}, "turn not found: a"),
        ({"beforeTurnId": "a"}, "turn not found: a"),
    ],
)
async def test_forks_that_cannot_be_are_refused(
    talk: Conversation, wishes: dict[str, Any], message: str
) -> None:
    await talk.run()
    with pytest.raises(RpcError, match=message):
        await talk.client.call("thread/fork", {"threadId": talk.id, **wishes})


async def test_a_fork_of_nothing_is_none(talk: Conversation) -> None:
    with pytest.raises(RpcError, match="no rollout found"):
        await talk.client.call("thread/fork", {"threadId": talk.id})


def spoken_by(role: str, text: str) -> dict[str, Any]:
    kind = "input_text" if role == "user" else "output_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


async def test_a_history_may_be_brought_along(client: WireClient, stand_in: StandIn) -> None:
    past = [spoken_by("user", "one"), spoken_by("assistant", "two"), {"type": "moon"}]
    talk = await resume(client, "01991111-1111-7111-8111-111111111111", history=past)
    await talk.run("three")
    texts = stand_in.response_requests[-1].input_texts()
    assert [text for text in texts if len(text) < 6] == ["one", "two", "three"]


async def test_a_history_is_not_brought_to_what_goes_on(talk: Conversation) -> None:
    with pytest.raises(RpcError, match="while it is already running"):
        await resume(talk.client, talk.id, history=[spoken_by("user", "one")])


async def test_a_history_that_is_brought_is_one(client: WireClient) -> None:
    with pytest.raises(RpcError, match="history must not be empty"):
        await resume(client, "01991111-1111-7111-8111-111111111111", history=[])


async def test_what_goes_on_elsewhere_is_not_resumed(
    talk: Conversation, tmp_path: Path
) -> None:
    await talk.run()
    with pytest.raises(RpcError, match="stale path"):
        await resume(talk.client, talk.id, path=str(tmp_path / "other.jsonl"))


@pytest.mark.parametrize("config", [{"include_environment_context": False}])
async def test_a_model_need_not_be_told_where_it_works(
    talk: Conversation, stand_in: StandIn
) -> None:
    await talk.run("one")
    texts = stand_in.response_requests[-1].input_texts()
    assert "one" in texts
    assert not any("<environment_context>" in text for text in texts)


@pytest.mark.parametrize("config", [{"compact_prompt": "be very short"}])
async def test_a_summary_may_be_asked_for_in_other_words(
    talk: Conversation, stand_in: StandIn
) -> None:
    await talk.run("one")
    stand_in.answer("short")
    await talk.client.call("thread/compact/start", {"threadId": talk.id})
    await talk.ended()
    assert stand_in.response_requests[-1].input_texts()[-1] == "be very short"


@pytest.mark.parametrize("config", [{"project_root_markers": [".hg"]}])
async def test_the_root_of_a_project_may_be_marked_otherwise(
    client: WireClient, tmp_path: Path
) -> None:
    inner = tmp_path / "project" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "project" / ".hg").mkdir()
    file = tmp_path / "project" / "AGENTS.md"
    file.write_text("be kind", encoding="utf-8")
    answer = await client.call("thread/start", {"cwd": str(inner)})
    assert str(file) in answer["instructionSources"]
