"""A Trio loop in a worker thread of its own, for programs that do not run on Trio.

It was measured beside guest mode, Trio as a guest in the host's loop. An ``account/read`` from
asyncio and back takes 155 microseconds, as a guest 220; the server needs 80 of them. With 256 in
flight either does some 6,000 in a second, within what is measured twice. Starting takes 0.8 ms either
way, ending 2 ms, as a guest 0.4. (With the stand-ins of ``across`` it is 185 microseconds, and 4,000
in a second. Python 3.11, two cores, both busy with other things.) What decides is the rest: a guest
stands still while its host computes, so that tokens are not renewed and streams are not read; it is
left in pieces by a host that closes its loop early; and it is of no use to worker threads.
"""

from __future__ import annotations

import atexit
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import trio

from codex_trio.errors import ServerGoneError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_GONE: Final = "the block that runs the server was left"
_ELSEWHERE: Final = "the server runs in the process from which this one was forked"
_LAST_CHANCE: Final = 5.0  # seconds that blocks have that are still open when Python ends


@attrs.define(eq=False)
class Errand:
    """A piece of work that has been handed over to the Trio thread."""

    _loop: TrioThread
    _finished: Callable[[], None]
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _result: Any = attrs.field(default=None, init=False, repr=False)
    _error: BaseException | None = attrs.field(default=None, init=False, repr=False)
    cancelled: bool = attrs.field(default=False, init=False)
    """Whether it has ended because it was cancelled, or never began."""

    def cancel(self) -> None:
        """Cancel the work; may be called in any thread, and does not wait for its end."""
        self._loop.run_soon(self.scope.cancel)

    async def run(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Do it; in the Trio thread."""
        self.cancelled = True
        try:
            with self.scope:
                self._result = await work()
                self.cancelled = False
        except Exception as error:  # it is raised where the work was ordered
            self._error = error
        finally:
            self._finished()

    def give_up(self) -> None:
        """End before it has begun: there is nobody to do it."""
        self.cancelled = True
        self._finished()

    def result(self) -> Any:
        """Return what it has come to, or raise it.

        Raises:
            ServerGoneError: it was cancelled, and by nobody here: the loop has ended.
        """
        if self._error is not None:
            raise self._error
        if self.cancelled:
            raise ServerGoneError(self._loop.gone)
        return self._result


@attrs.define(eq=False)
class TrioThread:
    """A worker thread that runs Trio, from ``start`` until ``stop``.

    Should Python end before, that stops it, and nothing hangs there.
    """

    _thread: threading.Thread = attrs.field(init=False)
    _token: trio.lowlevel.TrioToken = attrs.field(init=False)
    _nursery: trio.Nursery = attrs.field(init=False)
    _ready: threading.Event = attrs.field(factory=threading.Event, init=False)
    _failure: BaseException | None = attrs.field(default=None, init=False)
    _process: int = attrs.field(factory=os.getpid, init=False)
    _when_ended: Callable[[], None] | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        """Start it, and wait until it runs: less than a millisecond.

        Raises:
            OSError: it cannot run, for want of file descriptors for example.
        """
        self._thread = threading.Thread(target=self._run, name="codex-trio", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        atexit.register(self._end)

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:  # noqa: ASYNC103 - we are outside of Trio
            if self._ready.is_set():
                raise
            self._failure = error  # it is raised where somebody waits for the start
        finally:
            self._ready.set()
            if self._when_ended is not None:
                self._when_ended()

    async def _main(self) -> None:
        async with trio.open_nursery() as self._nursery:
            self._token = trio.lowlevel.current_trio_token()
            self._ready.set()
            await trio.sleep_forever()

    @property
    def forked(self) -> bool:
        """Whether this is a fork of the process that it runs in; threads do not come along."""
        return os.getpid() != self._process

    @property
    def gone(self) -> str:
        """Why nothing is done there any more."""
        return _ELSEWHERE if self.forked else _GONE

    def run_soon(self, function: Callable[[], object]) -> bool:
        """Call a function in that thread soon; false if it has ended."""
        if self.forked:
            return False
        try:
            self._token.run_sync_soon(function)
        except trio.RunFinishedError:
            return False
        return True

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in that thread, and wait for it; it must not wait itself.

        Raises:
            ServerGoneError: the thread has ended.
        """
        if threading.current_thread() is self._thread:
            return function()
        outcome: Future[T] = Future()

        def answer() -> None:
            try:
                outcome.set_result(function())
            except Exception as error:  # it is raised where it was called
                outcome.set_exception(error)

        if not self.run_soon(answer):
            raise ServerGoneError(self.gone)
        return outcome.result()

    def order(self, errand: Errand, work: Callable[[], Awaitable[Any]]) -> None:
        """Have work done there, as a task of its own.

        Raises:
            RuntimeError: this is that thread, which could not wait for it.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("what is called in the Trio thread must not wait")

        def begin() -> None:
            if self._nursery.cancel_scope.cancel_called:
                errand.give_up()
            else:
                self._nursery.start_soon(errand.run, work)

        if not self.run_soon(begin):
            errand.give_up()

    def stop(self, when_ended: Callable[[], None] | None = None) -> None:
        """Cancel what is still done there; ``when_ended`` is called in that thread at its end."""
        self._when_ended = when_ended
        if not self.run_soon(self._cancel) and when_ended is not None:
            when_ended()

    def join(self) -> None:
        """Wait for the end of the thread, which has been stopped."""
        self._thread.join()
        atexit.unregister(self._end)

    def _cancel(self) -> None:
        self._nursery.cancel_scope.cancel(reason="its owner leaves")

    def _end(self) -> None:
        """Stop it because Python ends, whose owner has not: a loop that was left behind."""
        self.stop()
        self._thread.join(_LAST_CHANCE)
