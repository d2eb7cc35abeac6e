"""What is over is freed at once: the program looks for cycles of garbage but seldom."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import trio

from codex_trio.transport.memory import memory_wire_pair

if TYPE_CHECKING:
    from codex_trio.server import Server

_HELLO = (
    b'{"id":0,"method":"initialize","params":{"clientInfo":{"name":"n","version":"1"}}}',
    b'{"method":"initialized"}',
    b'{"id":1,"method":"account/read","params":{}}',
    b'{"id":2,"method":"account/login/cancel","params":{"loginId":"no such"}}',
    b'{"id":3,"method":"no/such/method"}',
)


async def _visit(server: Server) -> None:
    ours, theirs = memory_wire_pair(len(_HELLO))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, theirs)
        for message in _HELLO:
            await ours.send(message)
        ours.hang_up()
        assert len([answer async for answer in ours]) >= 4
        await ours.aclose()


async def test_connections_and_requests_leave_no_cycles(server: Server) -> None:
    await _visit(server)  # what is made but once may leave what it likes
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            await _visit(server)
        assert gc.collect() == 0
    finally:
        gc.enable()
