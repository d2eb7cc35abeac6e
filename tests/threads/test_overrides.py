"""What a turn, or a client, wants otherwise from now on: stored, used, and told to followers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.errors import RpcError
from tests.threads.conversing import Conversation, Ear, converse, until

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import StandIn, WireClient

PLAN = {"mode": "plan", "settings": {"model": "gpt-5.4", "reasoning_effort": "high"}}

OVERRIDES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"model": "gpt-5.4"}, {"model": "gpt-5.4"}),
    ({"effort": "high", "summary": "detailed"}, {"effort": "high", "summary": "detailed"}),
    ({"approvalPolicy": "never"}, {"approvalPolicy": "never"}),
    ({"disabledPluginIds": ["a"]}, {"disabledPluginIds": ["a"]}),
    ({"serviceTier": "fast"}, {"serviceTier": "priority"}),
    ({"serviceTier": None}, {"serviceTier": "default"}),
    ({"collaborationMode": PLAN, "model": "gpt-5.5"}, {"model": "gpt-5.4", "effort": "high"}),
    (
        {"sandboxPolicy": {"type": "dangerFullAccess"}},
        {"sandboxPolicy": {"type": "dangerFullAccess"}, "activePermissionProfile": None},
    ),
    (
        {"permissions": ":workspace"},
        {"activePermissionProfile": {"id": ":workspace", "extends": None}},
    ),
]


@pytest.mark.parametrize(("wishes", "told"), OVERRIDES)
@pytest.mark.parametrize("how", ["turn/start", "thread/settings/update"])
async def test_it_holds_from_now_on(
    client: WireClient, ear: Ear, how: str, wishes: dict[str, Any], told: dict[str, Any]
) -> None:
    talk = await converse(client, sandbox="read-only", approvalPolicy="on-request")
    if how == "turn/start":
        await talk.run("hi", **wishes)
    else:
        await client.call(how, {"threadId": talk.id, **wishes})
    await until(lambda: ear.of("thread/settings/updated"))
    for _ in range(2):  # also in the turns after it
        settings = ear.of("thread/settings/updated")[-1]["threadSettings"]
        assert {name: settings[name] for name in told} == told
        await talk.run("again")


@pytest.mark.parametrize("how", ["turn/start", "thread/settings/update"])
async def test_two_words_for_a_sandbox_are_one_too_many(talk: Conversation, how: str) -> None:
    wishes: dict[str, Any] = {
        "permissions": ":workspace",
        "sandboxPolicy": {"type": "dangerFullAccess"},
    }
    if how == "turn/start":
        wishes["input"] = []
    with pytest.raises(RpcError, match="cannot be combined"):
        await talk.client.call(how, {"threadId": talk.id, **wishes})
    await talk.run()  # and nothing has come of it


async def test_a_profile_that_does_not_exist_is_refused(talk: Conversation) -> None:
    with pytest.raises(RpcError, match="unknown built-in profile `:moon`"):
        await talk.client.call(
            "thread/settings/update", {"threadId": talk.id, "permissions": ":moon"}
        )


async def test_a_folder_is_seen_from_the_one_before(
    client: WireClient, stand_in: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "inner").mkdir()
    talk = await converse(client, cwd=str(tmp_path))
    await talk.run("hi", cwd="inner")
    inner = os.path.join(str(tmp_path), "inner")
    assert any(
        f"<cwd>{inner}</cwd>" in text for text in stand_in.response_requests[-1].input_texts()
    )


@pytest.mark.parametrize("config", [{"model_context_window": 777_000}])
async def test_a_window_may_be_configured(talk: Conversation, ear: Ear) -> None:
    await talk.run()
    await until(lambda: ear.of("thread/tokenUsage/updated"))
    usage = ear.of("thread/tokenUsage/updated")[-1]["tokenUsage"]
    assert usage["modelContextWindow"] == 777_000
