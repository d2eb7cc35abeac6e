"""Asking a model: signed, repeated where that helps, and healed when the token is refused."""

from __future__ import annotations

import logging
import os
import random
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol

import attrs
import orjson
import trio

from codex_trio.errors import RefreshError, TrustError, UpstreamError
from codex_trio.responses import prompt as prompts
from codex_trio.responses.backoff import stream_backoff
from codex_trio.responses.failures import ResponseError, of_refresh, of_upstream
from codex_trio.responses.refusals import Refusal, of_status, secrets_of
from codex_trio.responses.stream import ResponseStream
from codex_trio.upstream import SilentError
from codex_trio.user_agent import is_header_value

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from codex_trio.account.credentials import Credentials
    from codex_trio.account.recovery import Recoveries, Recovery
    from codex_trio.account.refresh import Refresher
    from codex_trio.responses.prompt import Prompt
    from codex_trio.responses.providers import Provider
    from codex_trio.settings import Settings
    from codex_trio.streaming import ReplyStream
    from codex_trio.upstream import Upstream

__all__ = ["RecoveryNews", "ResponseStream", "Responses", "stream_backoff"]

HEAD_PATIENCE: Final = 600.0
"""Seconds until an answer has to begin (ours; the original waits for ever)."""

_UNAUTHORIZED: Final = 401
_MAX_REFUSAL: Final = 64 * 2**10  # bytes that are read of what a host says why not
_REFUSAL_PATIENCE: Final = 10.0  # seconds until all of that has to be there
_LONGEST_SILENCE: Final = 60.0  # seconds that are waited without telling anybody
_IN_VAIN: Final = 60.0  # seconds until a token is renewed again that was refused when new

log = logging.getLogger(__name__)


class RecoveryNews(Protocol):
    """Is told that a request was refused, and whether there are other credentials for it."""

    def __call__(self, message: str, *, completed: bool) -> None:
        """Take the news; ``completed`` when there are."""


@attrs.define(eq=False)
class Responses:
    """Asks models, in the name of an account where their provider wants one.

    Args:
        chance: a number from 0 to 1, another one each time; for pauses.
    """

    _settings: Settings
    _upstream: Upstream
    _refresher: Refresher
    _recoveries: Recoveries
    _chance: Callable[[], float] = attrs.field(default=random.random, kw_only=True)
    _in_vain: tuple[Credentials, float] | None = attrs.field(default=None, init=False)
    """What was refused although it was new, and when that was on Trio's clock."""

    @asynccontextmanager
    async def open(
        self,
        provider: Provider,
        prompt: Prompt,
        agent: Mapping[str, str],
        on_recovery: RecoveryNews | None = None,
    ) -> AsyncGenerator[ResponseStream]:
        """Ask a model, and read its answer within the block while it streams.

        What the host could not take is sent again, as often as the provider's settings say, and
        without telling anybody. A 401 that other credentials may heal is no failure.

        Leaving the block closes the connection at once, unless the answer has come to its end:
        then it is kept for the next one. A renewal of tokens that was begun goes on, for others
        may wait for it.

        Args:
            provider: who is asked.
            prompt: what is asked.
            agent: the headers that say who we are.
            on_recovery: is told when a 401 is being healed.

        Raises:
            ResponseError: there is no answer, or it breaks off.
        """
        request = _Request.of(provider, prompt, agent)
        async with AsyncExitStack() as connection:
            stream = await self._connect(connection, request, on_recovery)
            with stream.limited():
                yield stream
            await stream.settle()

    async def _connect(
        self, connection: AsyncExitStack, request: _Request, on_recovery: RecoveryNews | None
    ) -> ResponseStream:
        """Ask until there is an answer, which the connection is left with."""
        provider = request.provider
        credentials = None
        if provider.uses_account:
            credentials = await self._refresher.fresh(request.agent)
        recovery: Recovery | None = None
        repeated = 0
        while True:
            outcome = await self._ask(connection, request, credentials)
            if isinstance(outcome, ResponseStream):
                return outcome
            refused = isinstance(outcome, Refusal) and outcome.status == _UNAUTHORIZED
            if refused and credentials is not None and credentials.mode != "apikey":
                recovery = recovery or self._recovery(credentials, request.agent)
                if recovery is not None and not recovery.exhausted:
                    credentials = await _recover(recovery, on_recovery)
                    continue
                self._note_in_vain(credentials, recovery)
            pause = self._pause(outcome, repeated + 1)
            if pause is None or repeated >= provider.request_max_retries:
                raise (
                    of_status(outcome) if isinstance(outcome, Refusal) else of_upstream(outcome)
                )
            repeated += 1
            await trio.sleep(pause)

    async def _ask(
        self, connection: AsyncExitStack, request: _Request, credentials: Credentials | None
    ) -> ResponseStream | Refusal | UpstreamError:
        """Ask once."""
        url = request.provider.url("responses", credentials)
        signature = _sign(request.provider, credentials)
        headers = {**request.headers, **signature}
        try:
            async with AsyncExitStack() as attempt:
                reply = await attempt.enter_async_context(
                    self._upstream.stream(
                        url, headers=headers, content=request.content, patience=HEAD_PATIENCE
                    )
                )
                if 200 <= reply.status < 300:
                    connection.push_async_exit(attempt.pop_all())
                    patience = request.provider.stream_idle_timeout
                    return ResponseStream(reply.headers, reply, patience)
                return Refusal(
                    status=reply.status,
                    headers=reply.headers,
                    body=await _read_refusal(reply),
                    url=url,
                    secrets=_secrets(request.provider, signature),
                )
        except UpstreamError as error:
            return error

    def _pause(self, outcome: Refusal | UpstreamError, attempt: int) -> float | None:
        """Say how long to wait before the same request is sent again, None if it is no use."""
        pause = stream_backoff(attempt, chance=self._chance)
        if isinstance(outcome, UpstreamError):
            # Who has been silent for long is not asked again without a word.
            return None if isinstance(outcome, (SilentError, TrustError)) else pause
        if not outcome.transient:
            return None
        if outcome.delay is None:
            return pause
        return outcome.delay if outcome.delay <= _LONGEST_SILENCE else None

    def _recovery(self, used: Credentials, agent: Mapping[str, str]) -> Recovery | None:
        """Make a recovery, unless it is known what would come of it."""
        former, at = self._in_vain or (None, 0.0)
        if former == used and trio.current_time() - at < _IN_VAIN:
            return None
        return self._recoveries.of(used, agent)

    def _note_in_vain(self, used: Credentials, recovery: Recovery | None) -> None:
        # The tokens of a host cost nobody anything; it may be asked each time.
        if recovery is not None and used.mode == "chatgpt":
            self._in_vain = used, trio.current_time()


