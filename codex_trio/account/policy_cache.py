"""The last known policy of a workspace, kept for when its backend cannot be asked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Final

import attrs
import orjson
import trio

from codex_trio.account.lenient import read_number
from codex_trio.account.policy import Policy, PolicyError

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.account.policy import Member

_MOST: Final = 4 * 2**20  # bytes that are read, as of the reply that it was told in


@attrs.frozen
class Known:
    """A policy, and when it was told in Unix time."""

    policy: Policy
    told_at: float


@attrs.define(eq=False)
class PolicyCache:
    """A small file for each member in ``CODEX_HOME``, always whole, always 0600.

    Nothing that is wrong with it matters: what cannot be read is not there, and what cannot be
    written is written the next time. It is no lock: whoever owns the home can edit it. (So they
    can the original's, which is signed with a key that everybody knows.)

    Args:
        folder: where they are; None keeps nothing.
    """

    _folder: Path | None

    async def load(self, member: Member) -> Known | None:
        """Return what was kept for a member, None if nothing was."""
        if self._folder is None:
            return None
        return await trio.to_thread.run_sync(_read, _path(self._folder, member), member)

    async def save(self, member: Member, known: Known) -> None:
        """Keep something for a member; a cancelled call has done so or has not.

        Raises:
            OSError: it cannot be written.
        """
        if self._folder is None:
            return
        content = orjson.dumps(
            {**_name(member), "told_at": known.told_at, **known.policy.wanted}
        )
        await trio.to_thread.run_sync(_write, _path(self._folder, member), content)


def _name(member: Member) -> dict[str, str | None]:
    return {"user_id": member.user_id, "account_id": member.account_id}


def _path(folder: Path, member: Member) -> Path:
    digest = hashlib.sha256(orjson.dumps(_name(member))).hexdigest()
    return folder / f"workspace-policy-{digest[:16]}.json"


def _read(path: Path, member: Member) -> Known | None:
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            kept = orjson.loads(file.read(_MOST))
        told_at = read_number(kept["told_at"])
        if told_at is None or {name: kept[name] for name in _name(member)} != _name(member):
            return None
        return Known(Policy.of(kept), told_at)
    except (OSError, ValueError, TypeError, LookupError, PolicyError):
        return None


def _write(path: Path, content: bytes) -> None:
    draft = f"{path}.{secrets.token_hex(8)}.tmp"
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb") as file:
            file.write(content)
        os.replace(draft, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def _open_at_once(path: str, flags: int) -> int:
    # A pipe in the file's place would hang until somebody writes to it.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
