"""account/*: the handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from codex_trio.account.credentials import Credentials
from codex_trio.errors import RpcError, StoreError
from codex_trio.protocol import account as words
from codex_trio.protocol import methods
from codex_trio.rpc.calls import Call, serves

if TYPE_CHECKING:
    from codex_trio.account.auth import Auth
    from codex_trio.rpc.router import Router
    from codex_trio.settings import Settings


@attrs.define(eq=False)
class AccountMethods:
    """Answers for one account scope; tells all who watch it what has changed."""

    _settings: Settings
    _auth: Auth
    _router: Router

    @serves(methods.LOGIN_START)
    async def login_start(self, call: Call[words.LoginAccountParams]) -> None:
        """Sign in."""
        match call.params:
            case words.ApiKeyLoginAccountParams(api_key=api_key):
                await self._login_with_api_key(call, api_key)
            case other:
                raise RpcError.not_served(f"{call.row.name}.{other.type}")

    async def _login_with_api_key(
        self, call: Call[words.LoginAccountParams], api_key: str
    ) -> None:
        if self._settings.forced_login_method == "chatgpt":
            raise RpcError.invalid_request(
                "API key login is disabled. Use ChatGPT login instead."
            )
        try:
            await self._auth.sign_in(Credentials.of_api_key(api_key))
        except StoreError as error:
            raise RpcError.internal(f"failed to save api key: {error}") from None
        # No checkpoint from here on: once the key is stored everybody is told, even if the one
        # who brought it has left.
        call.reply(words.ApiKeyLoginAccountResponse())
        self._router.broadcast(
            methods.LOGIN_COMPLETED,
            words.AccountLoginCompletedNotification(login_id=None, success=True, error=None),
        )
        self._announce()

    @serves(methods.LOGOUT)
    async def logout(self, call: Call[None]) -> None:
        """Sign out, whoever was signed in."""
        try:
            await self._auth.sign_out()
        except StoreError as error:
            raise RpcError.internal(f"logout failed: {error}") from None
        call.reply(words.LogoutAccountResponse())
        self._announce()

    @serves(methods.ACCOUNT_READ)
    def read(self, call: Call[words.GetAccountParams]) -> words.GetAccountResponse:
        """Say who is signed in."""
        needed = self._settings.requires_openai_auth
        return words.GetAccountResponse(
            account=self._account() if needed else None, requires_openai_auth=needed
        )

    @serves(methods.GET_AUTH_STATUS)
    def get_auth_status(
        self, call: Call[words.GetAuthStatusParams]
    ) -> words.GetAuthStatusResponse:
        """Say in the older way who is signed in, with the token if asked for."""
        needed = self._settings.requires_openai_auth
        current = self._auth.current
        bearer = current.bearer if needed and current is not None else None
        return words.GetAuthStatusResponse(
            auth_method=current.mode if current is not None and bearer is not None else None,
            auth_token=bearer if call.params.include_token else None,
            requires_openai_auth=needed,
        )

    def _account(self) -> words.Account | None:
        current = self._auth.current
        if current is None:
            return None
        if current.mode == "apikey":
            return words.ApiKeyAccount()
        if current.tokens is None:
            raise RpcError.invalid_request("plan type is required for chatgpt authentication")
        claims = current.tokens.claims
        return words.ChatgptAccount(email=claims.email, plan_type=claims.plan or "unknown")

    def _announce(self) -> None:
        current = self._auth.current
        plan = current.tokens.claims.plan if current is not None and current.tokens else None
        self._router.broadcast(
            methods.ACCOUNT_UPDATED,
            words.AccountUpdatedNotification(
                auth_mode=None if current is None else current.mode, plan_type=plan
            ),
        )
