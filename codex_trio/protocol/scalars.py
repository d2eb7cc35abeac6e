"""Hooks for what is not made of anything else: numbers, text, and text of some sort."""

from __future__ import annotations

import os.path
from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import UUID

from codex_trio.errors import InvalidParamsError
from codex_trio.faults import describe
from codex_trio.protocol.words import NotEmpty, Path, Uuid, Whole

Hook: TypeAlias = Callable[[Any, Any], Any]


def wrong_type(value: object, expected: str) -> InvalidParamsError:
    """Say what was found and what should have been there."""
    return InvalidParamsError(f"invalid type: {describe(value)}, expected {expected}")


def exactly(kind: type, expected: str) -> Hook:
    """Make a hook for values of one type, of which nothing is coerced."""

    def structure_exactly(value: Any, _: Any) -> Any:
        # Not isinstance: a bool is an int in Python, and is none on the wire.
        if type(value) is not kind:
            raise wrong_type(value, expected)
        return value

    return structure_exactly


def number(value: Any, _: Any) -> float:
    """Read a number, whole or not."""
    if type(value) is not float and type(value) is not int:
        raise wrong_type(value, "a number")
    return float(value)


def unit(value: Any, _: Any) -> None:
    """Read nothing."""
    # An empty object is tolerated where a method has no params.
    if value is not None and value != {}:
        raise wrong_type(value, "unit")


def whole(mark: Whole) -> Hook:
    """Make a hook for a whole number in its bounds."""

    def structure_whole(value: Any, _: Any) -> Any:
        if type(value) is not int:
            raise wrong_type(value, mark.name)
        if not 0 <= value < 2**mark.bits:
            raise InvalidParamsError(f"invalid value: integer `{value}`, expected {mark.name}")
        return value

    return structure_whole


def path(mark: Path) -> Hook:
    """Make a hook for the name of a file."""

    def structure_path(value: Any, _: Any) -> Any:
        if type(value) is not str:
            raise wrong_type(value, "path string")
        if not mark.absolute:
            return value
        if not os.path.isabs(value):
            raise InvalidParamsError("AbsolutePathBuf deserialized without a base path")
        return os.path.normpath(value)

    return structure_path


def not_empty(mark: NotEmpty) -> Hook:
    """Make a hook for text that is not empty."""

    def structure_text(value: Any, _: Any) -> Any:
        if type(value) is not str:
            raise wrong_type(value, "a string")
        if not value:
            raise InvalidParamsError(f"{mark.name} must not be empty")
        return value

    return structure_text


def thread_id(mark: Uuid) -> Hook:
    """Make a hook for the id of a thread."""

    def structure_id(value: Any, _: Any) -> Any:
        if type(value) is not str:
            raise wrong_type(value, "a string")
        try:
            return str(UUID(value))
        except ValueError:
            raise InvalidParamsError("invalid thread id") from None

    return structure_id
