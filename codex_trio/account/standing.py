"""Whether the credentials in force are known to be good, or only there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from codex_trio.account.credentials import Credentials


@attrs.frozen
class Verdict:
    """What a host has said of some credentials, and when in Unix time."""

    of: Credentials
    refused: bool
    at: float


@attrs.define(eq=False)
class Standing:
    """Remembers what was said last of an account's credentials."""

    _last: Verdict | None = attrs.field(default=None, init=False)

    def note(self, credentials: Credentials, *, refused: bool) -> None:
        """Note that a host has taken credentials, or has refused them."""
        self._last = Verdict(credentials, refused, time.time())

    def of(self, credentials: Credentials) -> Verdict | None:
        """Return what was said of these credentials, None when they were never shown."""
        return self._last if self._last is not None and self._last.of == credentials else None
