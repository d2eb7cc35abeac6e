"""How often everything is measured, and for how long."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen
class Effort:
    """How much of everything is done in a round."""

    settle: float
    """Seconds from the first answer on in which a server is left alone."""
    requests: int
    seconds: float
    """How long requests are pipelined."""
    logins: int
    cancels: int
    refreshes: int
    turns: int
    healed: int
    """Turns in which a token has to be renewed."""
    answers: int
    """Long ones, one after the other."""
    interrupts: int


@attrs.frozen
class Plan:
    """How often everything is measured."""

    warm_starts: int
    cold_starts: int
    warm_ups: int
    sessions: int
    endurance: int
    """Cycles of starting and cancelling a sign-in, one after the other."""
    crowd: int
    """Sign-ins that wait at once."""
    herds: int
    """Times at which many want new tokens at once."""
    talks: int
    """Rounds of everything in which threads are answered."""
    listings: int
    threads: int
    """How many there are to be listed."""
    wires: int
    """Rounds of everything with websockets, and within a process."""
    connections: int
    effort: Effort


FULL: Final = Plan(
    warm_starts=21,
    cold_starts=11,
    warm_ups=2,
    sessions=5,
    endurance=10_000,
    crowd=10_000,
    herds=100,
    talks=3,
    listings=2,
    threads=10_000,
    wires=3,
    connections=1000,
    effort=Effort(
        settle=4.0,
        requests=3000,
        seconds=2.0,
        logins=200,
        cancels=200,
        refreshes=100,
        turns=60,
        healed=20,
        answers=6,
        interrupts=5,
    ),
)
QUICK: Final = Plan(
    warm_starts=3,
    cold_starts=2,
    warm_ups=1,
    sessions=2,
    endurance=500,
    crowd=300,
    herds=3,
    talks=1,
    listings=1,
    threads=1000,
    wires=1,
    connections=200,
    effort=Effort(
        settle=1.0,
        requests=300,
        seconds=0.3,
        logins=20,
        cancels=20,
        refreshes=10,
        turns=20,
        healed=5,
        answers=2,
        interrupts=3,
    ),
)
