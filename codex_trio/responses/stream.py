"""An answer while it streams: bytes to events, in time, and to its end."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.errors import UpstreamError
from codex_trio.responses.events import Completed, Event, decode_event
from codex_trio.responses.failures import ResponseError, disconnected, of_cut
from codex_trio.responses.sse import EventTooLongError, SseDecoder

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from codex_trio.streaming import ReplyStream

MAX_EVENT: Final = 64 * 2**20
"""Bytes that an event may have."""

_LAST_WORDS: Final = 0.01  # seconds that an answer has to end behind its last event
_LONGER: Final = 1.01  # how much longer than it has to be a provider's silence may be


@attrs.define(eq=False)
class ResponseStream:
    """An answer that streams; made by ``Responses.open``, read by one task.

    Its time is limited by one scope around all that is done with it, whose deadline is moved
    now and then: a scope for each wait would cost as much as all else that a delta costs.

    Args:
        headers: those of the reply, by name in small letters.
    """

    headers: Mapping[str, str] = attrs.field(repr=False)
    _reply: ReplyStream = attrs.field(repr=False)
    _patience: float
    _decoder: SseDecoder = attrs.field(factory=lambda: SseDecoder(MAX_EVENT), repr=False)
    _failure: ResponseError | None = attrs.field(default=None, init=False, repr=False)
    _completed: bool = attrs.field(default=False, init=False)
    _silence: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False, repr=False)

    @contextmanager
    def limited(self) -> Generator[None]:
        """Give up what is done in the block when nothing is told for too long.

        Whoever waits there for something else has no more time for that.

        Raises:
            ResponseError: it has been given up.
        """
        with self._silence:
            self._give_time()
            yield
        if self._silence.cancelled_caught:
            raise disconnected("idle timeout waiting for SSE")

    async def receive(self) -> list[Event]:
        """Receive the events that have arrived, one at least; none behind ``Completed``.

        A cancelled call leaves an answer of which nothing more can be received.

        Raises:
            ResponseError: the provider has failed, or nothing comes of it any more.
        """
        if self._failure is not None or self._completed:
            await trio.lowlevel.checkpoint()
            if self._failure is not None:
                raise self._failure
            return []
        self._give_time()
        try:
            while True:
                chunk = await self._reply.receive()
                told = self._decoder.feed(chunk) if chunk else self._decoder.end()
                if events := self._decode(told):
                    return events
                if self._failure is not None:
                    raise self._failure
                if not chunk:
                    self._failure = disconnected("stream closed before response.completed")
                    raise self._failure
                if told:  # of which we understand nothing, but somebody is there
                    self._give_time()
        except UpstreamError as error:
            self._failure = of_cut(error)
        except EventTooLongError as error:
            self._failure = disconnected(str(error), retry=False)
        raise self._failure

    async def settle(self) -> None:
        """Give an answer that is complete a moment to end, so that its connection is kept."""
        if not self._completed or self._reply.ended:
            return
        try:
            with trio.move_on_after(_LAST_WORDS):
                while await self._reply.receive():
                    pass
        except UpstreamError:
            pass  # all that was wanted is there

    def _give_time(self) -> None:
        now = trio.current_time()
        # Moving a deadline costs ten times as much as a look at it.
        if not now + self._patience <= self._silence.deadline < math.inf:
            self._silence.deadline = now + self._patience * _LONGER

    def _decode(self, told: Iterable[bytes]) -> list[Event]:
        """Decode events up to a failure, or to the last that counts."""
        events = []
        try:
            for data in told:
                event = decode_event(data)
                if event is not None:
                    events.append(event)
                    if type(event) is Completed:
                        self._completed = True
                        break
        except ResponseError as error:
            self._failure = error
        return events
