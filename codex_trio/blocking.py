"""The same servers and clients for programs that do not wait in coroutines: worker threads, scripts.

::

    with codex_trio.blocking.open_server() as server, server.connect() as client:
        print(client.call(methods.ACCOUNT_READ, words.GetAccountParams()))

They live in a Trio loop in a worker thread of its own, one for each outermost block; what you hold
are stand-ins for them, with the same methods, which wait instead of being awaited. ``async with``
becomes ``with``, ``async for`` becomes ``for``. Several threads may use one at once. A Ctrl-C ends
what the main thread waits for, waits for its end, and is raised then.

Handlers that you register are plain functions, and run in worker threads, in the context in which they
were registered; leaving the client's block does not wait for those that still answer. A ``where`` or
``take_line`` is called in the Trio thread, and cannot use what waits.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial, wraps
from typing import (
    TYPE_CHECKING,
    Any,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    Unpack,
    cast,
    overload,
)

import attrs
import trio

from codex_trio import client
from codex_trio.bridge.across import Across, Hold, Side
from codex_trio.bridge.thread import Errand, TrioThread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from codex_trio import protocol as words
    from codex_trio.account.storage import Store
    from codex_trio.bridge.across import Work
    from codex_trio.client.client import Introduction
    from codex_trio.client.news import Wanted
    from codex_trio.protocol import handshake
    from codex_trio.protocol.rows import ClientRequest, ServerNotification, ServerRequest
    from codex_trio.scope import AccountScope
    from codex_trio.seeing import ServerTasks
    from codex_trio.settings import Settings
    from codex_trio.transport.admission import Admission

    Undo: TypeAlias = Callable[[Any], object]

__all__ = ["Client", "Login", "Server", "Thread", "Turn", "connect", "open_server"]

T = TypeVar("T")
P = TypeVar("P")
Q = ParamSpec("Q")
R = TypeVar("R")


def open_server(
    settings: Settings | None = None, *, store: Store | None = None
) -> AbstractContextManager[Server]:
    """Run a server within the block, as ``codex_trio.open_server`` does."""
    from codex_trio import scope, server  # late: who only connects needs none of it

    block = server.open_server(settings, store=store)
    return cast(
        "AbstractContextManager[Server]", _across(block, server.Server, scope.AccountScope)
    )


def _brought(
    function: Callable[Q, AbstractAsyncContextManager[Any]],
) -> Callable[Q, AbstractContextManager[Client]]:
    @wraps(function)
    def bring(*args: Q.args, **options: Q.kwargs) -> AbstractContextManager[Client]:
        return cast("AbstractContextManager[Client]", _across(function(*args, **options)))

    return bring


connect = _brought(client.connect)


@contextmanager
def _across(block: AbstractAsyncContextManager[Any], *live: type) -> Generator[Any]:
    side = _BlockingSide(TrioThread(), live)
    side.thread.start()
    try:
        with side.block(Hold(block)) as value:
            yield value
    finally:
        side.thread.stop()
        side.thread.join()


@attrs.define(eq=False)
class _BlockingSide(Side):
    """Waits in whatever thread calls."""

    def order(self, work: Work, finished: Callable[[], None]) -> Errand:
        errand = Errand(self.thread, finished)
        self.thread.order(errand, work)
        return errand

    def do(
        self, work: Work, unheard: Callable[[Errand], Awaitable[object]] | None = None
    ) -> Any:
        ended = threading.Event()
        errand = self.order(work, ended.set)
        try:
            _wait(ended, ended, errand)
        except BaseException:
            if unheard is not None and not errand.cancelled:
                self.do(partial(unheard, errand))
            raise
        return errand.result()

    def handler(self, function: Callable[..., T]) -> Callable[..., Awaitable[T]]:
        context = contextvars.copy_context()

        async def answer(*args: Any) -> T:
            call = partial(context.copy().run, function, *args)
            return await trio.to_thread.run_sync(call, abandon_on_cancel=True)

        return answer

    def block(self, hold: Hold) -> _Block:
        return _Block(self, hold)

    def stand_in(self, target: Any) -> Across:
        return _StandIn(self, target)


@attrs.define(eq=False, repr=False)
class _StandIn(Across):
    def __iter__(self) -> _StandIn:
        return self

    def __next__(self) -> Any:
        if self._kept:
            return self._kept.popleft().result()
        try:
            return self._side.do(self._target.__anext__, self._keep)
        except StopAsyncIteration:
            raise StopIteration from None


@attrs.define(eq=False)
class _Block(AbstractContextManager[Any]):
    _side: _BlockingSide
    _hold: Hold
    _errand: Errand = attrs.field(init=False)
    _entered: list[Any] = attrs.field(factory=list, init=False)
    _woken: threading.Event = attrs.field(factory=threading.Event, init=False)
    _ended: threading.Event = attrs.field(factory=threading.Event, init=False)

    def __enter__(self) -> Any:
        self._errand = self._side.order(lambda: self._hold.run(self._enter), self._end)
        _wait(self._woken, self._ended, self._errand)
        if not self._entered:
            self._errand.result()
        (value,) = self._entered
        return self._side.bring(value)

    def _enter(self, value: Any) -> None:
        self._entered.append(value)
        self._woken.set()

    def _end(self) -> None:
        self._woken.set()
        self._ended.set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._side.thread.forked:
            return  # there is nobody to wait for
        if error is None or isinstance(error, Exception):
            self._side.thread.run_soon(lambda: self._hold.leave(error))
            _wait(self._ended, self._ended, self._errand)
            self._hold.check(self._errand, error)
        else:
            self._errand.cancel()
            self._ended.wait()


def _wait(event: threading.Event, ended: threading.Event, errand: Errand) -> None:
    """Wait for something; a Ctrl-C cancels the errand, and is raised when that has ended."""
    try:
        event.wait()
    except BaseException:
        errand.cancel()
        ended.wait()
        raise


# --- what is held, for whoever checks types: the methods of codex_trio.client, without async ---


class Client(Protocol):
    """A ``codex_trio.client.Client`` whose methods wait."""

    server: handshake.InitializeResponse

    @overload
    def call(
        self, row: ClientRequest[None, R], params: None = None, *, undo: Undo | None = None
    ) -> R: ...
    @overload
    def call(self, row: ClientRequest[P, R], params: P, *, undo: Undo | None = None) -> R: ...
    @overload
    def call(self, row: str, params: object = None, *, undo: Undo | None = None) -> Any: ...

    def notifications(
        self, *rows: ServerNotification[P], where: Wanted | None = None
    ) -> AbstractContextManager[Iterator[P]]:
        """Listen to what these rows tell within the block."""

    def answers(self, row: ServerRequest[P, R], handler: Callable[[P], R]) -> None:
        """Let a plain function answer a question of the server, in a worker thread."""

    def login_with_api_key(self, api_key: str) -> None:
        """Sign in with an API key."""

    def login_with_browser(self) -> AbstractContextManager[BrowserLogin]:
        """Sign in through a browser."""

    def login_with_device_code(self) -> AbstractContextManager[DeviceCodeLogin]:
        """Sign in with a code."""

    def logout(self) -> None:
        """Sign out."""

    def start_thread(
        self, *, cwd: str | None = None, model: str | None = None, **more: Any
    ) -> Thread:
        """Begin a conversation."""

    def resume_thread(self, thread_id: str, **more: Any) -> Thread:
        """Go on with a conversation."""


class Server(Protocol):
    """A ``codex_trio.Server`` whose methods wait."""

    settings: Settings

    def connect(
        self, *, account: AccountScope | None = None, **introduction: Unpack[Introduction]
    ) -> AbstractContextManager[Client]:
        """Have a client of this server within the block."""

    def open_account(
        self, settings: Settings, *, store: Store | None = None
    ) -> AbstractContextManager[AccountScope]:
        """Have another account within the block."""

    def listen(
        self,
        url: str,
        *,
        admission: Admission | None = None,
        allow_unauthenticated: bool = False,
        account: AccountScope | None = None,
    ) -> None:
        """Serve whoever connects there, until the server has hung up; for a thread of its own."""

    def tasks(self) -> ServerTasks:
        """Look what is under way."""

    def drain(self, patience: float | None = None) -> None:
        """Accept nobody, begin no turn, and wait for those under way."""

    def stop_listening(self) -> None:
        """Let no client connect any more."""

    @property
    def hung_up(self) -> bool:
        """Whether ``hang_up`` has been called."""

    def hang_up(self, grace: float | None = None) -> None:
        """Listen to no client any more."""


class Login(Protocol):
    """A ``codex_trio.client.Login`` whose methods wait."""

    id: str

    def wait_completed(self) -> None:
        """Wait until somebody has signed in."""


class BrowserLogin(Login, Protocol):
    """A sign-in through a browser."""

    auth_url: str


class DeviceCodeLogin(Login, Protocol):
    """A sign-in with a code."""

    verification_url: str
    user_code: str


class Thread(Protocol):
    """A ``codex_trio.client.Thread`` whose methods wait."""

    id: str
    model: str
    known: words.threads.Thread

    def run(
        self, prompt: str | Sequence[words.items.UserInput], **more: Any
    ) -> AbstractContextManager[Turn]:
        """Say something, and have the turn that comes of it within the block."""

    def ask(self, prompt: str | Sequence[words.items.UserInput], **more: Any) -> str:
        """Say something, and return what the model answers in the end."""


class Turn(Iterator[Any], Protocol):
    """A ``codex_trio.client.Turn`` whose methods wait."""

    id: str
    answer: str | None
    completed: words.turns.Turn | None

    def text(self) -> Iterator[str]:
        """Iterate over what the model says, piece by piece."""

    def wait_completed(self) -> words.turns.Turn:
        """Wait for the end of the turn."""

    def wait_answer(self) -> str:
        """Wait for the end of the turn, and return what the model has answered."""
