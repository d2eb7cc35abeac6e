"""Handlers, and the request that a handler is given."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar

import attrs

from codex_trio.protocol import codec

if TYPE_CHECKING:
    import trio

    from codex_trio.errors import RpcError
    from codex_trio.protocol.codec import RequestId
    from codex_trio.protocol.rows import ClientRequest
    from codex_trio.rpc.client import Client
    from codex_trio.rpc.lanes import Place

_SHOWN: Final = 40
"""Characters of an id that others are shown; it may be as long as a message."""

P = TypeVar("P")
R = TypeVar("R")
S = TypeVar("S")

Answer: TypeAlias = R | Awaitable[R] | Awaitable[None] | None
"""What a handler returns: the result, or, if it has to wait for it, an awaitable.

A handler that never waits is a plain function, and its request never becomes a task. One that
replies by itself, with ``Call.reply``, returns None.
"""

Handler: TypeAlias = "Callable[[Call[Any]], Answer[Any]]"


@attrs.define(eq=False)
class Call(Generic[P]):
    """One request, as its handler sees it."""

    id: RequestId
    row: ClientRequest[P, Any]
    params: P = attrs.field(repr=False)
    client: Client
    place: Place | None = attrs.field(default=None, init=False)
    replied: bool = attrs.field(default=False, init=False)
    scope: trio.CancelScope | None = attrs.field(default=None, init=False)
    """Of a request that has become a task: what ``cancel`` cuts; its deadline is the request's."""
    _given_up: bool = attrs.field(default=False, init=False)

    @property
    def names(self) -> dict[str, str | int]:
        """What it is called in logs; see ``Occasion``."""
        return {**self.client.names, "request": shown(self.id), "method": self.row.name}

    @property
    def state(self) -> Literal["waiting", "running", "answered"]:
        """Whether it waits for its lane, is being answered, or only goes on."""
        if self.replied:
            return "answered"
        return "waiting" if self.place is not None and not self.place.admitted else "running"

    def reply(self, result: object) -> None:
        """Answer now and go on: what the handler says next comes behind the answer.

        It is to a request what ``task_status.started`` is to a task. The handler's own return
        value is not sent then. It never waits.

        A request that has been given up has had its answer, and this one is dropped: what it
        has begun may outlive it.

        Raises:
            RuntimeError: it has been answered.
        """
        self._say(codec.encode_response(self.id, result))

    def fail(self, error: RpcError) -> None:
        """Answer now that it has failed, and go on. See ``reply``.

        Raises:
            RuntimeError: it has been answered.
        """
        self._say(codec.encode_failure(self.id, error))

    def _say(self, answer: bytes) -> None:
        if self._given_up:
            return
        if self.replied:
            raise RuntimeError("a request is answered once")
        self.replied = True
        if self.scope is not None and self.scope.deadline != math.inf:
            self.scope.deadline = math.inf  # it was one for the answer
        self.client.say(answer)

    def cancel(self) -> None:
        """Cut the request, unless it is answered; it is answered at its end. Never waits."""
        if self.scope is not None and not self.replied:
            self.scope.deadline = math.inf  # for nobody is to take this for that
            self.scope.cancel(reason="the client cancels its request")

    def give_up(self, error: RpcError) -> None:
        """Answer that it has been cut, if nobody has answered; for the reader.

        What its handler has left behind may answer later, and is not heard.
        """
        if not self.replied:
            self.fail(error)
            self._given_up = True

    def close(self) -> None:
        """Take no other answer: it is being answered; for the reader."""
        self.replied = self._given_up = True

    def leave_lane(self) -> None:
        """Let the next request of the lane in while this one goes on.

        For a handler that has done what has to be done in order, and waits for the world now.
        """
        if self.place is not None:
            self.place.leave()


def shown(request_id: RequestId) -> RequestId:
    """Cut an id for logs and spans."""
    return request_id[:_SHOWN] if isinstance(request_id, str) else request_id


def serves(
    row: ClientRequest[P, R],
) -> Callable[[Callable[[S, Call[P]], Answer[R]]], Callable[[S, Call[P]], Answer[R]]]:
    """Mark a method as the handler of a row; types that differ from the row do not check."""

    def mark(method: Callable[[S, Call[P]], Answer[R]]) -> Callable[[S, Call[P]], Answer[R]]:
        method.serves = row  # type: ignore[attr-defined]  # functions have no such attribute
        return method

    return mark


def handlers_of(families: Iterable[object]) -> dict[str, Handler]:
    """Collect the handlers of some families, by method.

    Raises:
        ValueError: a method is served twice.
    """
    handlers: dict[str, Handler] = {}
    for family in families:
        for name, method in vars(type(family)).items():
            row = getattr(method, "serves", None)
            if row is None:
                continue
            if row.name in handlers:
                raise ValueError(f"{row.name} is served twice")
            handlers[row.name] = getattr(family, name)
    return handlers


def late_handlers(
    rows: Iterable[ClientRequest[Any, Any]], load: Callable[[], Iterable[object]]
) -> dict[str, Handler]:
    """Serve some rows with families that are made when the first of these rows is asked for.

    That is for families whose modules take long to import, so that who does not need them does
    not wait for them.
    """
    loaded: dict[str, Handler] = {}

    def serve(call: Call[Any]) -> Answer[Any]:
        if not loaded:
            loaded.update(handlers_of(load()))
        return loaded[call.row.name](call)

    return {row.name: serve for row in rows}
