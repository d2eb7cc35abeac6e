"""loginApiKey, loginChatGpt and their like: the handlers of the older dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from codex_trio.account.login_id import parse_login_id
from codex_trio.errors import InvalidParamsError, RpcError
from codex_trio.protocol import legacy as words
from codex_trio.rpc.calls import Call, serves

if TYPE_CHECKING:
    from codex_trio.account.attempt import Attempt, Outcome
    from codex_trio.account.browser import BrowserLogin
    from codex_trio.account.login import LoginDesk
    from codex_trio.account.news import AccountNews
    from codex_trio.account.signing import Signing


@attrs.define(eq=False)
class LegacyAccountMethods:
    """Answers as release 0.92.0 did (observed), from the same desk as ``AccountMethods``."""

    _signing: Signing
    _desk: LoginDesk
    _news: AccountNews

    @serves(words.LOGIN_API_KEY)
    async def login_api_key(self, call: Call[words.LoginApiKeyParams]) -> None:
        """Sign in with an API key."""
        call.client.speaks_v1 = True
        await self._signing.in_with_api_key(call.params.api_key)
        call.reply(words.LoginApiKeyResponse())
        self._news.changed_v1()

    @serves(words.LOGIN_CHATGPT)
    async def login_chatgpt(self, call: Call[None]) -> None:
        """Sign in through a browser."""
        call.client.speaks_v1 = True

        def ready(attempt: Attempt, login: BrowserLogin) -> None:
            call.reply(words.LoginChatGptResponse(login_id=attempt.id, auth_url=login.auth_url))

        await self._signing.in_through_browser(call, ready, self._tell)

    @serves(words.CANCEL_LOGIN_CHATGPT)
    async def cancel_login_chatgpt(self, call: Call[words.CancelLoginChatGptParams]) -> None:
        """Give up a sign-in; answered when nothing of it is left."""
        call.client.speaks_v1 = True
        login_id = parse_login_id(call.params.login_id)
        if login_id is None:
            raise InvalidParamsError("UUID parsing failed")
        attempt = self._desk.find(login_id)
        if attempt is None:
            raise RpcError.invalid_request(f"login id not found: {login_id}")
        attempt.before_outcome(lambda _: call.reply(words.CancelLoginChatGptResponse()))
        attempt.cut()
        await attempt.ended.wait()

    @serves(words.LOGOUT_CHATGPT)
    async def logout_chatgpt(self, call: Call[None]) -> None:
        """Sign out, whoever was signed in."""
        call.client.speaks_v1 = True
        former = await self._signing.out(call)
        try:
            await self._signing.revoke(call, former)
        finally:
            call.reply(words.LogoutChatGptResponse())
            self._news.changed_v1()

    def _tell(self, attempt: Attempt, outcome: Outcome) -> None:
        self._news.completed_v1(attempt.id, outcome)
