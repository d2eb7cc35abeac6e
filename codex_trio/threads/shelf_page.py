"""Which threads a list has: the filters, the order, and where a page begins."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from codex_trio.errors import RpcError
from codex_trio.threads.line import timestamp_of
from codex_trio.threads.meta import read_time

if TYPE_CHECKING:
    from codex_trio.threads.glance import Glance

SortKey: TypeAlias = Literal["created_at", "updated_at", "recency_at"]

INTERACTIVE: Final = frozenset({"cli", "vscode", "custom"})
"""The kinds of sources that a list has when nobody asks for others."""

_SUB_AGENTS: Final = {
    "review": "subAgentReview",
    "compact": "subAgentCompact",
    "thread_spawn": "subAgentThreadSpawn",
}
_AGENTS: Final = frozenset({"review", "compact", "memory_consolidation"})
_SPAWNED: Final = {"agent_path": None, "agent_nickname": None, "agent_role": None}
_SOURCES: Final = {"cli": "cli", "vscode": "vscode", "exec": "exec", "mcp": "appServer"}

_CURSOR: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))(?:\|([0-9a-f-]{36}))?"
)


@attrs.frozen
class Cursor:
    """A place between two threads of a list.

    ::

        2026-11-21T13:35:20Z            a second, in lists by creation
        2026-11-21T13:35:18.02Z         a millisecond
        2026-11-21T13:35:18.02Z|UUID    a thread

    The original writes the first kind for lists by creation, and goes on with the next second;
    so it leaves out what began in the same second as the last thread of a page. We write the
    third kind then, which it knows from other lists. (Observed on 0.163.0; the rest is ours.)
    """

    moment_ms: int
    exact: bool = True
    thread_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read a cursor that a client has brought back.

        Raises:
            RpcError: it is none.
        """
        found = _CURSOR.fullmatch(text)
        moment_ms = None if found is None else read_time(found[1])
        if found is None or moment_ms is None:
            raise RpcError.invalid_request(f"invalid cursor: {text}")
        return cls(moment_ms, found[2] is not None, found[3])

    def is_before(
        self, key: tuple[int, str], *, descending: bool, whole_seconds: bool = False
    ) -> bool:
        """Say whether a thread comes behind this place.

        Args:
            key: its time and its id.
            descending: the latest comes first.
            whole_seconds: a cursor without milliseconds is behind all of its second.
        """
        moment_ms, _ = key
        if self.thread_id is not None:
            here = (self.moment_ms, self.thread_id)
            return key < here if descending else key > here
        if descending:
            return moment_ms < self.moment_ms
        if whole_seconds and not self.exact:
            return moment_ms // 1000 > self.moment_ms // 1000
        return moment_ms > self.moment_ms


@attrs.frozen(kw_only=True)
class Query:
    """Which threads, in which order, from where on; what is None or empty takes them all.

    Args:
        provider: who runs the models of threads that do not say.
        sources: kinds of sources, as clients name them; empty for those that people use.
        cwds: absolute paths.
        parent_id: of the thread that has begun them; ``ancestor_id``, or one before that.
        fine_cursors: cursors are to the millisecond also in lists by creation.
    """

    limit: int = 25
    cursor: Cursor | None = None
    sort_key: SortKey = "created_at"
    descending: bool = True
    archived: bool = False
    excluded_ids: frozenset[str] = frozenset()
    provider: str = "openai"
    model_providers: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    cwds: frozenset[str] = frozenset()
    search_term: str | None = None
    parent_id: str | None = None
    ancestor_id: str | None = None
    fine_cursors: bool = False

    @property
    def whole_seconds(self) -> bool:
        """Whether cursors are to the second, where that leaves out nothing."""
        return self.sort_key == "created_at" and not self.fine_cursors

    def is_behind_cursor(self, key: tuple[int, str]) -> bool:
        """Say whether a thread comes behind the place where the page begins."""
        return self.cursor is None or self.cursor.is_before(
            key, descending=self.descending, whole_seconds=self.whole_seconds
        )

    def takes(self, glance: Glance, name: str | None) -> bool:
        """Say whether a list has a thread; who has said nothing yet is in none."""
        meta = glance.meta
        if glance.preview is None:
            return False
        if not self.sources:
            wants_all = self.parent_id is not None or self.ancestor_id is not None
            if not wants_all and kinds_of(meta.source).isdisjoint(INTERACTIVE):
                return False
        elif self.sources.isdisjoint(kinds_of(meta.source)):
            return False
        provider = glance.model_provider or self.provider
        if self.model_providers and provider not in self.model_providers:
            return False
        if self.cwds and os.path.normpath(glance.cwd) not in self.cwds:
            return False
        if self.parent_id is not None and meta.parent_thread_id != self.parent_id:
            return False
        return not self.search_term or (
            self.search_term in glance.preview or self.search_term in (name or "")
        )

    def next_cursor(self, last: tuple[int, str], following: tuple[int, str]) -> str:
        """Say where the page behind this one begins, when there is one."""
        moment_ms, thread_id = last
        if self.whole_seconds:
            if moment_ms // 1000 != following[0] // 1000:
                return f"{timestamp_of(moment_ms)[:-5]}Z"
            return f"{_short(moment_ms)}|{thread_id}"
        if self.sort_key == "recency_at" or moment_ms == following[0]:
            return f"{_short(moment_ms)}|{thread_id}"
        return _short(moment_ms)

    def backwards_cursor(self, first: tuple[int, str]) -> str:
        """Say where a list in the other direction begins that has the first thread in it."""
        moment_ms = first[0]
        if self.fine_cursors and self.sort_key == "created_at":
            moment_ms -= moment_ms % 1000  # observed, and of no consequence
        return timestamp_of(moment_ms - 1 if self.descending else moment_ms + 1)


def _short(moment_ms: int) -> str:
    """Write a moment with no more digits than it needs."""
    return timestamp_of(moment_ms)[:-1].rstrip("0").rstrip(".") + "Z"


def source_words(source: object) -> Any:
    """Write where a thread comes from as clients are told it."""
    if isinstance(source, str):
        return _SOURCES.get(source, "unknown")
    match source:
        case {"custom": str(name)}:
            return {"custom": name}
        case {"subagent": {"thread_spawn": dict(spawned)}}:
            return {"subAgent": {"thread_spawn": {**_SPAWNED, **spawned}}}
        case {"subagent": str(agent)} | {"subAgent": str(agent)} if agent in _AGENTS:
            return {"subAgent": agent}
        case {"subagent": {"other": str(name)}} | {"subAgent": {"other": str(name)}}:
            return {"subAgent": {"other": name}}
        case {"subagent": agent} | {"subAgent": agent} if agent is not None:
            return {"subAgent": {"other": ""}}  # one that clients have no words for
        case _:
            return "unknown"


def has_read_state(source: object) -> bool:
    """Say whether it is told what has not been read of a thread (observed)."""
    told = source_words(source)
    return told != "unknown" and not (isinstance(told, dict) and "subAgent" in told)


def kinds_of(source: object) -> frozenset[str]:
    """Name the kinds of a source, as filters do."""
    told = source_words(source)
    if isinstance(told, str):
        return frozenset({told})
    if "custom" in told:
        return frozenset({"custom"})
    agent = told["subAgent"]
    name = next(iter(agent), "") if isinstance(agent, dict) else agent
    return frozenset({"subAgent", _SUB_AGENTS.get(str(name), "subAgentOther")})
