"""codex-acp, the bridge by which editors reach Codex, authenticates through our server."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.testing import open_stand_in
from tests.clients.editor import open_editor
from tests.clients.servers import PACKAGES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not PACKAGES, reason="`nox -s clients` installs codex-acp"),
]


def stored(home: Path) -> Any:
    return json.loads((home / "auth.json").read_text(encoding="utf-8"))


async def test_an_editor_signs_in_in_every_way_and_out(home: Path) -> None:
    async with open_stand_in() as stand_in:
        (home / "config.toml").write_text(stand_in.config)
        async with open_editor(home, stand_in) as editor:
            meta = {"api-key": {"apiKey": "sk-editor"}}
            await editor.call("authenticate", {"methodId": "api-key", "_meta": meta})
            assert stored(home)["OPENAI_API_KEY"] == "sk-editor"

            await editor.call("authenticate", {"methodId": "chat-gpt"})
            assert stored(home)["auth_mode"] == "chatgpt"
            browser = [one for one in stand_in.requests if one.path == "/oauth/authorize"]
            assert [one.query["originator"] for one in browser] == ["editor"]

            await editor.call("logout", {})
            assert not (home / "auth.json").exists()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    editor.call, "authenticate", {"methodId": "chat-gpt-device-code"}
                )
                question = await editor.next_question()
                code = re.search(r"enter this code: (\S+)", question.params["message"])
                assert code is not None
                stand_in.approve_device(code[1])
                await editor.answer(question, {"action": "accept"})
            assert stored(home)["auth_mode"] == "chatgpt"


async def test_an_editor_that_declines_the_code_cancels_the_login(home: Path) -> None:
    async with open_stand_in() as stand_in:
        (home / "config.toml").write_text(stand_in.config)
        async with open_editor(home, stand_in) as editor:

            async def decline() -> None:
                question = await editor.next_question()
                await editor.answer(question, {"action": "decline"})

            async with trio.open_nursery() as nursery:
                nursery.start_soon(decline)
                with pytest.raises(RpcError):
                    await editor.call("authenticate", {"methodId": "chat-gpt-device-code"})
            polls = len(stand_in.requests)
            await editor.call("authenticate", {"methodId": "chat-gpt"})
            assert stored(home)["auth_mode"] == "chatgpt"
            assert not any(
                one.path.endswith("deviceauth/token") for one in stand_in.requests[polls:]
            )
