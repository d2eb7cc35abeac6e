"""Writing config.toml: whole or not at all, and never over somebody else's change."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import secrets
import stat
import sys
import time
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.config import parse_config, read_text
from codex_trio.config_keys import fault_text, find_fault, find_gap
from codex_trio.configuration.edits import ConfigWriteError, Edit, apply
from codex_trio.configuration.files import plain_table, stamp_of
from codex_trio.configuration.layers import LayerError, version_of
from codex_trio.configuration.text import rewrite
from codex_trio.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from codex_trio.config import Table

_DRAFT: Final = re.compile(r"\.[0-9a-f]{16}\.tmp\Z")
_STALE: Final = 60.0  # seconds after which a draft has no writer any more

_ATTEMPTS: Final = 10
_PATIENCE: Final = 5.0  # seconds; others hold the lock for some milliseconds
_PAUSE: Final = 0.005

_CONFLICT: Final = "Configuration was modified since last read. Fetch latest version and retry."


@attrs.frozen
class Written:
    """What has been written.

    Args:
        version: tells it from the same file with other content.
        table: all that the file says, as JSON values.
    """

    version: str
    table: Table


async def write(path: Path, edits: Sequence[Edit], expected: str | None = None) -> Written:
    """Make some edits in a file, all of them or none.

    Whoever reads the file meanwhile finds it as it was or as it is to be, also if we are killed.
    A change that another program has made since we read it is not written over: ours is made
    once more, in the file as it is then. A symbolic link stays, and so does the file's mode.
    A call that is cancelled has written the file, or has changed nothing.

    Args:
        path: the file; it need not exist.
        edits: what is to be changed, in that order.
        expected: the version that it must have.

    Raises:
        ConfigWriteError: it has another version, or would not be a configuration any more.
        ConfigError: it is none now, or cannot be edited.
        OSError: it cannot be written.
    """
    target = await trio.to_thread.run_sync(_find_target, path)
    async with _locked(target.parent):
        # Not abandoned when cancelled: the thread ends first, and we know what it did.
        return await trio.to_thread.run_sync(partial(_write, path, target, edits, expected))


def _find_target(path: Path) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(os.path.realpath(path))


def _write(path: Path, target: Path, edits: Sequence[Edit], expected: str | None) -> Written:
    _sweep(target)
    for _ in range(_ATTEMPTS):
        if (written := _try_to_write(path, target, edits, expected)) is not None:
            return written
    raise ConfigError(f"{path} does not stay as it is for long enough to be changed")


def _try_to_write(
    path: Path, target: Path, edits: Sequence[Edit], expected: str | None
) -> Written | None:
    """Return None if somebody else has changed the file meanwhile."""
    stamp = stamp_of(target)
    text = _read(path)
    old = _parse(path, text)
    if expected is not None and expected != version_of(plain_table(old, path.parent)):
        raise ConfigWriteError(_CONFLICT, "configVersionConflict")
    new = apply(old, edits)
    table = plain_table(new, path.parent)
    if (fault := find_fault(new) or find_gap(new)) is not None:
        raise ConfigWriteError(f"Invalid configuration: {fault_text(fault)}")
    written = rewrite(text, old, new)
    if written != text and not _replace(target, written, stamp):
        return None
    return Written(version_of(table), table)


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except ConfigError as error:
        raise LayerError(error.reason) from None


def _parse(path: Path, text: str) -> Table:
    try:
        return parse_config(text)
    except ConfigError as error:
        if error.start is None:
            raise LayerError(f"{path}: {error.reason}") from None
        line, column = error.start
        raise LayerError(f"{path}:{line}:{column}: {error.reason}") from None


def _replace(target: Path, text: str, stamp: object) -> bool:
    """Replace a file by another one that is on the disk; False if it is not what it was."""
    mode = _mode(target)
    draft = f"{target}.{secrets.token_hex(8)}.tmp"
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "w", encoding="utf-8", newline="") as file:
            if mode is not None:
                os.chmod(draft, mode)
            file.write(text)
            file.flush()
            os.fsync(fd)
        # What is left is the time from here to there, in which nobody can help being overtaken.
        if stamp_of(target) != stamp:
            return False
        os.replace(draft, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
    _sync(target.parent)
    return True


def _sweep(target: Path) -> None:
    """Remove the drafts of writers that were killed: they may hold secrets."""
    for draft in target.parent.glob(f"{glob.escape(target.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if _DRAFT.search(draft.name) and time.time() - draft.stat().st_mtime > _STALE:
                draft.unlink()


def _mode(target: Path) -> int | None:
    try:
        seen = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(seen):
        raise ConfigError(f"{target} is not a file")  # /dev/null, say, which others need
    return stat.S_IMODE(seen)


def _sync(folder: Path) -> None:
    # The file is there already; not every file system lets its folder be synchronised.
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


if sys.platform == "win32":

    @asynccontextmanager
    async def _locked(folder: Path) -> AsyncGenerator[None]:
        yield  # folders cannot be locked there
else:
    import fcntl

    @asynccontextmanager
    async def _locked(folder: Path) -> AsyncGenerator[None]:
        """Keep other servers of ours from writing in a folder.

        It is the folder that is locked (flock(2)): the file itself is replaced, and another one
        beside it would stay for good. Where folders cannot be locked, we do without.
        """
        fd = os.open(folder, os.O_RDONLY)
        try:
            deadline = trio.current_time() + _PATIENCE
            while not _lock(fd):
                if trio.current_time() > deadline:
                    raise ConfigError("others are writing the configuration")
                await trio.sleep(_PAUSE)
            yield
        finally:
            os.close(fd)

    def _lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno != errno.EWOULDBLOCK  # but that the file system knows no locks
        return True
