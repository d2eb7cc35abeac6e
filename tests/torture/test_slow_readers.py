"""Clients that ask for a great deal, and never read: they are closed, and harm nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.transport.websocket import PATIENCE
from tests.torture.doings import Doer
from tests.torture.sockets import open_wire
from tests.torture.test_clients import WEBSOCKET
from tests.torture.test_floods import UNREAD
from tests.torture.test_half_closed import INITIALIZE, asked

if TYPE_CHECKING:
    from tests.torture.harness import Ordeal, Victim

SLOW = 5  # clients who do not read

LATE = 15.0  # seconds more, on a machine that has a lot to do

SLUGGISH = 2.0  # seconds within which everybody else is answered at the latest


async def read_nothing(victim: Victim) -> None:
    """Ask until nobody listens any more, wait to be closed, and look what there was to read."""
    wire = await open_wire(victim.url)
    async with wire:
        await wire.send(INITIALIZE)
        with trio.move_on_after(PATIENCE / 6):  # by then both directions are full  # noqa: ASYNC912 - a send waits
            for number in range(10**6):
                await wire.send(asked(number, "no/such"))  # the answer is some kilobytes long
        start = trio.current_time()
        await wait_closed(wire.stream)
        assert trio.current_time() - start < PATIENCE + LATE


async def wait_closed(stream: trio.SocketStream) -> None:
    """Wait until the other end is gone, which a socket tells who does not read, too."""
    with trio.fail_after(PATIENCE + LATE):
        while not await is_closed(stream):  # noqa: ASYNC110 - no event tells of it
            await trio.sleep(0.1)


async def is_closed(stream: trio.SocketStream) -> bool:
    """Try to say something more, of which nothing may come."""
    with trio.move_on_after(0.05):  # noqa: ASYNC912 - it may be so already
        try:
            await stream.socket.send(b"\0")
        except OSError:
            return True
    return False


async def ask_all_the_time(doer: Doer, waits: list[float]) -> None:
    while True:
        start = trio.current_time()
        await doer.read()
        waits.append(trio.current_time() - start)
        await trio.sleep(0.01)


@pytest.mark.torture
@pytest.mark.parametrize("full", [pytest.param(True, id="full")], indirect=True)
async def test_clients_that_never_read(ordeal: Ordeal) -> None:
    async with ordeal.open_victim(*WEBSOCKET) as victim:
        async with victim.open_client() as witness:
            doer = Doer(witness, ordeal.random)
            await doer.read()
            for number in ordeal.rounds(1, 2):
                quiet, waits = victim.vitals().memory, [0.0]
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ask_all_the_time, doer, waits)
                    async with trio.open_nursery() as slow:
                        for _ in range(SLOW):
                            slow.start_soon(read_nothing, victim)
                        await trio.sleep(PATIENCE / 3)
                        assert victim.vitals().memory < quiet + SLOW * UNREAD
                    nursery.cancel_scope.cancel(reason="the slow ones are gone")
                assert max(waits) < SLUGGISH
                if number == 0:
                    ordeal.note_before(victim)
            await ordeal.settle(victim, witness)
