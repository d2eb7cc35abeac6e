"""The desk: one attempt to sign in at a time, its nursery, its cancel scope, and its one outcome."""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeAlias, TypeVar

import attrs
import trio

from codex_trio.errors import LoginError, StoreError

if TYPE_CHECKING:
    from codex_trio.account.auth import Auth
    from codex_trio.account.credentials import Credentials

log = logging.getLogger(__name__)

LINGER: Final = 3.0
"""Seconds that a browser has to fetch its last page once the outcome is known."""

NOT_COMPLETED: Final = "Login was not completed"

Outcome: TypeAlias = str | None
"""What an attempt comes to: None when credentials are stored, else why not."""


class Login(Protocol):
    """A way of signing in that takes somebody's time, and has begun."""

    patience: ClassVar[float]
    """Seconds after which nobody is expected to finish any more."""
    prefix: ClassVar[str]
    """What stands before every reason but the one below."""
    too_late: ClassVar[str]
    """The reason when the patience is at its end."""

    @property
    def port(self) -> int | None:
        """On which port of 127.0.0.1 it listens, if on any."""
        ...

    async def run(self, attempt: Attempt, nursery: trio.Nursery) -> None:
        """See it through, to ``attempt.keep`` or ``attempt.fail``.

        Tasks of the nursery end with the attempt. May go on behind the outcome, to show a
        last page for example, until it is cancelled.

        Raises:
            LoginError: the same as ``attempt.fail``.
        """
        ...


GiveWay: TypeAlias = Callable[[int], Awaitable[bool]]
"""Ends what listens on a port for the same desk; false when nothing does."""

L = TypeVar("L", bound=Login)

Flow: TypeAlias = Callable[[GiveWay], AbstractAsyncContextManager[L]]
"""Begins to sign in: entering may take time, may fail, and may be cancelled; leaving gives up
all that it has taken, without waiting for anybody."""


@attrs.define(eq=False)
class Attempt:
    """One attempt to sign in; made by ``LoginDesk.reserve``.

    Once it has begun it has one outcome, and that is told once, whatever happens: when
    credentials are stored, when it has failed, at the latest when nothing is left of it.
    """

    _auth: Auth
    id: str = attrs.field(factory=lambda: str(uuid.uuid4()), init=False)
    login: Login | None = attrs.field(default=None, init=False)
    """What is under way; None until it has begun."""
    settled: bool = attrs.field(default=False, init=False)
    """Whether the outcome has been told."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    """What ``cut`` cuts; for the desk."""
    ended: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when its tasks have ended and what it had taken is free."""
    _tell: Callable[[Outcome], None] | None = attrs.field(default=None, init=False)
    _first: list[Callable[[Outcome], None]] = attrs.field(factory=list, init=False)
    _storing: bool = attrs.field(default=False, init=False)  # the point of no return is passed
    _cut: str | None = attrs.field(default=None, init=False)  # why it is being cut

    @property
    def open(self) -> bool:
        """Whether it has begun and can still be kept from storing anything."""
        return self.login is not None and not (self.settled or self._storing)

    def begin(self, login: Login, tell: Callable[[Outcome], None]) -> None:
        """Have an outcome from here on, which ``tell`` is called with; for the desk."""
        self.login, self._tell = login, tell
        self.scope.deadline = trio.current_time() + login.patience

    def before_outcome(self, say: Callable[[Outcome], None]) -> None:
        """Have something said right before the outcome is told, without a checkpoint between."""
        self._first.append(say)

    async def keep(self, credentials: Credentials) -> None:
        """Store credentials: the success of the attempt.

        The point of no return: cancelled before, it has stored nothing; from there on nothing
        cancels it, and the outcome is told as soon as the credentials are stored.

        Raises:
            LoginError: they could not be stored, or it has failed meanwhile.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.settled:
            raise LoginError(NOT_COMPLETED)
        self._storing = True
        try:
            with trio.CancelScope(shield=True):
                await self._auth.sign_in(credentials)
        except StoreError as error:
            raise LoginError(
                "Sign-in completed but credentials could not be saved locally.",
                "persist_failed",
                str(error),
            ) from None
        finally:
            self._storing = False
        self._settle(None)

    def fail(self, error: LoginError) -> None:
        """Tell that it has failed; a second outcome is none.

        If it is being cut, that is its outcome, and it is told at its end: whoever cuts it is
        answered then, and not before.
        """
        if self._cut is None:
            self._settle(self._because(str(error)))
        else:
            self.scope.cancel(reason=self._cut)  # it was just storing when it was cut

    def cut(self, reason: str = NOT_COMPLETED) -> None:
        """Cancel it; if it is just storing credentials, only what comes behind that.

        Wait for ``ended`` to know that nothing is left.
        """
        if self._cut is None:
            self._cut = reason
            if not self._storing:
                self.scope.cancel(reason=reason)

    def end(self, *, crashed: bool = False) -> None:
        """Tell the outcome if nobody has, and that nothing is left; for the desk."""
        if crashed:
            self._settle(self._because("Internal error"))
        elif self._cut is None and self.scope.cancelled_caught and self.login is not None:
            self._settle(self.login.too_late)
        self._settle(self._because(self._cut or NOT_COMPLETED))
        self.ended.set()

    def _because(self, reason: str) -> str:
        return reason if self.login is None else f"{self.login.prefix}{reason}"

    def _settle(self, outcome: Outcome) -> None:
        if self.settled:
            return
        self.settled = True
        for say in self._first:
            say(outcome)
        if self._tell is not None:
            self._tell(outcome)
        # What is left are pages for a browser, which may never come for them.
        patience = LINGER if self._cut is None else 0
        self.scope.deadline = trio.current_time() + patience


@attrs.define(eq=False)
class LoginDesk:
    """Lets one attempt at a time sign in to an account scope.

    Attempts run in the desk's nursery, so they outlive whoever has started them. A new one
    takes the place of the former when it has begun, and until then leaves it alone.
    """

    _nursery: trio.Nursery
    _auth: Auth
    _attempts: list[Attempt] = attrs.field(factory=list, init=False)
    """Those of which something is left, in order of arrival."""
    _closed: bool = attrs.field(default=False, init=False)

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
            with attempt.scope:
                for other in self._before(attempt):
                    if other.login is None:
                        await other.ended.wait()  # it has been cut
                async with flow(partial(self._give_way, attempt)) as login:

                    def begin() -> None:
                        if not (
                            attempt.login or attempt.settled or attempt.scope.cancel_called
                        ):
                            attempt.begin(login, tell)
                            ready(login)
                            task_status.started()

                    await self._take_over(attempt, begin)
                    await _see_through(attempt, login)
        except Exception as error:
            if attempt.login is None:
                raise  # to whoever has started it
            crashed = True
            # As in the rpc package: the text of the unforeseen may quote a secret.
            way = "".join(traceback.format_tb(error.__traceback__))
            log.error("a login failed: %s\n%s", type(error).__name__, way)  # noqa: TRY400 - see above
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
