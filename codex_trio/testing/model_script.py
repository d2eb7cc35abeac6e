"""How a model's responses are told in JSON. No I/O, no Trio."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from codex_trio.testing.events import (
    Completed,
    Cut,
    End,
    Failed,
    Hold,
    Incomplete,
    Pause,
    Repeat,
)
from codex_trio.testing.metering import RateLimits, Usage
from codex_trio.testing.output import CustomToolCall, FunctionCall, Item, Reasoning, Text
from codex_trio.testing.responses import Manner, ModelResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.testing.responses import Part


def read_responses(words: Any) -> list[ModelResponse]:
    """Read a list such as ``["Hi", {"text": "Hi", "deltas": 2}, {"status": 429}]``.

    Raises:
        TypeError: a name is unknown, or a value has the wrong type.
        ValueError: a value is none of those that there are, or two do not go together.
    """
    return [read_response(one) for one in _a(list, words)]


def read_response(words: Any) -> ModelResponse:
    """Read a part alone, or an object with ``parts``, ``events``, ``status`` or ``nothing``.

    ``events`` are objects that are sent as they are, and nothing else; with ``status`` go
    ``body`` and ``content_type``. With all of them goes what is in ``Manner``; with a part or
    more, ``bare``, ``model`` and ``response_id`` as well.

    Raises:
        TypeError: as ``read_responses``.
        ValueError: as ``read_responses``.
    """
    said = dict(_a(dict, {"text": words} if isinstance(words, str) else words))
    if "rate_limits" in said:
        limits = said["rate_limits"]
        families = limits if isinstance(limits, list) else [limits]
        said["rate_limits"] = [RateLimits(**_a(dict, one)) for one in families]
    if "wait" in said:
        said["wait"] = read_part(said["wait"])
    if "headers" in said:
        _a(dict, said["headers"])
    for shape, read in _SHAPES.items():
        if shape in said:
            return read(said.pop(shape), **said)
    manner = {name: said.pop(name) for name in _BESIDE_A_PART & said.keys()}
    return ModelResponse.of(read_part(said), **manner)


def read_part(words: Any) -> Part:
    """Read a text, or an object such as ``{"text": "Hi", "deltas": 2}`` or ``{"cut": true}``.

    Raises:
        TypeError: as ``read_responses``.
        ValueError: as ``read_responses``.
    """
    said = dict(_a(dict, {"text": words} if isinstance(words, str) else words))
    kinds = _PARTS.keys() & said.keys()
    if len(kinds) != 1:
        raise ValueError(f"a part is one of {', '.join(_PARTS)}")
    (kind,) = kinds
    return _PARTS[kind](said.pop(kind), **said)


def _read_parts(parts: Any, **more: Any) -> ModelResponse:
    return ModelResponse.of(*map(read_part, _a(list, parts)), **more)


def _read_events(events: Any, **more: Any) -> ModelResponse:
    return ModelResponse.of(*(_a(dict, one) for one in _a(list, events)), bare=True, **more)


def _read_usage(completed: Any, **more: Any) -> Completed:
    if more.get("usage") is not None:
        more["usage"] = Usage(**_a(dict, more["usage"]))
    return Completed(**more)


def _a(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} in the place of {kind.__name__}")
    return value


_BESIDE_A_PART: Final = Manner.__annotations__.keys() | {"bare", "model", "response_id"}

_SHAPES: Final[dict[str, Callable[..., ModelResponse]]] = {
    "parts": _read_parts,
    "events": _read_events,
    "status": lambda status, body=b"", **more: ModelResponse.plain(status, body, **more),
    "nothing": lambda _, **more: ModelResponse.nothing(**more),
}

_PARTS: Final[dict[str, Callable[..., Part]]] = {
    "text": Text,
    "reasoning": Reasoning,
    "function_call": FunctionCall,
    "custom_tool_call": CustomToolCall,
    "item": Item,
    "event": lambda event: _a(dict, event),
    "bytes": lambda text: _a(str, text).encode(),
    "base64": lambda text: base64.b64decode(text, validate=True),
    "repeat": lambda text, **more: Repeat(_a(str, text).encode(), **more),
    "pause": Pause,
    "hold": Hold,
    "cut": lambda _: Cut(),
    "end": lambda _: End(),
    "completed": _read_usage,
    "failed": Failed,
    "incomplete": Incomplete,
}
