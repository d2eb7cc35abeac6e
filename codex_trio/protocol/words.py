"""How words are marked: what tells unions apart, how fields are written, what is no word."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from attrs import define, field

LEFT_OUT: Final = {"codex_trio.left_out": True}
"""Metadata of a field that is left out of a message, instead of being written as null."""

OURS: Final = {**LEFT_OUT, "codex_trio.ours": True}
"""Metadata of a field that the original does not have: it is left out unless it is asked for."""

AS_WRITTEN: Final = {"codex_trio.as_written": True}
"""Metadata of a field that has on the wire the name that it has here, not one in camel case."""


ONE_OF: Final = "codex_trio.one_of"
"""Metadata key: see ``one_of``."""


class Absent(enum.Enum):
    """The type of ``ABSENT``: what a field is that can be null, and can be left out as well."""

    ABSENT = enum.auto()


ABSENT: Final = Absent.ABSENT
"""The value of such a field when it is left out; ``is ABSENT`` tells it from null."""


# These are annotations, as in ``Annotated[A | B, Tagged("Name")]``, so that a union remains a
# plain union for ``match`` and for type checkers. A name is that of the schema.


@define(frozen=True)
class Tagged:
    """Marks a union as told apart by its members' ``type`` field.

    Args:
        name: the union's name in the schema.
        spoken: the name that error texts have for it, if that is another one.
    """

    name: str
    spoken: str = ""


@define(frozen=True, eq=False)
class ExternallyTagged:
    """Marks names, or a union of names and of objects of one field, told apart by its name.

    Args:
        name: the union's name in the schema.
        known: what error texts list, in their order, if that is not what the union has.
        older: names that are understood as other ones, which are in the schema.
    """

    name: str
    known: tuple[str, ...] = ()
    older: Mapping[str, str] = field(factory=dict)


@define(frozen=True)
class Untagged:
    """Marks a union whose members are tried one after the other."""

    name: str


@define(frozen=True)
class AsItCame:
    """Marks JSON that is passed on as it came; words may stand in its place where we make it."""

    name: str


@define(frozen=True)
class Whole:
    """Marks a whole number that is never negative and has that many bits at most."""

    name: str
    bits: int


@define(frozen=True)
class Path:
    """Marks text as the name of a file; an absolute one is understood without its detours."""

    absolute: bool = False


@define(frozen=True)
class NotEmpty:
    """Marks text as being of no use when it is empty; error texts carry the name."""

    name: str


@define(frozen=True)
class Uuid:
    """Marks text as the id of a thread."""


def one_of(name: str) -> dict[str, object]:
    """Return metadata of fields of which there must be one: the first that fits counts."""
    return {**LEFT_OUT, ONE_OF: name}


ThreadId: TypeAlias = Annotated[str, Uuid()]
PathText: TypeAlias = Annotated[str, Path()]
AbsolutePath: TypeAlias = Annotated[str, Path(absolute=True)]
U32: TypeAlias = Annotated[int, Whole("u32", 32)]
USize: TypeAlias = Annotated[int, Whole("usize", 64)]
