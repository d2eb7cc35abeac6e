"""A host that is killed, again and again, and comes back knowing nobody."""

from __future__ import annotations

import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import orjson
import trio

from codex_trio.testing import StandInProcess
from tests.processes import OURS
from tests.torture.doings import QUICK, Doer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.torture.harness import Ordeal

ANSWERS = {"text": "One thing after another. " * 8, "deltas": 20, "every": 0.01}


@attrs.define(eq=False)
class Mortal:
    """A stand-in in a process of its own, which is killed and comes back at the same place."""

    place: StandInProcess = attrs.field(init=False)
    _process: trio.Process | None = attrs.field(default=None, init=False)
    _port: str = attrs.field(default="0", init=False)

    async def start(self) -> None:
        """Come to life."""
        self._process = await trio.lowlevel.open_process(
            [*OURS, "stand-in", "--port", self._port],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sys.stderr.fileno() if sys.stderr.isatty() else subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            chunk = await self._process.stdout.receive_some()
            assert chunk, "the stand-in does not start"
            line += chunk
        self.place = StandInProcess(**orjson.loads(line))
        self._port = self.place.url.rpartition(":")[2]
        # What comes after a round is answered slowly, so that something can happen within it.
        script = {"user": "approve", "responses": [ANSWERS] * 50}
        await trio.to_thread.run_sync(self.place.script, script)

    async def die(self) -> None:
        """Be killed, in the middle of whatever it does."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        assert self._process.stdout is not None
        await self._process.stdout.aclose()


@asynccontextmanager
async def open_mortal() -> AsyncGenerator[Mortal]:
    mortal = Mortal()
    await mortal.start()
    try:
        yield mortal
    finally:
        with trio.CancelScope(shield=True):
            await mortal.die()


async def test_a_host_that_is_killed(ordeal: Ordeal) -> None:
    """Every request is answered, every turn ends, and all is well as soon as it is back."""
    async with open_mortal() as host:
        async with ordeal.open_victim(
            environ=host.place.environ, config=host.place.config + QUICK
        ) as victim:
            async with victim.open_client() as client:
                doer = Doer(client, ordeal.random)
                for number in ordeal.rounds(1, 12):
                    async with trio.open_nursery() as nursery:
                        for _ in range(ordeal.of(1, 6)):
                            nursery.start_soon(Doer(client, ordeal.random).do, ordeal.of(2, 4))
                        await trio.sleep(ordeal.random.uniform(0, 0.3))
                        await host.die()
                        # Turns would wait for it for ever: they take a host that cannot be
                        # reached for a network that is gone.
                        await host.start()
                    assert await doer.sign_in_with_key()
                    assert await doer.run_turn() == "completed"
                    await doer.put_away()
                    if number == ordeal.of(0, 2):
                        ordeal.note_before(victim)
                await ordeal.settle(victim, client)
                await victim.end()
