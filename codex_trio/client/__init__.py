"""A typed client of a server: ours or the original, in this process or anywhere.

::

    async with connect("stdio:codex-trio app-server") as client:
        thread = await client.start_thread(cwd="/tmp/project")
        print(await thread.ask("What is in this folder?"))

Requests are rows of ``codex_trio.protocol.methods`` with words for params and results; the few
verbs on top are for what takes more than one request.
"""

from __future__ import annotations

from codex_trio.client.client import Client, open_client
from codex_trio.client.connecting import connect
from codex_trio.client.logins import BrowserLogin, DeviceCodeLogin, Login
from codex_trio.client.news import News
from codex_trio.client.threads import Thread, Turn

__all__ = [
    "BrowserLogin",
    "Client",
    "DeviceCodeLogin",
    "Login",
    "News",
    "Thread",
    "Turn",
    "connect",
    "open_client",
]
