"""Clients that never come to the point: they connect, and say a byte now and then, or nothing."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio

from tests.torture.doings import Doer
from tests.torture.sockets import open_stream
from tests.torture.test_clients import WEBSOCKET

if TYPE_CHECKING:
    from tests.torture.harness import Ordeal, Victim

HEAD = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nX-A: " + b"a" * 400

PATIENCE = 10.0  # seconds that a handshake may take

LATE = 5.0  # seconds more, on a machine that has a lot to do


async def dawdle(ordeal: Ordeal, victim: Victim, out: list[float]) -> None:
    """Say a byte now and then, until one is shown the door."""
    start = trio.current_time()
    async with await open_stream(victim.url) as stream:
        said = ordeal.random.randrange(len(HEAD))
        pause = ordeal.random.uniform(0.05, 1)
        with suppress(trio.BrokenResourceError):
            if ordeal.random.random() < 0.8:
                await stream.send_all(HEAD[:said])
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(drip, stream, HEAD[said:], pause)
                    await wait_hung_up(stream)
                    nursery.cancel_scope.cancel(reason="the server has hung up")
            else:
                await wait_hung_up(stream)
    out.append(trio.current_time() - start)


async def drip(stream: trio.SocketStream, data: bytes, pause: float) -> None:
    with suppress(trio.BrokenResourceError):
        for byte in data:
            await stream.send_all(bytes([byte]))
            await trio.sleep(pause)


async def wait_hung_up(stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):  # by a reset, if it had something unread
        while await stream.receive_some():
            pass


@pytest.mark.torture
@pytest.mark.parametrize("full", [pytest.param(True, id="full")], indirect=True)
async def test_slow_handshakes(ordeal: Ordeal) -> None:
    """They are shown the door in time, and keep nobody else from coming in."""
    number = 1_000
    async with ordeal.open_victim(*WEBSOCKET) as victim:
        async with victim.open_client() as witness:
            await Doer(witness, ordeal.random).read()
        ordeal.note_before(victim)
        for _ in ordeal.rounds(1, 2):
            out: list[float] = []
            async with trio.open_nursery() as nursery:
                for _ in range(number):
                    nursery.start_soon(dawdle, ordeal, victim, out)
                while len(out) < number:
                    # Meanwhile others come in, and are answered.
                    with trio.fail_after(LATE):
                        async with victim.open_client() as witness:
                            await Doer(witness, ordeal.random).read()
                    await trio.sleep(0.5)
            assert max(out) < PATIENCE + LATE
            if ordeal.figures.rounds == 1:
                ordeal.note_before(victim)
        await ordeal.settle(victim)
