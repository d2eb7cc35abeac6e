"""What a model was asked, in as few words as a comparison needs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from codex_trio.testing import Recorded

Json: TypeAlias = Any

ABOUT_US: Final = frozenset(
    {"host", "content-length", "user-agent", "accept-encoding", "connection"}
)
"""Headers that say who asks, and by which library; nothing of what is asked."""

_BASE: Final = "the base instructions"
_LONG: Final = 500  # characters, which nobody says in a script
_TURN: Final = "x-codex-turn-metadata"


def question(request: Recorded) -> Json:
    """Say what a model was asked: headers, members of the body, and the input item by item."""
    body = request.json
    metadata = dict(body.pop("client_metadata"))
    metadata[_TURN] = json.loads(metadata[_TURN])
    headers = {name: said for name, said in request.headers.items() if name not in ABOUT_US}
    assert json.loads(headers.pop(_TURN)) == metadata[_TURN]
    return {
        "asked": f"POST {request.path}",
        "headers": headers,
        "metadata": metadata,
        "input": [_item(item) for item in body.pop("input")],
        "tools": [tool.get("name", tool["type"]) for tool in body.pop("tools", ())],
        "body": body,
    }


def _item(item: Json) -> Json:
    if item["type"] == "additional_tools":
        return {**item, "tools": len(item["tools"])}
    if not isinstance(item.get("content"), list):
        return item
    content = [_part(part, item) for part in item["content"]]
    if content == [_BASE]:  # its id says which they are
        item = {name: value for name, value in item.items() if name != "id"}
    return {**item, "content": content}


def _part(part: Json, item: Json) -> Json:
    """Put the name of a text in its place, where it is one that servers write."""
    text = part.get("text") or ""
    if found := re.match(r"<(?!environment|image)(\w+(?: \w+)?)>", text):
        return f"the {found[1]}"
    is_base = item.get("role") == "developer" and len(text) > _LONG
    return _BASE if is_base else part
