"""How conversations are loaded: begun, resumed, forked."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import trio

from codex_trio.errors import RpcError
from codex_trio.rpc.lanes import Lanes
from codex_trio.threads import instructions
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.choosing import choose_terms
from codex_trio.threads.fold import Fold
from codex_trio.threads.ids import check_id, new_id
from codex_trio.threads.items_taken import is_taken
from codex_trio.threads.meta import Meta
from codex_trio.threads.recorded import read_meta
from codex_trio.threads.reverting import revert
from codex_trio.threads.rollout import RecordError, Rollout
from codex_trio.threads.rollout_files import revised_path, rollout_path
from codex_trio.threads.thread import SOURCE, Thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codex_trio.configuration.reading import Configuration
    from codex_trio.protocol import threads as words
    from codex_trio.rpc.client import Client
    from codex_trio.rpc.router import Router
    from codex_trio.settings import Settings
    from codex_trio.threads.desk import Threads
    from codex_trio.threads.meta import HistoryBase
    from codex_trio.threads.recorded import Recorded
    from codex_trio.threads.shelf import Shelf
    from codex_trio.threads.surroundings import Outlook
    from codex_trio.threads.terms import Terms
    from codex_trio.threads.writers import Claim

_WRITERS: Final = 16  # records that are written at a time
_UNDO: Final = 5.0  # seconds to remove what was begun in vain

T = TypeVar("T")


@attrs.define(eq=False)
class Beginnings:
    """Loads the conversations of one account scope.

    A cancelled call has loaded nothing, or all of it.
    """

    _settings: Settings
    _configuration: Configuration
    _threads: Threads
    _shelf: Shelf
    _outlook: Outlook
    _router: Router
    _records: trio.Nursery
    _loading: Lanes = attrs.field(factory=Lanes, init=False)
    _disk: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, _WRITERS), init=False
    )

    async def start(self, wishes: words.ThreadStartParams, client: Client) -> Thread:
        """Begin a conversation, of which nothing is on disk yet.

        Raises:
            RpcError: it cannot be as it is wished, or as it is configured.
        """
        terms = await choose_terms(self._settings, self._configuration, wishes)
        terms = await self._instructed(terms)
        meta = await self._meta(terms, client, thread_source=wishes.thread_source)
        if wishes.history_mode is not None:
            meta = attrs.evolve(meta, history_mode=wishes.history_mode)
        if wishes.ephemeral:
            return self._load(meta, terms, Fold(), ephemeral=True)
        daybreak = wishes.daybreak_enabled
        if daybreak is not None:
            await self._shelf.set_metadata(meta.id, meta.git_info, daybreak)
        thread = self._load(meta, terms, Fold(), claim=await self._shelf.writers.claim(meta.id))
        thread.daybreak_enabled = daybreak
        return thread

    async def resume(
        self, wishes: words.ThreadResumeParams, client: Client
    ) -> tuple[Thread, bool]:
        """Return a conversation, and whether it has been loaded for that.

        Raises:
            RpcError: there is no such conversation, or it cannot be read, or it is another
                server that goes on with it.
        """
        if wishes.history is not None:
            return await self._begin_with(wishes, client), True
        thread_id = (
            wishes.thread_id if wishes.path else check_id(wishes.thread_id, "session id")
        )
        if (loaded := self._threads.loaded.get(thread_id)) is not None:
            _expect_path(loaded, wishes.path)
            if loaded.rollout is None or loaded.beginning is not None:
                raise _not_found(thread_id)
            return loaded, False
        path = await self._find(thread_id, wishes.path)
        if wishes.path:
            thread_id = (await _recall(partial(_read_meta, path))).id
        # Two requests may name it, one of them by its path.
        place = self._loading.join(thread_id)
        try:
            await place.wait_admitted()
            if (loaded := self._threads.loaded.get(thread_id)) is not None:
                return loaded, False
            return await self._go_on(wishes, thread_id, path), True
        finally:
            place.leave()

    async def _go_on(
        self, wishes: words.ThreadResumeParams, thread_id: str, path: Path
    ) -> Thread:
        """Load a conversation that is not loaded; nobody else does so meanwhile."""
        claim = await self._shelf.writers.claim(thread_id)
        try:
            # Only now: who had it before us may have written more until now.
            recorded = await self._read(path)
            _expect_id(recorded, thread_id)
            terms = await choose_terms(
                self._settings, self._configuration, wishes, recorded.settings
            )
            terms = await self._instructed(terms)
            note = await self._shelf.note(thread_id)
        except BaseException:  # also when it is cancelled: nobody else would let go of it
            claim.release()
            raise
        terms = _inherited(terms, recorded)
        thread = self._load(recorded.meta, terms, recorded.fold, recorded=recorded, claim=claim)
        thread.name, thread.daybreak_enabled = note.name, note.daybreak_enabled
        return thread

    async def fork(self, wishes: words.ThreadForkParams, client: Client) -> Thread:
        """Begin a conversation with the past of another one.

        Raises:
            RpcError: there is no such conversation, or no such turn in it.
        """
        if wishes.last_turn_id is not None and wishes.before_turn_id is not None:
            raise RpcError.invalid_request(
                "`beforeTurnId` cannot be combined with `lastTurnId`"
            )
        if wishes.ephemeral and not wishes.exclude_turns:
            raise RpcError.invalid_request(
                "ephemeral paginated thread/fork requires `excludeTurns: true`"
            )
        source_id = (
            wishes.thread_id if wishes.path else check_id(wishes.thread_id, "session id")
        )
        source = self._threads.loaded.get(source_id)
        if source is not None:
            if source.rollout is None or source.beginning is not None:
                raise _not_found(source_id)
            if (trouble := await source.flush()) is not None:
                raise RpcError.internal(f"failed to store thread {source_id}: {trouble}")
        path = await self._find(source_id, wishes.path)
        recorded = await self._read(path)
        base = _base_of(recorded, wishes)
        past = Fold()
        if base is not None:
            past = await _recall(partial(self._shelf.read_past, path, base))
            if wishes.ephemeral:  # others will have their own (observed)
                past.preview, past.user_has_spoken = recorded.preview, True
        terms = await choose_terms(
            self._settings, self._configuration, wishes, recorded.settings
        )
        terms = _inherited(await self._instructed(terms), recorded)
        meta = await self._meta(terms, client, thread_source=wishes.thread_source)
        meta = attrs.evolve(meta, forked_from_id=recorded.meta.id, history_base=base)
        name = (await self._shelf.note(recorded.meta.id)).name
        if wishes.ephemeral:
            thread = self._load(meta, terms, past, ephemeral=True)
            thread.name = name
            return thread
        if name is not None:
            await self._shelf.set_name(meta.id, name)
        thread = self._load(meta, terms, past, claim=await self._shelf.writers.claim(meta.id))
        thread.name = name
        thread.note_terms()
        try:
            # Its past is another's, who must not be deleted from now on.
            if (trouble := await thread.flush()) is not None:
                await self._threads.unload(meta.id, lossy=True)
                raise RpcError.internal(f"failed to store thread {meta.id}: {trouble}")
            path = Path(thread.path or "")
            if base is not None and not await self._shelf.has_base(base, path):
                await self._remove(meta.id)
                raise _not_found(source_id)
        except trio.Cancelled:
            # Nobody knows of it, nor will. (Of a file that is not there yet, delete complains.)
            with trio.move_on_after(_UNDO, shield=True), suppress(RpcError):
                await self._remove(meta.id)
            raise
        return thread

    async def _remove(self, thread_id: str) -> None:
        await self._threads.unload(thread_id, lossy=True)
        await self._shelf.delete(thread_id)

    async def _begin_with(self, wishes: words.ThreadResumeParams, client: Client) -> Thread:
        """Begin a conversation with a history that the client brings."""
        if wishes.thread_id in self._threads.loaded:
            raise RpcError.invalid_request(
                f"cannot resume thread {wishes.thread_id} with history while it is already running"
            )
        if not wishes.history:
            raise RpcError.invalid_request("history must not be empty")
        terms = await choose_terms(self._settings, self._configuration, wishes)
        terms = await self._instructed(terms)
        meta = await self._meta(terms, client)
        thread = self._load(meta, terms, Fold(), claim=await self._shelf.writers.claim(meta.id))
        items = [item for item in wishes.history if isinstance(item, dict) and is_taken(item)]
        thread.write(*(lines.response_item(item) for item in items))
        return thread

    async def revert(self, thread: Thread, turn_id: str) -> None:
        """Take back a turn and all that came after it; see ``reverting.revert``."""
        await revert(thread, turn_id, self._threads, self._shelf, self._open_revised)

    # --- what they are made of ---

    def _open_revised(self, thread_id: str, ordinal: int) -> Rollout:
        path = revised_path(self._settings.codex_home, thread_id)
        return Rollout(path, self._records, ordinal=ordinal, threads=self._disk)

    async def _meta(
        self, terms: Terms, client: Client, *, thread_source: str | None = None
    ) -> Meta:
        git = await self._outlook.git(terms.cwd)
        thread_id = new_id()
        return Meta(
            id=thread_id,
            session_id=thread_id,
            created_ms=time.time_ns() // 1_000_000,
            cwd=terms.cwd,
            originator=client.originator,
            cli_version=self._settings.version,
            source=SOURCE,
            thread_source=thread_source,
            model_provider=terms.provider.id,
            base_instructions=terms.base_instructions or instructions.BASE,
            history_mode="paginated",
            workspace_roots=terms.workspace_roots,
            git_info=git,
        )

    async def _instructed(self, terms: Terms) -> Terms:
        """Find the AGENTS.md files, whose names clients are told at once."""
        found = await self._outlook.instructions(terms)
        return attrs.evolve(terms, instruction_sources=found.sources)

    def _load(
        self,
        meta: Meta,
        terms: Terms,
        fold: Fold,
        *,
        ephemeral: bool = False,
        recorded: Recorded | None = None,
        claim: Claim | None = None,
    ) -> Thread:
        """Make a conversation, and have it among those that are loaded. Never waits."""
        rollout = None
        if recorded is not None:
            rollout = Rollout(
                recorded.path,
                self._records,
                ordinal=recorded.next_ordinal,
                exists=True,
                threads=self._disk,
            )
        elif not ephemeral:
            path = rollout_path(self._settings.codex_home, meta.id)
            ordinal = None if meta.history_mode == "legacy" else fold.next_ordinal
            rollout = Rollout(path, self._records, ordinal=ordinal, threads=self._disk)
        thread = Thread(
            meta, terms, fold, rollout, self._router, ephemeral=ephemeral, claim=claim
        )
        if recorded is None:
            thread.beginning = lines.session_meta(
                meta, instructions_of=None if terms.base_instructions else terms.model
            )
        self._threads.load(thread)
        return thread

    # --- what is on disk ---

    async def _find(self, thread_id: str, path: str | None) -> Path:
        if path:
            return await self._shelf.resolve(path)
        if (found := await self._shelf.find(thread_id)) is not None:
            return found
        if await self._shelf.find(thread_id, archived=True) is not None:
            raise RpcError.invalid_request(
                f"session {thread_id} is archived. Run `codex unarchive {thread_id}` to"
                " unarchive it first."
            )
        raise _not_found(thread_id)

    async def _read(self, path: Path) -> Recorded:
        return await _recall(partial(self._shelf.read, path))


async def _recall(read: Callable[[], Awaitable[T]]) -> T:
    """Read what is on disk; what cannot be read is no fault of the client's."""
    try:
        return await read()
    except (OSError, RecordError) as error:
        raise RpcError.internal(
            f"failed to read thread: thread-store internal error: {error}"
        ) from None


