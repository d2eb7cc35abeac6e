"""Clients that ask a great deal before they read anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import orjson
import pytest
import trio

from codex_trio.rpc.reader import MAX_IN_FLIGHT
from tests.account.signed_in import sign_in
from tests.torture.harness import MIB, Tally

if TYPE_CHECKING:
    from codex_trio.testing import StandIn
    from codex_trio.wire import Wire
    from tests.torture.harness import Ordeal, Victim

OPENING = (
    b'{"id":-2,"method":"initialize","params":{"clientInfo":{"name":"torture","version":"1"}}}',
    b'{"id":-1,"method":"account/read","params":{}}',
)

LIMITS = "/backend-api/wham/usage"

AT_ONCE = ["account/read"] * 6 + ["no/such/method"] * 4
"""Requests that are answered on the spot: shortly, or with the names of all methods."""

WAITS = "account/rateLimits/read"

BATCH = 100  # requests that are written at once

STALLED = 0.3
"""Seconds without a write going through, after which the server has stopped reading. It may: what
has to be so of what we measure is so in either case."""

UNREAD = 48 * MIB
"""What a server may hold for one client that does not read: the bytes that are queued at most, and
as much again while they are joined and written."""


@attrs.define(eq=False)
class Flood:
    """Requests of one client, from the first written to the last answered."""

    victim: Victim
    wire: Wire
    tally: Tally
    last_id: int = attrs.field(default=0, init=False)

    async def begin(self) -> None:
        """Open the connection, and have the store looked into, so that nobody waits for that."""
        for message in OPENING:
            self.tally("-->", message)
            await self.wire.send(message)
            self.tally("<--", await self.wire.receive())

    async def pour(self, methods: list[str], stand_in: StandIn, *, stuck: bool) -> None:
        """Ask all of it, then let a stuck host go on, then read until all is answered."""
        if stuck:
            stand_in.hold(LIMITS)
        first, quiet = self.last_id + 1, self.victim.vitals().memory
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, methods)
            last = first + len(methods) - 1
            await self._wait_written(last)
            held = self.victim.vitals().memory
            while last not in self.tally.answers:  # which comes when all others have begun
                self.tally("<--", await self.wire.receive())
            stand_in.release(LIMITS)
            while self.tally.open:
                self.tally("<--", await self.wire.receive())
        assert held <= quiet + UNREAD
        codes = [
            self.tally.answers[request_id] for request_id in range(first, first + len(methods))
        ]
        if stuck:
            # Nobody is refused before as many are in flight as may be.
            waiting = [at for at, method in enumerate(methods) if method not in AT_ONCE]
            assert -32001 not in codes[: waiting[MAX_IN_FLIGHT]]
            assert -32001 in codes
        else:
            assert -32001 not in codes

    async def _write(self, methods: list[str]) -> None:
        for start in range(0, len(methods), BATCH):
            batch = []
            for method in methods[start : start + BATCH]:
                self.last_id += 1
                self.tally.ask(self.last_id)
                batch.append(orjson.dumps({"id": self.last_id, "method": method, "params": {}}))
            await self.wire.send_batch(batch)

    async def _wait_written(self, last_id: int) -> None:
        """Wait until everything is written, or the server takes no more."""
        seen = -1
        while seen < self.last_id < last_id:
            seen = self.last_id
            await trio.sleep(STALLED)


@pytest.mark.parametrize("listen", ["pipe", "websocket"])
async def test_floods(ordeal: Ordeal, stand_in: StandIn, listen: str) -> None:
    """Small answers and long ones, and requests that have to wait for a host that is stuck."""
    sign_in(ordeal.home, stand_in.issue_tokens())
    arguments = ["--listen", "ws://127.0.0.1:0"] if listen == "websocket" else []
    async with ordeal.open_victim(
        *arguments, environ=stand_in.environ, config=stand_in.config
    ) as victim:
        async with await victim.open_wire() as wire:
            flood = Flood(victim, wire, Tally(ordeal.counts))
            await flood.begin()
            for number in ordeal.rounds(2, 8):
                # By turns: many that wait for a host that is stuck, and none that waits.
                stuck = number % 2 == 1
                kinds = [*AT_ONCE, WAITS, "model/list"] if stuck else AT_ONCE
                methods = ordeal.random.choices(kinds, k=ordeal.of(2_000, 10_000))
                methods[-1] = "account/read"
                await flood.pour(methods, stand_in, stuck=stuck)
                if number == 1:
                    ordeal.note_before(victim)
            await ordeal.settle(victim)
            await victim.end()
