"""Which items a history may have: those that a host of models takes back.

One that it does not would be sent with every request from then on, and each would be refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codex_trio.threads.context import Item

_ROLES: Final = frozenset({"assistant", "user", "developer", "system"})
_PARTS: Final = {
    "input_text": "text", "output_text": "text", "refusal": "refusal", "input_image": None,
}  # fmt: skip


def is_known(item: Item) -> bool:
    """Say whether an item is of a kind that hosts take back, whatever its form."""
    return str(item.get("type")) in _CHECKS


def is_taken(item: Item) -> bool:
    """Say whether hosts take an item back, as far as its kind and its form go.

    The original drops what it does not know (observed); so do we. What is too deep to be
    written again, within a request or a line of a record, is none either.
    """
    check = _CHECKS.get(str(item.get("type")))
    return check is not None and check(item) and _can_be_written(item)


def _can_be_written(item: Item) -> bool:
    try:
        orjson.dumps([[[[[[[[item]]]]]]]])  # which is as deep as anything that we put around it
    except TypeError:
        return False
    return True


def _is_message(item: Item) -> bool:
    role, parts = item.get("role"), item.get("content")
    return (
        isinstance(role, str)
        and role in _ROLES
        and isinstance(parts, list)
        and all(isinstance(part, dict) and _is_part(part) for part in parts)
    )


def _is_part(part: Mapping[str, Any]) -> bool:
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in _PARTS:
        return False
    member = _PARTS[kind]
    return member is None or isinstance(part.get(member), str)


def _is_reasoning(item: Item) -> bool:
    return isinstance(item.get("summary"), list) and isinstance(
        item.get("content"), list | None
    )


def _has(*members: str) -> Callable[[Item], bool]:
    def check(item: Item) -> bool:
        return all(isinstance(item.get(member), str) for member in members)

    return check


def _is_output(item: Item) -> bool:
    return isinstance(item.get("call_id"), str) and isinstance(item.get("output"), str | list)


def _is_search(item: Item) -> bool:
    return isinstance(item.get("action"), dict | None)


def _is_any(item: Item) -> bool:
    return True


_CHECKS: Final[dict[str, Callable[[Item], bool]]] = {
    "message": _is_message,
    "reasoning": _is_reasoning,
    "function_call": _has("call_id", "name", "arguments"),
    "function_call_output": _is_output,
    "custom_tool_call": _has("call_id", "name", "input"),
    "custom_tool_call_output": _is_output,
    "local_shell_call": _has("call_id"),
    "web_search_call": _is_search,
    "image_generation_call": _is_any,
    "compaction": _has("encrypted_content"),
}
