"""The one seam for bytes: a channel of whole messages."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, ClassVar

import trio

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ending(enum.Enum):
    """Why we close a connection, in a few words for whoever reads them at the other end."""

    DONE = ""
    SHUTTING_DOWN = "the server is shutting down"
    TOO_SLOW = "what was sent was not read in time"


class Wire(trio.abc.Channel[bytes]):
    """A channel that carries one message per item, in both directions.

    ``receive`` raises ``MessageTooLongError`` for a message that is longer than the wire is
    willing to hold, and can be called again; a wire that cannot go on behind it ends instead.
    Sending raises ``trio.TooSlowError`` when the other end has taken nothing for longer than the
    wire has patience, which has no limit unless a wire says so; the wire is of no more use then.
    Everything else ends as Trio's channels end.
    """

    kind: ClassVar[str] = "wire"
    """What such wires are called where people look at what is under way."""
    longest: ClassVar[int] = sys.maxsize
    """The longest message that can be sent, in bytes; who sends sees to it."""
    ending: Ending = Ending.DONE
    """Why it is closed, if that is our doing; for wires that can tell their other end."""

    async def send_batch(self, messages: Sequence[bytes]) -> None:
        """Send several messages in order; a wire that can do so sends them as one write.

        If it is cancelled, an unknown part has been sent, and the wire is of no more use.
        """
        for message in messages:
            await self.send(message)
