"""An editor that works with Codex through codex-acp, and speaks the Agent Client Protocol."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from codex_trio.testing import StandIn, WireClient, open_client
from codex_trio.transport.lines import LineWire
from tests.clients.servers import PACKAGES, SERVER
from tests.processes import start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

BRIDGE = Path(PACKAGES, "node_modules/@agentclientprotocol/codex-acp/dist/index.js")

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
    """An editor that has started the bridge, which starts the server."""
    tools = home.parent / "tools"
    tools.mkdir(exist_ok=True)
    opener = tools / "xdg-open"
    opener.write_text(BROWSER, encoding="utf-8")
    opener.chmod(0o755)
    environ = {
        **stand_in.environ,
        "CODEX_PATH": SERVER,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
    }
    node = shutil.which("node")
    assert node is not None
    async with start(home, str(BRIDGE), command=[node], environ=environ) as process:
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
        await process.wait()  # the server's end is awaited by the bridge


async def prompt(editor: WireClient, session_id: str, text: str) -> Any:
    """Say something to the agent, and return what it says at the end of its turn."""
    said = [{"type": "text", "text": text}]
    return await editor.call("session/prompt", {"sessionId": session_id, "prompt": said})


async def next_update(editor: WireClient, kind: str) -> Any:
    """Return the next update of a kind, passing over those before it."""
    while True:
        update = (await editor.next_notification("session/update"))["params"]["update"]
        if update["sessionUpdate"] == kind:
            return update
