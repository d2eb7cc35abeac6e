"""account/login/* and account/logout: the handlers."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import attrs

from codex_trio.account.browser import BrowserLogin
from codex_trio.account.login_id import parse_login_id
from codex_trio.errors import LoginError, RpcError
from codex_trio.protocol import account as words
from codex_trio.protocol import methods
from codex_trio.rpc.calls import Call, serves
from codex_trio.urls import query_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from codex_trio.account.attempt import Attempt, Outcome
    from codex_trio.account.device_code import DeviceCodeLogin
    from codex_trio.account.login import LoginDesk
    from codex_trio.account.news import AccountNews
    from codex_trio.account.signing import Signing


@attrs.define(eq=False)
class AccountMethods:
    """Answers for one account scope."""

    _desk: LoginDesk
    _signing: Signing
    _news: AccountNews

    @serves(methods.LOGIN_START)
    async def login_start(self, call: Call[words.LoginAccountParams]) -> None:
        """Sign in, or begin to; answered when that has begun."""
        match call.params:
            case words.ApiKeyLoginAccountParams(api_key=api_key):
                await self._signing.in_with_api_key(api_key)
                # No checkpoint from where the key is stored: everybody is told, even if the
                # one who brought it has left.
                call.reply(words.ApiKeyLoginAccountResponse())
                self._news.completed(None, None)
            case words.ChatgptLoginAccountParams() as wishes:
                brand = wishes.app_brand or "codex"
                await self._signing.in_through_browser(
                    call,
                    partial(_show_browser_login, call),
                    self._tell,
                    brand if wishes.use_hosted_login_success_page else None,
                )
            case words.ChatgptDeviceCodeLoginAccountParams():
                await self._signing.in_with_device_code(
                    call, partial(_show_device_code, call), self._tell
                )
            case words.ChatgptAuthTokensLoginAccountParams() as tokens:
                await self._signing.in_with_host_tokens(call, tokens)
                call.reply(words.ChatgptAuthTokensLoginAccountResponse())
                self._news.completed(None, None)
            case other:
                raise RpcError.not_served(f"{call.row.name}.{other.type}")

    @serves(methods.LOGIN_CANCEL)
    def login_cancel(
        self, call: Call[words.CancelLoginAccountParams]
    ) -> words.CancelLoginAccountResponse | Awaitable[None]:
        """Give up a sign-in; answered when nothing of it is left."""
        attempt = self._find(call.params.login_id)
        if attempt is None:
            return words.CancelLoginAccountResponse(status="notFound")
        answer = words.CancelLoginAccountResponse(status="canceled")
        attempt.before_outcome(lambda _: call.reply(answer))
        attempt.cut()
        return attempt.ended.wait()

    @serves(methods.LOGIN_COMPLETE)
    async def login_complete(self, call: Call[words.CompleteLoginAccountParams]) -> None:
        """Finish a sign-in with the URL to which a browser elsewhere was redirected.

        Whichever redirect is the first, this one or one that reaches the callback, decides it.
        """
        attempt = self._find(call.params.login_id)
        if attempt is None or attempt.ending or not isinstance(attempt.login, BrowserLogin):
            raise RpcError.invalid_request("no login through a browser has this id")
        parameters = query_of(call.params.redirect_url)
        if not attempt.login.knows(parameters):
            raise RpcError.invalid_request("State mismatch")

        def answer(outcome: Outcome) -> None:
            if outcome is None:
                call.reply(words.CompleteLoginAccountResponse())
            else:
                reason = outcome.removeprefix(BrowserLogin.prefix)
                call.fail(RpcError.invalid_request(reason))

        attempt.before_outcome(answer)
        with suppress(LoginError):  # which is the outcome, unless somebody cancels it meanwhile
            await attempt.login.hand_in(parameters)
        await attempt.told.wait()

    @serves(methods.LOGOUT)
    async def logout(self, call: Call[None]) -> None:
        """Sign out, whoever was signed in."""
        former = await self._signing.out(call)
        try:
            await self._signing.revoke(call, former)
        finally:
            call.reply(words.LogoutAccountResponse())
            self._news.changed()

    def _find(self, text: str) -> Attempt | None:
        login_id = parse_login_id(text)
        if login_id is None:
            raise RpcError.invalid_request(f"invalid login id: {text}")
        return self._desk.find(login_id)

    def _tell(self, attempt: Attempt, outcome: Outcome) -> None:
        self._news.completed(attempt.id, outcome)


def _show_browser_login(
    call: Call[words.LoginAccountParams], attempt: Attempt, login: BrowserLogin
) -> None:
    call.reply(words.ChatgptLoginAccountResponse(login_id=attempt.id, auth_url=login.auth_url))


def _show_device_code(
    call: Call[words.LoginAccountParams], attempt: Attempt, login: DeviceCodeLogin
) -> None:
    more = call.client.experimental
    call.reply(
        words.ChatgptDeviceCodeLoginAccountResponse(
            login_id=attempt.id,
            verification_url=login.code.verification_url,
            user_code=login.code.user_code,
            expires_at=login.expires_at if more else None,
            interval=int(login.interval) if more else None,
        )
    )
