"""What may be, when servers, other programs and hosts change one home: a model without I/O."""

from __future__ import annotations

from itertools import permutations, product
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Name: TypeAlias = Literal["ada", "bob"]
Stored: TypeAlias = Literal["ada", "bob", "key", "garbage"] | None

NAMES: Final[tuple[Name, ...]] = ("ada", "bob")
SERVERS: Final = (0, 1)


@attrs.frozen
class Act:
    """Something that somebody does; ``server`` is that on which they do it, if on any.

    Args:
        kind: what is done.
        server: where.
        name: to whom, where that matters.
        pause: how many rounds the others have before the next one begins.
    """

    kind: str
    server: int
    name: Name
    pause: int = 0


@attrs.frozen
class State:
    """Who is signed in.

    Args:
        disk: what is stored.
        seen: what each server has seen of that.
        hosted: whether a host owns the tokens of each server.
    """

    disk: Stored = None
    seen: tuple[Stored, Stored] = (None, None)
    hosted: tuple[bool, bool] = (False, False)

    def look(self, server: int) -> State:
        """Have a server look at what is stored; what cannot be read changes nothing."""
        return self if self.disk == "garbage" else self._see(server, self.disk)

    def store(self, act: Act, stored: Stored) -> State:
        """Have a server store somebody, or nobody."""
        return attrs.evolve(self, disk=stored)._see(act.server, stored)

    def host(self, act: Act, hosted: bool) -> State:
        """Have a host bring tokens to a server, or none any more."""
        return attrs.evolve(self, hosted=_put(self.hosted, act.server, hosted))

    def _see(self, server: int, stored: Stored) -> State:
        return attrs.evolve(self, seen=_put(self.seen, server, stored))

    def after(self, act: Act) -> Iterator[State]:
        """Say what may be after an act."""
        hosted = self.hosted[act.server]
        match act.kind:
            case "sign in":
                yield self if hosted else self.store(act, act.name)
            case "api key":
                yield self if hosted else self.store(act, "key")
            case "sign out":
                yield self.store(act, None).host(act, hosted=False)
            case "host":
                yield self.host(act, hosted=True)
            case "crash":
                yield self.host(act, hosted=False)._see(act.server, None)
            case "edit":
                yield attrs.evolve(self, disk=act.name)
            case "delete":
                yield attrs.evolve(self, disk=None)
            case "garbage":
                yield attrs.evolve(self, disk="garbage")
            case _:
                yield self  # whatever becomes of the tokens, they are the same person's


def _put(pair: tuple[Stored, Stored] | tuple[bool, bool], index: int, value: object) -> Any:
    return tuple(value if index == place else one for place, one in enumerate(pair))


OUTSIDE: Final = ("edit", "delete", "garbage")
"""Changes by programs that know no lock: if we store something at that moment, they are lost."""


def outcomes(states: Iterable[State], acts: Sequence[Act]) -> set[State]:
    """Say what may be after acts at the same time: as if they had come in some order."""
    ends: set[State] = set()
    for order in permutations(acts):
        ends |= _in_order(set(states), order)
    return {state.look(0).look(1) for state in ends}


def _in_order(states: set[State], acts: Sequence[Act]) -> set[State]:
    for act in acts:
        lost = len(acts) > 1 and (act.kind in OUTSIDE or _is_cut(act, acts))
        after = {end for state in states for end in state.after(act)}
        states = {
            looked for state in after | (states if lost else set()) for looked in _looks(state)
        }
    return states


def _is_cut(act: Act, acts: Sequence[Act]) -> bool:
    return any(one.kind == "crash" and one.server == act.server for one in acts)


def _looks(state: State) -> Iterator[State]:
    """Any server may look at any time."""
    for first, second in product((False, True), repeat=2):
        seen = state.look(0) if first else state
        yield seen.look(1) if second else seen
