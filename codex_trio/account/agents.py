"""Who we say we are when we ask somebody on an account's behalf."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from codex_trio.user_agent import choose_originator, user_agent

if TYPE_CHECKING:
    from codex_trio.rpc.client import Client
    from codex_trio.settings import Settings


def agent_of(client: Client) -> dict[str, str]:
    """Make the headers for what a client has caused."""
    return {"originator": client.originator, "user-agent": client.user_agent}


def own_agent(settings: Settings) -> dict[str, str]:
    """Make the headers for what no client has caused (the original's first name for itself)."""
    originator = choose_originator(settings.originator, "codex_cli_rs")
    agent = user_agent(
        originator, settings.version, f"codex-trio; {settings.version}", os.environ
    )
    return {"originator": originator, "user-agent": agent}
