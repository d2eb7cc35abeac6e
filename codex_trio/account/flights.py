"""One task does what many wait for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio import telemetry
from codex_trio.errors import RefreshError
from codex_trio.groups import describe_ways

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

_CUT: Final = "the server has ended before the tokens were renewed"

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class _Flight:
    error: RefreshError | None = attrs.field(factory=lambda: RefreshError(_CUT))
    ended: trio.Event = attrs.field(factory=trio.Event)
    since: float = attrs.field(factory=trio.current_time)


@attrs.define(eq=False)
class Flights:
    """Lets whoever wants the same thing at the same time share one task that brings it.

    The tasks run in a nursery of their own, so that none ends because one of those who wait
    for it has been cancelled.
    """

    _nursery: trio.Nursery
    _name: str
    _flying: dict[Hashable, _Flight] = attrs.field(factory=dict, init=False)

    @property
    def since(self) -> list[float]:
        """When those began that are under way, on Trio's clock."""
        return [flight.since for flight in self._flying.values()]

    async def join(self, key: Hashable, step: Callable[[], Awaitable[None]]) -> None:
        """Wait until ``step`` has run, somebody else's of the same key or ours.

        A cancelled call leaves the step running.

        Raises:
            RefreshError: the step has.
        """
        flight = self._flying.get(key)
        if flight is None:
            flight = _Flight()
            # First: it may be closed.
            self._nursery.start_soon(self._fly, key, flight, step, name=self._name)
            self._flying[key] = flight
        await flight.ended.wait()
        if flight.error is not None:
            # Each has its own, for a traceback grows with everyone who raises it.
            raise RefreshError(str(flight.error), flight.error.kind)

    async def _fly(
        self, key: Hashable, flight: _Flight, step: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            with telemetry.span(self._name) as span:
                try:
                    await step()
                    flight.error = None
                except RefreshError as error:
                    flight.error = error
                    span.fail(refresh_outcome=error.kind)
        except* Exception as group:  # in which a cancellation may be, too, and goes on
            log.error("the tokens could not be renewed: %s", describe_ways(group))  # noqa: TRY400 - its text may be a secret
            flight.error = RefreshError("Internal error")
        finally:
            del self._flying[key]
            flight.ended.set()
