"""How words are marked: unions told apart by a tag, and nulls that are left out."""

from __future__ import annotations

from typing import Final

from attrs import define

LEFT_OUT: Final = {"codex_trio.left_out": True}
"""Metadata of a field that is left out of a message, instead of being written as null."""

OURS: Final = {**LEFT_OUT, "codex_trio.ours": True}
"""Metadata of a field that the original does not have: it is left out unless it is asked for."""


@define(frozen=True)
class Tagged:
    """Marks a union as told apart by its members' ``type`` field.

    The name is the union's name in the schema; error texts carry it. It is an annotation, as
    in ``Annotated[A | B, Tagged("Name")]``, so that the union remains a plain union for
    ``match`` and for type checkers.
    """

    name: str
