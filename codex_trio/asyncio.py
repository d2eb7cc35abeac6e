"""The same servers and clients for programs on asyncio: FastAPI, Jupyter and the like.

::

    async with codex_trio.asyncio.open_server() as server, server.connect() as client:
        print(await client.call(methods.ACCOUNT_READ, words.GetAccountParams()))

They live in a Trio loop in a worker thread, one for each outermost block; what you hold are
stand-ins for them. An ``await``, ``async with`` or ``async for`` says the same on both sides, so
they are typed as what they stand for. Cancelling a task cancels what it waits for in Trio, and
waits for its end; exceptions come across as they are; leaving the outermost block ends the thread.

Handlers that you register run in your loop, in the context in which they were registered. What is not
async is called in the Trio thread while yours waits, some 0.1 ms; a ``where`` or ``take_line`` of
yours is always called there.
"""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

import attrs
import trio

from codex_trio import client
from codex_trio.bridge.across import Across, Hold, Side
from codex_trio.bridge.thread import Errand, TrioThread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from types import TracebackType

    from codex_trio.account.storage import Store
    from codex_trio.bridge.across import Work
    from codex_trio.server import Server
    from codex_trio.settings import Settings

__all__ = ["connect", "open_server"]

P = ParamSpec("P")
T = TypeVar("T")

_LETTING_GO: Final = 2.0  # seconds that a handler of yours has to end when it is cancelled


def open_server(
    settings: Settings | None = None, *, store: Store | None = None
) -> AbstractAsyncContextManager[Server]:
    """Run a server within the block, as ``codex_trio.open_server`` does."""
    from codex_trio.scope import AccountScope  # late: who only connects needs none of it
    from codex_trio.server import Server, open_server

    return _across(open_server(settings, store=store), Server, AccountScope)


def _brought(
    function: Callable[P, AbstractAsyncContextManager[T]],
) -> Callable[P, AbstractAsyncContextManager[T]]:
    @wraps(function)
    def bring(*args: P.args, **options: P.kwargs) -> AbstractAsyncContextManager[T]:
        return _across(function(*args, **options))

    return bring


connect = _brought(client.connect)


@asynccontextmanager
async def _across(block: AbstractAsyncContextManager[T], *live: type) -> AsyncGenerator[T]:
    side = _AsyncioSide(TrioThread(), live)
    side.thread.start()
    try:
        async with side.block(Hold(block)) as value:
            yield cast("T", value)
    finally:
        ended = _Ending(side)
        side.thread.stop(ended.come)
        try:
            await ended.wait()  # noqa: ASYNC102 - asyncio has no shields; this waits like one
        finally:
            side.thread.join()


