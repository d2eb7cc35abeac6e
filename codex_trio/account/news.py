"""Who is told what of an account: the outcome of a sign-in, and who is signed in now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from codex_trio.protocol import account as words
from codex_trio.protocol import legacy, methods

if TYPE_CHECKING:
    from codex_trio.account.attempt import Outcome
    from codex_trio.account.auth import Auth
    from codex_trio.protocol.account import AuthMode
    from codex_trio.rpc.client import Client
    from codex_trio.rpc.router import Router


@attrs.define(eq=False)
class AccountNews:
    """Tells all who watch an account scope what has become of it. Never waits.

    What comes of a request in the older dialect is told in it to those who have spoken it;
    everybody else is told in the present one who is signed in then.
    """

    _auth: Auth
    _router: Router

    def completed(self, login_id: str | None, outcome: Outcome) -> None:
        """Tell that somebody has signed in, or why not, and who is signed in then."""
        self._router.broadcast(
            methods.LOGIN_COMPLETED,
            words.AccountLoginCompletedNotification(
                login_id=login_id, success=outcome is None, error=outcome
            ),
        )
        if outcome is None:
            self.changed()

    def changed(self) -> None:
        """Tell who is signed in now."""
        self._router.broadcast(methods.ACCOUNT_UPDATED, self._updated())

    def completed_v1(self, login_id: str, outcome: Outcome) -> None:
        """Tell the outcome of a sign-in that was asked for in the older dialect."""
        self._router.broadcast(
            legacy.LOGIN_CHATGPT_COMPLETE,
            legacy.LoginChatGptCompleteNotification(
                login_id=login_id, success=outcome is None, error=outcome
            ),
            _speaks_v1,
        )
        if outcome is None:
            self.changed_v1()

    def changed_v1(self) -> None:
        """Tell who is signed in now, because of a request in the older dialect."""
        self._router.broadcast(
            legacy.AUTH_STATUS_CHANGE,
            legacy.AuthStatusChangeNotification(auth_method=self._mode()),
            _speaks_v1,
        )
        self._router.broadcast(
            methods.ACCOUNT_UPDATED, self._updated(), lambda client: not client.speaks_v1
        )

    def _updated(self) -> words.AccountUpdatedNotification:
        current = self._auth.current
        tokens = current.tokens if current is not None else None
        plan = None if tokens is None else tokens.claims.plan or "unknown"
        return words.AccountUpdatedNotification(auth_mode=self._mode(), plan_type=plan)

    def _mode(self) -> AuthMode | None:
        current = self._auth.current
        return None if current is None else current.mode


def _speaks_v1(client: Client) -> bool:
    return client.speaks_v1
