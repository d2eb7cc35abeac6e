"""What is tried when a request is refused with 401: a small state machine, one a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import attrs

from codex_trio.account.identity import is_same_account
from codex_trio.account.refresh_grant import MISMATCH
from codex_trio.errors import RefreshError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.account.auth import Auth
    from codex_trio.account.credentials import Credentials
    from codex_trio.account.host_tokens import HostTokens
    from codex_trio.account.refresh import Refresher

Step: TypeAlias = Literal["reload", "refresh", "ask", "done"]

_EXHAUSTED: Final = "No more recovery steps available."

_FIRST: Final[dict[str, Step]] = {"chatgpt": "reload", "chatgptAuthTokens": "ask"}


@attrs.define(eq=False)
class Recoveries:
    """Makes the recovery of a request."""

    _auth: Auth
    _refresher: Refresher
    _host_tokens: HostTokens

    def of(self, used: Credentials, agent: Mapping[str, str]) -> Recovery:
        """Make the recovery of a request that is signed with these credentials."""
        return Recovery(self._auth, self._refresher, self._host_tokens, used, agent)


@attrs.define(eq=False)
class Recovery:
    """Finds other credentials for a request that was refused (the original's steps).

    ::

        tokens we manage:          reload ──▶ refresh ──▶ done
        tokens the host owns:      ask ──▶ done
        an API key:                done

    A step that changes nothing is passed over: the same request would be refused again. A step
    that has failed may be tried again.
    """

    _auth: Auth
    _refresher: Refresher
    _host_tokens: HostTokens
    _used: Credentials
    _agent: Mapping[str, str]
    _step: Step = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._step = _FIRST.get(self._used.mode, "done")

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to be tried."""
        return self._step == "done"

    async def next(self) -> Credentials:
        """Return credentials of the same account to try again with.

        Raises:
            RefreshError: there are none: for good, or for the moment; the text is for clients.
        """
        if self._step == "reload":
            await self._auth.look(again=True)
            newer = self._take() != self._used
            self._step = "refresh"
            if newer:
                self._used = self._take()
                return self._used
        if self._step == "refresh":
            await self._refresher.refresh(self._used, self._agent, needed=True)
        elif self._step == "ask":
            await self._host_tokens.refresh(self._used)
        else:
            raise RefreshError(_EXHAUSTED, "other")
        self._step = "done"
        return self._take()

    def _take(self) -> Credentials:
        """Take what is in force, which must not be somebody else's."""
        current = self._auth.current
        # Whose tokens the host's are is the host's affair.
        if current is None or not (
            is_same_account(current, self._used)
            or current.mode == self._used.mode == "chatgptAuthTokens"
        ):
            self._step = "done"
            raise RefreshError(MISMATCH, "other")
        return current
