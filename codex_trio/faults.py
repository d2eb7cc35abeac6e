"""How a wrong value is described: in the words of the original, on the wire and in files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def describe(value: object) -> str:
    """Name a value of JSON or TOML, with its content if it is a simple one."""
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value}`"
        case str():
            # Not orjson: what comes from a command line need not be Unicode.
            return f"string {json.dumps(value, ensure_ascii=False)}"
        case list():
            return "sequence"
        case dict():
            return "map"
        case _:
            return "datetime"


def unknown_name(name: str, known: Iterable[str]) -> str:
    """Say which name was used, and which ones would have been understood."""
    names = [f"`{one}`" for one in known]
    match names:
        case [only]:
            choice = only
        case [one, other]:
            choice = f"{one} or {other}"
        case _:
            choice = f"one of {', '.join(names)}"
    return f"unknown variant `{name}`, expected {choice}"
