"""Requests over a wire, whose answers find those who wait for them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import orjson
import trio

from codex_trio.errors import (
    AnswerError,
    MessageError,
    MessageTooLongError,
    RpcError,
    ServerGoneError,
)
from codex_trio.groups import out_of_groups
from codex_trio.protocol import codec
from codex_trio.protocol.codec import Failure, Notification, Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.wire import Wire

log = logging.getLogger(__name__)

CANCEL_REQUEST: Final = "$/cancelRequest"
"""The notification that says of a request that nobody waits for it any more."""

LAST_WORDS: Final = 1.0
"""Seconds that the last messages have to be taken when we hang up."""

UNDOING: Final = 2.0
"""Seconds that a cancelled request has to be answered and undone."""

_QUEUED: Final = 16  # messages that may wait to be sent before who has more has to
_WRITE_AT_MOST: Final = 256 * 2**10  # bytes that are joined before they are written
_SERVER_GONE: Final = "the server hung up"
_CLIENT_GONE: Final = "the client hung up"

Hear: TypeAlias = Callable[[Request | Notification, int], None]
"""Is given what the server says by itself, and its size in bytes; must not wait."""

Gone: TypeAlias = Callable[[str], None]
"""Is told, once or more, why nothing will be heard any more; must not wait."""

Undo: TypeAlias = Callable[[Any], Awaitable[object]]
"""Takes back what a request has done, given its result."""

_Outcome: TypeAlias = Response | RpcError | AnswerError


@attrs.define(eq=False)
class Link:
    """One connection to a server, seen from the client; made by ``open_link``.

    Several tasks may speak at once. Nobody who is cancelled tears a message: one task sends.
    """

    _wire: Wire
    _outbox: trio.MemorySendChannel[bytes]
    _hear: Hear
    _when_gone: Gone
    gone: str | None = attrs.field(default=None, init=False)
    """Why nothing will be answered any more."""
    _ids: itertools.count[int] = attrs.field(factory=itertools.count, init=False)
    _calls: dict[codec.RequestId, trio.MemorySendChannel[_Outcome]] = attrs.field(
        factory=dict, init=False
    )
    _dropped: list[int] = attrs.field(factory=list, init=False)

    async def request(self, method: str, params: object, undo: Undo | None = None) -> object:
        """Send a request, and return its result.

        When the call is cancelled, the server is told so, and the call does not wait for what
        it makes of that; with ``undo`` it does, for two seconds at most, and takes back what
        has been done all the same.

        Raises:
            RpcError: the server answered with an error.
            MessageTooLongError: the wire cannot send so much; nothing has been sent.
            AnswerError: the answer is longer than the wire is willing to hold.
            ServerGoneError: the server hung up instead, or we did.
        """
        slot, answer = trio.open_memory_channel[_Outcome](1)
        request_id = next(self._ids)
        self._calls[request_id] = slot
        sent = False
        with slot, answer:
            try:
                await self.say({"id": request_id, "method": method, "params": params})
                sent = True
                return _result(await answer.receive())
            except trio.EndOfChannel:
                raise ServerGoneError(self.gone) from None
            except trio.Cancelled:
                if sent:
                    self._drop(request_id)
                    if undo is not None:
                        await _undo(answer, undo)  # noqa: ASYNC102 - it is shielded, and limited
                raise
            finally:
                self._calls.pop(request_id, None)

    async def say(self, message: dict[str, object]) -> None:
        """Send a message; a cancelled call has sent all of it or nothing.

        Raises:
            MessageTooLongError: the wire cannot send so much.
            ServerGoneError: nobody is there to take it.
        """
        if self.gone is not None:
            raise ServerGoneError(self.gone)
        if message.get("params", ...) is None:
            del message["params"]
        data = orjson.dumps(message)
        if len(data) > self._wire.longest:
            raise MessageTooLongError(b"", self._wire.longest)
        try:
            await self._outbox.send(data)
        except trio.BrokenResourceError:
            raise ServerGoneError(self.gone) from None
        except trio.ClosedResourceError:
            raise ServerGoneError(_CLIENT_GONE) from None

    def _drop(self, request_id: int) -> None:
        """Tell the server that nobody waits for this answer; does not wait itself.

        It is told by whoever sends, behind what is queued. So of these there are never more
        than there are requests that the server has not read yet.
        """
        if request_id in self._calls:
            self._dropped.append(request_id)
            with suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                self._outbox.send_nowait(b"")  # wakes the speaker, if it has nothing to do

    async def speak(self, outgoing: trio.MemoryReceiveChannel[bytes]) -> None:
        """Send what is queued, as much at a time as there is; the only sender."""
        with outgoing:
            try:
                async for data in outgoing:
                    await self._send([data], outgoing)
            except trio.BrokenResourceError:
                self.give_up(_SERVER_GONE)

    async def _send(
        self, batch: list[bytes], outgoing: trio.MemoryReceiveChannel[bytes]
    ) -> None:
        size = len(batch[0])
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while size < _WRITE_AT_MOST:
                batch.append(outgoing.receive_nowait())
                size += len(batch[-1])
        if not outgoing.statistics().current_buffer_used:
            # Only behind all that is queued: what is dropped must have been asked for.
            dropped, self._dropped = self._dropped, []
            batch += [
                orjson.dumps({"method": CANCEL_REQUEST, "params": {"id": request_id}})
                for request_id in dropped
            ]
        await self._wire.send_batch([data for data in batch if data])

    async def listen(self) -> None:
        """Sort what comes in, until the server hangs up."""
        reason = _SERVER_GONE
        try:
            while True:  # noqa: ASYNC913 - every wire has checkpoints
                try:
                    data = await self._wire.receive()
                except MessageTooLongError as error:
                    self._lose(error)
                else:
                    self._sort(data)
        except trio.BrokenResourceError:
            pass
        except trio.EndOfChannel as end:
            reason = f"{reason}: {end}" if str(end) else reason  # a websocket may say why
        self.give_up(reason)

    def _sort(self, data: bytes) -> None:
        try:
            message = codec.decode(data)
        except MessageError as error:
            log.error("the server has sent what is no message: %s", error)  # noqa: TRY400 - the text is all there is to know
            return
        match message:
            case Response():
                self._answer(message.id, message)
            case Failure():
                self._answer(message.id, message.error)
            case Request() | Notification():
                self._hear(message, len(data))

    def _lose(self, error: MessageTooLongError) -> None:
        """Tell who waits for an answer that is too long to hold."""
        log.error("the server has sent what is too long: %s", error)
        about = codec.decode_head(error.head)
        if isinstance(about, Response):
            lost = AnswerError(f"the answer is too long: {error}", RpcError.internal())
            self._answer(about.id, lost)

    def _answer(self, request_id: codec.RequestId, outcome: _Outcome) -> None:
        if (slot := self._calls.pop(request_id, None)) is not None:
            slot.send_nowait(outcome)

    def give_up(self, reason: str) -> None:
        """Wake everybody who waits for the server."""
        self.gone = self.gone or reason
        # Taken out, for an answer may come in the same step that finds a pipe broken.
        calls, self._calls = self._calls, {}
        for slot in calls.values():
            slot.close()
        self._when_gone(self.gone)


def _result(outcome: _Outcome) -> object:
    if isinstance(outcome, Response):
        return outcome.result
    raise outcome


async def _undo(answer: trio.MemoryReceiveChannel[_Outcome], undo: Undo) -> None:
    with trio.move_on_after(UNDOING, shield=True):  # noqa: ASYNC912 - receiving waits
        with suppress(trio.EndOfChannel, RpcError, AnswerError, ServerGoneError):
            await undo(_result(await answer.receive()))


@asynccontextmanager
async def open_link(wire: Wire, hear: Hear, gone: Gone) -> AsyncGenerator[Link]:
    """Speak to a server over a wire; leaving the block hangs up, and closes the wire."""
    outbox, outgoing = trio.open_memory_channel[bytes](_QUEUED)
    link = Link(wire, outbox, hear, gone)
    try:
        with out_of_groups(2):
            async with wire, trio.open_nursery() as listener:
                listener.start_soon(link.listen)
                async with trio.open_nursery() as speaker:
                    speaker.start_soon(link.speak, outgoing)
                    with outbox:
                        yield link
                    # The last messages are still under way, unless nobody takes them.
                    speaker.cancel_scope.deadline = trio.current_time() + LAST_WORDS
                listener.cancel_scope.cancel(reason="the client hangs up")
    finally:
        # Not before: to what fails within the block, its calls shall not add that they end.
        link.give_up(_CLIENT_GONE)
