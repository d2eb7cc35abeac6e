"""Whatever becomes of tokens, in whatever order: nobody is mixed up, lost or let in."""

from __future__ import annotations

import logging
import math
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from codex_trio.testing import open_stand_in
from tests.account.token_model import NAMES, SERVERS, Act
from tests.account.token_world import FAULTS, Alarm, Room, World

if TYPE_CHECKING:
    from random import Random

PACE = 5
"""How much faster time passes."""

KINDS = (
    *["sign in", "refresh", "expire"] * 4,
    *["host", "edit"] * 2,
    *["api key", "sign out", "crash", "delete", "garbage"],
    *FAULTS,
)
"""What is done, the more often it stands here the more often."""

acts = st.builds(
    Act,
    kind=st.sampled_from(KINDS),
    server=st.sampled_from(SERVERS),
    name=st.sampled_from(NAMES),
    pause=st.sampled_from((0, 10, 30, 100)),
)
together = st.lists(acts, min_size=1, max_size=3)


@given(
    plan=st.lists(st.lists(acts, min_size=1, max_size=3), max_size=6),
    schedule=st.random_module(),
)
@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
def test_whoever_is_signed_in_is_who_should_be(plan: list[list[Act]], schedule: Random) -> None:
    """``schedule`` seeds the order in which Trio runs tasks as well."""
    trio.run(partial(live, plan), clock=MockClock(rate=PACE))


async def live(plan: list[list[Act]]) -> None:
    alarm, log = Alarm(), logging.getLogger("codex_trio")
    log.addHandler(alarm)
    try:
        with trio.fail_after(60 * PACE), tempfile.TemporaryDirectory() as home:
            async with open_stand_in() as stand_in, trio.open_nursery() as nursery:
                its = stand_in.settings(home, watch_interval=math.inf)
                rooms = (Room(its, stand_in, nursery), Room(its, stand_in, nursery))
                for room in rooms:
                    await room.open()
                world = World(Path(home), stand_in, rooms)
                for acts in ([Act("sign in", 0, "ada")], *plan):
                    await world.play(list(acts))
                nursery.cancel_scope.cancel(reason="the test is over")
    finally:
        log.removeHandler(alarm)
    assert alarm.messages == []
