"""Where rollouts are, what they are called, and which there are."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import attrs

from codex_trio.errors import RpcError
from codex_trio.threads.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAME: Final = re.compile(
    rf"rollout-(\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\d)-({_UUID})(?:_({_UUID}))?\.jsonl"
)
_TIME: Final = "%Y-%m-%dT%H-%M-%S"
_FAR: Final = 26 * 60 * 60 * 1000  # more than any two time zones are apart
_SETTLED: Final = 2 * 10**9  # nanoseconds after which a folder that has changed shows it


@attrs.frozen
class RolloutFile:
    """A rollout, as far as its name tells; times are in milliseconds of Unix time.

    Args:
        path: where it is.
        thread_id: of its thread.
        created_ms: when the thread began.
        revised_ms: when this file began: later than the thread, if some of it was taken back
            then. The latest file of a thread is the one that counts.
        archived: it has been put away.
    """

    path: str
    thread_id: str
    created_ms: int
    revised_ms: int
    archived: bool


def rollout_path(home: Path, thread_id: str, *, revision: str | None = None) -> Path:
    """Say where a rollout that begins now belongs: by day, in local time (observed).

    Args:
        home: CODEX_HOME.
        thread_id: of the thread.
        revision: a UUID, if the thread has a file already, of which some is taken back.
    """
    now = time.localtime()
    suffix = "" if revision is None else f"_{revision}"
    name = f"rollout-{time.strftime(_TIME, now)}-{thread_id}{suffix}.jsonl"
    return home.joinpath("sessions", *time.strftime("%Y/%m/%d", now).split("/"), name)


def revised_path(home: Path, thread_id: str) -> Path:
    """Say where a thread goes on of which something has been taken back."""
    return rollout_path(home, thread_id, revision=new_id())


def resolve_rollout(home: Path, given: str) -> Path:
    """Find a rollout by its path, which may be seen from the home. Blocks.

    Raises:
        RpcError: there is none.
    """
    path = home / given
    if path.is_dir():
        raise RpcError.invalid_request(
            f"failed to resolve rollout path `{path}`: path is a directory"
        )
    if not path.exists():
        raise RpcError.invalid_request(
            f"failed to resolve rollout path `{path}`: file does not exist"
        )
    return path


def modified_ms(path: str) -> int | None:
    """Say when a file has changed, in milliseconds of Unix time; None if it is gone. Blocks."""
    try:
        return os.stat(path).st_mtime_ns // 1_000_000
    except OSError:
        return None


def read_name(folder: str, name: str, *, archived: bool) -> RolloutFile | None:
    """Read the name of a file; None if it is not that of a rollout."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    written, thread_id, revision = found.groups()
    try:
        named_ms = _read_time(written)
    except ValueError:
        return None
    created_ms = _moment_of(thread_id, named_ms)
    revised_ms = created_ms if revision is None else max(created_ms, _of_uuid(revision) or 0)
    return RolloutFile(f"{folder}/{name}", thread_id, created_ms, revised_ms, archived)


def _moment_of(thread_id: str, named_ms: int) -> int:
    """Say when a thread began: its id says so exactly, and its name in some time zone."""
    exact = _of_uuid(thread_id)
    if exact is not None and abs(exact - named_ms) < _FAR:
        return exact
    offset = time.localtime(named_ms // 1000).tm_gmtoff
    return named_ms - offset * 1000


_midnights: Final[dict[str, int]] = {}


def _read_time(written: str) -> int:
    """Read the time in a name as if it were UTC; a day is read once."""
    day = written[:10]
    midnight = _midnights.get(day)
    if midnight is None:
        moment = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        midnight = _midnights[day] = int(moment.timestamp()) * 1000
    hours, minutes, seconds = int(written[11:13]), int(written[14:16]), int(written[17:19])
    return midnight + ((hours * 60 + minutes) * 60 + seconds) * 1000


def _of_uuid(text: str) -> int | None:
    """Read the time in a UUID of version 7 (RFC 9562, section 5.7)."""
    return int(text[:8] + text[9:13], 16) if text[14] == "7" else None


@attrs.frozen
class _Folder:
    stamp: int
    folders: tuple[str, ...]
    files: tuple[RolloutFile, ...]


@attrs.define(eq=False)
class RolloutFiles:
    """The rollouts of a home; a folder is read again only after it has changed. Blocks.

    Those in use are in ``sessions``, a folder for each day; those put away in
    ``archived_sessions``, all in one (observed). Several threads may look at once.
    """

    _home: Path
    _known: dict[str, _Folder] = attrs.field(factory=dict, init=False)

    def all(self, *, archived: bool) -> Iterator[RolloutFile]:
        """List the rollouts, in no order."""
        if archived:
            yield from self._read(str(self._home / "archived_sessions"), archived=True).files
            return
        for year in self._read(str(self._home / "sessions"), archived=False).folders:
            for month in self._read(year, archived=False).folders:
                for day in self._read(month, archived=False).folders:
                    yield from self._read(day, archived=False).files

    def latest(self, *, archived: bool) -> list[RolloutFile]:
        """List the rollouts that count: of each thread the latest."""
        found: dict[str, RolloutFile] = {}
        for file in self.all(archived=archived):
            other = found.setdefault(file.thread_id, file)
            if file.revised_ms > other.revised_ms:
                found[file.thread_id] = file
        return list(found.values())

    def of_thread(self, thread_id: str, *, archived: bool) -> list[RolloutFile]:
        """List the rollouts of a thread, the latest first."""
        files = [file for file in self.all(archived=archived) if file.thread_id == thread_id]
        return sorted(files, key=lambda file: file.revised_ms, reverse=True)

    def _read(self, folder: str, *, archived: bool) -> _Folder:
        try:
            stamp = os.stat(folder).st_mtime_ns
        except OSError:
            return _Folder(0, (), ())
        known = self._known.get(folder)
        if known is not None and known.stamp == stamp:
            return known
        folders, files = [], []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name
                    if name.isdecimal():
                        folders.append(f"{folder}/{name}")
                    elif (file := read_name(folder, name, archived=archived)) is not None:
                        files.append(file)
        except OSError:
            return _Folder(0, (), ())
        read = _Folder(stamp, tuple(folders), tuple(files))
        # What has changed just now may change again, and show no other time for it.
        if time.time_ns() - stamp > _SETTLED:
            self._known[folder] = read
        return read
