"""What is noted of threads beside their rollouts: names, and what changes of their metadata."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio import protocol as words
from codex_trio.threads.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.protocol.threads import GitInfo

_GIT: Final = ("sha", "branch", "origin_url")


@attrs.frozen
class Note:
    """What is noted of a thread."""

    name: str | None = None
    git_info: GitInfo | None = None
    daybreak_enabled: bool | None = None


@attrs.define(eq=False)
class Notes:
    """The notes of a home. Blocks.

    Names are in ``session_index.jsonl``, where the original keeps those of older threads and
    writes those of all. Of newer threads it reads them in a database of its own; if that knows
    the thread, it is told as well, so that it shows the same. Everything else, which it has in
    that database alone, is in ``thread_metadata.jsonl``, which is ours.
    """

    _home: Path
    _names: Journal = attrs.field(
        default=attrs.Factory(
            lambda self: Journal(self._home / "session_index.jsonl"), takes_self=True
        ),
        init=False,
    )
    _metadata: Journal = attrs.field(
        default=attrs.Factory(
            lambda self: Journal(self._home / "thread_metadata.jsonl"), takes_self=True
        ),
        init=False,
    )

    def names(self) -> dict[str, str]:
        """Return the names of all threads that have one, by their ids."""
        named = self._names.latest()
        return {
            thread_id: name
            for thread_id, line in named.items()
            if isinstance(name := line.get("thread_name"), str)
        }

    def of(self, thread_id: str, git_info: GitInfo | None) -> Note:
        """Return what is noted of a thread; ``git_info`` is what it began with."""
        named = self._names.latest().get(thread_id, {}).get("thread_name")
        noted = self._metadata.latest().get(thread_id, {})
        daybreak = noted.get("daybreak_enabled")
        if isinstance(git := noted.get("git_info"), dict):
            given = {name: _text(git.get(name)) for name in _GIT}
            git_info = words.threads.GitInfo(**given) if any(given.values()) else None
        return Note(
            named if isinstance(named, str) else None,
            git_info,
            daybreak if isinstance(daybreak, bool) else None,
        )

    def set_name(self, thread_id: str, name: str) -> None:
        """Give a thread a name.

        Raises:
            OSError: it cannot be written.
        """
        self._names.append(thread_id, thread_name=name)
        self._tell_original(thread_id, {"name": name})

    def set_metadata(
        self, thread_id: str, git_info: GitInfo | None, daybreak_enabled: bool | None
    ) -> None:
        """Note the metadata of a thread, all of it.

        Raises:
            OSError: it cannot be written.
        """
        git = {name: getattr(git_info, name, None) for name in _GIT}
        self._metadata.append(thread_id, git_info=git, daybreak_enabled=daybreak_enabled)
        columns: dict[str, Any] = {f"git_{name}": value for name, value in git.items()}
        self._tell_original(thread_id, columns | {"daybreak_enabled": daybreak_enabled})

    def set_place(self, thread_id: str, path: Path, *, archived: bool) -> None:
        """Say where a thread is recorded from now on; it is the original that has to know."""
        columns = {
            "rollout_path": str(path),
            "archived": int(archived),
            "archived_at": int(time.time()) if archived else None,
        }
        self._tell_original(thread_id, columns)

    def _tell_original(self, thread_id: str, columns: dict[str, Any]) -> None:
        """Have the original's database say the same of a thread that it knows.

        It need not be there, nor be what we take it for: then nothing happens.
        """
        if not (databases := sorted(self._home.glob("state_*.sqlite"))):
            return
        import sqlite3  # here: most servers are never asked for this, and some have none

        assignments = ", ".join(f"{name} = ?" for name in columns)
        with contextlib.suppress(sqlite3.Error):
            location = f"{databases[-1].absolute().as_uri()}?mode=rw"
            with contextlib.closing(sqlite3.connect(location, timeout=1.0, uri=True)) as db:
                db.execute(
                    f"UPDATE threads SET {assignments} WHERE id = ?",
                    (*columns.values(), thread_id),
                )
                db.commit()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