@attrs.frozen(kw_only=True)
class _Request:
    """What is sent each time, but for who signs it."""

    provider: Provider
    agent: Mapping[str, str] = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    content: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, provider: Provider, prompt: Prompt, agent: Mapping[str, str]) -> _Request:
        """Compose a request.

        Raises:
            ResponseError: the provider's key is not there, or the prompt cannot be written.
        """
        if provider.env_key is not None and not _from_environment(provider.env_key):
            reason = f"Missing environment variable: `{provider.env_key}`."
            raise ResponseError(" ".join(filter(None, (reason, provider.env_key_instructions))))
        try:
            content = orjson.dumps(prompts.body(prompt))
        except TypeError:  # numbers without end, depths, halves of characters
            raise ResponseError("the prompt cannot be written as JSON") from None
        headers = {**prompts.headers(prompt, agent), **provider.headers()}
        return cls(provider=provider, agent=agent, headers=headers, content=content)


async def _recover(recovery: Recovery, on_recovery: RecoveryNews | None) -> Credentials:
    """Find other credentials.

    Raises:
        ResponseError: there are none.
    """
    if on_recovery is not None:
        on_recovery("The credentials were refused; others are being sought.", completed=False)
    try:
        credentials = await recovery.next()
    except RefreshError as error:
        raise of_refresh(error) from None
    if on_recovery is not None:
        on_recovery("There are other credentials; the request is sent again.", completed=True)
    return credentials


async def _read_refusal(reply: ReplyStream) -> bytes:
    """Read why not; what is cut, or takes too long, says nothing."""
    try:
        with trio.move_on_after(_REFUSAL_PATIENCE):
            return await reply.read(_MAX_REFUSAL)
    except UpstreamError:
        pass
    return b""


def _sign(provider: Provider, credentials: Credentials | None) -> dict[str, str]:
    """Compose the headers that say who asks; none where nobody has to."""
    if provider.env_key is not None:
        return {"authorization": f"Bearer {_from_environment(provider.env_key)}"}
    if provider.bearer_token is not None:
        return {"authorization": f"Bearer {provider.bearer_token}"}
    if credentials is None or credentials.bearer is None:
        return {}
    signature = {"authorization": f"Bearer {credentials.bearer}"}
    account_id = None if credentials.tokens is None else credentials.tokens.account_id
    if credentials.mode != "apikey" and account_id is not None and is_header_value(account_id):
        signature["chatgpt-account-id"] = account_id
    return signature


def _secrets(provider: Provider, signature: Mapping[str, str]) -> tuple[str, ...]:
    """Name what must not be quoted, wherever it comes back."""
    bearer = signature.get("authorization", "").removeprefix("Bearer ")
    return secrets_of((bearer, *provider.headers().values(), *provider.query_params.values()))


def _from_environment(variable: str) -> str:
    return os.environ.get(variable, "").strip()
