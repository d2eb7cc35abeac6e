"""What a server tells by itself, as whoever wants to know it iterates over it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast

import attrs
import trio

from codex_trio.errors import AnswerError, InvalidParamsError, LaggedError, ServerGoneError
from codex_trio.protocol.structure import structure_newer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.protocol.rows import ServerNotification

P_co = TypeVar("P_co", covariant=True)

MAX_UNHEARD: Final = 16 * 2**20
"""How many bytes are kept for a listener that lags, as they were on the wire."""

Wanted: TypeAlias = Callable[[Any], bool]
"""Says of plain params whether they are wanted."""


@attrs.define(eq=False, repr=False)  # what is told may be private
class News(Generic[P_co]):
    """Notifications, in the order in which they came; made by ``Client.notifications``.

    It is an async iterator over their params, as words; those of a row without words are plain
    JSON. Several tasks may iterate; each notification goes to one of them. A cancelled
    iteration loses nothing.

    The wire is read whether or not anybody iterates, so 16 MiB are kept for a listener that
    lags. What comes when they are full is left out, and told by one ``LaggedError`` at the
    place where it would have been; the iteration can go on behind it, and behind what a
    ``where`` has raised.

    Iterating raises besides:
        AnswerError: what is told is not in the words of its row; the next one may be.
        ServerGoneError: nothing more will be told.
    """

    rows: Mapping[str, ServerNotification[Any]]
    _wanted: Wanted | None = None
    _kept: frozenset[str] = frozenset()  # what is never left out
    # An exception among the params is raised in their place.
    _waiting: deque[tuple[str, object, int]] = attrs.field(factory=deque, init=False)
    _size: int = attrs.field(default=0, init=False)
    _missed: int = attrs.field(default=0, init=False)
    _end: str | None = attrs.field(default=None, init=False)
    closed: bool = attrs.field(default=False, init=False)
    """Whether nobody listens any more."""
    _changed: trio.lowlevel.ParkingLot = attrs.field(
        factory=trio.lowlevel.ParkingLot, init=False
    )

    def put(self, method: str, params: object, size: int) -> None:
        """Take in what was told; for the client, which never waits."""
        try:
            if self._wanted is not None and not self._wanted(params):
                return
        except Exception as error:  # it is raised where it is of use
            params = error
        full = self._missed > 0 or self._size + size > MAX_UNHEARD
        if full and self._waiting and method not in self._kept:
            self._missed += 1
            return
        if self._missed:
            self._waiting.append((method, LaggedError(self._missed), 0))
            self._missed = 0
        self._waiting.append((method, params, size))
        self._size += size
        self._changed.unpark()

    def end(self, reason: str) -> None:
        """Note that nothing more will be told."""
        self._end = reason
        self._changed.unpark_all()

    def close(self) -> None:
        """End the iteration: nobody listens any more."""
        self.closed = True
        self._waiting.clear()
        self._missed = 0
        self._changed.unpark_all()

    def __aiter__(self) -> News[P_co]:
        return self

    async def __anext__(self) -> P_co:
        await trio.lowlevel.checkpoint()  # here, so that nothing is lost with what was taken
        while not self._waiting:
            if self._missed:
                missed, self._missed = self._missed, 0
                raise LaggedError(missed)
            if self.closed:
                raise StopAsyncIteration
            if self._end is not None:
                raise ServerGoneError(self._end)
            await self._changed.park()
        method, params, size = self._waiting.popleft()
        self._size -= size
        if isinstance(params, Exception):
            raise params
        row: ServerNotification[P_co] = self.rows[method]
        return read_params(row, params)


def read_params(row: ServerNotification[P_co], params: object) -> P_co:
    """Turn what was told into the words of its row; into nothing else if it has none.

    Raises:
        AnswerError: these are not its words.
    """
    if row.params is None:
        return params  # type: ignore[return-value]  # plain JSON, as the row has no words
    try:
        return cast("P_co", structure_newer(params, row.params))
    except InvalidParamsError as error:
        raise AnswerError(f"{row.name}: what the server tells cannot be read", error) from None
