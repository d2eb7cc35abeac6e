"""Signing in as a block: leaving it before the end gives the sign-in up."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import trio

from codex_trio.errors import AnswerError, LoginError, RpcError, ServerGoneError
from codex_trio.protocol import account, methods

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import TypeAlias

    from codex_trio.client.client import Client
    from codex_trio.client.news import News

    _News: TypeAlias = News[account.AccountLoginCompletedNotification]

GIVING_UP: Final = 2.0
"""Seconds that a sign-in has to be given up when its block is left."""

B = TypeVar(
    "B", account.ChatgptLoginAccountResponse, account.ChatgptDeviceCodeLoginAccountResponse
)


@attrs.define(eq=False, kw_only=True)
class Login:
    """A sign-in that is under way."""

    id: str
    """What it is called by ``account/login/cancel`` and its like."""
    _news: _News = attrs.field(repr=False)
    _outcome: account.AccountLoginCompletedNotification | None = attrs.field(
        default=None, init=False
    )

    async def wait_completed(self) -> None:
        """Wait until somebody has signed in; a cancelled call can be made again.

        Raises:
            LoginError: nobody has, and nobody will in this way: it was denied, cancelled, or
                took too long.
            ServerGoneError: the server has hung up, or the block was left before.
        """
        async for told in self._news:
            if told.login_id == self.id:
                self._outcome = told
                self._news.close()  # wakes who else waits
        if self._outcome is None:
            raise ServerGoneError("nothing more is told of this sign-in: its block was left")
        if not self._outcome.success:
            raise LoginError(self._outcome.error or "the sign-in has failed")


@attrs.define(eq=False, kw_only=True)
class BrowserLogin(Login):
    """A sign-in through a browser, which has to be led to ``auth_url`` on the server's machine."""

    auth_url: str = attrs.field(repr=False)


@attrs.define(eq=False, kw_only=True)
class DeviceCodeLogin(Login):
    """A sign-in with a code, to be typed at ``verification_url`` on any machine."""

    verification_url: str
    user_code: str = attrs.field(repr=False)


@asynccontextmanager
async def open_browser_login(client: Client) -> AsyncGenerator[BrowserLogin]:
    """Sign in through a browser within the block; see ``Client.login_with_browser``."""
    params, response = account.ChatgptLoginAccountParams(), account.ChatgptLoginAccountResponse
    async with _begun(client, params, response) as (begun, news):
        yield BrowserLogin(id=begun.login_id, news=news, auth_url=begun.auth_url)


@asynccontextmanager
async def open_device_code_login(client: Client) -> AsyncGenerator[DeviceCodeLogin]:
    """Sign in with a code within the block; see ``Client.login_with_device_code``."""
    params = account.ChatgptDeviceCodeLoginAccountParams()
    response = account.ChatgptDeviceCodeLoginAccountResponse
    async with _begun(client, params, response) as (begun, news):
        yield DeviceCodeLogin(
            id=begun.login_id,
            news=news,
            verification_url=begun.verification_url,
            user_code=begun.user_code,
        )


@asynccontextmanager
async def _begun(
    client: Client, params: account.LoginAccountParams, response: type[B]
) -> AsyncGenerator[tuple[B, _News]]:
    """Begin a sign-in, and give it up at the end of the block; that does no harm behind its end."""

    async def give_up(begun: account.LoginAccountResponse) -> None:
        if isinstance(begun, response):
            cancel = account.CancelLoginAccountParams(login_id=begun.login_id)
            await client.call(methods.LOGIN_CANCEL, cancel)

    async with client.notifications(methods.LOGIN_COMPLETED) as news:
        begun = await client.call(methods.LOGIN_START, params, undo=give_up)
        if not isinstance(begun, response):
            raise AnswerError(
                "account/login/start: the answer is about another way to sign in",
                RpcError.internal(),
            )
        try:
            yield begun, news
        finally:
            with (
                trio.move_on_after(GIVING_UP, shield=True),
                suppress(RpcError, AnswerError, ServerGoneError),
            ):
                await give_up(begun)
