"""The threads of a home as they are on disk: finding, listing, putting away, deleting."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import trio

from codex_trio.errors import RpcError, os_error_text
from codex_trio.threads.glance import Glance, glance_at, stamp_of
from codex_trio.threads.notes import Note, Notes
from codex_trio.threads.recorded import Recorded, first_ordinal, read_past, read_rollout
from codex_trio.threads.rollout_files import (
    RolloutFile,
    RolloutFiles,
    modified_ms,
    read_name,
    resolve_rollout,
)
from codex_trio.threads.writers import Writers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codex_trio.protocol.threads import GitInfo
    from codex_trio.threads.fold import Fold
    from codex_trio.threads.meta import HistoryBase
    from codex_trio.threads.shelf_page import Query

T = TypeVar("T")

_LOOKS: Final = 4  # how many may look at the disk at a time


@attrs.frozen
class Entry:
    """A thread in a list: its file, a look at it, and what is noted of it."""

    file: RolloutFile
    glance: Glance
    note: Note


@attrs.frozen
class Page:
    """Some threads of a list, and where those before and behind them begin."""

    entries: tuple[Entry, ...]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


@attrs.define(eq=False)
class Shelf:
    """All rollouts of a home, those of the original too.

    Nothing is kept beside the files: a list is a look at the folders, and at the beginning and
    the end of those files that it shows, or, where it has filters, of all that might be shown.
    What was seen is remembered as long as the files do not change.

    What is read is read in worker threads, which are left behind by whoever is cancelled; what
    changes something is not, so that it is done or has not been begun.

    Args:
        home: CODEX_HOME.
    """

    home: Path
    writers: Writers = attrs.field(
        default=attrs.Factory(lambda self: Writers.of(self.home), takes_self=True), init=False
    )
    """Who may write to which thread."""
    _files: RolloutFiles = attrs.field(
        default=attrs.Factory(lambda self: RolloutFiles(self.home), takes_self=True), init=False
    )
    _notes: Notes = attrs.field(
        default=attrs.Factory(lambda self: Notes(self.home), takes_self=True), init=False
    )
    _seen: dict[str, tuple[tuple[int, int, int], Glance | None]] = attrs.field(
        factory=dict, init=False
    )
    _looks: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, _LOOKS), init=False
    )
    _changes: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, 1), init=False
    )

    # --- reading ---

    async def find(self, thread_id: str, *, archived: bool = False) -> Path | None:
        """Return where a thread is recorded; None if it is not, or is put away or not."""
        files = await self._look(partial(self._of_thread, thread_id, archived=archived))
        return Path(files[0].path) if files else None

    async def entry(self, thread_id: str) -> Entry | None:
        """Return what lists tell of a thread, put away or not; None if it is not recorded."""
        return await self._look(partial(self._find_entry, thread_id))

    async def entry_at(self, path: Path) -> Entry | None:
        """Return what lists tell of the thread of a file, wherever that is."""
        return await self._look(partial(self._entry_at, path))

    async def resolve(self, given: str) -> Path:
        """Find a rollout by its path, which may be seen from the home.

        Raises:
            RpcError: there is none.
        """
        return await self._look(partial(resolve_rollout, self.home, given))

    async def read(self, path: Path) -> Recorded:
        """Read a rollout, and those that it begins with.

        Raises:
            RecordError: it cannot be read. See ``read_rollout``.
        """
        return await self._look(partial(read_rollout, path, self._find_base))

    async def read_past(self, path: Path, base: HistoryBase) -> Fold:
        """Read what a thread begins with that is made from the one of this file.

        Raises:
            RecordError: it cannot be read.
        """
        return await self._look(partial(read_past, path, base, self._find_base))

    async def page(self, query: Query) -> Page:
        """List threads."""
        return await self._look(partial(self._page, query))

    async def note(self, thread_id: str, git_info: GitInfo | None = None) -> Note:
        """Return what is noted of a thread; ``git_info`` is what it began with."""
        return await self._look(partial(self._notes.of, thread_id, git_info))

    async def has_base(self, base: HistoryBase, path: Path) -> bool:
        """Say whether what a file begins with is there, whatever is just being changed.

        Asked once the file is written: a deletion has then seen it, or is over.
        """
        found = await trio.to_thread.run_sync(
            partial(self._find_base, base, path), limiter=self._changes
        )
        return found is not None

    # --- changing ---

    async def archive(self, thread_id: str) -> None:
        """Put a thread away.

        Raises:
            RpcError: there is none in use, or somebody writes to it, or the disk does not let us.
        """
        await self._change(partial(self._archive, thread_id))

    async def unarchive(self, thread_id: str) -> None:
        """Take a thread back that was put away.

        Raises:
            RpcError: there is none, or somebody writes to it, or the disk does not let us.
        """
        await self._change(partial(self._unarchive, thread_id))

    async def delete(self, thread_id: str) -> None:
        """Delete a thread for ever, put away or not.

        Raises:
            RpcError: there is none, another one begins with it, somebody writes to it, or the
                disk does not let us.
        """
        await self._change(partial(self._delete, thread_id))

    async def set_name(self, thread_id: str, name: str) -> None:
        """Give a thread a name; it need not be recorded yet.

        Raises:
            RpcError: it cannot be stored.
        """
        await self._change(partial(self._notes.set_name, thread_id, name))

    async def set_metadata(
        self, thread_id: str, git_info: GitInfo | None, daybreak_enabled: bool | None
    ) -> None:
        """Note the metadata of a thread, all of it.

        Raises:
            RpcError: it cannot be stored.
        """
        await self._change(
            partial(self._notes.set_metadata, thread_id, git_info, daybreak_enabled)
        )

    async def set_place(self, thread_id: str, path: Path) -> None:
        """Say where a thread goes on that is recorded in another file from now on."""
        await self._change(partial(self._notes.set_place, thread_id, path, archived=False))

    # --- in worker threads ---

    async def _look(self, step: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(step, limiter=self._looks, abandon_on_cancel=True)

    async def _change(self, step: Callable[[], None]) -> None:
        try:
            await trio.to_thread.run_sync(step, limiter=self._changes)
        except OSError as error:
            raise RpcError.internal(f"failed to store it: {os_error_text(error)}") from None

    def _of_thread(self, thread_id: str, *, archived: bool) -> list[RolloutFile]:
        return self._files.of_thread(thread_id, archived=archived)

    def _find_entry(self, thread_id: str) -> Entry | None:
        for archived in (False, True):
            for file in self._of_thread(thread_id, archived=archived):
                if (glance := self._glance(file)) is not None:
                    return self._told(file, glance)
        return None

    def _entry_at(self, path: Path) -> Entry | None:
        archived = path.parent.name == "archived_sessions"
        file = read_name(str(path.parent), path.name, archived=archived)
        if file is None or (glance := self._glance(file)) is None:
            return None
        return self._told(file, glance)

    def _told(self, file: RolloutFile, glance: Glance) -> Entry:
        return Entry(file, glance, self._notes.of(glance.meta.id, glance.meta.git_info))

    def _glance(self, file: RolloutFile) -> Glance | None:
        try:
            stamp = stamp_of(os.stat(file.path))
        except OSError:
            return None
        seen = self._seen.get(file.path)
        if seen is not None and seen[0] == stamp:
            return seen[1]
        glance = glance_at(file.path)
        if glance is not None and glance.preview is None:
            glance = self._with_former_preview(file, glance)
        self._seen[file.path] = (stamp, glance)
        return glance

    def _with_former_preview(self, file: RolloutFile, glance: Glance) -> Glance:
        """Look for what the user has said first in the file that this one goes on with."""
        base = glance.meta.history_base
        if base is None or base.thread_id != glance.meta.id:
            return glance
        before = self._find_base(base, Path(file.path))
        former = None if before is None else glance_at(str(before))
        return glance if former is None else attrs.evolve(glance, preview=former.preview)

    def _find_base(self, base: HistoryBase, path: Path) -> Path | None:
        """Find the file that another one begins with.

        A thread has several when some of it has been taken back: it is the latest that was
        there before, and has lines of before the end.
        """
        own = read_name(str(path.parent), path.name, archived=False)
        latest = time.time_ns() // 1_000_000 if own is None else own.revised_ms
        for archived in (False, True):
            for file in self._of_thread(base.thread_id, archived=archived):
                if file.path != str(path) and file.revised_ms <= latest:
                    first = first_ordinal(Path(file.path))
                    if first is not None and first < base.end_ordinal:
                        return Path(file.path)
        return None

    # --- lists ---

    def _page(self, query: Query) -> Page:
        names = self._notes.names()
        entries: list[Entry] = []
        keys: list[tuple[int, str]] = []
        for key, file in self._sorted(query):
            glance = self._glance(file)
            if glance is None or not query.takes(glance, names.get(glance.meta.id)):
                continue
            keys.append(key)
            if len(entries) == query.limit:
                break
            entries.append(self._told(file, glance))
        if not entries:
            return Page(())
        further = len(keys) > len(entries)
        return Page(
            tuple(entries),
            query.next_cursor(keys[-2], keys[-1]) if further else None,
            query.backwards_cursor(keys[0]),
        )

    def _sorted(self, query: Query) -> list[tuple[tuple[int, str], RolloutFile]]:
        keyed = []
        descendants = self._descendants(query)
        for file in self._files.latest(archived=query.archived):
            if file.thread_id in query.excluded_ids:
                continue
            if descendants is not None and file.thread_id not in descendants:
                continue
            if query.sort_key == "created_at":
                moment_ms: int | None = file.created_ms
            else:
                moment_ms = modified_ms(file.path)
            if moment_ms is None:
                continue
            key = (moment_ms, file.thread_id)
            if query.is_behind_cursor(key):
                keyed.append((key, file))
        keyed.sort(key=lambda one: one[0], reverse=query.descending)
        return keyed

    def _descendants(self, query: Query) -> set[str] | None:
        """List the threads that come from one, by whatever way; None if nobody asks."""
        if query.ancestor_id is None:
            return None
        parents = {
            glance.meta.id: glance.meta.parent_thread_id for _, glance in self._glances()
        }
        found: set[str] = set()
        for thread_id in parents:
            seen: set[str] = set()
            parent = parents.get(thread_id)
            while parent is not None and parent not in seen:
                if parent == query.ancestor_id:
                    found.add(thread_id)
                    break
                seen.add(parent)
                parent = parents.get(parent)
        return found

    def _glances(self) -> Iterator[tuple[RolloutFile, Glance]]:
        for archived in (False, True):
            for file in self._files.all(archived=archived):
                if (glance := self._glance(file)) is not None:
                    yield file, glance

    # --- changes ---

    def _archive(self, thread_id: str) -> None:
        folder = self.home / "archived_sessions"
        self._move(
            thread_id,
            f"no rollout found for thread id {thread_id}",
            lambda _: folder,
            archived=False,
        )

    def _unarchive(self, thread_id: str) -> None:
        self._move(
            thread_id,
            f"no archived rollout found for thread id {thread_id}",
            lambda name: self.home.joinpath("sessions", *name[8:18].split("-")),
            archived=True,
        )

    def _move(
        self, thread_id: str, missing: str, folder_of: Callable[[str], Path], *, archived: bool
    ) -> None:
        files = self._of_thread(thread_id, archived=archived)
        if not files:
            raise RpcError.invalid_request(missing)
        claim = self.writers.claim_now(thread_id)
        try:
            # The oldest first: what is left over, if it fails midway, is a whole thread.
            for file in reversed(files):
                name = os.path.basename(file.path)
                folder = folder_of(name)
                folder.mkdir(parents=True, exist_ok=True)
                target = folder / name
                if target.exists():
                    raise RpcError.internal(f"there is a rollout at {target} already")
                os.rename(file.path, target)
                self._notes.set_place(thread_id, target, archived=not archived)
        finally:
            claim.release()

    def _delete(self, thread_id: str) -> None:
        files = [
            file
            for archived in (False, True)
            for file in self._of_thread(thread_id, archived=archived)
        ]
        if not files:
            raise RpcError.invalid_request(f"no rollout found for thread id {thread_id}")
        claim = self.writers.claim_now(thread_id)
        try:
            for file, glance in self._glances():
                base = glance.meta.history_base
                if base is not None and thread_id == base.thread_id != file.thread_id:
                    raise RpcError.invalid_request(
                        f"cannot delete thread {thread_id}: forked history still references it"
                    )
            # The latest first: what is left over, if it fails midway, lacks nothing before it.
            for file in files:
                os.unlink(file.path)
        finally:
            claim.release()
