"""Sockets of which the client has ended its half, at any moment of a connection's life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from tests.torture.doings import Doer
from tests.torture.harness import Tally
from tests.torture.sockets import SocketWire, open_stream
from tests.torture.test_clients import WEBSOCKET
from tests.torture.test_half_closed import INITIALIZE, asked

if TYPE_CHECKING:
    from codex_trio.testing import StandIn
    from tests.torture.harness import Ordeal, Victim

HEAD = (
    b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)

STAGES = ("connected", "in the head", "open", "in a frame", "asked")

GONE = 15.0  # seconds in which the server has to close its half, too

METHODS = ("account/read", "model/list", "account/rateLimits/read", "no/such")


async def end_one_half(ordeal: Ordeal, victim: Victim, stage: str) -> None:
    """Come to a stage, end one's half, and hear what is still to be heard."""
    stream = await open_stream(victim.url)
    async with stream:
        if stage == "connected":
            await hear_nothing(stream)
        elif stage == "in the head":
            await stream.send_all(HEAD[: ordeal.random.randrange(1, len(HEAD) - 1)])
            await hear_nothing(stream)
        else:
            wire, tally = SocketWire(stream), Tally(ordeal.counts)
            await wire.shake_hands()
            messages = [INITIALIZE]
            if stage == "asked":
                methods = ordeal.random.choices(METHODS, k=ordeal.random.randrange(60))
                messages += [asked(number, method) for number, method in enumerate(methods, 1)]
            if stage != "open":
                for message in messages:
                    tally("-->", message)
                    await wire.send(message)
            if stage == "in a frame":  # of 100 bytes, masked, of which 3 come
                await stream.send_all(bytes((0x81, 0x80 | 100, 1, 2, 3, 4)) + b"abc")
            await wire.leave("ends")
            with trio.fail_after(GONE):
                while (answer := await receive(wire)) is not None:
                    tally("<--", answer)
            assert not tally.open, stage


async def receive(wire: SocketWire) -> bytes | None:
    try:
        return await wire.receive()
    except (trio.EndOfChannel, trio.BrokenResourceError):
        return None


async def hear_nothing(stream: trio.SocketStream) -> None:
    """Whoever has asked for nothing is answered nothing, or that he should have."""
    await stream.send_eof()
    with trio.fail_after(GONE):
        answer = b"".join([bytes(chunk) async for chunk in stream])
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


async def test_sockets_of_which_one_half_is_closed(ordeal: Ordeal, stand_in: StandIn) -> None:
    """All that was asked before is answered, and then the other half is closed as well."""
    async with ordeal.open_victim(
        *WEBSOCKET, environ=stand_in.environ, config=stand_in.config
    ) as victim:
        async with victim.open_client() as witness:
            for number in ordeal.rounds(1, 20):
                async with trio.open_nursery() as nursery:
                    for place in range(ordeal.of(10, 50)):
                        stage = STAGES[place % len(STAGES)]
                        nursery.start_soon(end_one_half, ordeal, victim, stage)
                await Doer(witness, ordeal.random).read()
                if number == ordeal.of(0, 4):
                    ordeal.note_before(victim)
            await ordeal.settle(victim, witness)
