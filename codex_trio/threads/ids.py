"""Names for new things: UUIDs that sort by the time at which they were made."""

from __future__ import annotations

import os
import re
import time
import uuid
from typing import Final

from codex_trio.errors import RpcError

_USUAL: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id() -> str:
    """Make a UUID of version 7 (RFC 9562, section 5.7)."""
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds & (2**48 - 1)) << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(0b11 << 62) | 0b10 << 62
    return str(uuid.UUID(int=number))


def message_id() -> str:
    """Make the id of a message of ours, in the form that hosts know."""
    return f"msg_{new_id()}"


def is_id(text: str) -> bool:
    """Say whether a text is the id of a conversation, in the usual spelling."""
    return _USUAL.fullmatch(text) is not None


def check_id(text: str, what: str = "thread id") -> str:
    """Take an id of a conversation in any spelling of UUIDs, and return it in the usual one.

    Raises:
        RpcError: it is no UUID; why not is said as the original says it.
    """
    plain = text.removeprefix("urn:uuid:")
    if plain.startswith("{") and plain.endswith("}"):
        plain = plain[1:-1]
    for index, character in enumerate(plain):
        if character not in "0123456789abcdefABCDEF-":
            raise RpcError.invalid_request(
                f"invalid {what}: invalid character: expected an optional prefix of `urn:uuid:`"
                f" followed by [0-9a-fA-F-], found `{character}` at {index + 1}"
            )
    groups = plain.split("-")
    if len(groups) == 1:
        if len(plain) != 32:
            raise RpcError.invalid_request(
                f"invalid {what}: invalid length: expected length 32 for simple format,"
                f" found {len(plain)}"
            )
        return str(uuid.UUID(plain))
    if len(groups) != 5:
        raise RpcError.invalid_request(
            f"invalid {what}: invalid group count: expected 5, found {len(groups)}"
        )
    for number, (group, length) in enumerate(zip(groups, (8, 4, 4, 4, 12), strict=True)):
        if len(group) != length:
            raise RpcError.invalid_request(
                f"invalid {what}: invalid group length in group {number}:"
                f" expected {length}, found {len(group)}"
            )
    return str(uuid.UUID(plain))
