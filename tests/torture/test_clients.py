"""Very many clients of one server, who come and go as they like."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from codex_trio.errors import ClientGoneError
from codex_trio.testing import open_client
from tests.torture.doings import Doer
from tests.torture.harness import KIB, Tally
from tests.torture.sockets import LEAVINGS, open_wire

if TYPE_CHECKING:
    from codex_trio.testing import StandIn
    from tests.torture.harness import Ordeal, Victim

WEBSOCKET = ("--listen", "ws://127.0.0.1:0")

AT_ONCE = 64  # clients that are connecting at the same time


async def be_a_client(
    ordeal: Ordeal, victim: Victim, turnstile: trio.CapacityLimiter, everybody: Gathering
) -> None:
    """Connect, stay until all are there, do something or nothing, and leave somehow."""
    tally = Tally(ordeal.counts)
    with suppress(ClientGoneError):
        async with turnstile:
            wire = await open_wire(victim.url)
        async with open_client(wire, tally) as client:
            await client.initialize("torture", experimental=True)
            doer = Doer(client, ordeal.random)
            await doer.read()
            await everybody.join()
            if ordeal.random.random() < 0.1:
                await ordeal.random.choice(
                    (doer.cancel_device_login, doer.cancel_browser_login, doer.run_turn)
                )()
            await trio.sleep(ordeal.random.uniform(0, 0.5))
            await doer.read()
            assert not tally.open
            await wire.leave(ordeal.random.choice(LEAVINGS))


class Gathering:
    """Where some wait until all are there."""

    def __init__(self, number: int) -> None:
        self._missing = number
        self._all = trio.Event()

    async def join(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._all.set()
        await self._all.wait()


async def test_a_thousand_clients(ordeal: Ordeal, stand_in: StandIn) -> None:
    """All are there at the same time, all are answered, and what they took is given back."""
    number = ordeal.of(50, 1_000)
    async with ordeal.open_victim(
        *WEBSOCKET, environ=stand_in.environ, config=stand_in.config
    ) as victim:
        async with victim.open_client() as witness:
            doer = Doer(witness, ordeal.random)
            assert await doer.sign_in_with_key()
            for again in ordeal.rounds(1, 4):
                everybody, turnstile = Gathering(number), trio.CapacityLimiter(AT_ONCE)
                async with trio.open_nursery() as nursery:
                    for _ in range(number):
                        nursery.start_soon(be_a_client, ordeal, victim, turnstile, everybody)
                await doer.put_away()
                if again == ordeal.of(0, 1):
                    # Those who dropped are gone for the server, too, when it has looked.
                    ordeal.note_before(victim)
            # What stays of the heap depends on what has happened at the same time.
            await ordeal.settle(victim, witness, growth=number * 16 * KIB)
            assert await doer.run_turn() == "completed"
