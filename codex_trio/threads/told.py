"""How threads are told to clients: those that are loaded, and those that are on disk alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from codex_trio import protocol as words
from codex_trio.errors import ConfigError
from codex_trio.threads.shelf_page import source_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_trio.configuration.reading import Configuration
    from codex_trio.protocol.rows import ServerNotification
    from codex_trio.protocol.thread_news import ThreadReadState
    from codex_trio.protocol.threads import Thread
    from codex_trio.protocol.turns import Turn
    from codex_trio.threads.fold import Fold
    from codex_trio.threads.shelf import Entry


class LoadedThread(Protocol):
    """A thread that is loaded."""

    name: str | None
    daybreak_enabled: bool | None
    read_state: ThreadReadState | None

    @property
    def path(self) -> str | None:
        """Where it is recorded, or will be; None if it is ephemeral."""

    @property
    def fold(self) -> Fold:
        """What has happened in it."""

    def thread(self, turns: Sequence[Turn] = ()) -> Thread:
        """Say it as clients are told it."""

    async def flush(self) -> object:
        """Wait until everything is on disk, or is not to be."""


class LoadedThreads(Protocol):
    """Those of an account."""

    @property
    def loaded(self) -> Mapping[str, LoadedThread]:
        """All of them, by their ids."""

    async def unload(self, thread_id: str, *, lossy: bool = False) -> None:
        """End what a thread does, and forget it; who is not loaded stays so."""

    def tell(self, thread_id: str | None, row: ServerNotification[Any], params: Any) -> None:
        """Tell those who follow a thread, or everybody."""


async def usual_provider(configuration: Configuration) -> str:
    """Say who runs the models of threads that do not say so themselves."""
    try:
        return (await configuration.read()).defaults.model_provider
    except (
        ConfigError
    ):  # who begins a thread is told so; what there is can be told all the same
        return "openai"


def unread(thread_id: str) -> ThreadReadState:
    """Say that nobody knows how far a thread has been read."""
    return words.thread_news.ThreadReadState(revision=f"initial:{thread_id}")


def thread_on_disk(entry: Entry, provider: str) -> Thread:
    """Say a thread that is not loaded as clients are told it."""
    glance, meta = entry.glance, entry.glance.meta
    return words.threads.Thread(
        id=meta.id,
        session_id=meta.session_id,
        forked_from_id=meta.forked_from_id,
        parent_thread_id=meta.parent_thread_id,
        preview=glance.preview or "",
        ephemeral=False,
        project_id=None,
        history_mode=meta.history_mode,
        model_provider=glance.model_provider or provider,
        model=glance.model,
        reasoning_effort=glance.effort,
        created_at=meta.created_ms // 1000,
        updated_at=glance.updated_ms // 1000,
        recency_at=glance.updated_ms // 1000,
        status=words.threads.NotLoadedThreadStatus(),
        path=entry.file.path,
        cwd=glance.cwd,
        cli_version=meta.cli_version,
        originator=meta.originator,
        source=source_words(meta.source),
        agent_nickname=meta.agent_nickname,
        agent_role=meta.agent_role,
        git_info=entry.note.git_info,
        name=entry.note.name,
        daybreak_enabled=entry.note.daybreak_enabled,
        turns=[],
    )
