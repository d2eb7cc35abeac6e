"""One client from its first line to its last."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

import trio

from codex_trio.occasion import CURRENT
from codex_trio.rpc.client import Client, Unsaid
from codex_trio.rpc.reader import Reader
from codex_trio.wire import Ending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codex_trio.rpc.switchboard import Switchboard
    from codex_trio.wire import Wire

log = logging.getLogger(__name__)

_WRITE_AT_MOST: Final = 256 * 2**10  # bytes that are joined before they are written


async def serve_connection(
    wire: Wire, board: Switchboard, last_words: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Serve one client until it hangs up or stops listening; closes the wire.

    The client ends its side: requests in flight have ``board.grace`` seconds, what is queued is
    sent, and the call returns. The client stops reading: everything is cancelled, and
    the call returns. The call is cancelled: what is not sent yet is dropped.

    ``last_words`` is awaited when the client has hung up and all of its requests are answered:
    what it makes others say still reaches the client.
    """
    outbox, outgoing = trio.open_memory_channel[bytes | Unsaid](math.inf)  # see Client
    with trio.CancelScope() as connection:  # noqa: ASYNC912 - the nursery waits
        client = Client(outbox, connection)
        client.since = trio.current_time()
        client.wire = wire.kind
        board.connections.add(client)
        occasion = CURRENT.set(client)
        try:
            async with wire:
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(write, outgoing, client, wire, name="writer")
                        # Once the outbox is closed, the writer sends what is left, and ends.
                        with outbox, board.router.joined(client):
                            if board.closing:
                                client.part(board.grace)
                            reader = Reader(client, board)
                            await reader.read(wire)
                            if last_words is not None:
                                await last_words()
                            reader.answer_rest()
                finally:
                    # Not by ourselves, so by whoever ends the server, or this part of it.
                    is_cut = trio.current_effective_deadline() == -math.inf
                    if is_cut and not connection.cancel_called:
                        client.ending = Ending.SHUTTING_DOWN
                    wire.ending = client.ending
                    client.hang_up()
        except* trio.BrokenResourceError:
            log.debug("the client has stopped listening")
        finally:
            board.connections.remove(client)
            CURRENT.reset(occasion)


async def write(
    outgoing: trio.MemoryReceiveChannel[bytes | Unsaid], client: Client, wire: Wire
) -> None:
    """Send what is queued, as much at a time as there is; the only sender of a connection.

    A client that the wire finds too slow is given up.
    """
    with outgoing:
        async for message in outgoing:
            batch = [message if isinstance(message, bytes) else message.take()]
            size = len(batch[0])
            try:
                while size < _WRITE_AT_MOST:
                    message = outgoing.receive_nowait()
                    batch.append(message if isinstance(message, bytes) else message.take())
                    size += len(batch[-1])
            except (trio.WouldBlock, trio.EndOfChannel):
                pass
            client.sending(len(batch))
            try:
                await wire.send_batch(batch)
            except trio.TooSlowError:
                log.warning("gave up a client that has not read for too long")
                client.cut(Ending.TOO_SLOW)
                return
            client.took(size)
            # Who waits for long must not hold on to what was said last: orjson's own take 4 KiB.
            del message, batch
