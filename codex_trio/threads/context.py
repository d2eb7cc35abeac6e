"""What a model has to be told of the world before it is told what the user says."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from codex_trio.threads.ids import new_id
from codex_trio.threads.inputs import text_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from codex_trio.threads.inputs import Part
    from codex_trio.threads.instructions import Surroundings

Item: TypeAlias = dict[str, Any]
"""An item of a conversation, in the words of the Responses API."""

_OURS: Final = (
    "msg_", "rs_", "fc_", "fco_", "ctc_", "ctco_", "ws_", "ig_", "cmp_", "lsh_"
)  # fmt: skip
"""What ids begin with that hosts take back (observed)."""
_PREFIXES: Final = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
}
_OUTPUTS: Final = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "local_shell_call": "function_call_output",
}
_NOT_SENT: Final = frozenset({"internal_chat_message_metadata_passthrough", "metadata"})
_BASE_IDS: Final = uuid.UUID("5b1f1d5e-7f2b-5c8e-9f51-5a1d54f7f0ad")  # any; it must stay


def message(role: str, parts: Sequence[Part], item_id: str) -> Item:
    """Make a message."""
    return {"type": "message", "id": item_id, "role": role, "content": list(parts)}


def base_message(text: str) -> Item:
    """Make the message with the base instructions; the same text has the same id."""
    return message("developer", [text_part(text)], f"msg_{uuid.uuid5(_BASE_IDS, text)}")


def context_messages(
    history: Sequence[Item], now: Surroundings, make_id: Iterable[str]
) -> list[Item]:
    """Make the messages that tell a model what it does not know yet.

    The history itself says what it knows: each text counts until a later one of its kind. So
    what another process has recorded counts too, and after a compaction, which leaves none of
    it, everything is told again. (Ours; the texts on the wire are those observed.)
    """
    ids = iter(make_id)
    developer = [
        text
        for text in (now.developer_instructions, now.permissions)
        if text and not _is_known(history, "developer", text)
    ]
    user = [
        text
        for text in (now.project_instructions, now.environment)
        if text and not _is_known(history, "user", text)
    ]
    return [
        message(role, [text_part(text) for text in texts], next(ids))
        for role, texts in (("developer", developer), ("user", user))
        if texts
    ]


def _is_known(history: Sequence[Item], role: str, text: str) -> bool:
    """Say whether the last text of this kind is this one."""
    kind = _kind(text)
    for said in _texts(reversed(history), role):
        if kind is None:
            if said == text:
                return True
        elif _kind(said) == kind:
            return said == text
    return False


def _kind(text: str) -> str | None:
    """Tell texts apart by their first words; those that a client brings have none."""
    for kind in ("<environment_context>", "<permissions instructions>", "# AGENTS.md"):
        if text.startswith(kind):
            return kind
    return None


def _texts(items: Iterable[Item], role: str) -> Iterator[str]:
    for item in items:
        if item.get("type") == "message" and item.get("role") == role:
            for part in item.get("content") or ():
                if isinstance(part, dict) and isinstance(text := part.get("text"), str):
                    yield text


def is_context(item: Item) -> bool:
    """Say whether an item tells of the world, and not of what somebody has said."""
    if item.get("role") == "developer":
        return True
    first = next(_texts([item], "user"), "")
    return _kind(first) is not None or first.startswith("<turn_aborted>")


def as_sent(items: Iterable[Item]) -> list[Item]:
    """Take from items what a host is not to be sent: notes of ours, and ids of other hosts."""
    sent = []
    for item in items:
        kept = {key: value for key, value in item.items() if key not in _NOT_SENT}
        if not str(kept.get("id", "")).startswith(_OURS):
            kept.pop("id", None)
        sent.append(kept)
    return sent


def paired(items: Iterable[Item]) -> list[Item]:
    """Have every call of a tool followed by one output, and no output without its call.

    A host refuses a history in which that is not so; a server that was killed, or a client that
    brings its own items, may leave one.
    """
    kept: list[Item] = []
    waiting: dict[object, int] = {}  # the last call of each id, until something is said to it
    unanswered: set[int] = set()
    for item in items:
        kind, call_id = str(item.get("type")), item.get("call_id")
        if kind in _OUTPUTS:
            waiting[call_id] = len(kept)
            unanswered.add(len(kept))
        elif kind in _OUTPUTS.values():
            place = waiting.get(call_id)
            if place is None or _OUTPUTS[kept[place]["type"]] != kind:
                continue
            unanswered.discard(waiting.pop(call_id))
        kept.append(item)
    history: list[Item] = []
    for place, item in enumerate(kept):
        history.append(item)
        if place in unanswered:
            output = _OUTPUTS[item["type"]]
            history.append(
                {"type": output, "call_id": item.get("call_id"), "output": "aborted"}
            )
    return history


def with_id(item: Item) -> Item:
    """Give an item an id that has none, as hosts expect it of its kind."""
    prefix = _PREFIXES.get(str(item.get("type")))
    return item if item.get("id") or prefix is None else {**item, "id": f"{prefix}{new_id()}"}
