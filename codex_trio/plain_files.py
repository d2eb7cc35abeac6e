"""Opening files that may be anything: what is no file is not waited for."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path


def open_plain(path: str | Path, buffering: int = -1) -> BinaryIO:
    """Open a file for reading; blocks as long as its disk does, and no longer.

    Raises:
        OSError: it cannot be opened, or it is a folder, a pipe or a device: those could be
            waited for without an end.
    """
    file = open(path, "rb", opener=_open_at_once, buffering=buffering)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a file")
    return file


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
