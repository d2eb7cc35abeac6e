"""Limits as a backend tells them when it is asked: what can be read of it is."""

from __future__ import annotations

from typing import Any

import pytest

from codex_trio.account.limits import read_usage
from codex_trio.protocol.limits import RateLimitSnapshot
from codex_trio.protocol.structure import unstructure

WINDOW = {"used_percent": 42, "limit_window_seconds": 3600, "reset_at": 1735689720}


def usage(**members: Any) -> Any:
    """What the account `acc` of the user `u` is told."""
    told = read_usage({"account_id": "acc", "user_id": "u", **members}, "acc", "u")
    return unstructure(told)


def primary(**members: Any) -> Any:
    told = usage(rate_limit={"primary_window": {**WINDOW, **members}})
    return told["rateLimits"]["primary"]


def test_everything_that_is_told_is_passed_on() -> None:
    told = usage(
        plan_type="pro",
        rate_limit={"allowed": True, "primary_window": WINDOW, "secondary_window": None},
        credits={"has_credits": True, "unlimited": False, "balance": "12.5"},
        spend_control={
            "reached": True,
            "individual_limit": {
                "limit": "100",
                "used": "25",
                "remaining_percent": 75,
                "reset_at": 1735689720,
            },
        },
        rate_limit_reached_type={"type": "workspace_owner_credits_depleted"},
        rate_limit_reset_credits={"available_count": 2},
        rate_limit_upsell={"title_text": "More?", "shades": [1, 2.5, None, True]},
        additional_rate_limits=[
            {
                "limit_name": "Other",
                "metered_feature": "other",
                "normal_model_slug": "gpt-x",
                "rate_limit": {"primary_window": WINDOW},
            }
        ],
    )
    window = {"usedPercent": 42, "windowDurationMins": 60, "resetsAt": 1735689720}
    main = {
        "limitId": "codex",
        "limitName": None,
        "normalModelSlug": None,
        "primary": window,
        "secondary": None,
        "credits": {"hasCredits": True, "unlimited": False, "balance": "12.5"},
        "individualLimit": {
            "limit": "100",
            "used": "25",
            "remainingPercent": 75,
            "resetsAt": 1735689720,
        },
        "spendControlReached": True,
        "planType": "pro",
        "rateLimitReachedType": "workspace_owner_credits_depleted",
    }
    nothing = {"credits": None, "individualLimit": None, "spendControlReached": None}
    other = {
        **main,
        **nothing,
        "limitId": "other",
        "limitName": "Other",
        "normalModelSlug": "gpt-x",
        "rateLimitReachedType": None,
    }
    assert told == {
        "ordinaryUsageAllowed": True,
        "rateLimits": main,
        "rateLimitsByLimitId": {"codex": main, "other": other},
        "rateLimitResetCredits": {"availableCount": 2, "credits": None},
        "accountId": "acc",
        "rateLimitUpsell": {"title_text": "More?", "shades": [1, 2.5, None, True]},
    }


def test_nothing_is_an_answer() -> None:
    told = unstructure(read_usage({}))
    assert told["rateLimits"] == unstructure(RateLimitSnapshot(limit_id="codex"))
    assert told["rateLimitsByLimitId"] == {"codex": told["rateLimits"]}
    others = set(told) - {"rateLimits", "rateLimitsByLimitId"}
    assert all(told[name] is None for name in others)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (12.4, 12),
        (12.5, 13),
        (-12.5, -13),
        (0.49999999999999994, 0),
        ("42", 42),
        ("42.5", 43),
        (2**31 - 1, 2**31 - 1),
        (-3, -3),
    ],
)
def test_a_percentage_is_rounded_away_from_zero(told: object, shown: int) -> None:
    assert primary(used_percent=told)["usedPercent"] == shown


@pytest.mark.parametrize(
    "told", [None, True, [], {}, "many", 2**31, 10**400, 1e300, float("inf"), float("nan")]
)
def test_a_window_without_a_percentage_is_none(told: object) -> None:
    assert primary(used_percent=told) is None


@pytest.mark.parametrize(
    ("seconds", "minutes"),
    [
        (60, 1),
        (61, 2),
        (0.5, 1),
        ("3600", 60),
        (0, None),
        (-60, None),
        (None, None),
        ([], None),
    ],
)
def test_a_duration_is_in_minutes_that_have_begun(seconds: object, minutes: int | None) -> None:
    assert primary(limit_window_seconds=seconds)["windowDurationMins"] == minutes


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (4102444800, 4102444800),  # 2100, which is too late for the original
        (1735689720.5, 1735689721),
        ("1735689720", 1735689720),
        ("2025-01-01T00:02:00Z", 1735689720),
        ("2025-01-01T00:02:00.9", 1735689720),
        (2**63, None),
        ("soon", None),
        (False, None),
    ],
)
def test_a_window_begins_anew_at_a_time(told: object, shown: int | None) -> None:
    assert primary(reset_at=told)["resetsAt"] == shown


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("pro", "pro"),
        ("education", "edu"),
        ("hc", "enterprise"),
        ("guest", "unknown"),
        ("PRO", "unknown"),
        ("tomorrow's", "unknown"),
        (None, None),
        (5, None),
    ],
)
def test_a_plan_may_be_unknown(told: object, shown: str | None) -> None:
    assert usage(plan_type=told)["rateLimits"]["planType"] == shown


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({"has_credits": True}, (True, False, None)),
        ({"unlimited": "true", "balance": 12.5}, (False, True, "12.5")),
        ({"has_credits": 1, "unlimited": 0, "balance": []}, (True, False, None)),
        ({"balance": "5"}, None),
        ({"has_credits": 2}, None),
        ([], None),
    ],
)
def test_credits_are_told_as_far_as_they_are(told: object, shown: object) -> None:
    credit = usage(credits=told)["rateLimits"]["credits"]
    assert (None if credit is None else tuple(credit.values())) == shown


