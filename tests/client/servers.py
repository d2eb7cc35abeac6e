"""Servers that behave as they are told, at the other end of a wire in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import orjson
import trio

from codex_trio.client import Client, open_client
from codex_trio.transport.memory import MemoryWire, memory_wire_pair
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

INTRODUCTION = {
    "userAgent": "puppet",
    "codexHome": "/nowhere",
    "platformFamily": "unix",
    "platformOs": "linux",
    "newerThanUs": {"more": 1},
}


@attrs.define(eq=False)
class Puppet:
    """A server that says what a test lets it say."""

    wire: MemoryWire
    _introduced: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def hear(self) -> Any:
        return orjson.loads(await self.wire.receive())

    async def say(self, **message: Any) -> None:
        await self.wire.send(orjson.dumps(message))

    async def introduce(self) -> None:
        request = await self.hear()
        assert request["method"] == "initialize"
        await self.say(id=request["id"], result=INTRODUCTION)
        assert await self.hear() == {"method": "initialized"}
        self._introduced.set()

    async def wait_introduced(self) -> None:
        await self._introduced.wait()


@asynccontextmanager
async def puppet_and_client(**introduction: Any) -> AsyncGenerator[tuple[Puppet, Client]]:
    ours, theirs = memory_wire_pair(64)
    puppet = Puppet(theirs)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(puppet.introduce)
        async with open_client(ours, **introduction) as client:
            await puppet.wait_introduced()
            with trio.fail_after(PATIENCE):  # noqa: ASYNC100 - the body waits
                yield puppet, client
