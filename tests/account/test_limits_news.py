"""Limits as they are told beside other things, and what becomes of what was known."""

from __future__ import annotations

import pytest

from codex_trio.account.limits import merge, read_event, read_headers
from codex_trio.protocol.limits import (
    CreditsSnapshot,
    RateLimitSnapshot,
    RateLimitWindow,
    SpendControlLimitSnapshot,
)

MAIN = RateLimitSnapshot(limit_id="codex")

# --- headers ---


def test_headers_tell_the_main_limit_and_others() -> None:
    headers = {
        "X-Codex-Primary-Used-Percent": "12.5",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": "1735689720",
        "x-codex-secondary-used-percent": "0",
        "x-codex-secondary-window-minutes": "0",
        "x-codex-limit-name": " Codex ",
        "x-codex-credits-has-credits": "TRUE",
        "x-codex-credits-unlimited": "0",
        "x-codex-credits-balance": " 5 ",
        "x-codex-other-primary-used-percent": "3",
        "x-codex-other-secondary-used-percent": "4",
    }
    credit = CreditsSnapshot(has_credits=True, unlimited=False, balance="5")
    assert read_headers(headers) == [
        RateLimitSnapshot(
            limit_id="codex",
            limit_name="Codex",
            primary=RateLimitWindow(
                used_percent=13, window_duration_mins=300, resets_at=1735689720
            ),
            credits=credit,
        ),
        RateLimitSnapshot(
            limit_id="codex_other",
            primary=RateLimitWindow(used_percent=3),
            secondary=RateLimitWindow(used_percent=4),
            credits=credit,
        ),
    ]


def test_without_headers_there_is_the_main_limit_alone() -> None:
    headers = {
        "content-type": "text/plain",
        "x-dull-primary-used-percent": "0",
        "x--primary-used-percent": "5",
        "x-primary-used-percent": "5",
        "y-other-primary-used-percent": "5",
    }
    assert read_headers(headers) == read_headers({}) == [MAIN]


# --- events ---


def test_an_event_tells_one_limit() -> None:
    event = {
        "type": "codex.rate_limits",
        "plan_type": "plus",
        "metered_limit_name": " Codex-Other ",
        "limit_name": "unused",
        "rate_limits": {
            "primary": {"used_percent": 0, "window_minutes": 15, "reset_at": 5},
            "secondary": None,
        },
        "credits": {"has_credits": False, "unlimited": True},
    }
    window = RateLimitWindow(used_percent=0, window_duration_mins=15, resets_at=5)
    assert read_event(event) == RateLimitSnapshot(
        limit_id="codex_other",
        primary=window,
        credits=CreditsSnapshot(has_credits=False, unlimited=True),
        plan_type="plus",
    )


def test_an_event_may_tell_nothing() -> None:
    assert read_event({"type": "codex.rate_limits"}) == MAIN
    assert read_event({"type": "codex.rate_limits", "limit_name": "A-b"}) == (
        RateLimitSnapshot(limit_id="a_b")
    )


@pytest.mark.parametrize("event", [{"type": "response.created"}, {}, [], None, "x"])
def test_other_events_tell_no_limit(event: object) -> None:
    assert read_event(event) is None


# --- merging ---


def test_what_is_known_of_the_account_stays_and_windows_do_not() -> None:
    window = RateLimitWindow(used_percent=5)
    known = RateLimitSnapshot(
        limit_id="codex",
        primary=window,
        secondary=window,
        credits=CreditsSnapshot(has_credits=True, unlimited=False),
        individual_limit=SpendControlLimitSnapshot(
            limit="5", used="1", remaining_percent=80, resets_at=5
        ),
        spend_control_reached=True,
        plan_type="pro",
        rate_limit_reached_type="rate_limit_reached",
    )
    news = RateLimitSnapshot(primary=window, spend_control_reached=False)
    assert merge(known, news) == RateLimitSnapshot(
        limit_id="codex",
        primary=window,
        credits=known.credits,
        individual_limit=known.individual_limit,
        spend_control_reached=False,
        plan_type="pro",
    )
    assert merge(None, news) == RateLimitSnapshot(
        limit_id="codex", primary=window, spend_control_reached=False
    )
    newer = RateLimitSnapshot(limit_id="other", plan_type="plus")
    assert merge(known, newer).plan_type == "plus"
    assert merge(known, newer).limit_id == "other"
