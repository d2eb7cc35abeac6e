"""thread/list, thread/read, and what else tells of threads that are on disk: the handlers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import attrs

from codex_trio import protocol as words
from codex_trio.errors import METHOD_NOT_FOUND, RpcError
from codex_trio.protocol import thread_rows as rows
from codex_trio.protocol.words import ABSENT
from codex_trio.rpc.calls import Call, serves
from codex_trio.threads.ids import check_id
from codex_trio.threads.line import timestamp_of
from codex_trio.threads.rollout import RecordError
from codex_trio.threads.shelf_page import Cursor, Query, has_read_state
from codex_trio.threads.told import thread_on_disk, unread, usual_provider
from codex_trio.threads.turn_pages import INVALID_PARAMS, items_page, page_size, turns_page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codex_trio.configuration.reading import Configuration
    from codex_trio.protocol import listing, older_threads
    from codex_trio.protocol.thread_news import ThreadReadState
    from codex_trio.protocol.threads import Thread
    from codex_trio.threads.fold import Fold
    from codex_trio.threads.shelf import Entry, Shelf
    from codex_trio.threads.told import LoadedThread, LoadedThreads

NOT_MATERIALIZED: Final = "list_turns is not supported yet"
"""What the original says of the turns of a thread that has none yet."""


@attrs.define(eq=False)
class ListingMethods:
    """Answers for one account scope.

    Args:
        shelf: the threads on disk.
        threads: those that are loaded.
        configuration: says who runs the models of threads that do not say so themselves.
    """

    _shelf: Shelf
    _threads: LoadedThreads
    _configuration: Configuration

    @serves(rows.THREAD_LIST)
    async def thread_list(
        self, call: Call[listing.ThreadListParams]
    ) -> listing.ThreadListResponse:
        """List threads, those of the original too, a page at a time."""
        provider = await usual_provider(self._configuration)
        query = _query(call.params, provider)
        if query is None:
            return words.listing.ThreadListResponse(data=[], read_states={})
        page = await self._shelf.page(query)
        return words.listing.ThreadListResponse(
            data=[self._listed(entry, provider) for entry in page.entries],
            read_states={
                entry.glance.meta.id: self._read_state(entry.glance.meta.id)
                for entry in page.entries
                if has_read_state(entry.glance.meta.source)
            },
            next_cursor=page.next_cursor,
            backwards_cursor=page.backwards_cursor,
        )

    @serves(rows.THREAD_LOADED_LIST)
    def loaded_list(
        self, call: Call[listing.ThreadLoadedListParams]
    ) -> listing.ThreadLoadedListResponse:
        """List the ids of what is loaded, in order."""
        ids = sorted(self._threads.loaded)
        if (cursor := call.params.cursor) is not None:
            try:
                place = check_id(cursor)
            except RpcError:
                raise RpcError.invalid_request(f"invalid cursor: {cursor}") from None
            ids = [thread_id for thread_id in ids if thread_id > place]
        limit = len(ids) if call.params.limit is None else max(call.params.limit, 1)
        page = ids[:limit]
        return words.listing.ThreadLoadedListResponse(
            data=page, next_cursor=page[-1] if len(ids) > limit else None
        )

    @serves(rows.THREAD_READ)
    async def thread_read(
        self, call: Call[listing.ThreadReadParams]
    ) -> listing.ThreadReadResponse:
        """Tell of one thread, loaded or not, with its turns if they are wanted."""
        thread_id, with_turns = check_id(call.params.thread_id), call.params.include_turns
        loaded, is_kept = self._threads.loaded.get(thread_id), True
        if loaded is None:
            thread = await self._read(thread_id, with_turns=with_turns)
        else:
            is_kept = loaded.path is not None and loaded.fold.meta is not None
            if with_turns:
                _expect_turns(loaded, "includeTurns")
            thread = loaded.thread(loaded.fold.turns if with_turns else ())
            note = await self._shelf.note(thread_id, thread.git_info)
            thread = attrs.evolve(
                thread,
                git_info=note.git_info,
                name=note.name,
                daybreak_enabled=note.daybreak_enabled,
            )
        if with_turns and thread.history_mode == "paginated":
            self._deprecate_turns(call)
        return words.listing.ThreadReadResponse(
            thread=thread, read_state=self._read_state(thread_id) if is_kept else None
        )

    @serves(rows.THREAD_TURNS_LIST)
    async def turns_list(
        self, call: Call[listing.ThreadTurnsListParams]
    ) -> listing.ThreadTurnsListResponse:
        """List the turns of a thread, the latest first unless the client wants otherwise."""
        params = call.params
        thread_id = check_id(params.thread_id)
        loaded = self._threads.loaded.get(thread_id)
        if loaded is not None:
            _expect_turns(
                loaded,
                "thread/turns/list",
                RpcError.invalid_request(
                    f"thread {thread_id} is not materialized yet; thread/turns/list is"
                    " unavailable before first user message"
                ),
            )
        data, following, before = turns_page(
            thread_id,
            await self._fold(thread_id),
            cursor=params.cursor,
            limit=params.limit,
            descending=params.sort_direction != "asc",
            view=params.items_view or "summary",
        )
        return words.listing.ThreadTurnsListResponse(
            data=data, next_cursor=following, backwards_cursor=before
        )

    @serves(rows.THREAD_ITEMS_LIST)
    async def items_list(
        self, call: Call[listing.ThreadItemsListParams]
    ) -> listing.ThreadItemsListResponse:
        """List the items of a thread or of a turn, the oldest first."""
        params = call.params
        thread_id = check_id(params.thread_id)
        loaded = self._threads.loaded.get(thread_id)
        unsupported = RpcError(METHOD_NOT_FOUND, "thread/items/list is not supported yet")
        if loaded is not None:
            if loaded.path is None or not loaded.fold.user_has_spoken:
                raise unsupported
        elif await self._shelf.entry(thread_id) is None:
            raise unsupported
        cursor = params.cursor
        data, following, before = items_page(
            thread_id,
            await self._fold(thread_id),
            turn_id=params.turn_id,
            cursor=cursor if isinstance(cursor, str) else None,
            anchor=None if cursor is None or isinstance(cursor, str) else cursor.item_id,
            limit=params.limit,
            descending=params.sort_direction == "desc",
        )
        return words.listing.ThreadItemsListResponse(
            data=data, next_cursor=following, backwards_cursor=before
        )

    @serves(rows.GET_CONVERSATION_SUMMARY)
    async def summary(
        self, call: Call[older_threads.GetConversationSummaryParams]
    ) -> older_threads.GetConversationSummaryResponse:
        """Tell of a thread in short, as older clients ask for it."""
        params = call.params
        if isinstance(params, words.older_threads.RolloutPathGetConversationSummaryParams):
            entry: Entry | None = await self._entry_at(params.rollout_path)
        else:
            thread_id = check_id(params.conversation_id)
            entry = await self._shelf.entry(thread_id)
        if entry is not None:
            thread = thread_on_disk(entry, await usual_provider(self._configuration))
            return _summary(thread, entry.glance.meta.created_ms, entry.glance.updated_ms)
        loaded = self._threads.loaded.get(thread_id)
        if loaded is None or loaded.path is None:
            raise RpcError.invalid_request(f"no rollout found for conversation id {thread_id}")
        thread = loaded.thread()
        return _summary(thread, thread.created_at * 1000, thread.updated_at * 1000)

    # --- what is known of threads ---

    def _listed(self, entry: Entry, provider: str) -> Thread:
        loaded = self._threads.loaded.get(entry.glance.meta.id)
        if loaded is None:
            return thread_on_disk(entry, provider)
        return attrs.evolve(
            loaded.thread(),
            can_accept_direct_input=None,
            thread_source=None,
            git_info=entry.note.git_info,
            name=entry.note.name,
            daybreak_enabled=entry.note.daybreak_enabled,
        )

    def _read_state(self, thread_id: str) -> ThreadReadState:
        """Say what has not been read of a thread; it is known of those that are loaded."""
        loaded = self._threads.loaded.get(thread_id)
        return (loaded and loaded.read_state) or unread(thread_id)

    async def _read(self, thread_id: str, *, with_turns: bool) -> Thread:
        entry = await self._shelf.entry(thread_id)
        if entry is None:
            await self._expect_readable(thread_id)
            raise RpcError.invalid_request(f"thread not loaded: {thread_id}")
        thread = thread_on_disk(entry, await usual_provider(self._configuration))
        if not with_turns:
            return thread
        return attrs.evolve(thread, turns=(await self._fold(thread_id)).turns)

    async def _fold(self, thread_id: str) -> Fold:
        loaded = self._threads.loaded.get(thread_id)
        if loaded is not None:
            return loaded.fold
        path = await self._shelf.find(thread_id)
        path = path or await self._shelf.find(thread_id, archived=True)
        if path is None:
            raise RpcError.invalid_request(f"thread not loaded: {thread_id}")
        try:
            return (await self._shelf.read(path)).fold
        except RecordError as error:
            raise _unreadable(error) from None

    async def _expect_readable(self, thread_id: str) -> None:
        """Say of a file that is there, and is no rollout, what is wrong with it."""
        if (path := await self._shelf.find(thread_id)) is not None:
            try:
                await self._shelf.read(path)
            except RecordError as error:
                raise _unreadable(error) from None

    async def _entry_at(self, rollout_path: str) -> Entry:
        path = await self._shelf.resolve(rollout_path)
        entry = await self._shelf.entry_at(path)
        if entry is None:
            raise RpcError.internal(
                f"failed to load conversation summary from {rollout_path}: thread-store internal error:"
                f" failed to read session metadata {path}: rollout at {path} is empty"
            )
        return entry

    def _deprecate_turns(self, call: Call[listing.ThreadReadParams]) -> None:
        call.client.tell(
            rows.DEPRECATION_NOTICE,
            words.thread_news.DeprecationNoticeNotification(
                summary="Full-history hydration is deprecated for paginated threads; omit"
                " `includeTurns` or set it to `false`, then page with `thread/turns/list` and"
                " `thread/items/list`."
            ),
        )


def _expect_turns(loaded: LoadedThread, what: str, unspoken: RpcError | None = None) -> None:
    """Refuse to tell turns that there cannot be (observed)."""
    if loaded.path is None:
        raise RpcError.invalid_request(f"ephemeral threads do not support {what}")
    if loaded.fold.meta is None:  # there is no file yet
        raise unspoken or RpcError(METHOD_NOT_FOUND, NOT_MATERIALIZED)


def _summary(
    thread: Thread, created_ms: int, updated_ms: int
) -> older_threads.GetConversationSummaryResponse:
    git = thread.git_info
    return words.older_threads.GetConversationSummaryResponse(
        summary=words.older_threads.ConversationSummary(
            conversation_id=thread.id,
            path=thread.path or "",
            preview=thread.preview,
            timestamp=timestamp_of(created_ms),
            updated_at=timestamp_of(updated_ms),
            model_provider=thread.model_provider,
            cwd=thread.cwd,
            cli_version=thread.cli_version,
            source=thread.source,
            git_info=None
            if git is None
            else words.older_threads.ConversationGitInfo(
                sha=git.sha, branch=git.branch, origin_url=git.origin_url
            ),
        )
    )


def _unreadable(error: RecordError) -> RpcError:
    return RpcError.internal(f"failed to read thread: thread-store internal error: {error}")


def _query(params: listing.ThreadListParams, provider: str) -> Query | None:
    """Read what a client wants listed; None if there can be no such thread."""
    if params.originators:
        raise RpcError(
            INVALID_PARAMS, "originator filtering is not supported by the local app-server"
        )
    if params.project_id is not ABSENT and params.project_id is not None:
        raise RpcError(INVALID_PARAMS, f"project not found: {params.project_id}")
    in_section = params.section_id is not ABSENT and params.section_id is not None
    if params.sort_key == "section_position" and not in_section:
        raise RpcError.invalid_request("section-position sorting requires a section filter")
    if in_section or params.sort_key == "section_position":  # we have no sections
        return None
    return Query(
        limit=page_size(params.limit),
        cursor=None if params.cursor is None else Cursor.parse(params.cursor),
        sort_key=params.sort_key or "created_at",
        descending=params.sort_direction != "asc",
        archived=params.archived or False,
        excluded_ids=frozenset(_excluded(params.excluded_thread_ids or ())),
        provider=provider,
        model_providers=frozenset(
            [provider] if params.model_providers is None else params.model_providers
        ),
        sources=frozenset(params.source_kinds or ()),
        cwds=_folders(params.cwd),
        search_term=params.search_term,
        parent_id=_id(params.parent_thread_id, "parent"),
        ancestor_id=_id(params.ancestor_thread_id, "ancestor"),
        fine_cursors=params.search_term is not None or params.use_state_db_only,
    )


def _id(given: str | None, what: str) -> str | None:
    return None if given is None else check_id(given, f"{what} thread id")


def _excluded(given: Iterable[str]) -> Iterable[str]:
    for thread_id in given:
        try:
            yield check_id(thread_id, "excluded thread id")
        except RpcError as error:
            raise RpcError(INVALID_PARAMS, error.message) from None


def _folders(given: str | list[str] | None) -> frozenset[str]:
    """Make paths absolute, and write them in the usual way; they need not exist."""
    folders = [given] if isinstance(given, str) else given or []
    return frozenset(os.path.abspath(folder) for folder in folders)
