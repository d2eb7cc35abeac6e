"""Who follows a conversation, and how a slow one is kept from slowing the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from codex_trio.protocol import codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.protocol.rows import ServerNotification
    from codex_trio.rpc.client import Client

P = TypeVar("P")

_BLOCK: Final = 1024
"""Pieces that are kept one by one: a short text takes ten times the memory of its letters."""

_FRAME: Final = 512
"""Bytes that a message takes up beside its text while it grows, about."""


@attrs.define(eq=False)
class _Growing:
    """Pieces of one text, joined while a client that lags does not take them."""

    _client: Client
    _make: Callable[[str], bytes]
    _blocks: list[str] = attrs.field(factory=list, init=False)
    _pieces: list[str] = attrs.field(factory=list, init=False)
    _size: int = attrs.field(default=0, init=False)  # bytes
    taken: bool = attrs.field(default=False, init=False)

    def begin(self) -> None:
        self._client.say_later(self)
        self._size = _FRAME
        self._client.grow(_FRAME)

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        size = len(piece.encode())
        self._size += size
        self._client.grow(size)
        if len(self._pieces) >= _BLOCK:
            self._blocks.append("".join(self._pieces))
            self._pieces.clear()

    def take(self) -> bytes:
        self.taken = True
        message = self._make("".join((*self._blocks, *self._pieces)))
        self._client.grow(len(message) - self._size)
        return message


@attrs.define(eq=False)
class Followers:
    """The clients that hear what happens in a conversation.

    Nothing here waits, so neither a client that does not read nor a cancellation holds up the
    conversation or takes news from somebody else. What is streamed is another matter: of a
    client that lags, pieces of the same text are joined into one while they wait to be sent;
    nothing is left out, and nothing else is joined. (Ours.) A client that lets too much pile up
    all the same is cut off.
    """

    _growing: dict[Client, tuple[object, _Growing] | None] = attrs.field(
        factory=dict, init=False
    )
    """The last text that each client is still to be sent, if another piece may be joined to it."""

    def add(self, client: Client) -> None:
        """Have a client hear everything from now on."""
        self._growing.setdefault(client, None)

    def remove(self, client: Client) -> bool:
        """Have a client hear nothing any more; says whether it has heard anything."""
        return self._growing.pop(client, self) is not self

    def __contains__(self, client: Client) -> bool:
        """Say whether a client follows."""
        return client in self._growing

    def __len__(self) -> int:
        """Count those who are connected; forgets those who are not."""
        for client in [client for client in self._growing if client.gone]:
            del self._growing[client]
        return len(self._growing)

    def tell(self, row: ServerNotification[P], params: P) -> None:
        """Tell everybody something."""
        message: bytes | None = None
        for client in self._growing:
            if client.hears(row) and not client.gone:
                if message is None:
                    message = codec.encode_notification(row, params)
                self._growing[client] = None
                client.say(message)
                client.cut_if_too_slow()

    def stream(
        self,
        row: ServerNotification[Any],
        text: object,
        piece: str,
        words: Callable[[str], Any],
    ) -> None:
        """Tell everybody the next piece of a text.

        Args:
            row: what is told.
            text: what the pieces are of; pieces of the same text may be joined.
            piece: how the text goes on.
            words: makes the params for a piece.
        """
        message: bytes | None = None
        for client, last in self._growing.items():
            if client.gone or not client.hears(row):
                continue
            if last is not None and last[0] == text and not last[1].taken:
                last[1].add(piece)
            elif client.lags:

                def make(joined: str) -> bytes:
                    return codec.encode_notification(row, words(joined))

                growing = _Growing(client, make)
                self._growing[client] = (text, growing)
                growing.begin()
                growing.add(piece)
            else:
                self._growing[client] = None  # what is joined to it would overtake this
                if message is None:
                    message = codec.encode_notification(row, words(piece))
                client.say(message)
            client.cut_if_too_slow()
