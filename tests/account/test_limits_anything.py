"""Limits as nobody would tell them: whatever comes in, what goes out is in the schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.account.lenient import read_json
from codex_trio.account.limits import merge, read_event, read_headers, read_usage
from codex_trio.protocol.structure import unstructure
from tests.schema import load_schema

if TYPE_CHECKING:
    from codex_trio.protocol.limits import RateLimitSnapshot

NUMBERS = st.integers() | st.integers(-(10**30), 10**30) | st.floats()
LEAVES = st.none() | st.booleans() | NUMBERS | NUMBERS.map(str) | st.text(max_size=5)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def holding(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with some of these members, or anything at all in the place of any of them."""
    optional = {name: member | ANYTHING for name, member in members.items()}
    return st.fixed_dictionaries({}, optional=optional)


def window(duration: str) -> st.SearchStrategy[Any]:
    return holding(**{"used_percent": NUMBERS, duration: NUMBERS, "reset_at": NUMBERS})


IDS = st.sampled_from(["codex", "acc", "u", "other"])
LIMIT = holding(
    allowed=st.booleans(),
    primary_window=window("limit_window_seconds"),
    secondary_window=window("limit_window_seconds"),
)
CREDITS = holding(has_credits=st.booleans(), unlimited=st.booleans(), balance=NUMBERS)
USAGE = holding(
    plan_type=st.sampled_from(["pro", "education", "new"]),
    account_id=IDS,
    user_id=IDS,
    rate_limit=LIMIT,
    credits=CREDITS,
    spend_control=holding(
        reached=st.booleans(),
        individual_limit=holding(
            limit=NUMBERS, used=NUMBERS, remaining_percent=NUMBERS, reset_at=NUMBERS
        ),
    ),
    rate_limit_reached_type=holding(type=st.just("rate_limit_reached")),
    rate_limit_reset_credits=holding(
        available_count=NUMBERS,
        credits=st.lists(
            holding(id=IDS, status=st.just("available"), granted_at=NUMBERS, expires_at=NUMBERS)
        ),
    ),
    rate_limit_upsell=ANYTHING,
    additional_rate_limits=st.lists(holding(metered_feature=IDS, rate_limit=LIMIT), max_size=3),
)
EVENTS = st.fixed_dictionaries(
    {"type": st.just("codex.rate_limits")},
    optional={
        "rate_limits": holding(
            primary=window("window_minutes"), secondary=window("window_minutes")
        ),
        "plan_type": ANYTHING,
        "limit_name": ANYTHING,
        "credits": CREDITS | ANYTHING,
    },
)
HEADER_NAMES = st.sampled_from(
    [
        f"x-codex{family}-{name}"
        for family in ("", "-other")
        for name in (
            *(
                f"{window}-{member}"
                for window in ("primary", "secondary")
                for member in ("used-percent", "window-minutes", "reset-at")
            ),
            "limit-name",
            "credits-has-credits",
            "credits-unlimited",
            "credits-balance",
        )
    ]
)


def assert_on_the_wire(words: object) -> None:
    """Check words as a client's decoder would, which has integers of so many bits."""
    value = unstructure(words)
    json.dumps(value, allow_nan=False)
    jsonschema.validate(value, load_schema()[type(words).__name__])
    assert_bits(value)


def assert_bits(value: Any) -> None:
    if isinstance(value, dict):
        for name, member in value.items():
            if name in {"usedPercent", "remainingPercent"}:
                assert -(2**31) <= member < 2**31
            assert_bits(member)
    elif isinstance(value, list):
        for member in value:
            assert_bits(member)
    elif isinstance(value, int):
        assert -(2**63) <= value < 2**63


def assert_snapshot_on_the_wire(snapshot: RateLimitSnapshot) -> None:
    value = unstructure(snapshot)
    schema = load_schema()["AccountRateLimitsUpdatedNotification"]
    jsonschema.validate({"rateLimits": value}, schema)
    assert_bits(value)


@given(USAGE)
def test_whatever_is_told_makes_an_answer(payload: dict[str, Any]) -> None:
    answer = read_usage(payload, "acc", "u")
    assert_on_the_wire(answer)
    assert answer.rate_limits_by_limit_id is not None
    assert answer.rate_limits_by_limit_id["codex"] == answer.rate_limits


@given(EVENTS, EVENTS)
def test_whatever_an_event_tells_is_news(former: Any, latter: Any) -> None:
    known, news = read_event(former), read_event(latter)
    assert news is not None
    assert_snapshot_on_the_wire(news)
    assert_snapshot_on_the_wire(merge(known, news))


@given(st.dictionaries(HEADER_NAMES, NUMBERS.map(str) | st.text()))
def test_whatever_headers_tell_is_news(headers: dict[str, str]) -> None:
    told = read_headers(headers)
    assert told[0].limit_id == "codex"
    for snapshot in told:
        assert_snapshot_on_the_wire(snapshot)


@given(USAGE)
def test_whatever_python_writes_can_be_read(payload: dict[str, Any]) -> None:
    told = read_json(json.dumps(payload).encode())
    assert_on_the_wire(read_usage(told, "acc", "u"))
