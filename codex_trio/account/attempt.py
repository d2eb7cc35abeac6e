"""One attempt to sign in: its cancel scope, its point of no return, and its one outcome."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol, TypeAlias, TypeVar

import attrs
import trio

from codex_trio.errors import LoginError, StoreError

if TYPE_CHECKING:
    from codex_trio.account.auth import Auth
    from codex_trio.account.credentials import Credentials

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
    since: float = attrs.field(factory=trio.current_time, init=False)
    """When it was asked for, on Trio's clock."""
    told: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when the outcome has been told."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    """What ``cut`` cuts; for the desk."""
    ended: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when its tasks have ended and what it had taken is free."""
    stored: bool = attrs.field(default=False, init=False)
    """Whether credentials have come of it."""
    _tell: Callable[[Outcome], None] | None = attrs.field(default=None, init=False)
    _first: list[Callable[[Outcome], None]] = attrs.field(factory=list, init=False)
    _storing: bool = attrs.field(default=False, init=False)  # the point of no return is passed
    _cut: str | None = attrs.field(default=None, init=False)  # why it is being cut

    @property
    def settled(self) -> bool:
        """Whether the outcome has been told."""
        return self.told.is_set()

    @property
    def state(self) -> Literal["beginning", "open", "storing", "settled"]:
        """How far it has come; what is settled may still show a last page."""
        if self.settled:
            return "settled"
        if self._storing:
            return "storing"
        return "beginning" if self.login is None else "open"

    @property
    def ending(self) -> bool:
        """Whether it is being cut."""
        return self._cut is not None

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

    def give_up_start(self) -> None:
        """Cut it if it has not begun: whoever wanted it has left."""
        if self.login is None:
            self.cut()

    def give_up(self) -> None:
        """Cut it unless it is settled: whoever wanted it has left.

        So a browser that is about to fetch its last page has the time for that.
        """
        if not self.settled:
            self.cut()

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
        self.stored = True
        self._settle(None)

    def fail(self, error: LoginError) -> None:
        """Tell that it has failed; a second outcome is none.

        If it is being cut, that is its outcome, and it is told at its end: whoever cuts it is
        answered then, and not before.
        """
        if self._cut is None:
            self._settle(self._because(str(error)))

    def cut(self, reason: str = NOT_COMPLETED) -> None:
        """Cancel it; if it is just storing credentials, that is done before.

        Wait for ``ended`` to know that nothing is left.
        """
        if self._cut is None:
            self._cut = reason
            self.scope.cancel(reason=reason)

    def end(self, *, crashed: bool = False) -> None:
        """Tell the outcome if nobody has, and that nothing is left; for the desk."""
        if crashed:
            self._settle(self._because("Internal error"))
        elif self._cut is None and self.scope.cancelled_caught and self.login is not None:
            self._settle(self.login.too_late)
        try:
            self._settle(self._because(self._cut or NOT_COMPLETED))
        finally:
            self.ended.set()

    def _because(self, reason: str) -> str:
        return reason if self.login is None else f"{self.login.prefix}{reason}"

    def _settle(self, outcome: Outcome) -> None:
        if self.settled:
            return
        self.told.set()
        for say in self._first:
            say(outcome)
        if self._tell is not None:
            self._tell(outcome)
        # What is left are pages for a browser, which may never come for them.
        self.scope.deadline = trio.current_time() + LINGER
