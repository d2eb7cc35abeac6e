"""Clients that are gone at any moment: of a sign-in, of a renewal of tokens, of a turn."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from codex_trio.errors import ClientGoneError
from codex_trio.testing import open_client
from tests.account.signed_in import sign_in, stored_tokens
from tests.torture.doings import Doer, speak_slowly
from tests.torture.harness import Tally
from tests.torture.sockets import LEAVINGS, open_wire

if TYPE_CHECKING:
    from codex_trio.testing import StandIn
    from tests.torture.harness import Ordeal, Victim

ENDS = ("input", "both", "signal", "signals", "kill")

MOST = 0.3  # seconds after which a client is gone at the latest


async def do_until_gone(ordeal: Ordeal, victim: Victim, end: str) -> None:
    """Be a busy client of a server of one's own until one is gone, or the server."""
    process, tally = victim.process, Tally(ordeal.counts)
    with suppress(ClientGoneError, trio.EndOfChannel):
        async with open_client(await victim.open_wire(), tally) as client:
            await client.initialize("torture", experimental=True)
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    doer = Doer(client, ordeal.random, stays=True)
                    nursery.start_soon(doer.do_until_gone)
                await trio.sleep(ordeal.random.uniform(0, MOST))
                match end:
                    case "input":
                        nursery.cancel_scope.cancel(reason="nothing more is asked")
                    case "signal":
                        process.send_signal(signal.SIGTERM)
                        await process.wait()
                    case "signals":
                        process.send_signal(signal.SIGTERM)
                        await trio.sleep(ordeal.random.uniform(0, 0.05))
                        process.send_signal(signal.SIGINT)
                        await process.wait()
                    case "kill":
                        victim.killed = True
                        process.kill()
                        await process.wait()
                    case _:
                        pass
                nursery.cancel_scope.cancel(reason="the client is gone")
            if end == "input":
                # What is in flight is still answered.
                await trio.testing.wait_all_tasks_blocked()
                assert process.stdin is not None
                await process.stdin.aclose()
                await process.wait()


async def leave_in_the_middle(ordeal: Ordeal, victim: Victim) -> None:
    """Be a busy client of a server that others have, too, until one is gone."""
    with suppress(ClientGoneError):
        wire = await open_wire(victim.url)
        async with open_client(wire, Tally(ordeal.counts)) as client:
            await client.initialize("torture", experimental=True)
            async with trio.open_nursery() as nursery:
                for _ in range(2):
                    doer = Doer(client, ordeal.random, stays=True)
                    nursery.start_soon(doer.do_until_gone)
                await trio.sleep(ordeal.random.uniform(0, MOST))
                nursery.cancel_scope.cancel(reason="the client leaves")
            await wire.leave(ordeal.random.choice(LEAVINGS))


@pytest.mark.parametrize("listen", ["ws://127.0.0.1:0", "unix"])
async def test_clients_that_are_gone(ordeal: Ordeal, stand_in: StandIn, listen: str) -> None:
    """What they leave behind can be taken up or ended by others, and nothing else is left."""
    speak_slowly(stand_in)
    sign_in(ordeal.home, stand_in.issue_tokens())
    if listen == "unix":
        listen = f"unix://{ordeal.home}/socket"
    async with ordeal.open_victim(
        "--listen", listen, environ=stand_in.environ, config=stand_in.config
    ) as victim:
        async with victim.open_client() as witness:
            doer = Doer(witness, ordeal.random, stays=True)
            assert await doer.run_turn() == "completed"
            for number in ordeal.rounds(1, 12):
                stand_in.expire_access_tokens()
                async with trio.open_nursery() as nursery:
                    for _ in range(ordeal.of(5, 20)):
                        nursery.start_soon(leave_in_the_middle, ordeal, victim)
                await doer.cancel_device_login()  # in place of one that somebody has left
                await doer.put_away()
                assert await doer.run_turn() == "completed"
                await doer.put_away()
                tokens = stored_tokens(ordeal.home)
                assert tokens["refresh_token"] in stand_in.live_refresh_tokens()
                if number == ordeal.of(0, 3):
                    ordeal.note_before(victim)
            await ordeal.settle(victim, witness)


async def test_servers_whose_client_is_gone(ordeal: Ordeal, stand_in: StandIn) -> None:
    """What is stored is whole, and belongs to the tokens that still count."""
    speak_slowly(stand_in)
    sign_in(ordeal.home, stand_in.issue_tokens())
    for number in ordeal.rounds(len(ENDS), 60):
        end = ENDS[number % len(ENDS)]
        stand_in.expire_access_tokens()  # whoever uses one has to renew it
        async with ordeal.open_victim(
            environ=stand_in.environ, config=stand_in.config if number == 0 else ""
        ) as victim:
            await do_until_gone(ordeal, victim, end)
        tokens = stored_tokens(ordeal.home)
        if end == "kill":  # it may be on its way to the disk
            sign_in(ordeal.home, stand_in.issue_tokens())
        else:
            assert tokens["refresh_token"] in stand_in.live_refresh_tokens()
