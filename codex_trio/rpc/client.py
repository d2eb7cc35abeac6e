"""What the server knows of a client, and how it speaks to it."""

from __future__ import annotations

import itertools
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import attrs
import trio

from codex_trio.protocol import codec
from codex_trio.wire import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from codex_trio.protocol.rows import ServerNotification
    from codex_trio.rpc.calls import Call

P = TypeVar("P")

log = logging.getLogger(__name__)

_ids: Final = itertools.count(1)

OUTBOX_SIZE: Final = 128
"""How many messages may be queued for a client before who streams to it should say less."""

LAST_WORDS: Final = 0.25
"""Seconds that a client has to take what is left for it when its time is up."""

MAX_UNREAD: Final = 16 * 2**20
"""How many bytes may be queued for a client before we stop reading what else it asks."""


class Unsaid(Protocol):
    """A message that is made when it is sent, because it may change until then."""

    def take(self) -> bytes:
        """Make the message; from here on it must not change."""


@attrs.define(eq=False)
class Client:
    """The far end of one connection.

    What is put into the outbox reaches the client in that order, and nothing else decides the
    order on the wire. Putting something in never waits: an answer and what follows from it are
    said between two checkpoints, so no cancellation cuts a story in half, and nobody waits for
    somebody else to read. What keeps the outbox small is that its causes are held up: who
    streams says less to a client that ``lags``, the reader waits in ``wait_read``, and a client
    that lets the news of others pile up is cut off.
    """

    _outbox: trio.MemorySendChannel[bytes | Unsaid]  # without a limit, see above
    connection: trio.CancelScope
    """Cutting it ends the connection at once; its deadline is when it ends at the latest."""
    listening: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    """Cutting it is like the client's hanging up: what is in flight is still answered."""
    answering: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    """Its deadline is until when that may take."""
    id: int = attrs.field(factory=lambda: next(_ids), init=False)
    """A number that no other connection of this process has."""
    since: float = attrs.field(default=0.0, init=False)
    """When it connected, on Trio's clock."""
    wire: str = attrs.field(default="", init=False)
    """What kind of wire it speaks over."""
    name: str = attrs.field(default="", init=False)
    """What it calls itself."""
    version: str = attrs.field(default="", init=False)
    calls: dict[Call[Any], float] = attrs.field(factory=dict, init=False)
    """Its requests that have become tasks, and when they arrived, on Trio's clock."""
    initialized: bool = attrs.field(default=False, init=False)
    experimental: bool = attrs.field(default=False, init=False)
    opted_out: frozenset[str] = attrs.field(default=frozenset(), init=False)
    originator: str = attrs.field(default="", init=False)
    """The program on whose behalf we act for this client."""
    user_agent: str = attrs.field(default="", init=False)
    """What we call ourselves when we do."""
    ending: Ending = attrs.field(default=Ending.DONE, init=False)
    """Why the connection ends, if that is our doing."""
    gone: bool = attrs.field(default=False, init=False)
    """Whether its connection has ended, so that nothing that is said to it is heard."""
    speaks_v1: bool = attrs.field(default=False, init=False)
    """Whether it has spoken the older dialect, so that it is told news in that, too."""
    _hung_up: bool = attrs.field(default=False, init=False)
    _patience: float | None = attrs.field(default=None, init=False)
    """Seconds that it has from one thing that it takes to the next, once it has hung up."""
    _errands: dict[Callable[[], None], None] = attrs.field(factory=dict, init=False)
    _queued: int = attrs.field(default=0, init=False)  # messages in the outbox
    _unread: int = attrs.field(default=0, init=False)  # bytes in the outbox
    _longest: int = attrs.field(default=0, init=False)  # bytes of a message that it was told
    _taken: trio.Event = attrs.field(factory=trio.Event, init=False)  # set when it shrinks

    def when_hung_up(self, give_up: Callable[[], None]) -> Callable[[], None]:
        """Have something given up when the client ends its side, because nobody waits for it.

        Other requests in flight have their time to be answered. ``give_up`` must not wait; it
        is called at once if the client has gone already.

        Returns:
            What takes that back; it may be called more than once.
        """
        if self._hung_up:
            give_up()
        self._errands[give_up] = None

        def forget() -> None:
            self._errands.pop(give_up, None)

        return forget

    @contextmanager
    def at_hang_up(self, give_up: Callable[[], None]) -> Generator[None]:
        """Have something given up if the client ends its side within the block."""
        forget = self.when_hung_up(give_up)
        try:
            yield
        finally:
            forget()

    def hang_up(self) -> None:
        """Note that the client has ended its side, or its connection has; for the reader."""
        self._hung_up = True
        for give_up in list(self._errands):
            give_up()

    def say(self, message: bytes) -> None:
        """Queue an encoded message; a client that is leaving takes everything."""
        self._queue(message, len(message))

    def say_later(self, message: Unsaid) -> None:
        """Queue a message that is made when its turn comes; ``grow`` says how big it is."""
        self._queue(message, 0)

    def grow(self, size: int) -> None:
        """Note that what is queued has grown by so many bytes, or shrunk by fewer than none."""
        self._unread += size

    def _queue(self, message: bytes | Unsaid, size: int) -> None:
        try:
            self._outbox.send_nowait(message)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            log.debug("dropped a message for a client that has stopped listening")
        else:
            self._queued += 1
            self._unread += size
            self._longest = max(self._longest, size)

    @property
    def names(self) -> dict[str, str | int]:
        """What it is called in logs; see ``Occasion``."""
        return {"connection": self.id}

    @property
    def queued_bytes(self) -> int:
        """How much is queued for it."""
        return self._unread

    @property
    def lags(self) -> bool:
        """Whether so much is queued that who streams to the client should say less."""
        return self._queued >= OUTBOX_SIZE

    def hears(self, row: ServerNotification[Any]) -> bool:
        """Say whether the client wants this notification."""
        return row.name not in self.opted_out and (self.experimental or not row.experimental)

    def tell(self, row: ServerNotification[P], params: P) -> None:
        """Queue a notification, unless the client has opted out of it."""
        if self.hears(row):
            self.say(codec.encode_notification(row, params))

    async def wait_read(self) -> None:
        """Wait until the client has less than ``MAX_UNREAD`` bytes to read; for the reader."""
        while self._unread > MAX_UNREAD:
            await self._taken.wait()

    def sending(self, messages: int) -> None:
        """Note that so many messages have left the outbox; for the writer."""
        self._queued -= messages

    def took(self, size: int) -> None:
        """Note that so many bytes have gone to the wire; for the writer."""
        self._unread -= size
        if self._patience is not None:
            self.connection.deadline = trio.current_time() + self._patience
        self._taken.set()
        self._taken = trio.Event()

    def cut_if_too_slow(self) -> None:
        """Give a client up that reads nothing while others make news for it.

        A message that is long by itself, such as a whole conversation, is no fault of its own.
        """
        if self._unread > 2 * (MAX_UNREAD + self._longest):
            self.cut(Ending.TOO_SLOW)

    def cut(self, ending: Ending) -> None:
        """End the connection at once; what has not been sent is dropped."""
        self.ending = ending
        self.connection.cancel(reason=ending.value)

    def part(self, grace: float) -> None:
        """Listen to the client no more, since the server shuts down.

        Requests in flight have ``grace`` seconds, and what is to be said then a little more.
        """
        self.ending = Ending.SHUTTING_DOWN
        self.listening.cancel(reason=self.ending.value)
        self._patience = None
        self._end_within(grace)

    def finish_within(self, seconds: float) -> None:
        """See to it that the connection ends in time, now that the client has ended its side.

        Requests in flight have so many seconds. A client that goes on reading may take what it
        is told for as long as it likes; one that takes nothing has as many and a little more.
        """
        if self.ending is not Ending.SHUTTING_DOWN:
            self._patience = seconds + LAST_WORDS
        self._end_within(seconds)

    def _end_within(self, seconds: float) -> None:
        latest = trio.current_time() + seconds
        self.answering.deadline = min(self.answering.deadline, latest)
        self.connection.deadline = min(self.connection.deadline, latest + LAST_WORDS)
