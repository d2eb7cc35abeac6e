"""What a model says while it answers: the events of the Responses API that mean something to us.

They are the original's (observed on 0.163.0), and what it cannot read is passed over as there.
The classes are plain, for there is one object for every few letters of an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import orjson

from codex_trio.account.lenient import read_integer, read_object
from codex_trio.responses.failures import of_failed, of_incomplete, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.define
class TextDelta:
    """A piece of the text of a message."""

    item_id: str | None
    delta: str


@attrs.define
class ReasoningDelta:
    """A piece of raw reasoning; ``index`` says of which part of the content."""

    index: int
    delta: str


@attrs.define
class SummaryDelta:
    """A piece of a summary of reasoning; ``index`` says of which part."""

    index: int
    delta: str


@attrs.define
class SummaryPartAdded:
    """A part of a summary begins."""

    index: int


@attrs.define
class Created:
    """The model has begun; ``model`` is who answers, if the provider says so."""

    model: str | None


@attrs.define
class ItemAdded:
    """An item begins. Its JSON is as the provider has sent it, with a type."""

    item: dict[str, Any] = attrs.field(repr=False)


@attrs.define
class ItemDone:
    """An item is complete. Its JSON is as the provider has sent it, with a type."""

    item: dict[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Usage:
    """Tokens that an answer has taken; the cached and the written are among the input."""

    input_tokens: int
    cached_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    output_tokens: int
    reasoning_output_tokens: int = 0
    total_tokens: int


@attrs.define
class Completed:
    """The answer is complete.

    Args:
        response_id: what the provider calls it.
        usage: what it has taken, if that is told.
        end_turn: false when the model wants to be asked again; None when it does not say.
    """

    response_id: str
    usage: Usage | None
    end_turn: bool | None


Event: TypeAlias = (
    TextDelta
    | ReasoningDelta
    | SummaryDelta
    | SummaryPartAdded
    | Created
    | ItemAdded
    | ItemDone
    | Completed
)


def decode_event(data: bytes) -> Event | None:
    """Decode the data of an event; None for what means nothing to us, or is no JSON.

    Raises:
        ResponseError: the provider says that it has failed.
    """
    try:
        told = orjson.loads(data)
        read = _READERS[told["type"]]
    except (ValueError, TypeError, KeyError):
        return None
    return read(told)


def _read_text_delta(told: dict[str, Any]) -> TextDelta | None:
    delta, item_id = told.get("delta"), told.get("item_id")
    if type(delta) is not str:
        return None
    return TextDelta(item_id if type(item_id) is str else None, delta)


def _read_reasoning_delta(told: dict[str, Any]) -> ReasoningDelta | None:
    delta, index = told.get("delta"), told.get("content_index")
    if type(delta) is not str or type(index) is not int:
        return None
    return ReasoningDelta(index, delta)


def _read_summary_delta(told: dict[str, Any]) -> SummaryDelta | None:
    delta, index = told.get("delta"), told.get("summary_index")
    if type(delta) is not str or type(index) is not int:
        return None
    return SummaryDelta(index, delta)


def _read_summary_part(told: dict[str, Any]) -> SummaryPartAdded | None:
    index = told.get("summary_index")
    return SummaryPartAdded(index) if type(index) is int else None


def _read_created(told: dict[str, Any]) -> Created | None:
    response = told.get("response")
    if not isinstance(response, dict):
        return None
    headers = read_object(response.get("headers"))
    model = {name.lower(): value for name, value in headers.items()}.get("openai-model")
    return Created(model if type(model) is str and model else None)


def _read_item(told: dict[str, Any]) -> dict[str, Any] | None:
    item = told.get("item")
    if not isinstance(item, dict) or type(item.get("type")) is not str:
        return None
    try:
        # It will be passed on within others, and what is read may be deeper than that.
        orjson.dumps([[[[[[[[item]]]]]]]])
    except TypeError:
        return None
    return item


def _read_added(told: dict[str, Any]) -> ItemAdded | None:
    item = _read_item(told)
    return None if item is None else ItemAdded(item)


def _read_done(told: dict[str, Any]) -> ItemDone | None:
    item = _read_item(told)
    return None if item is None else ItemDone(item)


def _read_completed(told: dict[str, Any]) -> Completed | None:
    response = told.get("response")
    if not isinstance(response, dict):
        return None
    if "id" not in response:
        raise unreadable("missing field `id`")
    response_id, end_turn = response["id"], response.get("end_turn")
    if type(response_id) is not str:
        raise unreadable("`id` is not a string")
    usage = _read_usage(read_object(response.get("usage")))
    return Completed(response_id, usage, end_turn if type(end_turn) is bool else None)


def _read_usage(told: dict[str, Any]) -> Usage | None:
    """Read what an answer has taken; None unless the three main figures are there.

    (The original takes an answer whose figures it cannot read for one that was cut.)
    """
    taken, given = _read_count(told.get("input_tokens")), _read_count(told.get("output_tokens"))
    total = _read_count(told.get("total_tokens"))
    if taken is None or given is None or total is None:
        return None
    of_input = read_object(told.get("input_tokens_details"))
    of_output = read_object(told.get("output_tokens_details"))
    return Usage(
        input_tokens=taken,
        cached_input_tokens=_read_count(of_input.get("cached_tokens")) or 0,
        cache_write_input_tokens=_read_count(of_input.get("cache_write_tokens")) or 0,
        output_tokens=given,
        reasoning_output_tokens=_read_count(of_output.get("reasoning_tokens")) or 0,
        total_tokens=total,
    )


def _read_count(value: object) -> int | None:
    return None if isinstance(value, str) else read_integer(value)


def _read_failed(told: dict[str, Any]) -> None:
    raise of_failed(told.get("response"))


def _read_incomplete(told: dict[str, Any]) -> None:
    raise of_incomplete(told.get("response"))


_READERS: Final[dict[Any, Callable[[dict[str, Any]], Event | None]]] = {
    "response.output_text.delta": _read_text_delta,
    "response.reasoning_text.delta": _read_reasoning_delta,
    "response.reasoning_summary_text.delta": _read_summary_delta,
    "response.reasoning_summary_part.added": _read_summary_part,
    "response.created": _read_created,
    "response.output_item.added": _read_added,
    "response.output_item.done": _read_done,
    "response.completed": _read_completed,
    "response.failed": _read_failed,
    "response.incomplete": _read_incomplete,
}
