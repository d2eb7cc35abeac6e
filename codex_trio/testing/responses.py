"""A model's response, by script. No I/O, no Trio."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict, Unpack

import attrs
import orjson
from attrs.validators import deep_iterable, instance_of, optional

from codex_trio.testing.events import (
    TEXT,
    Completed,
    Cut,
    Ending,
    Hold,
    Pause,
    Step,
    chunks,
    cut,
    joined,
    middle,
    response_event,
    server_sent,
)
from codex_trio.testing.metering import RateLimits
from codex_trio.testing.output import OutputItem, Text, make_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Part: TypeAlias = OutputItem | Ending | Step | str | dict[str, Any]
"""A part of a response: a text is a message of the model, an object is an event as it is, and
bytes are sent as they are."""

_Headers: TypeAlias = tuple[tuple[str, str], ...]

_WAIT: Final[Any] = optional(instance_of((Pause, Hold)))  # as in events

_STREAM: Final[_Headers] = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache"),
)


class Manner(TypedDict, total=False):
    """How any response is given.

    Args:
        headers: sent beside the usual ones, or in their place.
        rate_limits: what the headers say of limits; several, for several families of them.
        wait: what comes before the head.
        chunk_size: bytes that are sent at once; as many as there are, if it is not said.
        cut_after: bytes of the body that are sent before the connection is closed.
        cut_inside: the connection is closed in the middle of the first place where the body has
            this text; in the middle of a character, if it is one that takes two bytes or more.
    """

    headers: Mapping[str, str]
    rate_limits: RateLimits | Iterable[RateLimits]
    wait: Pause | Hold
    chunk_size: int
    cut_after: int
    cut_inside: str


@attrs.frozen(kw_only=True)
class ModelResponse:
    """What is answered to whoever asks a model; made by one of the methods below.

    It may be given many times, and what it comes to has been worked out before.

    Args:
        status: the status code; 0 for one that is not even said.
        headers: in the order in which they are sent.
        steps: what is done to give the body.
        wait: what is done before the head is sent.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = attrs.field(
        repr=False, validator=deep_iterable(deep_iterable(TEXT))
    )
    steps: tuple[Step, ...] = attrs.field(repr=False)
    wait: Pause | Hold | None = attrs.field(default=None, validator=_WAIT)

    @classmethod
    def of(
        cls,
        *parts: Part,
        bare: bool = False,
        model: str | None = None,
        response_id: str | None = None,
        **manner: Unpack[Manner],
    ) -> ModelResponse:
        """Answer with a stream of events.

        It begins with ``response.created``, and ends with ``response.completed`` unless one of
        the parts is another ending, or ``Cut``.

        Args:
            parts: what it is made of, in their order.
            bare: whether the parts are all that there is.
            model: who says that it is; None for one that does not say.
            response_id: whose id is made, if it is not given.
            manner: how it is given.

        Raises:
            TypeError: a part is none.
            ValueError: it cannot be given in this manner.
        """
        response = {
            "id": response_id or make_id("resp"),
            "object": "response",
            "created_at": int(time.time()),
            **({} if model is None else {"model": model}),
            "output": [],  # the items have been told by then
        }
        steps = _render(parts, response, bare=bare)
        return cls._make(HTTPStatus.OK, _STREAM, steps, manner)

    @classmethod
    def plain(
        cls,
        status: int,
        body: Any = b"",
        content_type: str | None = None,
        **manner: Unpack[Manner],
    ) -> ModelResponse:
        """Answer with something that is no stream; neither bytes nor text, it is sent as JSON.

        Raises:
            ValueError: there is no such status, or it answers nothing; or it cannot be given in
                this manner.
        """
        if HTTPStatus(status) < HTTPStatus.OK:
            raise ValueError(f"{status} is no answer")
        kind = content_type or "text/plain; charset=utf-8"
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body, kind = orjson.dumps(body), content_type or "application/json"
        usual = (("Content-Type", kind), ("Content-Length", str(len(body))))
        return cls._make(status, usual, [body], manner)

    @classmethod
    def error(
        cls,
        status: int,
        message: str = "This is what the stand-in was told to say.",
        *,
        type: str | None = None,  # noqa: A002 - the wire's name
        code: str | None = None,
        more: Mapping[str, Any] | None = None,
        **manner: Unpack[Manner],
    ) -> ModelResponse:
        """Answer with a status and an error as OpenAI's interfaces describe it.

        Args:
            status: the status code.
            message: what people are told.
            type: such as ``usage_limit_reached``.
            code: such as ``context_length_exceeded``.
            more: what else is said of the error: ``{"plan_type": "plus", "resets_at": 0}``.
            manner: how it is given.

        Raises:
            ValueError: as ``plain``.
        """
        error = {"message": message, "type": type, "code": code, **(more or {})}
        return cls.plain(status, {"error": error}, **manner)

    @classmethod
    def nothing(cls, **manner: Unpack[Manner]) -> ModelResponse:
        """Close the connection without a word."""
        return cls._make(0, (), [Cut()], manner)

    @classmethod
    def _make(
        cls, status: int, usual: _Headers, steps: Iterable[Step], manner: Manner
    ) -> ModelResponse:
        if unknown := manner.keys() - Manner.__annotations__.keys():
            raise TypeError(f"a response has no {', '.join(sorted(unknown))}")
        limits = manner.get("rate_limits", ())
        families = (limits,) if isinstance(limits, RateLimits) else limits
        said = [*usual, *(header for one in families for header in one.headers())]
        headers = {name.lower(): (name, value) for name, value in said}
        for name, value in manner.get("headers", {}).items():
            headers[name.lower()] = (name, value)
        return cls(
            status=status,
            headers=tuple(headers.values()),
            steps=tuple(_given(joined(steps), manner)),
            wait=manner.get("wait"),
        )


def _render(parts: Iterable[Part], response: dict[str, Any], *, bare: bool) -> Iterator[Step]:
    if not bare:
        begun = {**response, "status": "in_progress"}
        yield response_event("created", response=begun)
        yield response_event("in_progress", response=begun)
    index, has_ended = 0, bare
    for part in parts:
        one = Text(part) if isinstance(part, str) else part
        if isinstance(one, OutputItem):
            yield from one.steps(index)
            index += 1
        elif isinstance(one, Ending):
            yield one.last_event(response)
            has_ended = True
        elif isinstance(one, dict):
            yield server_sent(one)
        elif isinstance(one, Step):
            yield one
            has_ended = has_ended or isinstance(one, Cut)
        else:
            raise TypeError(f"{type(one).__name__} is no part of a response")
    if not has_ended:
        yield Completed().last_event(response)


def _given(steps: list[Step], manner: Manner) -> list[Step]:
    if (text := manner.get("cut_inside")) is not None:
        steps = cut(steps, middle(steps, text.encode()))
    if (size := manner.get("cut_after")) is not None:
        steps = cut(steps, size)
    if (size := manner.get("chunk_size")) is not None:
        steps = chunks(steps, size)
    return steps


def be_friendly(request: object) -> ModelResponse:
    """Answer anything, in a few deltas."""
    return ModelResponse.of("Hello! I am no model, I only stand in for one.")
