"""A socket in the file system that nobody but its owner can connect to."""

from __future__ import annotations

import os
import socket
import stat
import sys
import tempfile
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from codex_trio.errors import SettingsError, os_error_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

_LONGEST: Final = (
    107 if sys.platform == "linux" else 103
)  # bytes; unix(7), with its zero at the end
_ATTEMPTS: Final = 40
_BETWEEN_ATTEMPTS: Final = 0.05  # seconds
_BACKLOG: Final = 4096  # the kernel makes it as many as it allows


@asynccontextmanager
async def open_unix_listener(path: Path) -> AsyncGenerator[trio.SocketListener]:
    """Listen at a path within the block, for processes of the same user only.

    The socket appears at the path when it is private and listens already; its folder is
    made, private too, if only that is missing. One that a server has left behind is replaced. At the end it is
    removed, unless it is another's by then.

    Raises:
        SettingsError: somebody serves there, there is something else, or it cannot be made.
    """
    if len(os.fsencode(path)) > _LONGEST:
        raise SettingsError(
            f"the path of a socket has {_LONGEST} bytes at most; {path} has more"
        )
    try:
        with suppress(FileExistsError):
            path.parent.mkdir(0o700)
        async with _lock(path.parent):
            _refuse_if_taken(path)
            ours, made = _bind(path)
    except OSError as error:
        raise SettingsError(os_error_text(error)) from None
    async with trio.SocketListener(trio.socket.from_stdlib_socket(ours)) as listener:
        try:
            yield listener
        finally:
            with suppress(OSError):
                there = os.lstat(path)
                if (there.st_dev, there.st_ino) == (made.st_dev, made.st_ino):
                    os.unlink(path)


@asynccontextmanager
async def _lock(folder: Path) -> AsyncGenerator[None]:
    """Hold the lock of a folder, so that of two servers that start one sees the other."""
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for attempt in range(_ATTEMPTS):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == _ATTEMPTS - 1:
                    raise SettingsError(f"{folder} is locked by another process") from None
                await trio.sleep(_BETWEEN_ATTEMPTS)
        yield
    finally:
        os.close(descriptor)


def _refuse_if_taken(path: Path) -> None:
    """Refuse what is no socket, and a socket that somebody serves; in the words of 0.163.0."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SettingsError(
            f"app-server control socket path exists and is not a socket: {path}"
        )
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except BlockingIOError:  # its backlog is full
            pass
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except OSError:  # somebody has it who does not speak with us
            pass
    raise SettingsError(f"app-server control socket is already in use at {path}")


def _bind(path: Path) -> tuple[socket.socket, os.stat_result]:
    """Make a socket that listens, and then move it where it is looked for; says which file it is.

    A socket is made with the permissions that the umask leaves, and the umask belongs to the
    whole process; so it is made in a folder of its own, which nobody else can enter.
    """
    with _short_folder(path.parent) as (folder, name):
        ours = socket.socket(socket.AF_UNIX)
        try:
            ours.bind(f"{name}/s")
            os.chmod(folder / "s", 0o600)
            ours.listen(_BACKLOG)
            made = os.stat(folder / "s")
            os.replace(folder / "s", path)
        except BaseException:
            ours.close()
            raise
        return ours, made


@contextmanager
def _short_folder(parent: Path) -> Generator[tuple[Path, str]]:
    """Make a private folder; gives its path, and a name of it that is short enough to bind in."""
    with tempfile.TemporaryDirectory(prefix=".", dir=parent) as folder:
        if sys.platform != "linux":
            yield Path(folder), folder
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield Path(folder), f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
