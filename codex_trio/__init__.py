"""The Codex app-server in Python on Trio: the same wire, a better inside.

The public door: ``open_server`` for a server in your own process, ``serve_stdio`` for one on
standard input and output, ``Settings`` for what can be configured, ``Store`` for keeping
credentials yourself; ``codex_trio.testing`` has a client in memory. The names are loaded when they are first used, so that importing a part of
the package costs no more than that part.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_trio.account.credentials import Credentials
    from codex_trio.account.storage import CallableStore, Store
    from codex_trio.scope import AccountScope
    from codex_trio.server import Server, open_server, serve_stdio
    from codex_trio.settings import Settings, load_settings

__version__ = "0.1.0"

__all__ = [
    "AccountScope",
    "CallableStore",
    "Credentials",
    "Server",
    "Settings",
    "Store",
    "__version__",
    "load_settings",
    "open_server",
    "serve_stdio",
]

_HOMES = {
    "AccountScope": "codex_trio.scope",
    "CallableStore": "codex_trio.account.storage",
    "Credentials": "codex_trio.account.credentials",
    "Server": "codex_trio.server",
    "Settings": "codex_trio.settings",
    "Store": "codex_trio.account.storage",
    "load_settings": "codex_trio.settings",
    "open_server": "codex_trio.server",
    "serve_stdio": "codex_trio.server",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