@attrs.define(eq=False)
class _AsyncioSide(Side):
    """Waits in coroutines of the asyncio loop in which it was made."""

    asyncio: asyncio.AbstractEventLoop = attrs.field(
        factory=asyncio.get_running_loop, init=False
    )

    def soon(
        self,
        function: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> None:
        """Call a function in asyncio's thread; or not, if its loop was left behind."""
        with suppress(RuntimeError):  # it is closed
            self.asyncio.call_soon_threadsafe(function, *args, context=context)

    def order(self, work: Work, ending: _Ending) -> Errand:
        errand = Errand(self.thread, ending.come)
        self.thread.order(errand, work)
        return errand

    async def do(
        self, work: Work, unheard: Callable[[Errand], Awaitable[object]] | None = None
    ) -> Any:
        ending = _Ending(self)
        errand = self.order(work, ending)
        try:
            await ending.wait(errand)
        except asyncio.CancelledError:
            if unheard is not None and not errand.cancelled:
                await self.do(partial(unheard, errand))  # noqa: ASYNC102 - it is limited
            raise
        return errand.result()

    def handler(self, function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        context = contextvars.copy_context()

        async def answer(*args: Any) -> T:
            call = _HandlerCall(self, trio.lowlevel.current_trio_token(), context)
            return cast("T", await call.run(function, args))

        return answer

    def block(self, hold: Hold) -> _Block:
        return _Block(self, hold)

    def stand_in(self, target: Any) -> Across:
        return _StandIn(self, target)


@attrs.define(eq=False, repr=False)
class _StandIn(Across):
    def __aiter__(self) -> _StandIn:
        return self

    async def __anext__(self) -> Any:
        if self._kept:
            return self._kept.popleft().result()
        return await self._side.do(self._target.__anext__, self._keep)


@attrs.define(eq=False)
class _Ending:
    """The end of something in the Trio thread, waited for in asyncio."""

    _side: _AsyncioSide
    _has_come: bool = attrs.field(default=False, init=False)
    _waiting: asyncio.Future[None] | None = attrs.field(default=None, init=False)

    def come(self) -> None:
        """Note that it has come; in the Trio thread."""
        self._side.soon(self.wake, True)

    def wake(self, has_come: bool = False) -> None:
        """Let whoever waits look."""
        self._has_come |= has_come
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self, errand: Errand | None = None) -> None:
        """Wait for it; a cancellation cancels the errand, and is raised when the end has come.

        Scopes of anyio cancel again and again until then, which keeps the loop busy.
        """
        cancelled: asyncio.CancelledError | None = None
        while not self._has_come:
            try:
                await self.wait_woken()
            except asyncio.CancelledError as error:  # noqa: ASYNC103 - it is raised in the end
                cancelled = error
                if errand is not None:
                    errand.cancel()
        if cancelled is not None:
            raise cancelled

    async def wait_woken(self) -> None:
        """Wait until it has come, or somebody is woken for another reason."""
        if not self._has_come:
            self._waiting = self._side.asyncio.create_future()
            await self._waiting


@attrs.define(eq=False)
class _Block(AbstractAsyncContextManager[Any]):
    _side: _AsyncioSide
    _hold: Hold
    _errand: Errand = attrs.field(init=False)
    _ending: _Ending = attrs.field(init=False)
    _entered: list[Any] = attrs.field(factory=list, init=False)

    async def __aenter__(self) -> Any:
        self._ending = _Ending(self._side)
        self._errand = self._side.order(lambda: self._hold.run(self._tell), self._ending)
        try:
            await self._ending.wait_woken()
        except asyncio.CancelledError:
            self._errand.cancel()
            await self._ending.wait()  # noqa: ASYNC102 - see above
            raise
        if not self._entered:
            self._errand.result()
        (value,) = self._entered
        return self._side.bring(value)

    def _tell(self, value: Any) -> None:
        self._entered.append(value)
        self._side.soon(self._ending.wake)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, Exception):
            self._side.thread.run_soon(lambda: self._hold.leave(error))
            await self._ending.wait(self._errand)  # noqa: ASYNC102 - see above
            self._hold.check(self._errand, error)
        else:
            self._errand.cancel()
            await self._ending.wait()  # noqa: ASYNC102 - see above


@attrs.define(eq=False)
class _HandlerCall:
    """A handler that runs in asyncio, waited for in Trio."""

    _side: _AsyncioSide
    _token: trio.lowlevel.TrioToken
    _context: contextvars.Context
    _ended: trio.Event = attrs.field(factory=trio.Event, init=False)
    _task: asyncio.Future[Any] | None = attrs.field(default=None, init=False)

    async def run(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> Any:
        self._side.soon(self._begin, function, args, context=self._context)
        try:
            await self._ended.wait()
        except trio.Cancelled:  # noqa: ASYNC103 - it is raised again
            self._side.soon(self._cancel)
            with trio.move_on_after(_LETTING_GO, shield=True):
                await self._ended.wait()
            raise
        assert self._task is not None
        if self._task.cancelled():
            raise RuntimeError("the handler was cancelled")
        return self._task.result()

    def _begin(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        async def answer() -> Any:  # so that whatever is wrong with the function is its failure
            return await function(*args)

        self._task = self._side.asyncio.create_task(answer())
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _end(self, task: asyncio.Future[Any]) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._ended.set)
