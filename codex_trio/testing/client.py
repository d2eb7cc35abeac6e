"""A client in memory, for our tests and an embedder's.

::

    async with open_memory_client() as client:
        await client.initialize()
        await client.call("account/login/start", {"type": "apiKey", "apiKey": "sk-test"})
        print(await client.next_notification())

The server behind it is a real one with a home of its own; only the wire is in memory. The same
client speaks over any other wire, to us and to the genuine server.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import orjson
import trio

from codex_trio.errors import ClientGoneError, RpcError
from codex_trio.groups import out_of_groups
from codex_trio.server import Server, open_server
from codex_trio.settings import Settings
from codex_trio.transport.memory import memory_wire_pair

if TYPE_CHECKING:
    from codex_trio.scope import AccountScope
    from codex_trio.wire import Wire

_LAST_WORDS: Final = 1.0  # seconds that the last message has to be taken
_SERVER_GONE: Final = "the server hung up"
_CLIENT_GONE: Final = "the client hung up"

Json: TypeAlias = Any
"""A decoded JSON value."""

Watcher: TypeAlias = Callable[[str, bytes], None]
"""Is shown every message that passes: ``-->`` to the server or ``<--`` from it, and its bytes."""


@attrs.frozen
class Question:
    """A request of the server, to be answered with ``WireClient.answer``."""

    id: int
    method: str
    params: Json


@attrs.define(eq=False)
class WireClient:
    """A client that speaks plain JSON values over a wire; made by ``open_client``.

    Several tasks may call at once. What comes in is kept until somebody asks for it.
    """

    _wire: Wire
    _outbox: trio.MemorySendChannel[bytes]
    _watch: Watcher | None = None
    _gone: str | None = attrs.field(default=None, init=False)  # and why
    _ids: itertools.count[int] = attrs.field(factory=itertools.count, init=False)
    _calls: dict[int, trio.MemorySendChannel[Json]] = attrs.field(factory=dict, init=False)
    _notifications: _Inbox = attrs.field(factory=lambda: _Inbox(), init=False)
    _questions: _Inbox = attrs.field(factory=lambda: _Inbox(), init=False)

    async def initialize(
        self,
        name: str = "codex_trio_testing",
        *,
        experimental: bool = False,
        **capabilities: Json,
    ) -> Json:
        """Open the connection, both messages of it; returns the answer to ``initialize``."""
        answer = await self.call(
            "initialize",
            {
                "clientInfo": {"name": name, "version": "1.0"},
                "capabilities": {"experimentalApi": experimental, **capabilities},
            },
        )
        await self.notify("initialized")
        return answer

    async def call(self, method: str, params: Json = None) -> Json:
        """Send a request and return its result.

        A cancelled call forgets the request; the server may answer it all the same.

        Raises:
            RpcError: the server answered with an error.
            ClientGoneError: the server hung up instead of answering, or the block was left that
                the client belongs to.
        """
        slot, answer = trio.open_memory_channel[Json](1)
        request_id = next(self._ids)
        self._calls[request_id] = slot
        with slot, answer:
            try:
                await self._say({"id": request_id, "method": method}, params)
                message = await answer.receive()
            except trio.EndOfChannel:
                raise ClientGoneError(self._gone) from None
            finally:
                self._calls.pop(request_id, None)
        if "error" in message:
            error = message["error"]
            raise RpcError(error["code"], error["message"], error.get("data"))
        return message["result"]

    async def notify(self, method: str, params: Json = None) -> None:
        """Send a notification."""
        await self._say({"method": method}, params)

    async def next_notification(self, method: str | None = None) -> Json:
        """Return the next notification that has not been taken yet, waiting for it.

        With a method, return the next of that method and leave the others where they are.
        """
        return await self._notifications.take(
            lambda message: method is None or message["method"] == method
        )

    async def next_question(self) -> Question:
        """Return the next request of the server, waiting for it."""
        message = await self._questions.take(lambda _: True)
        return Question(message["id"], message["method"], message["params"])

    async def answer(self, question: Question, result: Json) -> None:
        """Answer a request of the server."""
        await self.send({"id": question.id, "result": result})

    async def refuse(self, question: Question, code: int, message: str) -> None:
        """Answer a request of the server with an error."""
        await self.send({"id": question.id, "error": {"code": code, "message": message}})

    async def send(self, message: Json | bytes) -> None:
        """Send any message; bytes are sent as they are.

        A cancelled call has sent all of it or nothing.

        Raises:
            ClientGoneError: the server has hung up, or we have.
        """
        data = message if isinstance(message, bytes) else orjson.dumps(message)
        if self._watch is not None:
            self._watch("-->", data)
        try:
            with suppress(trio.BrokenResourceError):
                await self._outbox.send(data)
        except trio.ClosedResourceError:
            raise ClientGoneError(_CLIENT_GONE) from None
        if self._gone is not None:
            raise ClientGoneError(self._gone)

    async def _say(self, message: dict[str, Json], params: Json) -> None:
        await self.send(message if params is None else {**message, "params": params})

    async def _speak(self, outgoing: trio.MemoryReceiveChannel[bytes]) -> None:
        """Send what the callers hand over; they may be cancelled, a message must not be."""
        with outgoing:
            try:
                async for data in outgoing:
                    await self._wire.send(data)
            except trio.BrokenResourceError:
                self._give_up(_SERVER_GONE)

    async def _listen(self) -> None:
        """Sort what comes in, until the server hangs up."""
        with suppress(trio.BrokenResourceError):
            async for data in self._wire:
                if self._watch is not None:
                    self._watch("<--", data)
                self._sort(orjson.loads(data))
        self._give_up(_SERVER_GONE)

    def _sort(self, message: Json) -> None:
        if "method" not in message:
            if (slot := self._calls.pop(message["id"], None)) is not None:
                slot.send_nowait(message)
        elif "id" in message:
            self._questions.put(message)
        else:
            self._notifications.put(message)

    def _give_up(self, reason: str) -> None:
        """Wake everybody who waits for the server."""
        self._gone = self._gone or reason
        for slot in self._calls.values():
            slot.close()
        self._notifications.close()
        self._questions.close()


@attrs.define(eq=False, repr=False)  # messages may hold secrets
class _Inbox:
    """Keeps messages until somebody takes them, not necessarily the oldest first.

    It has no limit: a test that never looks at its notifications must still get its answers.
    """

    _messages: deque[Json] = attrs.field(factory=deque, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _changed: trio.lowlevel.ParkingLot = attrs.field(
        factory=trio.lowlevel.ParkingLot, init=False
    )

    def put(self, message: Json) -> None:
        self._messages.append(message)
        self._changed.unpark_all()

    def close(self) -> None:
        self._closed = True
        self._changed.unpark_all()

    async def take(self, wanted: Callable[[Json], bool]) -> Json:
        await trio.lowlevel.checkpoint()  # here, so that nothing is lost with what was taken
        while True:
            for message in self._messages:
                if wanted(message):
                    self._messages.remove(message)
                    return message
            if self._closed:
                raise trio.EndOfChannel
            await self._changed.park()


@asynccontextmanager
async def open_client(wire: Wire, watch: Watcher | None = None) -> AsyncGenerator[WireClient]:
    """Speak to a server over a wire; leaving the block hangs up.

    ``watch`` is shown every message. When the server hangs up, or other tasks still wait when
    the block is left, calls that wait raise ``ClientGoneError``, and waits for messages raise
    ``trio.EndOfChannel``.
    """
    outbox, outgoing = trio.open_memory_channel[bytes](0)
    client = WireClient(wire, outbox, watch)
    try:
        with out_of_groups(2):
            async with wire, trio.open_nursery() as listener:
                listener.start_soon(client._listen)
                async with trio.open_nursery() as speaker:
                    speaker.start_soon(client._speak, outgoing)
                    with outbox:
                        yield client
                    # The last message is still under way, unless nobody takes it.
                    speaker.cancel_scope.deadline = trio.current_time() + _LAST_WORDS
                listener.cancel_scope.cancel(reason="the client hangs up")
    finally:
        # Not before: to what fails within the block, its calls shall not add that they end.
        client._give_up(_CLIENT_GONE)


@asynccontextmanager
async def connect(
    server: Server, watch: Watcher | None = None, *, account: AccountScope | None = None
) -> AsyncGenerator[WireClient]:
    """Connect to a server in this process; leaving the block hangs up and waits for its end.

    With an ``account`` of its own, the connection knows nothing of the server's.
    """
    ours, theirs = memory_wire_pair()
    with out_of_groups(1):
        async with trio.open_nursery() as nursery:
            # What the client says waits in the wire until it is served.
            serve = partial(server.serve, account=account)
            nursery.start_soon(serve, theirs)  # noqa: ASYNC113 - see above
            async with open_client(ours, watch) as client:
                yield client


@asynccontextmanager
async def open_memory_client(
    settings: Settings | None = None, watch: Watcher | None = None
) -> AsyncGenerator[WireClient]:
    """Run a server and connect to it; leaving the block ends both.

    Without settings, the server has a new, empty home that is removed at the end.
    """
    with tempfile.TemporaryDirectory(prefix="codex-trio-") as home:
        async with open_server(settings or Settings(codex_home=home)) as server:
            async with connect(server, watch) as client:
                yield client
