"""New tokens for old ones: once, for every task here and every process with the same store."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.account.flights import Flights
from codex_trio.account.identity import is_same_account
from codex_trio.account.oauth import now
from codex_trio.account.refresh_grant import Age, classify, question, renew
from codex_trio.account.refresh_note import RefreshNote
from codex_trio.errors import RefreshError, StoreError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from codex_trio.account.auth import Auth
    from codex_trio.account.credentials import Credentials, Tokens
    from codex_trio.account.lock import Held
    from codex_trio.account.oauth import Issuer
    from codex_trio.account.restrictions import Restrictions
    from codex_trio.account.standing import Standing
    from codex_trio.settings import Settings
    from codex_trio.upstream import Reply, Upstream

PATIENCE: Final = 30.0
"""Seconds that the issuer has to renew tokens."""

_LOCK_PATIENCE: Final = 1.5 * PATIENCE  # another process may be about the same
_PAUSE: Final = 60.0  # seconds between two attempts that nobody has asked for
_GRACE: Final = 2.0  # seconds that an exchange under way has when the server ends
_LOOKS: Final = (0.05, 0.2, 0.5, 1.0)  # seconds; for who used a token before us to store his

_GATEWAY_FAILED: Final = (502, 504, 520, 524)  # who says so cannot know what the issuer did
_CUT: Final = "the server has ended before the tokens were renewed"

log = logging.getLogger(__name__)


class _KnownError(RefreshError):
    """Nothing has been tried: it is known what would come of it."""


@attrs.frozen
class _Failure:
    """Why some credentials could not be renewed, and when that was on Trio's clock."""

    of: Credentials
    error: RefreshError
    at: float
    in_doubt: bool
    """Whether their refresh token may be spent all the same."""


