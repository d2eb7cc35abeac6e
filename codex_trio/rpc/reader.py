"""What a client says, in the order in which it arrives, and who answers it."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from codex_trio import telemetry
from codex_trio.errors import (
    INTERNAL_ERROR,
    AnswerError,
    ClientGoneError,
    InvalidParamsError,
    MessageError,
    MessageTooLongError,
    RpcError,
)
from codex_trio.faults import unknown_name
from codex_trio.groups import describe_ways
from codex_trio.occasion import CURRENT
from codex_trio.protocol import codec
from codex_trio.protocol.codec import Failure, Notification, Request, Response
from codex_trio.rpc.calls import Call, shown
from codex_trio.wire import Ending

if TYPE_CHECKING:
    from codex_trio.rpc.client import Client
    from codex_trio.rpc.lanes import Place
    from codex_trio.rpc.switchboard import Switchboard
    from codex_trio.telemetry import Span
    from codex_trio.wire import Wire

log = logging.getLogger(__name__)

MAX_IN_FLIGHT: Final = 128
"""How many requests of one connection may wait for something before others are refused."""

_SHOWN: Final = 100  # characters of a method, which need not be one, in logs and spans


@attrs.define(eq=False)
class Reader:
    """Takes a client's messages in the order in which they arrive.

    It waits for nothing but the wire: answers to questions of ours are handed in on the spot,
    a request that can be answered without waiting is, and any other becomes a task. What must
    be decided in order of arrival is decided here: places in lanes, and, since the handshake is
    a plain handler, whether the connection is open.
    """

    _client: Client
    _board: Switchboard
    _out_of_time: list[Call[Any]] = attrs.field(factory=list, init=False)

    async def read(self, wire: Wire) -> None:
        """Read until the client ends its side, then give what is in flight its time."""
        with self._client.answering:
            async with trio.open_nursery() as handlers:
                await self._listen(wire, handlers)
                # Nothing will be answered any more, but everything can still be heard.
                self._board.router.hang_up(self._client)
                self._client.hang_up()
                self._client.finish_within(self._board.grace)

    async def _listen(self, wire: Wire, handlers: trio.Nursery) -> None:
        with self._client.listening:
            while True:
                try:
                    line = await wire.receive()
                except trio.EndOfChannel:
                    break
                except MessageTooLongError as error:
                    self._refuse_unread(error)
                else:
                    self._take(line, handlers)
                # The one other wait: for a client that leaves megabytes unread, and is held up
                # like anybody who writes to a pipe that is not emptied.
                await self._client.wait_read()

    def _take(self, line: bytes, handlers: trio.Nursery) -> None:
        try:
            message = codec.decode(line)
        except MessageError as error:
            log.error("Failed to deserialize JSONRPCMessage: %s", error)  # noqa: TRY400 - the text is all there is to know
            return
        match message:
            case Request() if len(handlers.child_tasks) >= MAX_IN_FLIGHT:
                self._client.say(codec.encode_failure(message.id, RpcError.overloaded()))
            case Request() if telemetry.is_enabled():
                with telemetry.request_span(
                    message.method[:_SHOWN], message.trace, **self._described(message)
                ) as span:
                    self._begin(message, handlers, span)
            case Request():
                self._begin(message, handlers)
            case Notification(method=codec.CANCEL):
                self._cancel(message.params)
            case Notification():
                log.debug("<- notification %.100r", message.method)
            case Response():
                self._board.router.answer(self._client, message.id, message.result)
            case Failure():
                self._board.router.answer(self._client, message.id, message.error)

    def _cancel(self, params: object) -> None:
        """Cut the requests in flight that have an id: all of them, they cannot be told apart.

        Each is answered by its own task, so that what must be whole still becomes whole. An id
        of none is ignored: its answer may be under way.
        """
        given = params.get("id") if isinstance(params, dict) else None
        for call in self._client.calls:
            if type(call.id) is type(given) and call.id == given:
                call.cancel()

    def _described(self, request: Request) -> dict[str, str | int]:
        """Say of a request what a span of it has; ``initialize`` says the name itself."""
        client = self._client
        return {
            "rpc_jsonrpc_request__id": shown(request.id),
            "rpc_transport": client.wire,
            "app__server_connection__id": client.id,
            "app__server_client__name": client.name,
            "app__server_client__version": client.version,
        }

    def _refuse_unread(self, error: MessageTooLongError) -> None:
        """Refuse a message that was too long to hold, if we can see whom to tell."""
        log.error("refused a message: %s", error)
        failure = InvalidParamsError(str(error))
        match codec.decode_head(error.head):
            case Request(id=request_id):
                self._client.say(codec.encode_failure(request_id, failure))
            case Response(id=request_id):
                self._board.router.answer(self._client, request_id, failure)
            case None:
                pass

    def _begin(
        self, request: Request, handlers: trio.Nursery, span: Span = telemetry.NO_SPAN
    ) -> None:
        """Answer a request on the spot if that takes no waiting; else make it a task."""
        try:
            call = self._call(request)
            self._check(call)
        except RpcError as error:
            self._client.say(codec.encode_failure(request.id, error))
            telemetry.note_failure(error.code)
            span.end()
            return
        place, answer = self._join(call), None
        call.place = place
        if place is None or place.admitted:
            answer = self._answer(call)
        if isinstance(answer, bytes):
            self._say(answer, place)
            span.end()
        else:
            # Its scope is made here: a cancel may arrive before the task has taken a step.
            now = trio.current_time()
            call.scope = scope = trio.CancelScope(deadline=now + self._board.request_deadline)
            self._client.calls[call] = now
            if call.row.begins_work:
                self._board.work.begin(call)
            handlers.start_soon(self._serve, call, scope, answer, span, name=request.method)

    def _call(self, request: Request) -> Call[Any]:
        """Find the row of a request, and its words.

        Raises:
            RpcError: there is no such method, or these are not its words.
        """
        row = self._board.table.get(request.method)
        if row is None:
            known = [name for name, row in self._board.table.items() if row.listed]
            raise InvalidParamsError(unknown_name(request.method, known))
        given = {} if request.params is None and row.optional else request.params
        params = None if row.params is None else codec.decode_params(row.params, given)
        return Call(request.id, row, params, self._client)

    def _check(self, call: Call[Any]) -> None:
        """Refuse what is not to be answered at this moment, which is the one of its arrival.

        Raises:
            RpcError: the connection is not open, or open already; the client has not asked for
                what is experimental; nobody serves this; it begins work, and we shut down.
        """
        client, row = self._client, call.row
        if row.handshake and client.initialized:
            raise RpcError.invalid_request("Already initialized")
        if not row.handshake and not client.initialized:
            raise RpcError.invalid_request("Not initialized")
        if row.begins_work and self._board.draining:
            raise RpcError.draining()
        if not client.experimental and (reserved := row.reserved(call.params)) is not None:
            raise RpcError.invalid_request(f"{reserved} requires experimentalApi capability")
        if row.name not in self._board.handlers:
            raise RpcError.not_served(row.name)

    def _join(self, call: Call[Any]) -> Place | None:
        """Take the next place in the request's lane, if it has one."""
        if (lane := call.row.lane) is None or (key := lane.key(call.params)) is None:
            return None
        return self._board.lanes.join(key, shared=lane.shared)

    async def _serve(
        self,
        call: Call[Any],
        scope: trio.CancelScope,
        answer: Awaitable[object] | None,
        span: Span,
    ) -> None:
        """Answer a request when it is its turn; gives its place up, whatever happens.

        One that has been cut before it has begun does nothing.
        """
        CURRENT.set(call)
        said = b""
        try:
            is_cut = scope.cancel_called
            if not is_cut:
                with scope:
                    said = await self._run(call, answer)
                is_cut = scope.cancelled_caught
            elif isinstance(answer, Coroutine):
                answer.close()  # nobody is going to wait for it
            if is_cut:
                error = self._cut(scope)
                call.give_up(error)
                span.fail(rpc_jsonrpc_error__code=error.code)
        finally:
            if not said and self._client.answering.cancel_called:
                self._out_of_time.append(call)
            span.end()
            del self._client.calls[call]
            self._board.work.end(call)
            if said:
                call.close()
            self._say(said, call.place)

    async def _run(self, call: Call[Any], answer: Awaitable[object] | None) -> bytes:
        """Wait for the answer, and before that for the request's turn, if it is not yet."""
        if answer is not None:
            return await self._settle(call, answer)
        assert call.place is not None  # what it waits for
        await call.place.wait_admitted()
        ready = self._answer(call)
        return ready if isinstance(ready, bytes) else await self._settle(call, ready)

    def answer_rest(self) -> None:
        """Answer what had no more time, and what nobody else has answered at the last moment."""
        is_end = self._client.ending is Ending.SHUTTING_DOWN
        error = RpcError.draining() if is_end else RpcError.late(self._board.grace)
        for call in self._out_of_time:
            call.give_up(error)

    def _cut(self, scope: trio.CancelScope) -> RpcError:
        if scope.deadline == math.inf:
            return RpcError.cancelled()
        return RpcError.late(self._board.request_deadline)

    def _say(self, answer: bytes, place: Place | None) -> None:
        """Queue an answer, unless the handler has replied itself, and let the next one in."""
        if answer:
            self._client.say(answer)
        if place is not None:
            place.leave()

    def _answer(self, call: Call[Any]) -> bytes | Awaitable[object]:
        """Call the handler: the encoded answer, or what has to be waited for."""
        try:
            answer = self._board.handlers[call.row.name](call)
            if isinstance(answer, Awaitable):
                return answer
            return b"" if call.replied else codec.encode_response(call.id, answer)
        except Exception as error:
            return self._failure(call, error)

    async def _settle(self, call: Call[Any], answer: Awaitable[object]) -> bytes:
        """Wait for the answer, encoded; empty when the handler has replied by itself."""
        said = b""
        try:
            try:
                result = await answer
                said = b"" if call.replied else codec.encode_response(call.id, result)
            except Exception as error:
                said = self._failure(call, error)
        except* Exception as group:  # with a cancellation in it, which goes on
            said = self._failure(call, group)
        return said

    def _failure(self, call: Call[Any], error: Exception) -> bytes:
        """Turn an exception into an error on the wire: the only place that does so."""
        match error:
            case RpcError() if not call.replied:
                telemetry.note_failure(error.code)
                return codec.encode_failure(call.id, error)
            case AnswerError() | ClientGoneError() if not call.replied:
                telemetry.note_failure(INTERNAL_ERROR)
                return codec.encode_failure(call.id, RpcError.internal(str(error)))
        # Nobody has foreseen this one, so it may quote what it failed on, a key for example:
        # its text stays out of the log, and the way to it goes in.
        log.error("%s failed: %s", call.row.name, describe_ways(error))
        telemetry.note_failure(INTERNAL_ERROR)
        return b"" if call.replied else codec.encode_failure(call.id, RpcError.internal())
