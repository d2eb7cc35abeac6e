"""What lives in a Trio thread, as the rest of the program sees it.

A stand-in for each object that lives there has its methods, blocks and iterations; each use of
them is an errand. How errands are waited for is what ``codex_trio.asyncio`` and
``codex_trio.blocking`` differ in. Values pass as they are: words are frozen.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import trio

from codex_trio.client import Client, Login, News, Thread, Turn
from codex_trio.client.link import UNDOING
from codex_trio.client.threads import Text
from codex_trio.errors import AnswerError, RpcError, ServerGoneError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codex_trio.bridge.thread import Errand, TrioThread

Work: TypeAlias = Callable[[], Awaitable[Any]]

_LIVE: Final = (Client, Login, News, Thread, Turn, Text)


@attrs.define(eq=False)
class Side(ABC):
    """The side of the bridge that is not Trio's."""

    thread: TrioThread
    _more_live: tuple[type, ...]

    @abstractmethod
    def do(
        self, work: Work, unheard: Callable[[Errand], Awaitable[object]] | None = None
    ) -> Any:
        """Have work done, and wait for it in the way of this side.

        When waiting is cancelled, but the work has come to its end before it heard of that,
        ``unheard`` is called with the errand in the Trio thread.
        """

    @abstractmethod
    def handler(self, function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        """Make a function of this side one that can be awaited in Trio, in today's context."""

    @abstractmethod
    def block(self, hold: Hold) -> Any:
        """Make a block of this side."""

    @abstractmethod
    def stand_in(self, target: Any) -> Across:
        """Make a stand-in for an object that lives in Trio."""

    def bring(self, value: Any) -> Any:
        """Bring what was found or returned in Trio to this side."""
        if isinstance(value, (*_LIVE, *self._more_live)):
            return self.stand_in(value)
        if isinstance(value, AbstractAsyncContextManager):
            return self.block(Hold(value))
        return value


@attrs.define(eq=False, repr=False)
class Across:
    """Stands in for an object that lives in the Trio thread."""

    _side: Side
    _target: Any
    _kept: deque[Errand] = attrs.field(factory=deque, init=False)
    """What an iteration has come to that was cancelled when it had just ended."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if inspect.ismethod(found):
            return update_wrapper(partial(self._use, found), found)
        return self._side.bring(found)

    def __dir__(self) -> Iterable[str]:
        return (name for name in dir(self._target) if not name.startswith("_"))

    async def _keep(self, errand: Errand) -> None:
        self._kept.append(errand)

    def _use(self, method: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        if method.__name__ == "answers":
            row, handler = args
            args = (row, self._side.handler(handler))
        unheard = None
        if options.get("undo") is not None:
            options["undo"] = self._side.handler(options["undo"])
            unheard = partial(_undo_unheard, options["undo"])
        given = {name: there(value) for name, value in options.items()}
        use = partial(method, *map(there, args), **given)
        if inspect.iscoroutinefunction(method):
            return self._side.do(lambda: self._awaited(use), unheard)
        return self._side.bring(self._side.thread.call(use))

    async def _awaited(self, use: Callable[[], Awaitable[Any]]) -> Any:
        return self._side.bring(await use())

    def __repr__(self) -> str:
        return f"<{self._target!r}, in a Trio thread>"


async def _undo_unheard(undo: Callable[[Any], Awaitable[object]], errand: Errand) -> None:
    """Do what the call would have done, had it been cancelled a moment earlier."""
    with (
        trio.move_on_after(UNDOING, shield=True),
        suppress(RpcError, AnswerError, ServerGoneError),
    ):
        await undo(errand.result())


def there(value: Any) -> Any:
    """Take what is given on the other side to Trio: of a stand-in, what it stands for."""
    return value._target if isinstance(value, Across) else value


@attrs.define(eq=False)
class Hold:
    """Keeps a block of Trio open, in a task of its own, until it is left on the other side."""

    _block: AbstractAsyncContextManager[Any]
    _left: trio.Event = attrs.field(factory=trio.Event, init=False)
    _error: Exception | None = attrs.field(default=None, init=False)

    async def run(self, entered: Callable[[Any], None]) -> None:
        """Enter the block, wait until it is left, and leave it."""
        async with self._block as value:
            entered(value)
            await self._left.wait()
            if self._error is not None:
                raise self._error

    def leave(self, error: Exception | None) -> None:
        """Leave the block, as a body does that ends with this; in the Trio thread."""
        self._error = error
        self._left.set()

    def check(self, errand: Errand, error: Exception | None) -> None:
        """Raise what the block has raised, but for what it was left with: that goes on by itself."""
        try:
            errand.result()
        except Exception as raised:
            if raised is not error:
                raise
