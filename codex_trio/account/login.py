"""The desk: one attempt to sign in at a time, each in a nursery of its own."""

from __future__ import annotations

import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from codex_trio import telemetry
from codex_trio.account.attempt import NOT_COMPLETED, Attempt, Flow, L, Login, Outcome
from codex_trio.errors import LoginError
from codex_trio.groups import describe_ways

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.account.auth import Auth

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class LoginDesk:
    """Lets one attempt at a time sign in to an account scope.

    Attempts run in the desk's nursery, so they outlive whoever has started them. A new one
    takes the place of the former when it has begun, and until then leaves it alone, unless it
    needs its port.
    """

    _nursery: trio.Nursery
    _auth: Auth
    _attempts: list[Attempt] = attrs.field(factory=list, init=False)
    """Those of which something is left, in order of arrival."""
    _closed: bool = attrs.field(default=False, init=False)

    @property
    def attempts(self) -> list[Attempt]:
        """Those of which something is left, in order of arrival."""
        return list(self._attempts)

    def find(self, login_id: str) -> Attempt | None:
        """Find an attempt that has begun and can still be kept from storing anything."""
        for attempt in self._attempts:
            if attempt.id == login_id and attempt.open:
                return attempt
        return None

    def reserve(self) -> Attempt:
        """Make an attempt, which must be started; one that has not begun yet is cut for it.

        Everything that is done at the desk from here on comes after it, in particular
        ``clear`` ends it.
        """
        for other in self._attempts:
            if other.login is None:
                other.cut()
        attempt = Attempt(self._auth)
        self._attempts.append(attempt)
        if self._closed:
            attempt.cut()
        return attempt

    async def start(
        self,
        attempt: Attempt,
        flow: Flow[L],
        ready: Callable[[L], None],
        tell: Callable[[Outcome], None],
    ) -> None:
        """Begin to sign in; returns when that has begun and goes on by itself.

        Neither ``ready`` nor ``tell`` may wait. A cancelled call leaves nothing, unless
        ``ready`` has been called.

        Args:
            attempt: what has been reserved for it.
            flow: the way in which to sign in.
            ready: called when it has begun; what it says is said before any outcome.
            tell: called with the outcome, once, and only if ``ready`` has been.

        Raises:
            LoginError: it was cut before it had begun.
            Exception: whatever the flow raises on entering.
        """
        try:
            await self._nursery.start(self._run, attempt, flow, ready, tell)
        finally:
            if attempt.login is None and attempt in self._attempts:
                self._forget(attempt)  # it has not even run

    async def clear(self) -> None:
        """End every attempt; returns when nothing is left and all outcomes are told.

        A cancelled call has cut them all the same.
        """
        attempts = list(self._attempts)
        for attempt in attempts:
            attempt.cut()
        for attempt in attempts:
            await attempt.ended.wait()

    async def close(self) -> None:
        """End every attempt, and let nobody sign in any more.

        A browser that is about to fetch its last page has the time for that. A cancelled call
        has cut all the others.
        """
        self._closed = True
        attempts = list(self._attempts)
        for attempt in attempts:
            if attempt.open or attempt.login is None:
                attempt.cut()
        for attempt in attempts:
            await attempt.ended.wait()

    async def _run(
        self,
        attempt: Attempt,
        flow: Flow[L],
        ready: Callable[[L], None],
        tell: Callable[[Outcome], None],
        *,
        task_status: trio.TaskStatus[None],
    ) -> None:
        crashed = False
        try:
            with telemetry.span("login") as span, attempt.scope:
                for other in self._before(attempt):
                    if other.login is None:
                        await other.ended.wait()  # it has been cut
                async with flow(partial(self._give_way, attempt)) as login:

                    def begin() -> None:
                        if not (
                            attempt.login or attempt.settled or attempt.scope.cancel_called
                        ):
                            ready(login)  # first: if it fails, nothing has begun
                            attempt.begin(login, tell)
                            task_status.started()

                    span.note(login_type=type(login).__name__)
                    try:
                        await self._take_over(attempt, begin)
                        await _see_through(attempt, login)
                    finally:
                        span.note(login_stored=attempt.stored)
        except Exception as error:
            if attempt.login is None:
                raise  # to whoever has started it
            crashed = True
            log.error("a login failed: %s", describe_ways(error))  # noqa: TRY400 - its text may be a secret
        finally:
            self._forget(attempt, crashed=crashed)
        if attempt.login is None:
            raise LoginError(NOT_COMPLETED)

    async def _take_over(self, attempt: Attempt, begin: Callable[[], None]) -> None:
        """Begin in the place of those who came before.

        If they have not told their outcome until their end, we begin right before that, in their
        task: that is the order of the original, and nothing can come between.
        """

        def begin_at_end(outcome: Outcome) -> None:
            if outcome is not None:  # a success is told before the end
                with contextlib.suppress(Exception):  # which we meet again below, in our task
                    begin()

        for other in self._before(attempt):
            other.before_outcome(begin_at_end)
            other.cut()
            await other.ended.wait()
        begin()

    async def _give_way(self, attempt: Attempt, port: int) -> bool:
        for other in self._before(attempt):
            if other.login is not None and other.login.port == port:
                other.cut("Login cancelled")  # the original cancels itself over HTTP
                await other.ended.wait()
                return True
        return False

    def _before(self, attempt: Attempt) -> list[Attempt]:
        return self._attempts[: self._attempts.index(attempt)]

    def _forget(self, attempt: Attempt, *, crashed: bool = False) -> None:
        self._attempts.remove(attempt)
        attempt.end(crashed=crashed)


async def _see_through(attempt: Attempt, login: Login) -> None:
    async with trio.open_nursery() as nursery:
        try:
            await login.run(attempt, nursery)
        except LoginError as error:
            attempt.fail(error)
        nursery.cancel_scope.cancel(reason="the login is over")
