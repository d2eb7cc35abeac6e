"""Where a folder stands in a git repository, read from its files: no program is run for that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from codex_trio.plain_files import open_plain
from codex_trio.protocol.threads import GitInfo

if TYPE_CHECKING:
    from pathlib import Path

_MAX: Final = 2**20  # bytes that are read of a file
_HASH: Final = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ORIGIN: Final = re.compile(r'\[remote "origin"\][^\[]*?^\s*url\s*=\s*(\S+)', re.MULTILINE)


def read_git(cwd: Path) -> GitInfo | None:
    """Say which commit and branch are checked out, and where they come from.

    Blocks. What cannot be read is not known; outside of a repository there is nothing to know.
    """
    for folder in (cwd, *cwd.parents):
        place = folder / ".git"
        if place.is_file():  # a work tree beside the repository, or a submodule
            _, found, path = (_read(place) or "").partition("gitdir:")
            place = (folder / path.strip()) if found else place
        if place.is_dir():
            return _read_repository(place)
    return None


def _read_repository(place: Path) -> GitInfo:
    common = place
    if (told := _read(place / "commondir")) is not None:
        common = place / told.strip()
    head = (_read(place / "HEAD") or "").strip()
    branch, sha = None, head
    if head.startswith("ref:"):
        ref = head.removeprefix("ref:").strip()
        branch = ref.removeprefix("refs/heads/")
        sha = (_read(common / ref) or _packed(common, ref) or "").strip()
    origin = _ORIGIN.search(_read(common / "config") or "")
    return GitInfo(
        sha=sha if _HASH.fullmatch(sha) else None,
        branch=branch,
        origin_url=None if origin is None else _without_secret(origin[1]),
    )


def _packed(common: Path, ref: str) -> str | None:
    for line in (_read(common / "packed-refs") or "").splitlines():
        sha, _, name = line.partition(" ")
        if name == ref:
            return sha
    return None


def _without_secret(url: str) -> str:
    """Leave out a password that somebody has written into a URL."""
    return re.sub(r"(?<=://)[^/@\s]*:[^/@\s]*@", "", url)


def _read(path: Path) -> str | None:
    try:
        with open_plain(path) as file:
            return file.read(_MAX).decode(errors="replace")
    except (OSError, ValueError):
        return None
