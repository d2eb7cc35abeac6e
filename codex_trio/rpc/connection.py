"""One client from its first line to its last: its calls, and who answers them."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from codex_trio.errors import (
    AnswerError,
    ClientGoneError,
    InvalidParamsError,
    MessageError,
    MessageTooLongError,
    RpcError,
)
from codex_trio.faults import unknown_name
from codex_trio.groups import describe_ways
from codex_trio.protocol import codec
from codex_trio.protocol.codec import Failure, Notification, Request, Response
from codex_trio.rpc.calls import Call, Handler
from codex_trio.rpc.client import Client, Unsaid
from codex_trio.rpc.lanes import Lanes, Place
from codex_trio.rpc.router import Router

if TYPE_CHECKING:
    from codex_trio.protocol.rows import ClientRequest
    from codex_trio.wire import Wire

log = logging.getLogger(__name__)

MAX_IN_FLIGHT: Final = 128
"""How many requests of one connection may wait for something before others are refused."""

_WRITE_AT_MOST: Final = 256 * 2**10  # bytes that are joined before they are written


@attrs.define(eq=False)
class Switchboard:
    """What a connection is served with: the table, its handlers, their lanes, the router."""

    table: Mapping[str, ClientRequest[Any, Any]]
    handlers: Mapping[str, Handler]
    grace: float
    """Seconds that requests in flight have for their answers after a client's last line."""
    router: Router = attrs.field(factory=Router)
    lanes: Lanes = attrs.field(factory=Lanes)
    closing: bool = False
    """Set when no client is to be listened to any more, also not one that comes now."""

    def hang_up(self, grace: float) -> None:
        """Listen to no client any more; what is in flight has ``grace`` seconds at most."""
        self.closing = True
        self.grace = grace
        for client in self.router.clients:
            client.listening.cancel(reason="the server hangs up")
            client.end_within(grace)


async def serve_connection(
    wire: Wire, board: Switchboard, last_words: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Serve one client until it hangs up or stops listening; closes the wire.

    The client ends its side: requests in flight have ``board.grace`` seconds, what is queued is
    sent, and the call returns. The client stops reading: everything is cancelled, and
    the call returns. The call is cancelled: what is not sent yet is dropped.

    ``last_words`` is awaited when the client has hung up and all of its requests are answered:
    what it makes others say still reaches the client.
    """
    outbox, outgoing = trio.open_memory_channel[bytes | Unsaid](math.inf)  # see Client
    with trio.CancelScope() as connection:  # noqa: ASYNC912 - the nursery waits
        client = Client(outbox, connection)
        try:
            async with wire, trio.open_nursery() as nursery:
                nursery.start_soon(write, outgoing, client, wire, name="writer")
                # Once the outbox is closed, the writer sends what is left, and ends.
                with outbox, board.router.joined(client):
                    if board.closing:
                        client.listening.cancel(reason="the server hangs up")
                    await Reader(client, board).read(wire)
                    if last_words is not None:
                        await last_words()
        except* trio.BrokenResourceError:
            log.debug("the client has stopped listening")


async def write(
    outgoing: trio.MemoryReceiveChannel[bytes | Unsaid], client: Client, wire: Wire
) -> None:
    """Send what is queued, as much at a time as there is; the only sender of a connection."""
    with outgoing:
        async for message in outgoing:
            batch = [message if isinstance(message, bytes) else message.take()]
            size = len(batch[0])
            try:
                while size < _WRITE_AT_MOST:
                    message = outgoing.receive_nowait()
                    batch.append(message if isinstance(message, bytes) else message.take())
                    size += len(batch[-1])
            except (trio.WouldBlock, trio.EndOfChannel):
                pass
            client.sending(len(batch))
            await wire.send_batch(batch)
            client.took(size)


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

    async def read(self, wire: Wire) -> None:
        """Read until the client ends its side, then give what is in flight its time."""
        with self._client.answering:
            async with trio.open_nursery() as handlers:
                await self._listen(wire, handlers)
                # Nothing will be answered any more, but everything can still be heard.
                self._board.router.hang_up(self._client)
                self._client.hang_up()
                self._client.end_within(self._board.grace)

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
            case Request():
                self._begin(message, handlers)
            case Notification():
                log.debug("<- notification %.100r", message.method)
            case Response():
                self._board.router.answer(self._client, message.id, message.result)
            case Failure():
                self._board.router.answer(self._client, message.id, message.error)

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

    def _begin(self, request: Request, handlers: trio.Nursery) -> None:
        """Answer a request on the spot if that takes no waiting; else make it a task."""
        try:
            call = self._call(request)
            self._check(call)
        except RpcError as error:
            self._client.say(codec.encode_failure(request.id, error))
            return
        place, answer = self._join(call), None
        call.place = place
        if place is None or place.admitted:
            answer = self._answer(call)
        if isinstance(answer, bytes):
            self._say(answer, place)
        else:
            handlers.start_soon(self._serve, call, place, answer, name=request.method)

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
                what is experimental; nobody serves this.
        """
        client, row = self._client, call.row
        if row.handshake and client.initialized:
            raise RpcError.invalid_request("Already initialized")
        if not row.handshake and not client.initialized:
            raise RpcError.invalid_request("Not initialized")
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
        self, call: Call[Any], place: Place | None, answer: Awaitable[object] | None
    ) -> None:
        """Answer a request when it is its turn; gives its place up, whatever happens."""
        said = b""
        try:
            if answer is None:
                assert place is not None  # what it waits for
                await place.wait_admitted()
                ready = self._answer(call)
                said = ready if isinstance(ready, bytes) else await self._settle(call, ready)
            else:
                said = await self._settle(call, answer)
        finally:
            self._say(said, place)

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
                return codec.encode_failure(call.id, error)
            case AnswerError() | ClientGoneError() if not call.replied:
                return codec.encode_failure(call.id, RpcError.internal(str(error)))
        # Nobody has foreseen this one, so it may quote what it failed on, a key for example:
        # its text stays out of the log, and the way to it goes in.
        log.error("%s failed: %s", call.row.name, describe_ways(error))
        return b"" if call.replied else codec.encode_failure(call.id, RpcError.internal())
