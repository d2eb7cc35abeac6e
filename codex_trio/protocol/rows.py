"""What a row of the method table says: a name, its words, its lane, its stability.

The four kinds of rows are the four things JSON-RPC lets two peers say. A row without words
belongs to a method that we know but do not serve yet. Words are given as types, or as a function
that fetches them when they are first used, so that a row costs nothing before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Generic, TypeVar

from attrs import define, field
from typing_extensions import TypeForm

P = TypeVar("P")
R = TypeVar("R")


@define(frozen=True, eq=False)
class Lane:
    """Requests with the same key are answered one at a time, in the order they arrived.

    Args:
        name: what the requests share, for example an account.
        fields: the parameters that tell lanes of this name apart; the first that is neither
            null nor empty counts, and without any the request waits for nobody.
        shared: may run beside other shared requests of the same lane.
        spelled: brings different spellings of a parameter into one.
    """

    name: str
    fields: tuple[str, ...] = ()
    shared: bool = False
    spelled: Callable[[str], str] = str

    def key(self, params: object) -> Hashable | None:
        """Name the lane for these params; None when nothing is to be waited for."""
        if not self.fields:
            return self.name
        for name in self.fields:
            if value := getattr(params, name, None):
                return (self.name, self.spelled(value) if isinstance(value, str) else value)
        return None


@define(frozen=True, eq=False)
class ClientRequest(Generic[P, R]):
    """A request that the client may send: params of type P, a result of type R.

    Args:
        name: the method on the wire.
        params: the type of its params; ``type(None)`` when it has none.
        result: the type of its result.
        optional: its params may be left out; then their defaults count.
        lane: whom it waits for; nobody by default.
        experimental: answered only after ``capabilities.experimentalApi``.
        experimental_part: names the part of some params that needs that capability; a name with
            a dot in it stands for itself, any other is one of the method's.
        words: fetches the types of params and result, instead of those two, on first use.
        handshake: this request opens the connection, every other one needs it open.
        begins_work: refused while the server shuts down, and waits for what is under way.
        listed: named when somebody asks for what we do not know; the contract's own are.
    """

    name: str
    _params: TypeForm[P] | None = None
    _result: TypeForm[R] | None = None
    optional: bool = False
    lane: Lane | None = None
    experimental: bool = False
    experimental_part: Callable[[P], str | None] | None = None
    handshake: bool = False
    begins_work: bool = False
    listed: bool = True
    _words: Callable[[], tuple[TypeForm[P], TypeForm[R]]] | None = field(
        default=None, kw_only=True
    )

    @cached_property
    def params(self) -> TypeForm[P] | None:
        """The type of its params; None for a method that we do not speak."""
        return self._params if self._words is None else self._words()[0]

    @cached_property
    def result(self) -> TypeForm[R] | None:
        """The type of its result; None for a method that we do not speak."""
        return self._result if self._words is None else self._words()[1]

    def reserved(self, params: P) -> str | None:
        """Name what of this request is experimental, if anything is."""
        if self.experimental:
            return self.name
        if self.experimental_part is not None and (part := self.experimental_part(params)):
            return part if "." in part else f"{self.name}.{part}"
        return None


@define(frozen=True, eq=False)
class ClientNotification:
    """A notification that the client may send."""

    name: str


@define(frozen=True, eq=False)
class ServerRequest(Generic[P, R]):
    """A question that the server may ask; the client answers with an R."""

    name: str
    params: TypeForm[P] | None = None
    result: TypeForm[R] | None = None
    experimental: bool = False


@define(frozen=True, eq=False)
class ServerNotification(Generic[P]):
    """A notification that the server may send; an experimental one, to those who want such."""

    name: str
    _params: TypeForm[P] | None = None
    _words: Callable[[], TypeForm[P]] | None = field(default=None, kw_only=True)
    experimental: bool = field(default=False, kw_only=True)

    @cached_property
    def params(self) -> TypeForm[P] | None:
        """The type of its params; None for what we do not say."""
        return self._params if self._words is None else self._words()
