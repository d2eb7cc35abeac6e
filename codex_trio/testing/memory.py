"""What the stand-in was told, and what it has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from codex_trio.testing.holds import News
from codex_trio.testing.model import ResponseRequest
from codex_trio.testing.script import Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.testing.recording import Recorded

T = TypeVar("T")


@attrs.define(eq=False, kw_only=True)
class Memory(Script):
    """A script, and what came of it; ``StandIn`` says what it is."""

    requests: list[Recorded] = attrs.field(factory=list, init=False)
    _news: News = attrs.field(factory=News, init=False)

    @property
    def response_requests(self) -> list[ResponseRequest]:
        """What models were asked for, in its order, and what became of it."""
        return [one for one in self.requests if isinstance(one, ResponseRequest)]

    @property
    def open_responses(self) -> int:
        """How many responses of models are under way."""
        return sum(one.course == "open" for one in self.response_requests)

    async def wait_request(self, path: str, number: int = 1) -> Recorded:
        """Return the first request to a path, or the one with this number, waiting for it."""
        return await self._wait(
            lambda: [one for one in self.requests if one.path == path], number
        )

    async def wait_response_request(self, number: int = 1) -> ResponseRequest:
        """Return the first request to a model, or the one with this number, waiting for it."""
        return await self._wait(lambda: self.response_requests, number)

    async def wait_closed(self, number: int = 1) -> ResponseRequest:
        """Return a request whose response its client has closed before the end, waiting for it.

        A number is how many there must be of them; it is the last of these to have arrived.
        """
        return await self._wait(
            lambda: [one for one in self.response_requests if one.course == "closed"], number
        )

    async def _wait(self, find: Callable[[], list[T]], number: int) -> T:
        """Return one of those that are found, by its number, as soon as there are so many."""
        (found, *_) = await self._news.wait(lambda: find()[number - 1 :] or None)
        return found
