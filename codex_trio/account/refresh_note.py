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


@attrs.define(eq=False)
class RefreshNote:
    """A note of a token, in the file of the lock that is held while it is used.

    It is a hash, by which other processes and the next start know the token when they find it in
    the store.
    """

    _held: Held
    _token: str = attrs.field(repr=False)
    _again: bool = attrs.field(default=False, init=False)  # it was noted before

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
        self._again = self._mark in marks
        if self._again and not needed:
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
        """Take it back: what has come of this attempt is known.

        If the token was noted before, that is not known of the former one, and the note stays;
        but for ``all_of_it``, when there are new tokens.
        """
        if self._again and not all_of_it:
            await trio.lowlevel.checkpoint()
            return

        def end() -> None:
            marks = [] if all_of_it else [one for one in self._read() if one != self._mark]
            with suppress(OSError):
                self._held.note(" ".join(marks))

        await trio.to_thread.run_sync(end, limiter=trio.CapacityLimiter(1))

    def _read(self) -> list[str]:
        with suppress(OSError):
            return self._held.read().split()
        return []
