"""What is written down of a refresh token while it is not known whether it is spent."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import trio

from codex_trio.errors import RefreshError, os_error_text

if TYPE_CHECKING:
    from codex_trio.account.lock import Held


@attrs.frozen
class RefreshNote:
    """A note of a token, in the file of the lock that is held while it is used.

    It is a hash, by which other processes and the next start know the token when they find it in
    the store.
    """

    _held: Held
    _token: str

    @property
    def _mark(self) -> str:
        return hashlib.sha256(self._token.encode()).hexdigest()

    def begin(self, *, keep: bool, needed: bool) -> None:
        """Note that the token is about to be used, unless it may have been before; blocks.

        Args:
            keep: whether what was noted of others still counts.
            needed: whether there is nothing to lose.

        Raises:
            RefreshError: it may have been, or nothing can be written where its successor would
                be stored; and there is something to lose.
        """
        marks = self._read()
        if self._mark in marks and not needed:
            raise RefreshError(
                "Failed to refresh token: it is not known whether an earlier attempt has"
                " succeeded, and the present token is still good"
            )
        try:
            self._held.note(" ".join([*(marks if keep else ()), self._mark]))
        except OSError as error:
            if not needed:
                raise RefreshError(
                    "Failed to refresh token: new ones could not be stored:"
                    f" {os_error_text(error)}"
                ) from None

    async def end(self, *, all_of_it: bool = False) -> None:
        """Take it back: what has become of the token is known."""

        def end() -> None:
            marks = [] if all_of_it else [one for one in self._read() if one != self._mark]
            with suppress(OSError):
                self._held.note(" ".join(marks))

        await trio.to_thread.run_sync(end)

    def _read(self) -> list[str]:
        with suppress(OSError):
            return self._held.read().split()
        return []