@attrs.define(eq=False)
class Refresher:
    """Renews the tokens of a ChatGPT account that we manage.

    A refresh token is good for one use, and using it twice may end the account's session. So
    whoever renews holds a lock that all processes share, and looks first whether another has
    done it. What is sent is noted in the lock's file before, so that nobody uses a token again
    of which it is not known whether it was used: not after a time-out, not in another process,
    not after a crash. Only when there is nothing to lose any more, because the access token is
    of no use either, it is tried again, once a minute at most.
    """

    _settings: Settings
    _auth: Auth
    _upstream: Upstream
    _nursery: trio.Nursery
    _issuer: Issuer
    _restrictions: Restrictions
    _standing: Standing
    _flights: Flights = attrs.field(init=False)
    _alone: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _failed: _Failure | None = attrs.field(default=None, init=False)
    _in_doubt: bool = attrs.field(default=False, init=False)  # of the token that is used now
    _tried: tuple[Credentials | None, float] | None = attrs.field(default=None, init=False)
    """What was in force behind the last attempt, and when that was, on Trio's clock."""

    def __attrs_post_init__(self) -> None:
        self._flights = Flights(self._nursery, "renew tokens")

    @property
    def since(self) -> list[float]:
        """When the renewals began that are under way, on Trio's clock."""
        return self._flights.since

    def refusal(self, credentials: Credentials) -> RefreshError | None:
        """Say why these credentials will never be renewed, if that is known."""
        error = self.failure(credentials)
        return error if error is not None and error.permanent else None

    def failure(self, credentials: Credentials) -> RefreshError | None:
        """Say why these credentials could not be renewed the last time, if they were not."""
        failed = self._failed
        return failed.error if failed is not None and failed.of == credentials else None

    async def fresh(self, agent: Mapping[str, str]) -> Credentials | None:
        """Return the credentials in force, renewed if it is time for that (observed).

        That is five minutes before an access token ends, or after eight days if it does not
        say when it does. What cannot be renewed is returned as it is: whoever is asked with it
        will say so.
        """
        await self._auth.look()
        current = self._auth.current
        if current is None or current.mode != "chatgpt":
            return current
        age = Age.of(current)
        if age.stale and not self._pauses(current, age):
            try:
                await self.refresh(current, agent, needed=age.expired)
            except RefreshError as error:
                log.warning("%s", error)
        return self._auth.current

    def _pauses(self, current: Credentials, age: Age) -> bool:
        """Say whether nothing is to be done yet, as little has changed since the last time.

        Tokens that have just been renewed, here or in another process, and look expired all the
        same say that a clock is wrong; more of them would not put it right.
        """
        if self._tried is None:
            return False
        left_by_it, at = self._tried
        if not is_same_account(left_by_it, current) or trio.current_time() - at >= _PAUSE:
            return False
        return not age.expired or self.failure(current) is None

    async def refresh(
        self, former: Credentials, agent: Mapping[str, str], *, needed: bool = False
    ) -> None:
        """See to it that these credentials are not in force any more, but newer ones are.

        A cancelled call leaves the refresh running, which others may wait for.

        Args:
            former: those that are to be renewed; if they are not in force, nothing is done.
            agent: the headers that say who we are.
            needed: whether they are of no use as they are.

        Raises:
            RefreshError: they could not be renewed.
        """
        self._check_failure(former)
        step = partial(self._refresh, former, agent, needed=needed)
        await self._flights.join((former, needed), step)

    async def _refresh(
        self, former: Credentials, agent: Mapping[str, str], *, needed: bool
    ) -> None:
        try:
            async with self._alone, self._auth.renewal_lock.held(_LOCK_PATIENCE) as held:
                self._in_doubt = False
                await self._auth.look(again=True)
                current = self._auth.current
                if current is None or not is_same_account(current, former):
                    return  # somebody else has signed in, or nobody is any more
                if current != former and not (needed and Age.of(current).expired):
                    return  # somebody was faster
                former = current
                await self._exchange(current, agent, held, needed=needed)
        except StoreError as error:
            raise self._fail(
                former, RefreshError(f"Failed to refresh token: {error}")
            ) from None
        except _KnownError:
            raise
        except RefreshError as error:
            raise self._fail(former, error) from None
        finally:
            self._tried = (self._auth.current, trio.current_time())

    def _fail(self, former: Credentials, error: RefreshError) -> RefreshError:
        copy = RefreshError(str(error), error.kind)  # without where it came from
        self._failed = _Failure(former, copy, trio.current_time(), self._in_doubt)
        return error

    def _check_failure(self, credentials: Credentials) -> None:
        """Look whether it makes sense to try these again now.

        Raises:
            RefreshError: it never will; or they may be spent, and that has just been tried.
        """
        failed = self._failed
        if failed is None or failed.of != credentials:
            return
        too_soon = failed.in_doubt and trio.current_time() - failed.at < _PAUSE
        if failed.error.permanent or too_soon:
            raise _KnownError(str(failed.error), failed.error.kind)

    async def _exchange(
        self,
        former: Credentials,
        agent: Mapping[str, str],
        held: Held,
        *,
        needed: bool,
    ) -> None:
        self._check_failure(former)
        if former.tokens is None or not former.tokens.refresh_token:
            raise RefreshError("Failed to refresh token: there is no refresh token")
        with suppress(StoreError):
            await self._auth.save_rest()
        if self._auth.failure is not None and not needed:
            raise RefreshError(
                f"Failed to refresh token: the store cannot be used: {self._auth.failure}"
            )
        note = RefreshNote(held, former.tokens.refresh_token)
        keep = self._auth.unsaved
        await trio.to_thread.run_sync(
            partial(note.begin, keep=keep, needed=needed), limiter=trio.CapacityLimiter(1)
        )
        self._in_doubt = True
        await _outlive(_GRACE, partial(self._ask, former, former.tokens, agent, note))

    async def _ask(
        self, former: Credentials, tokens: Tokens, agent: Mapping[str, str], note: RefreshNote
    ) -> RefreshError | None:
        """Have the issuer renew tokens, and store what it gives; returns why it does not."""
        try:
            reply = await self._upstream.post(
                self._settings.refresh_url or f"{self._settings.issuer}/oauth/token",
                json=question(self._settings.client_id, tokens),
                headers={**agent, **self._restrictions.headers},
                patience=PATIENCE,
                follow=False,  # nobody else is to see the token
            )
            if not reply.succeeded:
                return await self._explain(former, reply, note)
            await self._take(former, renew(former, reply, now()), note, agent)
        except UpstreamError as error:
            if error.unsent:
                await self._settle(note)
            return RefreshError(f"Failed to refresh token: {error}")
        except RefreshError as error:
            return error
        return None

    async def _take(
        self,
        former: Credentials,
        credentials: Credentials,
        note: RefreshNote,
        agent: Mapping[str, str],
    ) -> None:
        with trio.CancelScope(shield=True):  # the former token is spent
            renewed = await self._auth.renew(former, credentials)
            if not self._auth.unsaved:  # or another process would find the spent one
                await self._settle(note, all_of_it=True)
        if not renewed and not is_same_account(self._auth.current, former):
            await self._drop(credentials, agent)
        elif renewed and credentials.bearer != former.bearer:
            self._standing.note(credentials, refused=False)

    async def _settle(self, note: RefreshNote, *, all_of_it: bool = False) -> None:
        self._in_doubt = False
        await note.end(all_of_it=all_of_it)

    async def _drop(self, credentials: Credentials, agent: Mapping[str, str]) -> None:
        """Revoke tokens that have come too late: somebody else is signed in, or nobody."""
        assert credentials.tokens is not None  # they have just been renewed
        try:
            await self._issuer.revoke(credentials.tokens, agent)
        except UpstreamError as error:
            log.warning("tokens that came too late could not be revoked: %s", error)

    async def _explain(
        self, former: Credentials, reply: Reply, note: RefreshNote
    ) -> RefreshError | None:
        """Find out what a refusal comes to: nothing, if somebody else has renewed the tokens."""
        if reply.status not in _GATEWAY_FAILED:
            await self._settle(note)
        error = classify(reply)
        if error.kind == "reused" and await self._is_stored_soon(former):
            return None
        return error

    async def _is_stored_soon(self, former: Credentials) -> bool:
        """Look whether somebody who knows no lock has renewed the tokens before us."""
        for wait in _LOOKS:
            await trio.sleep(wait)
            await self._auth.look(again=True)
            if self._auth.current != former:
                return True
        return False


async def _outlive(seconds: float, step: Callable[[], Awaitable[RefreshError | None]]) -> None:
    """Let a step go on for some seconds when it is cancelled from outside.

    Raises:
        RefreshError: the step has returned it. (In the nursery it would end in a group.)
    """
    error: RefreshError | None = RefreshError(_CUT)
    scope = trio.CancelScope(shield=True)

    async def end_late() -> None:
        try:
            await trio.sleep_forever()
        finally:
            scope.deadline = trio.current_time() + seconds

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_late)
        with scope:
            error = await step()
        nursery.cancel_scope.cancel(reason="the step is done")
    if error is not None:
        raise error
