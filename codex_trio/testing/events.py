"""How a model's response is told, step by step: events, what is between them, how it ends.

No I/O, no Trio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import orjson
from attrs.validators import and_, ge, instance_of, optional

from codex_trio.testing.metering import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT: Final = instance_of(str)
MAYBE_TEXT: Final[Any] = optional(TEXT)  # mypy reads optional(…) as if None were refused
SECONDS: Final[Any] = and_(instance_of((int, float)), ge(0))
_TIMES: Final[Any] = optional(and_(instance_of(int), ge(0)))


@attrs.frozen
class Pause:
    """Wait for some seconds of Trio's clock."""

    seconds: float = attrs.field(validator=SECONDS)


@attrs.frozen
class Hold:
    """Wait for ``release`` of this name, unless it has been let go before."""

    name: str = attrs.field(validator=TEXT)


@attrs.frozen
class Repeat:
    """Send the same bytes again and again.

    Args:
        data: what is sent; it takes up memory once.
        times: how often; None for as long as somebody listens.
        every: seconds before each but the first.
    """

    data: bytes = attrs.field(validator=instance_of(bytes), repr=False)
    times: int | None = attrs.field(default=None, validator=_TIMES)
    every: float = attrs.field(default=0.0, validator=SECONDS, kw_only=True)


@attrs.frozen
class Cut:
    """Close the connection here, in the middle of the response."""


Step: TypeAlias = bytes | Pause | Hold | Repeat | Cut
"""What is done, one after the other, to give a response."""


@attrs.frozen
class Completed:
    """Say that the response has succeeded.

    Args:
        usage: what it has cost; None for a host that does not say.
        end_turn: whether the model is done for now; None for one that does not say.
    """

    usage: Usage | None = attrs.field(
        factory=Usage, validator=optional(instance_of(Usage)), kw_only=True
    )
    end_turn: bool | None = attrs.field(
        default=None, validator=optional(instance_of(bool)), kw_only=True
    )

    def last_event(self, response: dict[str, Any]) -> bytes:
        """Say it of a response."""
        more: dict[str, Any] = {"status": "completed"}
        if self.usage is not None:
            more["usage"] = self.usage.spoken()
        if self.end_turn is not None:
            more["end_turn"] = self.end_turn
        return response_event("completed", response={**response, **more})


@attrs.frozen
class Failed:
    """Say that the response has failed; without code and message, nobody knows why."""

    code: str | None = attrs.field(default=None, validator=MAYBE_TEXT)
    message: str | None = attrs.field(default=None, validator=MAYBE_TEXT)

    def last_event(self, response: dict[str, Any]) -> bytes:
        """Say it of a response."""
        error = attrs.asdict(self, filter=lambda _, value: value is not None) or None
        more = {"status": "failed", "error": error}
        return response_event("failed", response={**response, **more})


@attrs.frozen
class Incomplete:
    """Say that the response ends too early."""

    reason: str | None = attrs.field(default="max_output_tokens", validator=MAYBE_TEXT)

    def last_event(self, response: dict[str, Any]) -> bytes:
        """Say it of a response."""
        details = None if self.reason is None else {"reason": self.reason}
        more = {"status": "incomplete", "incomplete_details": details}
        return response_event("incomplete", response={**response, **more})


@attrs.frozen
class End:
    """Say nothing, and end the response properly but for that."""

    def last_event(self, response: dict[str, Any]) -> bytes:
        """Say nothing of a response."""
        return b""


Ending: TypeAlias = Completed | Failed | Incomplete | End
"""What a response says at its end."""


def response_event(name: str, **words: Any) -> bytes:
    """Write an event of the Responses API; the ``response.`` before its name is added."""
    return server_sent({"type": f"response.{name}", **words})


def server_sent(words: dict[str, Any]) -> bytes:
    """Write any object as a server-sent event, which is named as its type."""
    kind = words.get("type")
    line = f"event: {kind}\n" if isinstance(kind, str) and kind.isprintable() else ""
    return b"%bdata: %b\n\n" % (line.encode(), orjson.dumps(words))


# --- steps, one behind the other ---


def joined(steps: Iterable[Step]) -> list[Step]:
    """Join the bytes that come behind each other; nothing comes behind a cut."""
    done: list[Step] = []
    data: list[bytes] = []
    for step in steps:
        if isinstance(step, bytes):
            data.append(step)
            continue
        done += [b"".join(data), step]
        data.clear()
        if isinstance(step, Cut):
            break
    done.append(b"".join(data))
    return [step for step in done if step != b""]


def chunks(steps: Iterable[Step], size: int) -> list[Step]:
    """Divide the bytes into pieces of so many.

    Raises:
        ValueError: that is less than one.
    """
    if size < 1:
        raise ValueError("a chunk has a byte, or more")
    done: list[Step] = []
    for step in steps:
        if isinstance(step, bytes):
            done += [step[at : at + size] for at in range(0, len(step), size)]
        else:
            done.append(step)
    return done


def middle(steps: Iterable[Step], text: bytes) -> int:
    """Count the bytes before the middle of the first place that has this text.

    Raises:
        ValueError: there is no such place.
    """
    body = b"".join(step for step in steps if isinstance(step, bytes))
    if not text or (start := body.find(text)) < 0:
        raise ValueError("what is to be cut inside is nowhere in the body")
    return start + len(text) // 2


def cut(steps: Iterable[Step], size: int) -> list[Step]:
    """Cut behind so many bytes, not counting what is repeated.

    Raises:
        ValueError: there are not so many.
    """
    done: list[Step] = []
    for step in steps if size >= 0 else ():
        if isinstance(step, bytes):
            if len(step) >= size:
                return [*done, step[:size], Cut()]
            size -= len(step)
        done.append(step)
    raise ValueError("the body has not as many bytes as are to be left of it")