def test_a_personal_limit_is_whole_or_none() -> None:
    limit = {"limit": 100, "used": "25", "remaining_percent": "75", "reset_at": 5}
    told = usage(spend_control={"individual_limit": limit})["rateLimits"]
    assert told["individualLimit"] == {
        "limit": "100",
        "used": "25",
        "remainingPercent": 75,
        "resetsAt": 5,
    }
    for name in limit:
        less = {**limit, name: None}
        told = usage(spend_control={"individual_limit": less, "reached": False})["rateLimits"]
        assert told["individualLimit"] is None
        assert told["spendControlReached"] is False


@pytest.mark.parametrize("told", [{"type": "rate_limit_reached"}, "rate_limit_reached"])
def test_why_a_limit_is_reached_may_be_told_either_way(told: object) -> None:
    known = usage(rate_limit_reached_type=told)["rateLimits"]["rateLimitReachedType"]
    assert known == "rate_limit_reached"


@pytest.mark.parametrize("told", [{"type": "zeal"}, {"type": []}, "zeal", 5, None])
def test_why_a_limit_is_reached_may_be_unknown(told: object) -> None:
    assert usage(rate_limit_reached_type=told)["rateLimits"]["rateLimitReachedType"] is None


# --- whose it is ---


@pytest.mark.parametrize(
    "told",
    [
        {"account_id": "other", "user_id": "u"},
        {"account_id": "acc", "user_id": "other"},
        {"account_id": "acc"},
        {"user_id": "u"},
        {},
    ],
)
def test_what_is_told_of_somebody_else_is_no_permission(told: dict[str, Any]) -> None:
    payload = {**told, "rate_limit": {"allowed": True}, "rate_limit_upsell": {"a": 1}}
    answer = read_usage(payload, "acc", "u")
    assert answer.ordinary_usage_allowed is None
    assert answer.rate_limit_upsell is None
    assert answer.account_id == told.get("account_id")


def test_who_is_nobody_is_not_whom_nothing_is_told_of() -> None:
    assert read_usage({"rate_limit": {"allowed": True}}).ordinary_usage_allowed is None


@pytest.mark.parametrize("banner", ["text", 5, False, [], {"a": {"b": [None]}}])
def test_a_banner_is_passed_on_as_it_is(banner: object) -> None:
    assert usage(rate_limit_upsell=banner)["rateLimitUpsell"] == banner


def test_a_banner_that_nobody_could_read_is_left_out() -> None:
    deep: object = None
    for _ in range(200):
        deep = [deep]
    for banner in (deep, {"a": deep}, {"a": 10**30}, [float("inf")]):
        assert usage(rate_limit_upsell=banner)["rateLimitUpsell"] is None


# --- ids ---


def test_an_id_means_the_same_in_both_views() -> None:
    told = usage(
        rate_limit={"primary_window": WINDOW},
        additional_rate_limits=[
            {"metered_feature": "codex", "limit_name": "an impostor"},
            {"metered_feature": "other", "limit_name": "former"},
            {"metered_feature": "other", "limit_name": "latter"},
        ],
    )
    by_id = told["rateLimitsByLimitId"]
    assert by_id["codex"] == told["rateLimits"]
    assert by_id["codex"]["primary"] is not None
    assert by_id["other"]["limitName"] == "latter"
    assert all(name == limit["limitId"] for name, limit in by_id.items())


def test_what_has_no_id_is_left_out() -> None:
    told = usage(additional_rate_limits=[{"limit_name": "A"}, None, 5, {"metered_feature": []}])
    assert set(told["rateLimitsByLimitId"]) == {"codex"}


# --- credits that reset a limit ---


def test_credits_that_reset_a_limit_are_told_one_by_one() -> None:
    row = {
        "id": "c1",
        "reset_type": "codex_rate_limits",
        "status": "redeeming",
        "granted_at": "2025-01-01T00:00:00Z",
        "expires_at": "2025-02-01T00:00:00.5+01:00",
        "title": "T",
        "description": "D",
    }
    told = usage(
        rate_limit_reset_credits={
            "available_count": 3,
            "credits": [
                row,
                {**row, "reset_type": "new", "status": "strange", "granted_at": 5},
                {**row, "id": None},
                {**row, "granted_at": "yesterday"},
                None,
            ],
        }
    )["rateLimitResetCredits"]
    known = {
        "id": "c1",
        "resetType": "codexRateLimits",
        "status": "redeeming",
        "grantedAt": 1735689600,
        "expiresAt": 1738364400,
        "title": "T",
        "description": "D",
    }
    unknown = {**known, "resetType": "unknown", "status": "unknown", "grantedAt": 5}
    assert told == {"availableCount": 3, "credits": [known, unknown]}
