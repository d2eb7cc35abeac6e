"""A clock that somebody sets, to the past and to the future, while the server runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from tests.account.signed_in import sign_in, stored_tokens
from tests.torture.doings import PATIENT, Doer

if TYPE_CHECKING:
    from codex_trio.testing import StandIn
    from tests.torture.harness import Ordeal

CLOCK: Final = Path(__file__).with_name("clock")

MINUTE, DAY, YEAR = 60, 24 * 60 * 60, 365 * 24 * 60 * 60

JUMPS = (-10 * YEAR, -DAY, -MINUTE, -1, 0, 1, MINUTE, DAY, YEAR, 10 * YEAR)
"""Seconds that the clock may be wrong by; tokens are good for an hour of the stand-in's time."""


async def test_a_clock_that_jumps(ordeal: Ordeal, stand_in: StandIn) -> None:
    """Nobody is signed out by it, no token is used twice, and time-outs are as long as ever."""
    offset = ordeal.home / "offset"
    offset.write_text("0", encoding="ascii")
    sign_in(ordeal.home, stand_in.issue_tokens())
    environ = {
        **stand_in.environ,
        "TORTURE_CLOCK": str(offset),
        "PYTHONPATH": f"{CLOCK}:{Path(__file__).parents[2]}",
    }
    async with ordeal.open_victim(environ=environ, config=stand_in.config) as victim:
        async with victim.open_client() as client:
            doer = Doer(client, ordeal.random)
            for number in ordeal.rounds(4, 300):
                wrong = ordeal.random.choice(JUMPS) if number else JUMPS[-1]
                # In one write: nobody is to read half of it.
                offset.write_text(f"{wrong:<20}", encoding="ascii")
                before = len(stand_in.exchanges)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(doer.read_limits)
                    nursery.start_soon(doer.cancel_device_login)
                    nursery.start_soon(doer.write_config)
                    nursery.start_soon(doer.list_threads)
                assert await doer.run_turn() == "completed"
                told = await client.next_notification("turn/started")
                assert abs(told["emittedAtMs"] / 1000 - time.time() - wrong) < PATIENT
                client._notifications._messages.clear()
                await doer.read()
                await doer.put_away()
                # A token may look old as soon as it comes: it is renewed once for each who asks,
                # and not again and again.
                assert len(stand_in.exchanges) - before <= 4
                if number == ordeal.of(0, 10):
                    ordeal.note_before(victim)
            assert not doer.refusals
            assert {one.outcome for one in stand_in.exchanges} == {"rotated"}
            tokens = stored_tokens(ordeal.home)
            assert stand_in.live_refresh_tokens() == [tokens["refresh_token"]]
            await ordeal.settle(victim, client)
            await victim.end()
