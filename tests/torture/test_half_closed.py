"""Connections of which one half is closed, in every order and at any moment."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson
import trio

from tests.torture.harness import END, Tally

if TYPE_CHECKING:
    from codex_trio.testing import StandIn
    from tests.torture.harness import Ordeal

INITIALIZE = orjson.dumps(
    {
        "id": 0,
        "method": "initialize",
        "params": {"clientInfo": {"name": "torture", "version": "1"}},
    }
)

LIMITS = "/backend-api/wham/usage"


def asked(random_id: int, method: str) -> bytes:
    return orjson.dumps({"id": random_id, "method": method, "params": {}})


ENDS = ("input", "output", "both", "input, then a signal", "output, then input")


async def test_pipes_of_which_one_is_closed(ordeal: Ordeal, stand_in: StandIn) -> None:
    """The server ends, and everything that can still be heard is answered."""
    for number in ordeal.rounds(len(ENDS), 60):
        end = ENDS[number % len(ENDS)]
        async with ordeal.open_victim(
            environ=stand_in.environ, config=stand_in.config
        ) as victim:
            wire = await victim.open_wire()
            process, tally = victim.process, Tally(ordeal.counts)
            assert process.stdin is not None
            assert process.stdout is not None
            messages = [INITIALIZE]
            for request_id in range(1, ordeal.random.randrange(2, 60)):
                method = ordeal.random.choice(
                    ("account/read", "model/list", "account/rateLimits/read", "no/such")
                )
                messages.append(asked(request_id, method))
            for message in messages:
                tally("-->", message)
            await wire.send_batch(messages)
            # Before it has begun, a signal ends it as any other program.
            for _ in range(ordeal.random.randrange("signal" in end, 3)):
                message = await wire.receive()
                tally("<--", message)
            if end.startswith("output"):
                await process.stdout.aclose()
            if end in ("output", "output, then input"):
                # Only who speaks notices that nobody listens.
                tally("-->", message := asked(1000, "account/read"))
                with suppress(trio.BrokenResourceError):
                    await wire.send(message)
            if end != "output":
                await process.stdin.aclose()
            if end == "both":
                await process.stdout.aclose()
            if end == "input, then a signal":
                process.send_signal(signal.SIGTERM)
            if end.startswith("input"):
                with trio.fail_after(END):
                    async for message in wire:
                        tally("<--", message)
                assert end != "input" or not tally.open