async def _read_meta(path: Path) -> Meta:
    return await trio.to_thread.run_sync(read_meta, path, abandon_on_cancel=True)


def _inherited(terms: Terms, recorded: Recorded) -> Terms:
    """Go on with the base instructions that a conversation has begun with, unless others come."""
    if terms.base_instructions is not None:
        return terms
    return attrs.evolve(terms, base_instructions=recorded.meta.base_instructions)


def _base_of(recorded: Recorded, wishes: words.ThreadForkParams) -> HistoryBase | None:
    """Say what of a conversation is wished: all of it, or its turns up to one of them."""
    before = wishes.before_turn_id
    if wishes.last_turn_id is not None:
        ids = [turn.id for turn in recorded.turns]
        if wishes.last_turn_id not in ids:
            raise RpcError.invalid_request(f"turn not found: {wishes.last_turn_id}")
        place = ids.index(wishes.last_turn_id) + 1
        before = ids[place] if place < len(ids) else None
    try:
        return recorded.base_at(before)
    except LookupError:
        raise RpcError.invalid_request(f"turn not found: {before}") from None


def _expect_id(recorded: Recorded, thread_id: str) -> None:
    """Refuse a copy of a record under another name: its thread may be loaded."""
    if recorded.meta.id != thread_id:
        raise RpcError.internal(
            f"failed to read thread: {recorded.path} is the record of another thread"
        )


def _expect_path(loaded: Thread, path: str | None) -> None:
    if path and Path(path) != Path(loaded.path or ""):
        raise RpcError.invalid_request(
            f"cannot resume running thread {loaded.id} with stale path: requested `{path}`,"
            f" active `{loaded.path}`"
        )


def _not_found(thread_id: str) -> RpcError:
    return RpcError.invalid_request(f"no rollout found for thread id {thread_id}")
