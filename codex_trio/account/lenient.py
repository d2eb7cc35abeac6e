"""Reading JSON of hosts that change as they like: what cannot be read is not there."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any, Final

import orjson

INT32: Final = 2**31
INT64: Final = 2**63

_DIGITS: Final = 19  # of the longest number that is still an integer
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}


def read_json(body: bytes) -> Any:
    """Decode JSON, and what Python takes for it: NaN and the infinities are null.

    Raises:
        ValueError: it is no JSON; the text quotes nothing of it.
    """
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        return json.loads(body, parse_int=_parse_int, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None


def _parse_int(digits: str) -> float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


def read_object(value: object) -> dict[str, Any]:
    """Read an object; anything else is an empty one."""
    return value if isinstance(value, dict) else {}


def read_list(value: object) -> list[Any]:
    """Read a list; anything else is an empty one."""
    return value if isinstance(value, list) else []


def read_text(value: object) -> str | None:
    """Read a text; a number is written out."""
    if isinstance(value, str):
        return value
    number = read_number(value)
    return None if number is None else str(number)


def read_flag(value: object) -> bool | None:
    """Read a truth value; 0, 1 and words of headers count as well."""
    if isinstance(value, str):
        return _FLAGS.get(value.lower())
    return bool(value) if isinstance(value, (int, float)) and value in (0, 1) else None


def read_number(value: object) -> float | None:
    """Read a finite number of a size that counts for something, also from a text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Compared before anything is computed: an integer may be too long for a float.
    return value if -INT64 <= value < INT64 else None


def read_integer(value: object) -> int | None:
    """Read a 64-bit integer; halves are rounded away from zero."""
    number = read_number(value)
    if number is None:
        return None
    whole = math.trunc(number)
    if abs(number - whole) >= 0.5:  # exact, unlike adding a half and cutting
        whole += 1 if number > 0 else -1
    return whole


def read_time(value: object) -> int | None:
    """Read a moment, in RFC 3339 or in Unix time, as whole seconds of Unix time."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return read_integer(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return math.floor(moment.timestamp())
    return read_integer(value)
