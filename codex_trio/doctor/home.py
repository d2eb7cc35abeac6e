"""The home, and the records of threads in it."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import stat
import sys
from typing import TYPE_CHECKING, Final

from codex_trio.doctor.disk import existing, networked, probe
from codex_trio.doctor.report import error, ok, unless, warning
from codex_trio.errors import os_error_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codex_trio.doctor.case import Case
    from codex_trio.doctor.report import Finding

_MB: Final = 10**6
_LITTLE, _TOO_LITTLE = 200 * _MB, 10 * _MB
_FULL: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_OTHER_HOME: Final = "or set CODEX_HOME to a folder of your own"
_NO_LOCKS: Final = (
    "Use this home from one program at a time, or set CODEX_HOME to a folder on a local disk:"
    " without locks, two programs may spend one refresh token."
)


def look_at_home(case: Case) -> list[Finding]:
    """Look at the folder itself: is it there, ours, safe, writable, and is there room?"""
    home = case.settings.codex_home
    try:
        seen = os.stat(home)
    except FileNotFoundError:
        named = case.environ.get("CODEX_HOME") == str(home)
        return [_judge_missing(home, named=named)]
    except OSError as failure:
        return [_unusable(home, os_error_text(failure))]
    if not stat.S_ISDIR(seen.st_mode):
        return [_unusable(home, "it is not a folder")]
    free = shutil.disk_usage(home).free
    fine = ok("home", f"{home}, {free // _MB} MB free")
    return unless([*_rights(home, seen), *_writing("home", home), *_room(home, free)], fine)


def look_at_threads(case: Case) -> list[Finding]:
    """Look at where threads are recorded now, and where they are put away."""
    from codex_trio.threads.rollout_files import rollout_path

    home = case.settings.codex_home
    sessions = rollout_path(home, "any").parent
    places = (sessions, home / "archived_sessions", home / "thread-writer-locks")
    folders = {existing(place): None for place in places}
    folders.pop(home, None)  # which has a check of its own
    ours = [folder for folder in folders if home in folder.parents]
    problems = [problem for folder in ours for problem in _writing("threads", folder)]
    recorded = home / "sessions" in (*ours, *(up for folder in ours for up in folder.parents))
    where = str(home / "sessions")
    return unless(problems, ok("threads", where if recorded else "none has been recorded yet"))


def _judge_missing(home: Path, *, named: bool) -> Finding:
    if named:
        return _unusable(home, "CODEX_HOME names it, and it is not there")
    above = existing(home)
    if os.path.isdir(above) and os.access(above, os.W_OK | os.X_OK):
        return ok("home", f"{home} is not there yet; the first sign-in makes it")
    return _unusable(home, f"it is not there, and nothing can be made in {above}")


def _unusable(home: Path, reason: str) -> Finding:
    summary = f"{home} cannot be used: {reason}"
    return error("home", summary, f"Make that a folder of yours, {_OTHER_HOME}.")


def _rights(home: Path, seen: os.stat_result) -> Iterator[Finding]:
    if sys.platform == "win32":
        return
    if seen.st_uid != os.geteuid():
        yield warning(
            "home",
            f"{home} belongs to user {seen.st_uid}, and you are {os.geteuid()}",
            f"Run as its owner (without sudo), {_OTHER_HOME}: what is written now may be out"
            " of the owner's reach.",
        )
    if seen.st_mode & 0o022:
        yield warning(
            "home",
            f"{home} can be changed by others (mode {stat.S_IMODE(seen.st_mode):o})",
            f"chmod go-w {shlex.quote(str(home))}",
        )


def _writing(check: str, folder: Path) -> Iterator[Finding]:
    try:
        locks = probe(folder)
    except OSError as failure:
        if failure.errno in _FULL:
            advice = "Make room on that disk, or have your quota raised."
        else:
            advice = f"Give yourself the right to write there, {_OTHER_HOME}."
        yield error(check, f"{folder} cannot be written: {os_error_text(failure)}", advice)
        return
    if (kind := networked(folder)) is not None:
        yield warning(check, f"{folder} lies on a network ({kind})", _NO_LOCKS)
    elif not locks:
        yield warning(check, f"{folder} lies where there are no locks", _NO_LOCKS)


def _room(home: Path, free: int) -> Iterator[Finding]:
    if free < _LITTLE:
        make = error if free < _TOO_LITTLE else warning
        yield make(
            "home", f"{free // _MB} MB are free on the disk of {home}", "Make room there."
        )
