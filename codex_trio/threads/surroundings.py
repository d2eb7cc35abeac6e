"""Finding out what a model is to be told of the world."""

from __future__ import annotations

import os
import shutil
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import trio

from codex_trio.protocol.structure import unstructure
from codex_trio.threads.agents_md import (
    MAX_BYTES,
    NO_INSTRUCTIONS,
    ProjectInstructions,
    read_instructions,
)
from codex_trio.threads.git import read_git
from codex_trio.threads.inputs import read_parts, shown_parts
from codex_trio.threads.instructions import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codex_trio.protocol.items import UserInput
    from codex_trio.protocol.threads import GitInfo
    from codex_trio.threads.inputs import Part
    from codex_trio.threads.terms import Terms

SHELLS: Final = ("bash", "zsh", "sh")

_LOOKS: Final = 8  # at a time
_PATIENCE: Final = 5.0  # seconds

T = TypeVar("T")


@attrs.define(eq=False)
class Outlook:
    """Looks at what is around a conversation: files of a user, that may be anywhere.

    That is done in worker threads of its own, so that a disk that hangs keeps nobody from
    anything else. A call that is cancelled leaves its thread behind, and has done nothing.
    """

    _home: Path
    _looks: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, _LOOKS), init=False
    )

    async def around(self, terms: Terms) -> Surroundings:
        """Read the AGENTS.md files that count, and tell the time."""
        found, shell = await self._look(
            lambda: (_find(self._home, terms), login_shell()), (NO_INSTRUCTIONS, "sh")
        )
        return _told(terms, found, shell)

    async def instructions(self, terms: Terms) -> ProjectInstructions:
        """Read the AGENTS.md files that count now."""
        return await self._look(partial(_find, self._home, terms), NO_INSTRUCTIONS)

    async def git(self, cwd: str) -> GitInfo | None:
        """Find out where a folder stands in a git repository."""
        return await self._look(partial(read_git, Path(cwd)), None)

    async def parts(self, inputs: Sequence[UserInput], cwd: str) -> list[Part]:
        """Make what a model is told of inputs, some of which are files."""
        return await self._look(partial(read_parts, inputs, cwd), shown_parts(inputs))

    async def _look(self, step: Callable[[], T], otherwise: T) -> T:
        with trio.move_on_after(_PATIENCE):
            return await trio.to_thread.run_sync(
                step, limiter=self._looks, abandon_on_cancel=True
            )
        return otherwise


def _find(home: Path, terms: Terms) -> ProjectInstructions:
    limit = MAX_BYTES if terms.max_instructions is None else terms.max_instructions
    return read_instructions(
        home, terms.cwd, limit, terms.instruction_names, terms.root_markers
    )


def _told(terms: Terms, found: ProjectInstructions, shell: str) -> Surroundings:
    return Surroundings(
        cwd=terms.cwd,
        date=datetime.now().astimezone().date().isoformat(),
        timezone=local_timezone(),
        shell=shell,
        sandbox=unstructure(terms.sandbox),
        approval_policy=unstructure(terms.approval_policy),
        workspace_roots=terms.workspace_roots,
        developer_instructions=terms.developer_instructions,
        project_instructions=found.text,
        tells_environment=terms.tells_environment,
    )


def login_shell() -> str:
    """Name the shell of who runs us, among those that a model can be expected to know.

    It is the one of the user's account, whatever `SHELL` says; where that is another or is
    not there, the first of bash, zsh and sh that is (observed on 0.163.0). Asking for an
    account may take as long as a directory service on the network does.
    """
    try:
        import pwd  # Windows has no such accounts

        path = Path(pwd.getpwuid(os.getuid()).pw_shell)
    except (ImportError, KeyError):
        path = Path()
    if path.name in SHELLS and path.exists():
        return path.name
    return next((name for name in SHELLS if shutil.which(name)), "sh")


def local_timezone() -> str:
    """Name the time zone of this machine, as IANA does where that is known."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named:
        return named
    try:
        path = os.path.realpath("/etc/localtime")
    except OSError:
        path = ""
    _, found, name = path.partition("/zoneinfo/")
    return name if found and name else time.tzname[0]
