"""account/rateLimits/*: the handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.account.agents import agent_of
from codex_trio.account.backend import SignedOutError
from codex_trio.account.excerpt import excerpt
from codex_trio.account.lenient import read_json
from codex_trio.account.limits import read_reset_credits, read_usage
from codex_trio.errors import RpcError, UpstreamError
from codex_trio.protocol import limits as words
from codex_trio.protocol import methods
from codex_trio.rpc.calls import Call, serves
from codex_trio.urls import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.account.auth import Auth
    from codex_trio.account.backend import Backend
    from codex_trio.upstream import Reply

PATIENCE: Final = 30.0
"""Seconds in which the limits must be told; the original waits for ever."""

DETAILS_PATIENCE: Final = 5.0
"""Seconds in which details may be told, without which the answer is good too (observed)."""

_USAGE: Final = "wham/usage"
_DETAILS: Final = "wham/rate-limit-reset-credits"


@attrs.define(eq=False)
class LimitsMethods:
    """Answers for one account scope."""

    _auth: Auth
    _backend: Backend

    @serves(methods.RATE_LIMITS_READ)
    async def rate_limits_read(
        self, call: Call[words.GetAccountRateLimitsParams]
    ) -> words.GetAccountRateLimitsResponse:
        """Fetch the limits of whoever is signed in; a slow host delays nobody else."""
        await self._auth.look()
        self._expect_chatgpt()
        agent = agent_of(call.client)
        details: list[words.RateLimitResetCreditsSummary] = []
        async with trio.open_nursery() as nursery:
            if not call.params.exclude_reset_credit_details:
                nursery.start_soon(self._ask_details, agent, details)
            usage = await self._ask_usage(agent)
            if isinstance(usage, RpcError):
                nursery.cancel_scope.cancel(reason="there is nothing to add details to")
        if isinstance(usage, RpcError):  # raised out here, where it is in no group
            raise usage
        return attrs.evolve(usage, rate_limit_reset_credits=details[0]) if details else usage

    def _expect_chatgpt(self) -> None:
        current = self._auth.current
        if current is None:
            raise _signed_out()
        if current.mode == "apikey":
            raise RpcError.invalid_request(
                "chatgpt authentication required to read rate limits"
            )

    async def _ask_usage(
        self, agent: Mapping[str, str]
    ) -> words.GetAccountRateLimitsResponse | RpcError:
        try:
            reply = await self._backend.get(_USAGE, agent, patience=PATIENCE)
        except SignedOutError:
            return _signed_out()
        except UpstreamError as error:
            return _failed(str(error))
        url = shown(self._backend.url(_USAGE))
        if not reply.succeeded:
            reason = f"GET {url} failed: {reply.status_line}"
            return _failed(f"{reason}; body={self._excerpt(reply)}")
        try:
            payload = read_json(reply.body)
        except ValueError as error:
            return _failed(f"Decode error for {url}: {error}; body={self._excerpt(reply)}")
        if not isinstance(payload, dict):
            reason = "it is not an object"
            return _failed(f"Decode error for {url}: {reason}; body={self._excerpt(reply)}")
        current = self._auth.current
        tokens = None if current is None else current.tokens
        if tokens is None:
            return read_usage(payload)
        return read_usage(payload, tokens.account_id, tokens.claims.user_id)

    async def _ask_details(
        self, agent: Mapping[str, str], details: list[words.RateLimitResetCreditsSummary]
    ) -> None:
        """Add the details, if they are to be had: whatever fails, the usage tells of it."""
        try:
            with trio.move_on_after(DETAILS_PATIENCE):
                reply = await self._backend.get(_DETAILS, agent, recover=False)
                told = read_reset_credits(read_json(reply.body)) if reply.succeeded else None
                if told is not None and told.credits is not None:
                    details.append(told)
        except (SignedOutError, UpstreamError, ValueError):
            pass

    def _excerpt(self, reply: Reply) -> str:
        current = self._auth.current
        tokens = None if current is None else current.tokens
        ours = (tokens.access_token, tokens.id_token, tokens.refresh_token) if tokens else ()
        return excerpt(reply.body, ours)


def _signed_out() -> RpcError:
    return RpcError.invalid_request("codex account authentication required to read rate limits")


def _failed(reason: str) -> RpcError:
    return RpcError.internal(f"failed to fetch codex rate limits: {reason}")
