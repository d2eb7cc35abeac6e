"""A switchboard of its own, with handlers that do what a test needs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from attrs import frozen

from codex_trio.errors import RpcError
from codex_trio.protocol.rows import ClientRequest, Lane, ServerNotification, ServerRequest
from codex_trio.rpc.calls import Call, handlers_of, serves
from codex_trio.rpc.connection import serve_connection
from codex_trio.rpc.switchboard import Switchboard
from codex_trio.testing import WireClient, open_client
from codex_trio.transport.memory import MemoryWire, memory_wire_pair
from tests.conftest import PATIENCE


@frozen(kw_only=True)
class Named:
    name: str = ""


OPEN = ClientRequest("open", type(None), Named, handshake=True)
ECHO = ClientRequest("echo", Named, Named)
WAIT = ClientRequest("wait", Named, Named)
IN_TURN = ClientRequest("inTurn", Named, Named, lane=Lane("turn"))
TURN_LESS = ClientRequest("turnLess", Named, Named, lane=Lane("named", ("name",)))
ASK = ClientRequest("ask", Named, Named)
FAIL = ClientRequest("fail", Named, Named)
STORY = ClientRequest("story", Named, Named)
TALE = ClientRequest("tale", Named, Named)
ODD = ClientRequest("odd", Named, Named, experimental=True)
PART = ClientRequest("part", Named, Named, experimental_part=lambda p: p.name or None)
GAP = ClientRequest[Any, Any]("gap")
ROWS = (OPEN, ECHO, WAIT, IN_TURN, TURN_LESS, ASK, FAIL, STORY, TALE, ODD, PART, GAP)

NEWS = ServerNotification("news", Named)
QUESTION = ServerRequest("question", Named, Named)

SECRET = "sk-secret"


@attrs.define(eq=False)
class Family:
    """Handlers; those that wait, wait for their name to be let through ``gates``."""

    board: Switchboard
    gates: dict[str, trio.Event] = attrs.field(factory=dict)
    started: list[str] = attrs.field(factory=list)
    outcomes: list[object] = attrs.field(factory=list)

    def gate(self, name: str) -> trio.Event:
        return self.gates.setdefault(name, trio.Event())

    @serves(OPEN)
    def open(self, call: Call[None]) -> None:
        call.reply(Named())
        call.client.initialized = True

    @serves(ECHO)
    def echo(self, call: Call[Named]) -> Named:
        return call.params

    @serves(WAIT)
    async def wait(self, call: Call[Named]) -> Named:
        return await self.wait_for_gate(call)

    @serves(IN_TURN)
    async def in_turn(self, call: Call[Named]) -> Named:
        return await self.wait_for_gate(call)

    async def wait_for_gate(self, call: Call[Named]) -> Named:
        self.started.append(call.params.name)
        await self.gate(call.params.name).wait()
        return call.params

    @serves(TURN_LESS)
    def turn_less(self, call: Call[Named]) -> Named:
        return call.params

    @serves(ASK)
    async def ask(self, call: Call[Named]) -> Named:
        try:
            answer = await self.board.router.ask([call.client], QUESTION, call.params)
        except Exception as error:
            self.outcomes.append(error)
            raise
        return answer

    @serves(FAIL)
    async def fail(self, call: Call[Named]) -> Named:
        if call.params.name == "known":
            raise RpcError(-7, "known", {"why": 1})
        raise KeyError(SECRET)

    @serves(STORY)
    async def story(self, call: Call[Named]) -> None:
        call.reply(Named(name="answer"))
        call.client.tell(NEWS, Named(name="after"))
        await trio.lowlevel.checkpoint()
        if call.params.name == "fails":
            raise KeyError(SECRET)
        if call.params.name == "refuses":
            raise RpcError.internal("too late")
        if call.params.name == "repeats":
            call.reply(Named(name="again"))

    @serves(TALE)
    def tale(self, call: Call[Named]) -> None:
        call.reply(call.params)
        self.board.router.broadcast(NEWS, Named())

    @serves(ODD)
    def odd(self, call: Call[Named]) -> Named:
        return call.params

    @serves(PART)
    def part(self, call: Call[Named]) -> Named:
        return call.params


@pytest.fixture
def board() -> Switchboard:
    board = Switchboard({row.name: row for row in ROWS}, {}, grace=5.0)
    board.handlers = handlers_of([Family(board)])
    return board


@pytest.fixture
def family(board: Switchboard) -> Family:
    return board.handlers["echo"].__self__  # type: ignore[attr-defined, no-any-return]


@asynccontextmanager
async def opened(board: Switchboard) -> AsyncGenerator[MemoryWire]:
    """The client's end of an open connection; leaving the block waits for the server's end."""
    ours, theirs = memory_wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, board)
        await ours.send(b'{"id":0,"method":"open"}')
        yield ours


Dial = Callable[[], AbstractAsyncContextManager[WireClient]]


@pytest.fixture
def dial(board: Switchboard) -> Dial:
    @asynccontextmanager
    async def connect() -> AsyncGenerator[WireClient]:
        ours, theirs = memory_wire_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_connection, theirs, board)
            async with open_client(ours) as client:
                with trio.fail_after(PATIENCE):
                    yield client

    return connect


@pytest.fixture
async def client(dial: Dial) -> AsyncGenerator[WireClient]:
    async with dial() as client:
        await client.call("open")
        yield client
