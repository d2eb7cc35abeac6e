"""Servers that are asked to end while many clients are there, and busy."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.errors import ClientGoneError
from codex_trio.testing import open_client
from tests.torture.doings import Doer, speak_slowly
from tests.torture.harness import Tally
from tests.torture.sockets import open_wire
from tests.torture.test_clients import WEBSOCKET, Gathering

if TYPE_CHECKING:
    from codex_trio.testing import StandIn
    from tests.torture.harness import Ordeal, Victim

GOING_AWAY = 1001


async def be_served_to_the_end(
    ordeal: Ordeal, victim: Victim, everybody: Gathering, ends: list[int]
) -> None:
    """Be a busy client until the server ends, and note how it says so."""
    wire = await open_wire(victim.url)
    async with open_client(wire, Tally(ordeal.counts)) as client:
        await client.initialize("torture", experimental=True)
        doer = Doer(client, ordeal.random)
        try:
            await doer.read()
        except ClientGoneError:
            pytest.fail("the server has hung up before it was asked to")
        await everybody.join()
        await doer.do_until_gone()
    assert wire.closed is not None, "it has hung up without a Close"
    ends.append(wire.closed.code)


@pytest.mark.parametrize("signals", ["one signal", "two signals"])
async def test_shutdowns(ordeal: Ordeal, stand_in: StandIn, signals: str) -> None:
    """Everybody is told, all that is stored is whole, and it has ended in time."""
    speak_slowly(stand_in)
    number = ordeal.of(5, 50)
    for _ in ordeal.rounds(1, 10):
        async with ordeal.open_victim(
            *WEBSOCKET, environ=stand_in.environ, config=stand_in.config
        ) as victim:
            ends: list[int] = []
            everybody = Gathering(number + 1)
            async with trio.open_nursery() as nursery:
                for _ in range(number):
                    nursery.start_soon(be_served_to_the_end, ordeal, victim, everybody, ends)
                await everybody.join()
                await trio.sleep(ordeal.random.uniform(0, 0.3))
                for _ in range(1 + (signals == "two signals")):
                    victim.process.send_signal(signal.SIGTERM)
                    await trio.sleep(ordeal.random.uniform(0, 0.1))
            await victim.wait_ended()
            assert set(ends) <= {GOING_AWAY}
