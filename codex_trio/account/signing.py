"""What signing in and out comes to, in whatever dialect somebody asks for it."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from codex_trio.account.agents import agent_of
from codex_trio.account.browser import BrowserLogin, Wishes, open_browser_login
from codex_trio.account.claims import InvalidTokenError
from codex_trio.account.credentials import Credentials
from codex_trio.account.device_code import DeviceCodeLogin, open_device_code_login
from codex_trio.account.host_tokens import hosted_credentials
from codex_trio.account.oauth import DeviceCodeError
from codex_trio.account.ports import PortsTakenError
from codex_trio.errors import LoginError, RpcError, StoreError, TrustError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.account.attempt import Attempt, Flow, Login, Outcome
    from codex_trio.account.auth import Auth
    from codex_trio.account.credentials import Tokens
    from codex_trio.account.host_tokens import HostTokens
    from codex_trio.account.login import LoginDesk
    from codex_trio.account.oauth import Issuer
    from codex_trio.account.restrictions import Restrictions
    from codex_trio.protocol.account import ChatgptAuthTokensLoginAccountParams
    from codex_trio.rpc.calls import Call
    from codex_trio.settings import Settings

L = TypeVar("L", bound="Login")

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Signing:
    """Signs in and out for one account scope; what fails is said in the words of 0.163.0."""

    _settings: Settings
    _auth: Auth
    _desk: LoginDesk
    _issuer: Issuer
    _restrictions: Restrictions
    _host_tokens: HostTokens
    _held_ports: set[int]

    async def in_with_api_key(self, api_key: str) -> None:
        """Store an API key; a sign-in that is under way ends before.

        Between its being stored and the return there is no checkpoint.

        Raises:
            RpcError: it is not allowed, or cannot be stored.
        """
        await self._check_not_hosted()
        if self._restrictions.forbids("api"):
            raise RpcError.invalid_request(
                "API key login is disabled. Use ChatGPT login instead."
            )
        await self._desk.clear()
        try:
            await self._auth.sign_in(Credentials.of_api_key(api_key))
        except StoreError as error:
            raise RpcError.internal(f"failed to save api key: {error}") from None

    async def in_with_host_tokens(
        self, call: Call[Any], params: ChatgptAuthTokensLoginAccountParams
    ) -> None:
        """Take on tokens that the host owns; a sign-in that is under way ends before.

        What cannot be taken on ends nothing. Between their being taken on and the return there
        is no checkpoint.

        Raises:
            RpcError: they are not allowed, or no tokens.
        """
        if self._restrictions.forbids("chatgpt"):
            raise RpcError.invalid_request(
                "External ChatGPT auth is disabled. Use API key login instead."
            )
        if not self._restrictions.allows_workspace(params.chatgpt_account_id):
            raise RpcError.invalid_request(
                f"External auth must use {self._restrictions.describe_workspaces()},"
                f' but received "{params.chatgpt_account_id}".'
            )
        try:
            credentials = hosted_credentials(
                params.access_token, params.chatgpt_account_id, params.chatgpt_plan_type
            )
        except InvalidTokenError as error:
            raise RpcError.internal(f"failed to set external auth: {error}") from None
        await self._auth.ready()
        await self._desk.clear()
        self._host_tokens.take(call.client, credentials)

    async def in_through_browser(
        self,
        call: Call[Any],
        ready: Callable[[Attempt, BrowserLogin], None],
        tell: Callable[[Attempt, Outcome], None],
        hosted_page: str | None = None,
    ) -> None:
        """Begin to sign in through a browser, as ``LoginDesk.start`` says.

        Raises:
            RpcError: it is not allowed, there is no port, or it was cut before it had begun.
        """
        wishes = Wishes(originator=call.client.originator, hosted_page=hosted_page)
        flow = partial(
            open_browser_login, self._issuer, self._settings, wishes, self._held_ports
        )
        try:
            await self._begin(call, flow, ready, tell)
        except PortsTakenError as error:
            data = {
                "reason": "callbackPortInUse",
                "ports": [attrs.asdict(taken) for taken in error.taken],
            }
            raise RpcError.internal(f"failed to start login server: {error}", data) from None

    async def in_with_device_code(
        self,
        call: Call[Any],
        ready: Callable[[Attempt, DeviceCodeLogin], None],
        tell: Callable[[Attempt, Outcome], None],
    ) -> None:
        """Begin to sign in with a code that is typed elsewhere, as ``LoginDesk.start`` says.

        Raises:
            RpcError: it is not allowed, there is no code, or it was cut before it had begun.
        """
        flow = partial(open_device_code_login, self._issuer)
        try:
            await self._begin(call, flow, ready, tell)
        except UpstreamError as error:
            never = isinstance(error, DeviceCodeError) and error.disabled
            if never or (isinstance(error, TrustError) and error.missing):
                raise RpcError.invalid_request(str(error)) from None
            raise RpcError.internal(f"failed to request device code: {error}") from None

    async def out(self, call: Call[None]) -> Tokens | None:
        """Sign out; a sign-in that is under way ends before.

        Between the removal of what is stored and the return there is no checkpoint.

        Returns:
            The tokens that are not used any more, to be revoked.

        Raises:
            RpcError: what is stored could not be removed, and stays in force.
        """
        await self._auth.ready()
        await self._desk.clear()
        try:
            former = await self._auth.sign_out()
        except StoreError as error:
            raise RpcError.internal(f"logout failed: {error}") from None
        call.leave_lane()
        return former.tokens if former is not None and former.mode == "chatgpt" else None

    async def revoke(self, call: Call[None], tokens: Tokens | None) -> None:
        """Tell the issuer that tokens are not used any more, as best we can.

        Nobody is kept signed in by a failure, which is logged.
        """
        if tokens is None:
            return
        try:
            await self._issuer.revoke(tokens, agent_of(call.client))
        except UpstreamError as error:
            log.warning("the tokens could not be revoked: %s", error)

    async def _check_not_hosted(self) -> None:
        await self._auth.ready()
        if self._auth.hosted:
            raise RpcError.invalid_request(
                "External auth is active. Use account/login/start (chatgptAuthTokens) to update"
                " it or account/logout to clear it."
            )

    async def _begin(
        self,
        call: Call[Any],
        flow: Flow[L],
        ready: Callable[[Attempt, L], None],
        tell: Callable[[Attempt, Outcome], None],
    ) -> None:
        await self._check_not_hosted()
        if self._restrictions.forbids("chatgpt"):
            raise RpcError.invalid_request(
                "ChatGPT login is disabled. Use API key login instead."
            )
        attempt = self._desk.reserve()
        call.leave_lane()
        if self._settings.login_ends_with_client:
            forget = call.client.when_hung_up(attempt.give_up)
            attempt.before_outcome(lambda _: forget())
        with call.client.at_hang_up(attempt.give_up_start):
            try:
                await self._desk.start(
                    attempt, flow, partial(ready, attempt), partial(tell, attempt)
                )
            except LoginError as error:
                raise RpcError.invalid_request(str(error)) from None
