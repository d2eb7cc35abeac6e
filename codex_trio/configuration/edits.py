"""What an edit of the configuration does to a table, and what no edit may be.

The rules and the texts are those of 0.163.0 (observed).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from codex_trio.config import MAX_DEPTH, merge
from codex_trio.errors import CodexTrioError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codex_trio.config import Table

WriteFault: TypeAlias = Literal[
    "configValidationError", "configVersionConflict", "configLayerReadonly"
]


class ConfigWriteError(CodexTrioError):
    """The configuration was not written; ``code`` is what that is called on the wire."""

    def __init__(self, message: str, code: WriteFault = "configValidationError") -> None:
        super().__init__(message)
        self.code: WriteFault = code


@attrs.frozen
class Edit:
    """One key that is to have another value.

    Args:
        keys: the way to it.
        value: what it is to be, as a JSON value; None removes it.
        upsert: whether a table is laid over what is there, instead of taking its place.
    """

    keys: tuple[str, ...]
    value: Any
    upsert: bool = False


def parse_key_path(path: str) -> tuple[str, ...]:
    r"""Cut a path such as ``a.b."c.d"``; within quotes a backslash takes the next as it is.

    Raises:
        ConfigWriteError: it is none.
    """
    if not path:
        raise ConfigWriteError("keyPath must not be empty")
    keys: list[str] = []
    rest: str | None = path
    while rest is not None:
        key, rest = _cut(rest)
        if not key:
            raise ConfigWriteError("keyPath segments must not be empty")
        keys.append(key)
    if len(keys) > MAX_DEPTH:
        raise ConfigWriteError(f"keyPath has more than {MAX_DEPTH} segments")
    return tuple(keys)


def _cut(path: str) -> tuple[str, str | None]:
    """Cut off the first segment; the rest is None if there is none."""
    if path.startswith('"'):
        key, rest = _unquote(path[1:])
        if rest and not rest.startswith("."):
            raise ConfigWriteError("invalid quoted keyPath segment")
        return key, rest[1:] if rest else None
    key, dot, rest = path.partition(".")
    if '"' in key:
        raise ConfigWriteError("invalid quoted keyPath segment")
    return key, rest if dot else None


def _unquote(text: str) -> tuple[str, str]:
    key = ""
    characters = iter(enumerate(text))
    for index, character in characters:
        if character == '"':
            return key, text[index + 1 :]
        if character == "\\":
            _, character = next(characters, (0, ""))
        key += character
    raise ConfigWriteError("unterminated quoted keyPath segment")


def apply(table: Table, edits: Iterable[Edit]) -> Table:
    """Return a table with some edits made; the one that is given stays as it is.

    Raises:
        ConfigWriteError: an edit cannot be made.
    """
    edited = copy.deepcopy(table)
    for edit in edits:
        if edit.value is None:
            _remove(edited, edit.keys)
        else:
            _set(edited, edit)
    return edited


def _remove(table: Table, keys: Sequence[str]) -> None:
    *parents, key = keys
    for parent in parents:
        inner = table.get(parent)
        if type(inner) is not dict:
            return
        table = inner
    table.pop(key, None)


def _set(table: Table, edit: Edit) -> None:
    if edit.keys == ("profile",):
        raise ConfigWriteError(
            "`profile` is a legacy config selector and can no longer be written;"
            " use `--profile <name>` with `<name>.config.toml` instead"
        )
    _check(edit.value, MAX_DEPTH - len(edit.keys))
    *parents, key = edit.keys
    for parent in parents:
        table = table.setdefault(parent, {})
        if type(table) is not dict:
            raise ConfigWriteError("cannot set value on non-table parent")
    old = table.get(key)
    if edit.upsert and type(old) is dict and type(edit.value) is dict:
        table[key] = merge(old, edit.value)
    else:
        table[key] = copy.deepcopy(edit.value)


def _check(value: Any, depth: int) -> None:
    """See to it that a JSON value is one of TOML as well."""
    match value:
        case None:
            raise ConfigWriteError(
                "invalid value: invalid type: null, expected any valid TOML value"
            )
        case dict() | list():
            if not depth:
                raise ConfigWriteError("invalid value: too many values in one another")
            for one in value.values() if isinstance(value, dict) else value:
                _check(one, depth - 1)
        case int():
            if not -(2**63) <= value < 2**63:
                raise ConfigWriteError("invalid value: u64 value was too large")
        case _:
            pass


def find_override(table: Table, above: Table, keys: Sequence[str]) -> tuple[bool, Any]:
    """Say whether a layer above changes what a table has at some place, and to what."""
    here, there = _at(table, keys), _at(above, keys)
    if there is None:
        return False, None
    value = merge({"": here}, {"": there})[""]
    return value != here, value


def _at(table: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        if type(table) is not dict:
            return None
        table = table.get(key)
    return table
