"""Order, exclusion and cancellation in lanes."""

from __future__ import annotations

import itertools

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_trio.rpc.lanes import Lanes, Place

REQUESTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.booleans(), st.integers(0, 3), st.booleans()),
    max_size=20,
)


@given(REQUESTS)
@settings(max_examples=200, deadline=None)
def test_lanes_keep_order_and_exclude_whatever_is_cancelled(
    requests: list[tuple[str, bool, int, bool]],
) -> None:
    """Each request: its lane, whether it is shared, how long it takes, whether it is cut."""
    trio.run(run_schedule, requests)


async def run_schedule(requests: list[tuple[str, bool, int, bool]]) -> None:
    lanes = Lanes()
    entered: list[tuple[str, bool, int]] = []
    inside: list[tuple[str, bool]] = []

    async def serve(place: Place, key: str, number: int, steps: int) -> None:
        try:
            await place.wait_admitted()
            entered.append((key, place.shared, number))
            for other, shared in inside:
                assert other != key or (shared and place.shared), "two were inside"
            inside.append((key, place.shared))
            try:
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
            finally:
                inside.remove((key, place.shared))
        finally:
            place.leave()

    async def cut(
        scope: trio.CancelScope, place: Place, key: str, number: int, steps: int
    ) -> None:
        with scope:
            await serve(place, key, number, steps)

    async with trio.open_nursery() as nursery:
        scopes = []
        for number, (key, shared, steps, is_cut) in enumerate(requests):
            place, scope = lanes.join(key, shared=shared), trio.CancelScope()
            nursery.start_soon(cut, scope, place, key, number, steps)
            if is_cut:
                scopes.append(scope)
        for scope in scopes:
            await trio.lowlevel.checkpoint()
            scope.cancel()
    assert len(lanes) == 0
    assert not inside
    for key in "ab":
        # Shared ones that are inside together may go in in any order among themselves.
        order = [number for lane, shared, number in entered if lane == key and not shared]
        assert order == sorted(order)
        for earlier, later in itertools.pairwise(entered):
            if earlier[0] == later[0] == key and earlier[1] != later[1]:
                assert earlier[2] < later[2]


def test_a_place_is_admitted_at_once_when_nobody_is_in_the_way() -> None:
    lanes = Lanes()
    first, second = lanes.join("a"), lanes.join("a")
    assert (first.admitted, second.admitted) == (True, False)
    first.leave()
    assert second.admitted
    second.leave()
    assert len(lanes) == 0


def test_shared_places_are_admitted_together_but_not_past_an_exclusive_one() -> None:
    lanes = Lanes()
    places = [lanes.join("a", shared=shared) for shared in (True, True, False, True, True)]
    assert [place.admitted for place in places] == [True, True, False, False, False]
    places[0].leave()
    assert not places[2].admitted
    places[1].leave()
    assert [place.admitted for place in places[2:]] == [True, False, False]
    places[2].leave()
    assert [place.admitted for place in places[3:]] == [True, True]


def test_who_gives_up_lets_those_behind_it_pass() -> None:
    lanes = Lanes()
    places = [lanes.join("a", shared=shared) for shared in (True, False, True)]
    places[1].leave()
    assert places[2].admitted


def test_lanes_do_not_wait_for_each_other() -> None:
    lanes = Lanes()
    assert lanes.join("a").admitted
    assert lanes.join(("thread", "b")).admitted
