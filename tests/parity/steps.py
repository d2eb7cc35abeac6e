"""What scripts are made of: lines, and what somebody does or waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.parity.world import World

Json: TypeAlias = Any


@attrs.frozen
class Act:
    """A step that is no line; what it returns is compared."""

    name: str
    do: Callable[[World], Awaitable[Json]]


@attrs.frozen
class Send:
    """Sends a line that is made when its turn comes; and may go on before it is answered."""

    make: Callable[[World], Json]
    patient: bool = True


@attrs.frozen
class Answer:
    """Answers what the server has asked last."""

    make: Callable[[World], Json]


@attrs.frozen
class Await:
    """Waits for the answer to a request that was sent without patience."""

    message_id: Json
    patience: float = 10.0


@attrs.frozen
class Cancel:
    """Cancels a login: the last, or the one with this number; with its id in some spelling."""

    number: int = -1
    spell: Callable[[str], str] = str
    spelling: str = "as it was given"


@attrs.frozen
class Hear:
    """Waits for a notification that nobody has waited for yet; it may be there already."""

    method: str
    patience: float = 10.0


@attrs.frozen
class HangUp:
    """Ends the input, and hears the server out."""


Step: TypeAlias = (
    str | bytes | dict[str, Json] | Act | Answer | Await | Cancel | Hear | HangUp | Send
)
