"""account/read, getAuthStatus and account/status/read: the handlers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

import attrs

from codex_trio.account.agents import agent_of
from codex_trio.account.refresh_grant import Age, instant
from codex_trio.errors import RefreshError, RpcError
from codex_trio.protocol import account as words
from codex_trio.protocol import methods
from codex_trio.rpc.calls import Call, serves

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from codex_trio.account.auth import Auth
    from codex_trio.account.credentials import Credentials
    from codex_trio.account.host_tokens import HostTokens
    from codex_trio.account.refresh import Refresher
    from codex_trio.account.routing import Routing
    from codex_trio.account.standing import Standing, Verdict
    from codex_trio.account.workspace import WorkspacePolicy
    from codex_trio.settings import Settings

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class ReadingMethods:
    """Says who is signed in; what is known already is said without waiting."""

    _settings: Settings
    _auth: Auth
    _refresher: Refresher
    _standing: Standing
    _host_tokens: HostTokens
    _routing: Routing
    _policy: WorkspacePolicy

    @serves(methods.ACCOUNT_READ)
    def read(
        self, call: Call[words.GetAccountParams]
    ) -> words.GetAccountResponse | Awaitable[words.GetAccountResponse]:
        """Say who is signed in."""
        if call.params.refresh_token or not self._auth.settled:
            return self._read_anew(call)
        return self._read()

    @serves(methods.GET_AUTH_STATUS)
    def get_auth_status(
        self, call: Call[words.GetAuthStatusParams]
    ) -> words.GetAuthStatusResponse | Awaitable[words.GetAuthStatusResponse]:
        """Say in the older way who is signed in, with the token if asked for."""
        current = self._auth.current
        if (
            call.params.refresh_token
            or not self._auth.settled
            or (current is not None and Age.of(current).stale)
        ):
            return self._get_auth_status_anew(call)
        return self._auth_status(call)

    @serves(methods.STATUS_READ)
    async def status_read(self, call: Call[None]) -> words.AccountStatusReadResponse:
        """Say how things really stand with the account."""
        await self._auth.look()
        current = self._auth.current
        verdict = None if current is None else self._standing.of(current)
        return words.AccountStatusReadResponse(
            source=_source(current),
            store=self._auth.store_kind,
            auth_mode=None if current is None else current.mode,
            saved=self._auth.saved,
            standing=None if current is None else _standing(verdict),
            checked_at=None if verdict is None else int(verdict.at),
            last_refresh=None if current is None else _whole(instant(current.last_refresh)),
            expires_at=None if current is None else _whole(Age.of(current).expires_at),
            hidden=self._auth.hidden,
            failure=self._failure(current),
            policy=self._policy_status(),
        )

    async def _read_anew(self, call: Call[words.GetAccountParams]) -> words.GetAccountResponse:
        await self._auth.look()
        if call.params.refresh_token:
            await self._refresh(call)
        return self._read()

    async def _get_auth_status_anew(
        self, call: Call[words.GetAuthStatusParams]
    ) -> words.GetAuthStatusResponse:
        await self._auth.look()
        if call.params.refresh_token:
            await self._refresh(call)
        else:
            call.leave_lane()
            await self._refresher.fresh(agent_of(call.client))
        return self._auth_status(call)

    async def _refresh(self, call: Call[Any]) -> None:
        """Renew the token; if that fails, the account is what it was (observed)."""
        current = self._auth.current
        if current is None or current.mode != "chatgpt" or current.tokens is None:
            return
        call.leave_lane()  # nobody else is to wait for the issuer
        try:
            await self._refresher.refresh(
                current, agent_of(call.client), needed=Age.of(current).expired
            )
        except RefreshError as error:
            log.warning("%s: %s", call.row.name, error)

    def _read(self) -> words.GetAccountResponse:
        needed = self._settings.requires_openai_auth
        account = self._account() if needed else None
        return words.GetAccountResponse(
            account=account,
            requires_openai_auth=needed,
            workspace_routing=None if account is None else self._routing.current,
        )

    def _account(self) -> words.Account | None:
        current = self._auth.current
        if current is None or self._refresher.refusal(current) is not None:
            return None  # tokens that will never be renewed are none (observed)
        if current.mode == "apikey":
            return words.ApiKeyAccount()
        if current.tokens is None:
            raise RpcError.invalid_request("plan type is required for chatgpt authentication")
        claims = current.tokens.claims
        return words.ChatgptAccount(email=claims.email, plan_type=claims.plan or "unknown")

    def _auth_status(
        self, call: Call[words.GetAuthStatusParams]
    ) -> words.GetAuthStatusResponse:
        needed = self._settings.requires_openai_auth
        current = self._auth.current
        bearer = current.bearer if needed and current is not None else None
        refused = current is not None and self._refresher.refusal(current) is not None
        shown = call.params.include_token and not refused
        return words.GetAuthStatusResponse(
            auth_method=current.mode if current is not None and bearer is not None else None,
            auth_token=bearer if shown else None,
            requires_openai_auth=needed,
        )

    def _policy_status(self) -> words.WorkspacePolicyStatus:
        status = self._policy.status
        return words.WorkspacePolicyStatus(
            source=status.source, told_at=_whole(status.told_at), failure=status.failure
        )

    def _failure(self, current: Credentials | None) -> words.AccountFailure | None:
        if self._auth.failure is not None:
            return words.AccountFailure(message=self._auth.failure, permanent=False)
        if current is None:
            return None
        error = self._refresher.failure(current) or self._host_tokens.failure(current)
        if error is None:
            return None
        return words.AccountFailure(message=str(error), permanent=error.permanent)


def _source(current: Credentials | None) -> Literal["store", "host"] | None:
    if current is None:
        return None
    return "host" if current.mode == "chatgptAuthTokens" else "store"


def _standing(verdict: Verdict | None) -> Literal["verified", "present", "refused"]:
    if verdict is None:
        return "present"
    return "refused" if verdict.refused else "verified"


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
