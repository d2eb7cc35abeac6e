"""codex-acp, the bridge by which editors reach Codex, authenticates through our server."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.testing import StandIn, WireClient, open_client, open_stand_in
from codex_trio.transport.lines import LineWire
from tests.processes import start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

OURS = str(Path(sys.executable).with_name("codex-trio"))
BRIDGE = os.environ.get("CODEX_TRIO_ACP", "")
"""Its index.js; `nox -s clients` installs the bridge from npm and says where it is."""

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not BRIDGE, reason="`nox -s clients` installs codex-acp"),
]

# What the bridge runs to open a browser: a person's part, played by a few lines.
BROWSER = f"""#!{sys.executable}
import sys, urllib.request
urllib.request.urlopen(sys.argv[1]).read()
"""


class JsonRpcWire(LineWire):
    """Lines of JSON-RPC 2.0, which says so in every message."""

    async def send(self, value: bytes) -> None:
        await super().send(b'{"jsonrpc":"2.0",' + value[1:])


@asynccontextmanager
async def open_editor(home: Path, stand_in: StandIn) -> AsyncGenerator[WireClient]:
    """An editor that has started the bridge, which starts ours."""
    tools = home.parent / "tools"
    tools.mkdir()
    opener = tools / "xdg-open"
    opener.write_text(BROWSER, encoding="utf-8")
    opener.chmod(0o755)
    environ = {
        **stand_in.environ,
        "CODEX_PATH": OURS,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
    }
    node = shutil.which("node")
    assert node is not None
    async with start(home, BRIDGE, command=[node], environ=environ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        wire = JsonRpcWire(trio.StapledStream(process.stdin, process.stdout))
        async with open_client(wire) as editor:
            await editor.call(
                "initialize",
                {
                    "protocolVersion": 1,
                    "clientInfo": {"name": "editor", "version": "1.0"},
                    "clientCapabilities": {"elicitation": {"url": {}}},
                },
            )
            yield editor


def stored(home: Path) -> Any:
    return json.loads((home / "auth.json").read_text(encoding="utf-8"))


async def test_an_editor_signs_in_in_every_way_and_out(home: Path) -> None:
    async with open_stand_in() as stand_in, open_editor(home, stand_in) as editor:
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
    async with open_stand_in() as stand_in, open_editor(home, stand_in) as editor:

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
