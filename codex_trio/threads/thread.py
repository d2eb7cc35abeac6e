"""One conversation: what has been said, who follows it, and the turn that is under way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import trio

from codex_trio.account.limits import merge, read_headers
from codex_trio.protocol import account_rows, limits
from codex_trio.protocol import thread_news as news
from codex_trio.protocol import thread_rows as rows
from codex_trio.protocol import threads as words
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.chronicle import Chronicle
from codex_trio.threads.followers import Followers
from codex_trio.threads.legacy_lines import as_legacy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_trio.protocol.rows import ServerNotification
    from codex_trio.protocol.turns import Turn as TurnWords
    from codex_trio.rpc.client import Client
    from codex_trio.rpc.router import Router
    from codex_trio.threads.context import Item
    from codex_trio.threads.fold import Fold
    from codex_trio.threads.line import Line
    from codex_trio.threads.meta import Meta
    from codex_trio.threads.rollout import RecordError, Rollout
    from codex_trio.threads.terms import Terms
    from codex_trio.threads.turn import Turn
    from codex_trio.threads.writers import Claim

P = TypeVar("P")

SOURCE: Final = "vscode"
"""Where threads come from that clients begin over the wire, whoever they are (observed)."""


@attrs.define(eq=False)
class Thread:
    """A conversation that is loaded; made by ``Threads``.

    What has happened in it is one sequence of lines. Each is recorded on disk, unless the
    conversation is ephemeral, and folded into what is known here: the history that the model is
    sent, the turns that clients read. So a conversation that is loaded from disk is the same as
    the one that was recorded. It changes between checkpoints only, and belongs to no
    connection: it outlives those that follow it.
    """

    meta: Meta
    terms: Terms
    fold: Fold
    rollout: Rollout | None
    _router: Router
    ephemeral: bool = attrs.field(default=False, kw_only=True)
    claim: Claim | None = attrs.field(default=None, kw_only=True)
    """Our right to write to it, while no other process has it."""
    name: str | None = None
    daybreak_enabled: bool | None = None
    beginning: Line | None = attrs.field(default=None, repr=False)
    """The first line of its record, until there is a second: nothing is recorded before that."""
    followers: Followers = attrs.field(factory=Followers, init=False)
    turn: Turn | None = attrs.field(default=None, init=False)
    """The turn that is under way."""
    used_at: float = attrs.field(factory=trio.current_time, init=False)
    """When something was last asked of it, on Trio's clock."""
    updated_at: int = attrs.field(factory=lambda: int(time.time()))
    limits: limits.RateLimitSnapshot | None = attrs.field(default=None, init=False)
    read_state: news.ThreadReadState | None = attrs.field(default=None, init=False)
    """What of it has not been read yet; None for nothing."""
    failed: bool = attrs.field(default=False, init=False)
    """Whether its last turn has failed."""
    chronicle: Chronicle = attrs.field(
        default=attrs.Factory(lambda self: Chronicle(self), takes_self=True), init=False
    )
    _troubled: bool = attrs.field(default=False, init=False)
    _noted: object = attrs.field(default=None, init=False)  # the terms that are recorded

    # --- what it is ---

    @property
    def id(self) -> str:
        """The id of the conversation."""
        return self.meta.id

    @property
    def path(self) -> str | None:
        """Where it is recorded, or will be once something is said in it."""
        return None if self.rollout is None else str(self.rollout.path)

    @property
    def is_paginated(self) -> bool:
        """Whether it is recorded in the newer way, in which it can be read by the page."""
        return self.meta.history_mode == "paginated"

    @property
    def cache_key(self) -> str:
        """By what a host remembers the beginning of its history, which a fork has in common."""
        return (self.ephemeral and self.meta.forked_from_id) or self.id

    @property
    def history(self) -> Sequence[Item]:
        """What has been said, as the model is sent it."""
        return self.fold.history

    @property
    def turns(self) -> list[TurnWords]:
        """All turns with their items, the one that is under way too."""
        return self.fold.turns

    @property
    def status(self) -> words.ThreadStatus:
        """What it does."""
        if self.turn is not None:
            return words.ActiveThreadStatus(active_flags=[])
        return words.SystemErrorThreadStatus() if self.failed else words.IdleThreadStatus()

    def thread(self, past: Sequence[TurnWords] = ()) -> words.Thread:
        """Say the conversation as clients are told it."""
        meta, terms = self.meta, self.terms
        environments = terms.environments
        if environments is None:
            environments = (
                words.ThreadEnvironment(
                    environment_id="local",
                    cwd=terms.cwd,
                    runtime_workspace_roots=list(terms.workspace_roots),
                ),
            )
        return words.Thread(
            id=meta.id,
            environments=list(environments),
            session_id=meta.session_id,
            forked_from_id=meta.forked_from_id,
            preview=self.fold.preview,
            ephemeral=self.ephemeral,
            project_id=None,
            history_mode=meta.history_mode,
            model_provider=terms.provider.id,
            model=terms.model,
            reasoning_effort=terms.effort,
            created_at=meta.created_ms // 1000,
            updated_at=self.updated_at,
            recency_at=self.updated_at,
            status=self.status,
            path=self.path,
            cwd=terms.cwd,
            cli_version=meta.cli_version,
            originator=meta.originator,
            source=meta.source,
            can_accept_direct_input=True,
            thread_source=meta.thread_source,
            git_info=None if self.beginning is not None else meta.git_info,
            name=self.name,
            daybreak_enabled=self.daybreak_enabled,
            turns=list(past),
        )

    def is_idle(self, seconds: float) -> bool:
        """Say whether nobody has followed or used it for so long."""
        latest = trio.current_time() - seconds
        return self.turn is None and not len(self.followers) and self.used_at < latest

    def let_go(self) -> None:
        """Let other processes write to it; blocks for a moment."""
        if self.claim is not None:
            self.claim.release()

    # --- what is recorded and told ---

    def write(self, *happened: Line) -> None:
        """Note what has happened. Never waits; ``flush`` waits for the disk."""
        if self.beginning is not None:
            happened = (self.beginning, *happened)
            self.beginning = None
        if self.meta.history_mode == "legacy":
            happened = tuple(older for line in happened for older in as_legacy(line))
        for line in happened:
            self.fold.take(line)
        if self.rollout is not None:
            self.rollout.append(*happened)
        self.updated_at = int(time.time())

    async def flush(self) -> RecordError | None:
        """Wait until all that has happened is on disk; returns why it is not.

        Followers are warned of that, too. A cancelled call leaves it on its way there.
        """
        if self.rollout is None or (trouble := await self.rollout.flush()) is None:
            self._troubled = False
            return None
        if not self._troubled:
            self._troubled = True
            self.warn(str(trouble))
        return trouble

    @property
    def is_stored(self) -> bool:
        """Whether nothing waits to be written."""
        return self.rollout is None or self.rollout.is_empty

    def tell(self, row: ServerNotification[P], params: P) -> None:
        """Tell those who follow it."""
        self.followers.tell(row, params)

    def announce(self, row: ServerNotification[P], params: P) -> None:
        """Tell everybody who is connected to the account."""
        self._router.broadcast(row, params)

    def announce_status(self) -> None:
        """Tell everybody what it does now."""
        self.announce(
            rows.THREAD_STATUS_CHANGED,
            news.ThreadStatusChangedNotification(thread_id=self.id, status=self.status),
        )

    def warn(self, text: str) -> None:
        """Tell those who follow it what they should know."""
        self.tell(rows.WARNING, news.WarningNotification(thread_id=self.id, message=text))

    def set_terms(self, terms: Terms) -> None:
        """Have other terms hold from now on; followers are told if they are."""
        if terms != self.terms:
            self.terms = terms
            if self.fold.user_has_spoken:
                self.note_terms()
            self.tell(
                rows.THREAD_SETTINGS_UPDATED,
                news.ThreadSettingsUpdatedNotification(
                    thread_id=self.id, thread_settings=terms.words()
                ),
            )

    def note_terms(self, *, anew: bool = False) -> None:
        """Record what is set, unless that was recorded before."""
        said = (self.terms.words(), self.terms.workspace_roots)
        if anew or said != self._noted:
            self._noted = said
            self.write(lines.thread_settings_applied(self.id, *said))

    def tell_last_usage(self, client: Client) -> None:
        """Tell a client what the conversation has cost, as of its last turn."""
        usage, turn_id = self.fold.usage, self.fold.usage_turn_id
        if usage is not None and turn_id is not None:
            client.tell(
                rows.THREAD_TOKEN_USAGE_UPDATED,
                news.ThreadTokenUsageUpdatedNotification(
                    thread_id=self.id, turn_id=turn_id, token_usage=usage
                ),
            )

    def tell_usage(self, turn_id: str, headers: Mapping[str, str]) -> None:
        """Tell what the conversation has cost, and what its account may still cost."""
        if (usage := self.fold.usage) is not None:
            self.tell(
                rows.THREAD_TOKEN_USAGE_UPDATED,
                news.ThreadTokenUsageUpdatedNotification(
                    thread_id=self.id, turn_id=turn_id, token_usage=usage
                ),
            )
        for told in read_headers(headers):
            self.limits = merge(self.limits, told)
        if self.limits is not None:
            self.tell(
                account_rows.RATE_LIMITS_UPDATED,
                limits.AccountRateLimitsUpdatedNotification(rate_limits=self.limits),
            )

    def is_full(self, terms: Terms) -> bool:
        """Say whether a summary has to be made before a model is told more, on these terms."""
        usage = self.fold.usage
        limit = terms.compact_limit
        if usage is None or not limit or not self.history:
            return False
        return usage.last.total_tokens >= limit
