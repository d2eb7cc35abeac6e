"""Words: the types of everything that is said, and one table; no I/O, no Trio.

The words of threads, of models and of the configuration are imported when they are first used:
a class of words takes longer to make than a message takes to be answered, and a server that is
only asked for its account has no use for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from codex_trio.protocol import catalogue as catalogue
    from codex_trio.protocol import configuration as configuration
    from codex_trio.protocol import items as items
    from codex_trio.protocol import listing as listing
    from codex_trio.protocol import models as models
    from codex_trio.protocol import older_threads as older_threads
    from codex_trio.protocol import permissions as permissions
    from codex_trio.protocol import thread_news as thread_news
    from codex_trio.protocol import threads as threads
    from codex_trio.protocol import turns as turns
    from codex_trio.protocol import upkeep as upkeep

LATE: Final = frozenset(
    {
        "catalogue",
        "configuration",
        "items",
        "listing",
        "models",
        "older_threads",
        "permissions",
        "thread_news",
        "threads",
        "turns",
        "upkeep",
    }
)
"""The modules that are attributes of this package before they are imported (PEP 562)."""


def __getattr__(name: str) -> Any:
    """Import a late module; from then on it is an ordinary attribute."""
    if name in LATE:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
