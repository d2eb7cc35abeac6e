"""On whose behalf something is done: the connection, and the request of it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Occasion(Protocol):
    """Why something is done."""

    @property
    def names(self) -> Mapping[str, str | int]:
        """What it is called in logs; nothing in it is secret, or long."""
        ...


CURRENT: Final[ContextVar[Occasion | None]] = ContextVar("codex_trio.occasion", default=None)
"""The occasion of this task; what a request begins inherits it, in worker threads, too.

A request that is answered on the spot never becomes a task: its occasion is its connection.
"""
