"""What runs here, and what the system allows it."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Final

import trio

import codex_trio
from codex_trio.doctor.report import ok, skipped, warning
from codex_trio.settings import CONTRACT

if TYPE_CHECKING:
    from codex_trio.doctor.case import Case
    from codex_trio.doctor.report import Finding

_FEW_FILES: Final = 1024


def look_at_versions(case: Case) -> list[Finding]:
    """Name what a report of a bug has to name."""
    version = case.settings.version
    told = "" if version == CONTRACT else f", and says that it is {version}"
    return [
        ok(
            "versions",
            f"codex-trio {codex_trio.__version__}, speaks as codex {CONTRACT}{told}",
            f"Python {platform.python_version()}, Trio {trio.__version__}, {platform.platform()}",
        )
    ]


def look_at_open_files(_case: Case) -> list[Finding]:
    """Look how many files and connections a process may have."""
    if sys.platform == "win32":
        return [skipped("files", "there is no limit on open files to look at")]
    import resource

    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return [ok("files", "as many may be open as one likes")]
    if limit >= _FEW_FILES:
        return [ok("files", f"{limit} may be open at a time")]
    advice = f"ulimit -n {4096 if most == resource.RLIM_INFINITY else min(most, 4096)}"
    return [
        warning(
            "files",
            f"only {limit} files and connections may be open at a time",
            f"{advice}, in the shell that starts the server; each connection needs one.",
        )
    ]
