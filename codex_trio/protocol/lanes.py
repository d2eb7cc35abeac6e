"""Which requests wait for one another.

That follows the original, whose lanes span connections as well. One thing is ours: those that
only read the account do not wait for one another, only for those that change it.
"""

from __future__ import annotations

import uuid
from typing import Final

from codex_trio.protocol.rows import Lane


def _as_uuid(text: str) -> str:
    """Spell an id as we do, however a client does; anything else is as it is."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return text


ACCOUNT: Final = Lane("account-auth")
ACCOUNT_SHARED: Final = Lane("account-auth", shared=True)
COMMAND: Final = Lane("command", ("process_id",))
CONFIG: Final = Lane("config")
CONFIG_SHARED: Final = Lane("config", shared=True)
ENVIRONMENT: Final = Lane("environment")
ENVIRONMENT_SHARED: Final = Lane("environment", shared=True)
FS_WATCH: Final = Lane("fs-watch", ("watch_id",))
FUZZY_SEARCH: Final = Lane("fuzzy-search", ("session_id",))
MCP_OAUTH: Final = Lane("mcp-oauth", ("name",))
MCP_REGISTRY: Final = Lane("mcp-registry")
MEMORY: Final = Lane("memory")
MEMORY_SHARED: Final = Lane("memory", shared=True)
PAIRING: Final = Lane("remote-control-pairing")
PAIRING_SHARED: Final = Lane("remote-control-pairing", shared=True)
PROCESS: Final = Lane("process", ("process_handle",))
PROJECTS: Final = Lane("projects")
PROJECTS_SHARED: Final = Lane("projects", shared=True)
REMOTE_CLIENTS: Final = Lane("remote-control-clients")
REMOTE_CLIENTS_SHARED: Final = Lane("remote-control-clients", shared=True)
REMOTE_CONTROL: Final = Lane("remote-control")
REMOTE_CONTROL_SHARED: Final = Lane("remote-control", shared=True)
SECTIONS: Final = Lane("thread-sections")
SECTIONS_SHARED: Final = Lane("thread-sections", shared=True)
THREAD: Final = Lane("thread", ("thread_id",), spelled=_as_uuid)
THREAD_OR_PATH: Final = Lane("thread", ("thread_id", "path"), spelled=_as_uuid)
WINDOWS_SANDBOX: Final = Lane("windows-sandbox-setup")
