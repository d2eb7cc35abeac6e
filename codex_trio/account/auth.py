"""The present identity: what is in force of what is stored."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs

from codex_trio.errors import StoreError

if TYPE_CHECKING:
    from codex_trio.account.credentials import Credentials
    from codex_trio.account.storage import Store
    from codex_trio.settings import LoginMethod

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Auth:
    """The identity of one account scope.

    What is in memory and what is stored change together: between the store's change and ours
    there is no checkpoint.
    """

    _store: Store
    _forced_method: LoginMethod | None = None
    _current: Credentials | None = attrs.field(default=None, init=False)

    @property
    def current(self) -> Credentials | None:
        """Whoever is signed in, None when nobody is."""
        return self._current

    def load(self) -> None:
        """Take on what is stored; blocks, for use before serving.

        What cannot be used counts as signed out; what the settings do not allow is hidden. In
        both cases what is stored stays as it is.
        """
        try:
            stored = self._store.load()
        except StoreError as error:
            log.error("stored credentials cannot be used, so nobody is signed in: %s", error)  # noqa: TRY400 - a traceback adds nothing
            stored = None
        if stored is not None and not self._allows(stored):
            log.warning(
                "stored credentials are ignored: sign-in is limited to %s", self._forced_method
            )
            stored = None
        self._current = stored

    async def sign_in(self, credentials: Credentials) -> None:
        """Store credentials and take them on; a cancelled call has done both or neither.

        Raises:
            StoreError: they could not be stored, and the former identity stays.
        """
        await self._store.save(credentials)
        self._current = credentials

    async def sign_out(self) -> None:
        """Remove what is stored and forget it; a cancelled call has done both or neither.

        Raises:
            StoreError: it could not be removed, and the identity stays.
        """
        await self._store.delete()
        self._current = None

    def _allows(self, credentials: Credentials) -> bool:
        match self._forced_method:
            case None:
                return True
            case "api":
                return credentials.mode == "apikey"
            case "chatgpt":
                return credentials.mode != "apikey"
