"""What there is in a process at a moment, and so what a block of code has left behind.

Looked at are Trio's tasks, worker threads, open files and sockets, and child processes; a lock on
a file is an open file. Where a system does not say, as Windows does of open files, there is nothing
to be seen. Looking costs some milliseconds.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import TracebackType

log = logging.getLogger(__name__)

_PAUSE: Final = 0.002  # seconds between two looks

_IDLE: Final = "Trio thread "
"""How Trio calls a worker thread that waits for work, as it does for ten seconds."""

_FOLDERS: Final = (Path("/proc/self/fd"), Path("/dev/fd"))


class LeakError(AssertionError):
    """A block has left something behind; ``leaks`` has a line for each of it."""

    def __init__(self, leaks: tuple[str, ...]) -> None:
        super().__init__("left behind:\n" + "\n".join(f"- {leak}" for leak in leaks))
        self.leaks = leaks


@attrs.frozen
class Holdings:
    """What there is at a moment: things that can be told apart, and what they are."""

    things: dict[object, str]

    @classmethod
    def now(cls) -> Holdings:
        """Look. Blocks for some milliseconds."""
        return cls(dict([*_tasks(), *_threads(), *_files(), *_children()]))

    def since(self, before: Holdings) -> tuple[str, ...]:
        """Name what was not there before."""
        return tuple(text for thing, text in self.things.items() if thing not in before.things)


def no_leaks(patience: float = 1.0) -> LeakCheck:
    """Fail if a block leaves something behind that was not there before.

    ``async with no_leaks():`` sees tasks, worker threads, files, sockets, locks and child
    processes; ``with no_leaks():``, around ``trio.run`` for example, sees all but tasks. What runs
    beside the block, and begins meanwhile, counts too. Idle worker threads, which Trio keeps
    for ten seconds, do not.

    ::

        async with no_leaks():
            async with open_memory_client() as client:
                ...

    Args:
        patience: seconds that what is just ending has for that. Time is that of the real
            clock, also under ``trio.testing.MockClock``.

    Raises:
        LeakError: something is left, and the block itself has not failed.
    """
    return LeakCheck(patience)


@attrs.define(eq=False)
class LeakCheck:
    """A block that is watched; made by ``no_leaks``."""

    _patience: float
    _before: Holdings = attrs.field(init=False)

    def __enter__(self) -> None:
        """Look what there is."""
        self._before = Holdings.now()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Look again."""
        end = time.monotonic() + self._patience
        while kind is None and (leaks := Holdings.now().since(self._before)):
            if time.monotonic() > end:
                raise LeakError(leaks)
            time.sleep(_PAUSE)

    async def __aenter__(self) -> None:
        """Look what there is."""
        await trio.lowlevel.checkpoint()
        self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Look again, with steps for others in between; a cancelled look is none."""
        if kind is not None:
            return
        end = time.monotonic() + self._patience
        while leaks := Holdings.now().since(self._before):
            if time.monotonic() > end:
                raise LeakError(leaks)
            time.sleep(_PAUSE)  # noqa: ASYNC251 - what ends in a thread needs it, on any clock
            await trio.lowlevel.checkpoint()  # noqa: ASYNC102 - there is nothing to be lost
        await trio.lowlevel.checkpoint()  # noqa: ASYNC102 - likewise


@contextmanager
def leaks_logged() -> Generator[None]:
    """Log what a block leaves behind, where this module's log level is ``debug``.

    It has no patience: who is just ending is told of, too, as is what others have begun meanwhile.
    """
    if not log.isEnabledFor(logging.DEBUG):
        yield
        return
    before = Holdings.now()
    try:
        yield
    finally:
        for leak in Holdings.now().since(before):
            log.warning("left behind: %s", leak)


def _tasks() -> Iterator[tuple[object, str]]:
    """Find all tasks of this Trio run, and where they are; none where there is no run."""
    try:
        root = trio.lowlevel.current_root_task()
    except RuntimeError:
        return
    tasks = [root] if root is not None else []
    while tasks:
        task = tasks.pop()
        yield task, f"task {task.name}, {_place_of(task)}"
        for nursery in task.child_nurseries:
            tasks.extend(nursery.child_tasks)


def _place_of(task: trio.lowlevel.Task) -> str:
    place = "not begun"
    for frame, line in task.iter_await_frames():
        name = frame.f_code.co_filename
        if os.path.join("trio", "_") not in name:  # Trio's own are where all tasks wait
            place = f"at {name}:{line}"
    return place


def _threads() -> Iterator[tuple[object, str]]:
    for thread in threading.enumerate():
        if not thread.name.startswith(_IDLE):
            # By its name, too: the same thread may be given other work.
            yield (thread, thread.name), f"worker thread {thread.name}"


def _files() -> Iterator[tuple[object, str]]:
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    if folder is None:
        return
    for name in os.listdir(folder):
        with suppress(OSError):  # it was the listing itself, or is being closed
            fd = int(name)
            status = os.fstat(fd)
            # A number that is used again for something else is something else.
            thing = ("fd", fd, status.st_dev, status.st_ino)
            yield thing, _describe(fd, status.st_mode, folder)


def _describe(fd: int, mode: int, folder: Path) -> str:
    if stat.S_ISSOCK(mode):
        ends = []
        with socket.socket(fileno=os.dup(fd)) as copy, suppress(OSError):  # it is not connected
            ends.append(_end(copy.getsockname()))
            ends.append(_end(copy.getpeername()))
        return f"socket {fd}: {' to '.join(ends)}"
    path = os.readlink(folder / str(fd)) if sys.platform == "linux" else "a file"
    return f"file {fd}: {path}"


def _end(address: object) -> str:
    if isinstance(address, tuple):
        host, port, *_ = address
        return f"{host}:{port}"
    return str(address) or "unnamed"


def _children() -> Iterator[tuple[object, str]]:
    ours = os.getpid()
    for listed in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            # "PID (NAME) STATE PARENT …", where the name may be anything (proc(5)). Its arguments
            # are nobody's business: they may hold secrets.
            head, _, rest = listed.read_text(encoding="utf-8", errors="replace").rpartition(")")
            state, parent = rest.split()[:2]
            if int(parent) == ours:
                pid, _, name = head.partition(" (")
                ended = ", ended, and not waited for" if state == "Z" else ""
                yield ("child", pid), f"child process {pid}: {name}{ended}"
