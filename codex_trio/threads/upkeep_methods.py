"""Names of threads, putting them away, deleting them: the handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from codex_trio import protocol as words
from codex_trio.errors import RpcError
from codex_trio.protocol import thread_rows as rows
from codex_trio.protocol.structure import camel
from codex_trio.protocol.words import ABSENT
from codex_trio.rpc.calls import Call, serves
from codex_trio.threads.ids import check_id
from codex_trio.threads.told import thread_on_disk, usual_provider
from codex_trio.threads.writers import ActiveWriterError

if TYPE_CHECKING:
    from codex_trio.configuration.reading import Configuration
    from codex_trio.protocol import upkeep
    from codex_trio.protocol.threads import Thread
    from codex_trio.threads.shelf import Entry, Shelf
    from codex_trio.threads.told import LoadedThread, LoadedThreads


@attrs.define(eq=False)
class UpkeepMethods:
    """Answers for one account scope.

    Args:
        shelf: the threads on disk.
        threads: those that are loaded.
        configuration: says who runs the models of threads that do not say so themselves.
    """

    _shelf: Shelf
    _threads: LoadedThreads
    _configuration: Configuration

    @serves(rows.THREAD_NAME_SET)
    async def name_set(self, call: Call[upkeep.ThreadSetNameParams]) -> None:
        """Give a thread a name; everybody is told, also if it had that one already."""
        thread_id = check_id(call.params.thread_id)
        name = call.params.name.strip()
        if not name:
            raise RpcError.invalid_request("thread name must not be empty")
        await self._expect(thread_id)
        await self._shelf.set_name(thread_id, name)
        if (loaded := self._threads.loaded.get(thread_id)) is not None:
            loaded.name = name
        call.reply(words.upkeep.ThreadSetNameResponse())
        self._threads.tell(
            None,
            rows.THREAD_NAME_UPDATED,
            words.thread_news.ThreadNameUpdatedNotification(
                thread_id=thread_id, thread_name=name
            ),
        )

    @serves(rows.THREAD_METADATA_UPDATE)
    async def metadata_update(
        self, call: Call[upkeep.ThreadMetadataUpdateParams]
    ) -> upkeep.ThreadMetadataUpdateResponse:
        """Change what is known of a thread; what is not mentioned stays."""
        params = call.params
        thread_id = check_id(params.thread_id)
        wishes = _git_wishes(params)
        loaded = await self._expect(thread_id)
        if params.project_id is not None:
            raise RpcError.invalid_request(f"project not found: {params.project_id}")
        thread = await self._told(thread_id, loaded)
        git_info, daybreak = thread.git_info, thread.daybreak_enabled
        if wishes:
            git_info = attrs.evolve(git_info or words.threads.GitInfo(), **wishes)
        if params.daybreak_enabled is not None:
            daybreak = params.daybreak_enabled
        await self._shelf.set_metadata(thread_id, git_info, daybreak)
        if loaded is not None:
            loaded.daybreak_enabled = daybreak
        return words.upkeep.ThreadMetadataUpdateResponse(
            thread=await self._told(thread_id, loaded)
        )

    @serves(rows.THREAD_ARCHIVE)
    async def archive(self, call: Call[upkeep.ThreadArchiveParams]) -> None:
        """Put a thread away; one that is loaded ends what it does, and is unloaded.

        A cancelled call may have unloaded it and nothing else.
        """
        thread_id = check_id(call.params.thread_id, "session id")
        loaded = self._threads.loaded.get(thread_id)
        persistent = loaded is not None and loaded.path is not None
        if persistent:
            await self._threads.unload(thread_id)
        # Of a thread in which nothing was said there is no file, and nothing to put away.
        if not persistent or await self._shelf.find(thread_id) is not None:
            await self._shelf.archive(thread_id)
        call.reply(words.upkeep.ThreadArchiveResponse())
        self._threads.tell(
            None,
            rows.THREAD_ARCHIVED,
            words.thread_news.ThreadArchivedNotification(thread_id=thread_id),
        )

    @serves(rows.THREAD_UNARCHIVE)
    async def unarchive(self, call: Call[upkeep.ThreadUnarchiveParams]) -> None:
        """Take a thread back that was put away; from there on everybody is told, come what may."""
        thread_id = check_id(call.params.thread_id, "session id")
        loaded = self._threads.loaded.get(thread_id)
        if loaded is not None and loaded.path is not None:
            raise ActiveWriterError(thread_id)
        await self._shelf.unarchive(thread_id)
        try:
            entry = await self._entry(thread_id)
            thread = thread_on_disk(entry, await usual_provider(self._configuration))
            call.reply(words.upkeep.ThreadUnarchiveResponse(thread=thread))
        finally:
            self._threads.tell(
                None,
                rows.THREAD_UNARCHIVED,
                words.thread_news.ThreadUnarchivedNotification(thread_id=thread_id),
            )

    @serves(rows.THREAD_DELETE)
    async def delete(self, call: Call[upkeep.ThreadDeleteParams]) -> None:
        """Delete a thread for ever; one that is loaded is unloaded first.

        A cancelled call may have unloaded it and nothing else.
        """
        thread_id = check_id(call.params.thread_id)
        loaded = self._threads.loaded.get(thread_id)
        if loaded is not None:
            if loaded.path is None:
                raise RpcError.invalid_request(
                    f"thread is not persisted and cannot be deleted: {thread_id}"
                )
            await self._threads.unload(thread_id, lossy=True)
        if loaded is None or await self._shelf.find(thread_id) is not None:
            await self._shelf.delete(thread_id)
        call.reply(words.upkeep.ThreadDeleteResponse())
        self._threads.tell(
            None,
            rows.THREAD_DELETED,
            words.thread_news.ThreadDeletedNotification(thread_id=thread_id),
        )

    async def _expect(self, thread_id: str) -> LoadedThread | None:
        """Expect a thread that is loaded, or recorded and not put away.

        Raises:
            RpcError: there is none, or it is recorded nowhere and so cannot change.
        """
        loaded = self._threads.loaded.get(thread_id)
        if loaded is None:
            if await self._shelf.find(thread_id) is None:
                raise RpcError.invalid_request(f"no rollout found for thread id {thread_id}")
        elif loaded.path is None:
            raise RpcError.invalid_request(
                f"ephemeral thread does not support metadata updates: {thread_id}"
            )
        return loaded

    async def _told(self, thread_id: str, loaded: LoadedThread | None) -> Thread:
        """Say a thread as clients are told it, with what is noted of it."""
        if loaded is None:
            entry = await self._entry(thread_id)
            return thread_on_disk(entry, await usual_provider(self._configuration))
        thread = loaded.thread()
        note = await self._shelf.note(thread_id, thread.git_info)
        return attrs.evolve(
            thread,
            can_accept_direct_input=None,  # observed
            git_info=note.git_info,
            daybreak_enabled=note.daybreak_enabled,
        )

    async def _entry(self, thread_id: str) -> Entry:
        entry = await self._shelf.entry(thread_id)
        if entry is None:
            raise RpcError.internal(f"the rollout of thread {thread_id} cannot be read")
        return entry


def _git_wishes(params: upkeep.ThreadMetadataUpdateParams) -> dict[str, str | None]:
    """Read what is to be known of the git repository.

    Raises:
        RpcError: nothing is to change, or something would be empty.
    """
    git = params.git_info
    if git is None:
        if params.daybreak_enabled is None and params.project_id is None:
            raise RpcError.invalid_request(
                "thread metadata update must include at least one field"
            )
        return {}
    wishes: dict[str, str | None] = {}
    for name in ("sha", "branch", "origin_url"):
        value = getattr(git, name)
        if value is ABSENT:
            continue
        if value is not None and not value.strip():
            raise RpcError.invalid_request(f"gitInfo.{camel(name)} must not be empty")
        wishes[name] = None if value is None else value.strip()
    if not wishes:
        raise RpcError.invalid_request("gitInfo must include at least one field")
    return wishes
