"""A server that has no descriptor left: who is there is served, and who comes has to wait."""

from __future__ import annotations

import resource
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import trio

from tests.torture.doings import Doer
from tests.torture.sockets import open_stream
from tests.torture.test_clients import WEBSOCKET

if TYPE_CHECKING:
    from codex_trio.testing import StandIn
    from tests.torture.harness import Ordeal, Victim

LEFT = 12  # descriptors that there are still, when it begins

CROWD = 40  # clients who want in, which is more

SOON = 5.0  # seconds in which somebody is let in, as soon as there is room


def allow(victim: Victim, number: int) -> None:
    """Set how many descriptors the server may have."""
    hard = resource.prlimit(victim.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(victim.process.pid, resource.RLIMIT_NOFILE, (number, hard))


async def test_no_descriptor_left(ordeal: Ordeal, stand_in: StandIn) -> None:
    """It says so, does what it can without one, and goes on when there are some again."""
    async with ordeal.open_victim(
        *WEBSOCKET, environ=stand_in.environ, config=stand_in.config
    ) as victim:
        async with victim.open_client() as witness:
            doer = Doer(witness, ordeal.random)
            assert await doer.sign_in_with_key()
            assert await doer.run_turn() == "completed"
            await doer.put_away()
            # What is imported late is a file, too: everything has happened once before.
            await doer.write_config()
            await doer.list_threads()
            await doer.cancel_browser_login()
            for number in ordeal.rounds(1, 20):
                there = victim.vitals().fds
                allow(victim, there + LEFT)
                async with AsyncExitStack() as stack:
                    for _ in range(CROWD):
                        await stack.enter_async_context(await open_stream(victim.url))
                    await victim.wait_said(
                        b"a connection cannot be taken in: Too many open files"
                    )
                    for _ in range(ordeal.of(2, 5)):
                        await doer.read()
                        await doer.sign_in_with_key()
                        await doer.write_config()
                        await doer.list_threads()
                        await doer.cancel_browser_login()
                # They have left; and though nothing else has changed, there is room again.
                with trio.fail_after(SOON):
                    while victim.vitals().fds > there:  # noqa: ASYNC110 - nothing tells of it
                        await trio.sleep(0.02)
                    async with victim.open_client() as another:
                        await Doer(another, ordeal.random).read()
                assert await doer.sign_in_with_key()
                assert await doer.run_turn() == "completed", doer.refusals[-1]
                await doer.put_away()
                if number == ordeal.of(0, 4):
                    ordeal.note_before(victim)
            await ordeal.settle(victim, witness)
