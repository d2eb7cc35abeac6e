"""Takes connections in, and has those served that have become websockets."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.groups import describe_ways, out_of_groups
from codex_trio.transport.front_door import FrontDoor
from codex_trio.transport.listening import UnixAddress, open_listener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from pathlib import Path

    from codex_trio.transport.admission import Admission
    from codex_trio.transport.listening import TcpAddress
    from codex_trio.wire import Wire

log = logging.getLogger(__name__)

_PAUSE: Final = 0.25  # seconds, after a connection could not be taken in
_QUIET: Final = 60.0  # seconds between two complaints about that


@attrs.define(eq=False)
class Reception:
    """Serves whoever connects to an address.

    Args:
        address: where.
        codex_home: where the default unix socket is.
        admission: decides who may come in; everybody may, if None.
        max_message: the longest message that is read, in bytes.
        welcome: serves a wire to its end, and closes it.
    """

    _address: TcpAddress | UnixAddress
    _codex_home: Path
    _admission: Admission | None
    _max_message: int
    _welcome: Callable[[Wire], Awaitable[None]]
    _waits: set[trio.CancelScope] = attrs.field(factory=set, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    async def serve(
        self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until ``close`` has been called and those who were in have left.

        The started value is the URL that was bound. A cancelled call cuts everybody off.

        Raises:
            SettingsError: the address cannot be had.
        """
        with out_of_groups(1):
            async with trio.open_nursery() as connections:
                async with open_listener(self._address, self._codex_home) as (listener, url):
                    task_status.started(url)
                    with self._until_closed():
                        await self._accept(listener, connections)

    def close(self) -> None:
        """Let nobody in any more, also nobody who is at the door; those who are in stay."""
        self._closed = True
        for scope in self._waits:
            scope.cancel(reason="nobody is let in any more")

    @contextmanager
    def _until_closed(self) -> Generator[None]:
        with trio.CancelScope() as scope:
            if self._closed:
                scope.cancel(reason="nobody is let in any more")
            self._waits.add(scope)
            try:
                yield
            finally:
                self._waits.remove(scope)

    async def _accept(self, listener: trio.SocketListener, connections: trio.Nursery) -> None:
        is_unix = isinstance(self._address, UnixAddress)
        door = FrontDoor(self._admission, self._max_message, names_limit=is_unix)
        complained = -math.inf
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                # No descriptor is left, for one; those who are here will give some back.
                if trio.current_time() >= complained + _QUIET:
                    complained = trio.current_time()
                    log.error("a connection cannot be taken in: %s", error.strerror)  # noqa: TRY400 - the text is all there is to know
                await trio.sleep(_PAUSE)
            else:
                connections.start_soon(self._serve, stream, door, name="connection")

    async def _serve(self, stream: trio.SocketStream, door: FrontDoor) -> None:
        """Serve one connection; whatever happens to it is no other's business."""
        try:
            async with stream:
                wire = None
                with self._until_closed():
                    wire = await door.admit(stream)
                if wire is not None:
                    await self._welcome(wire)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            log.debug("a peer has left")
        except* Exception as group:
            # As in the rpc package: the text of the unforeseen may quote a secret.
            log.error("a connection failed: %s", describe_ways(group))  # noqa: TRY400
