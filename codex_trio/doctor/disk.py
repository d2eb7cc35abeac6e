"""Disks: what can be written where, and whose locks count there. All of it blocks."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from codex_trio.account.lock import knows_locks

NETWORKED: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "drvfs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "orangefs",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
    }
)
"""File systems whose locks other machines may not see, by the names that Linux has for them."""


def probe(folder: Path) -> bool:
    """Write a file, and remove it; says whether there are locks.

    Nothing is left: the file loses its name as soon as it has one.

    Raises:
        OSError: it cannot be written.
    """
    path = folder / f".doctor.{secrets.token_hex(8)}.tmp"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with suppress(PermissionError):  # Windows does not remove what is open
            os.unlink(path)
        os.write(fd, bytes(4096))
        os.fsync(fd)
        return knows_locks(fd)
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
            os.unlink(path)


def existing(path: Path) -> Path:
    """Find the nearest folder above that is there, or the path itself."""
    return next(one for one in (path, *path.absolute().parents) if os.path.lexists(one))


def networked(path: Path) -> str | None:
    """Name the file system of a path if others share it over a network; Linux says so."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    kind = file_system_of(os.path.realpath(path), mounts)
    return kind if kind in NETWORKED else None


def file_system_of(path: str, mounts: str) -> str | None:
    """Find the file system of a path in the table of Linux (proc(5), ``mountinfo``)."""
    found: tuple[int, str | None] = 0, None
    for line in mounts.splitlines():
        before, dash, behind = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 5:
            continue
        point = fields[4].encode().decode("unicode_escape")  # blanks are octal there
        within = path == point or path.startswith(point.rstrip("/") + "/")
        if within and len(point) >= found[0]:  # of two at one place the later lies above
            found = len(point), behind.split(" ")[0]
    return found[1]


def lock_holder(path: Path) -> int | None:
    """Name the process that holds a lock on a file; None if there is none, or it is not known.

    Linux lists locks; nobody is kept from one by looking.
    """
    try:
        seen = os.stat(path)
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return None
    place = f"{os.major(seen.st_dev):02x}:{os.minor(seen.st_dev):02x}:{seen.st_ino}"
    for line in locks.splitlines():
        fields = line.split()
        if "FLOCK" in fields and place in fields and "->" not in fields:  # which is who waits
            return int(fields[fields.index(place) - 1])
    return None
