"""Tokens that the host application owns: taken on, and asked for anew when they are refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.account.claims import InvalidTokenError, plan_type, read_claims
from codex_trio.account.credentials import Credentials, Tokens
from codex_trio.account.flights import Flights
from codex_trio.account.oauth import now
from codex_trio.account.refresh_grant import MISMATCH
from codex_trio.errors import AnswerError, ClientGoneError, InvalidParamsError, RefreshError
from codex_trio.protocol import account as words
from codex_trio.protocol import methods

if TYPE_CHECKING:
    from codex_trio.account.auth import Auth
    from codex_trio.account.restrictions import Restrictions
    from codex_trio.rpc.client import Client
    from codex_trio.rpc.router import Router

PATIENCE: Final = 10.0
"""Seconds that the host has to bring new tokens (observed)."""

_PAUSE: Final = 1.0  # seconds until a host that has brought none is asked for them again


@attrs.define(eq=False)
class HostTokens:
    """The account of a host application.

    However many requests are refused at a time, the host is asked once. Who is asked is the
    client that has brought the tokens; if it has left, the others that know of such tokens.
    """

    _auth: Auth
    _router: Router
    _restrictions: Restrictions
    _nursery: trio.Nursery
    _supplier: Client | None = attrs.field(default=None, init=False)
    _flights: Flights = attrs.field(init=False)
    _failed: tuple[Credentials, RefreshError, float] | None = attrs.field(
        default=None, init=False
    )
    """What was not replaced the last time, why, and when that was on Trio's clock."""

    def __attrs_post_init__(self) -> None:
        self._flights = Flights(self._nursery, "ask the host for tokens")

    @property
    def since(self) -> list[float]:
        """When the host was asked what it has not answered yet, on Trio's clock."""
        return self._flights.since

    def take(self, client: Client, credentials: Credentials) -> None:
        """Take on what a client has brought."""
        self._supplier = client
        self._auth.host(credentials)

    async def refresh(self, former: Credentials) -> None:
        """Have the host bring new tokens for these.

        A cancelled call leaves the question open for others who wait for the answer.

        Raises:
            RefreshError: it has not, in the words of 0.163.0; always for the moment.
        """
        if self._auth.current != former:
            return
        if (error := self.failure(former)) is not None and self._pausing:
            raise RefreshError(str(error), error.kind)
        await self._flights.join(former, partial(self._refresh, former))

    def failure(self, credentials: Credentials) -> RefreshError | None:
        """Say why the host has brought no others for these the last time, if it has not."""
        if self._failed is not None and self._failed[0] == credentials:
            return self._failed[1]
        return None

    @property
    def _pausing(self) -> bool:
        return self._failed is not None and trio.current_time() - self._failed[2] < _PAUSE

    async def _refresh(self, former: Credentials) -> None:
        try:
            credentials = await self._fetch(former)
        except RefreshError as error:
            if not self._brought_since(former):
                failure = RefreshError(str(error), error.kind)  # without where it came from
                self._failed = former, failure, trio.current_time()
                raise
        else:
            # No checkpoint from the answer to here, and whoever has signed out meanwhile stays
            # so; whatever has been brought meanwhile is newer than the answer.
            if not (
                self._auth.renew_hosted(former, credentials) or self._brought_since(former)
            ):
                raise RefreshError(MISMATCH, "other")

    def _brought_since(self, former: Credentials) -> bool:
        return self._auth.hosted and self._auth.current != former

    async def _fetch(self, former: Credentials) -> Credentials:
        try:
            with trio.fail_after(PATIENCE):
                answer = await self._ask(former)
        except trio.TooSlowError:
            raise RefreshError(f"auth refresh request timed out after {PATIENCE:g}s") from None
        except ClientGoneError:
            raise RefreshError("auth refresh request canceled: channel closed") from None
        except AnswerError as error:
            # What the client says is not quoted: it may be told to others, and logged.
            if isinstance(error.error, InvalidParamsError):
                raise RefreshError("invalid auth refresh response") from None
            raise RefreshError(
                f"auth refresh request failed: code={error.error.code}"
            ) from None
        if not self._restrictions.allows_workspace(answer.chatgpt_account_id):
            raise RefreshError(
                "external auth refresh returned another workspace than"
                f" {self._restrictions.describe_workspaces()}"
            )
        try:
            return hosted_credentials(
                answer.access_token, answer.chatgpt_account_id, answer.chatgpt_plan_type
            )
        except InvalidTokenError as error:
            raise RefreshError(str(error)) from None

    async def _ask(self, former: Credentials) -> words.ChatgptAuthTokensRefreshResponse:
        account_id = None if former.tokens is None else former.tokens.account_id
        params = words.ChatgptAuthTokensRefreshParams(
            reason="unauthorized", previous_account_id=account_id
        )
        if self._supplier is not None:
            try:
                return await self._router.ask(
                    [self._supplier], methods.AUTH_TOKENS_REFRESH, params
                )
            except ClientGoneError:
                self._supplier = None
        return await self._ask_any(params)

    async def _ask_any(
        self, params: words.ChatgptAuthTokensRefreshParams
    ) -> words.ChatgptAuthTokensRefreshResponse:
        """Ask all who know of such tokens; one that has none does not speak for the others."""
        answers: list[words.ChatgptAuthTokensRefreshResponse] = []
        errors: list[AnswerError] = []

        async def ask(client: Client) -> None:
            try:
                answers.append(
                    await self._router.ask([client], methods.AUTH_TOKENS_REFRESH, params)
                )
            except AnswerError as error:
                errors.append(error)
            except ClientGoneError:
                pass
            else:
                nursery.cancel_scope.cancel(reason="somebody has answered")

        async with trio.open_nursery() as nursery:
            for client in self._router.clients:
                if client.initialized and client.experimental:
                    nursery.start_soon(ask, client)
        if answers:
            return answers[0]
        if errors:
            raise errors[0]
        raise ClientGoneError("nobody is left to answer")


def hosted_credentials(access_token: str, account_id: str, plan: str | None) -> Credentials:
    """Make the credentials of tokens that a host has brought, with the rules of 0.163.0.

    The access token says who it is, for there is no other; the workspace is what the host
    says; so is the plan, whatever its case, unless it says none.

    Raises:
        InvalidTokenError: the access token cannot be read.
    """
    claims = read_claims(access_token)
    if plan is not None:
        claims = attrs.evolve(claims, plan=plan_type(plan.lower()))
    return Credentials(
        mode="chatgptAuthTokens",
        tokens=Tokens(
            id_token=access_token,
            access_token=access_token,
            refresh_token="",
            account_id=account_id,
            claims=claims,
        ),
        last_refresh=now(),
    )
