"""The limits of an account, as its backend tells them in three ways. Pure: no I/O.

Nothing that a backend says makes these functions fail. A member that cannot be read is null, an
entry that says nothing without it is left out, and all integers fit the contract's types.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, get_args

import attrs

from codex_trio.account.claims import plan_type
from codex_trio.account.lenient import (
    INT32,
    read_flag,
    read_integer,
    read_list,
    read_number,
    read_object,
    read_text,
    read_time,
)
from codex_trio.protocol import limits as words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codex_trio.protocol.account import PlanType

CODEX: Final = "codex"
"""The id of the main limit."""

_USED: Final = "-primary-used-percent"
_DEEPEST: Final = 32  # levels of a banner; what is deeper is nothing that anybody would show
_REACHED: Final[dict[Any, words.RateLimitReachedType]] = {
    name: name for name in get_args(words.RateLimitReachedType)
}
_RESET_TYPES: Final[dict[Any, words.RateLimitResetType]] = {
    "codex_rate_limits": "codexRateLimits"
}
_RESET_STATES: Final[dict[Any, words.RateLimitResetCreditStatus]] = {
    name: name for name in get_args(words.RateLimitResetCreditStatus)
}


# --- what it answers when it is asked ---


def read_usage(
    payload: Mapping[str, Any],
    account_id: str | None = None,
    user_id: str | None = None,
) -> words.GetAccountRateLimitsResponse:
    """Read the reply to ``wham/usage``.

    Whether ordinary use is allowed, and the banner, count only for the account and user whose
    ids these are, and both must be told (observed on 0.163.0). An id that comes twice means the
    same in both views: the main limit keeps its own, and of others the last counts. (In the
    original another limit can take the main one's place in the second view only.)
    """
    plan = _read_plan(payload.get("plan_type"))
    limit, spending = read_object(payload.get("rate_limit")), payload.get("spend_control")
    main = words.RateLimitSnapshot(
        limit_id=CODEX,
        primary=_read_usage_window(limit.get("primary_window")),
        secondary=_read_usage_window(limit.get("secondary_window")),
        credits=_read_credits(payload.get("credits")),
        individual_limit=_read_individual_limit(read_object(spending).get("individual_limit")),
        spend_control_reached=read_flag(read_object(spending).get("reached")),
        plan_type=plan,
        rate_limit_reached_type=_read_reached(payload.get("rate_limit_reached_type")),
    )
    by_id = {CODEX: main}
    for other in _read_additional(payload.get("additional_rate_limits"), plan):
        if other.limit_id != CODEX:
            by_id[str(other.limit_id)] = other
    told = (read_text(payload.get("account_id")), read_text(payload.get("user_id")))
    ours = None not in told and told == (account_id, user_id)
    banner = payload.get("rate_limit_upsell")
    return words.GetAccountRateLimitsResponse(
        ordinary_usage_allowed=read_flag(limit.get("allowed")) if ours else None,
        rate_limits=main,
        rate_limits_by_limit_id=by_id,
        rate_limit_reset_credits=read_reset_credits(payload.get("rate_limit_reset_credits")),
        account_id=told[0],
        rate_limit_upsell=banner if ours and _is_plain(banner) else None,
    )


def read_reset_credits(payload: object) -> words.RateLimitResetCreditsSummary | None:
    """Read the reply to ``wham/rate-limit-reset-credits``, or what the usage says of it."""
    told = read_object(payload)
    count = read_integer(told.get("available_count"))
    if count is None:
        return None
    rows = told.get("credits")
    return words.RateLimitResetCreditsSummary(
        available_count=count,
        credits=list(_read_reset_credits(rows)) if isinstance(rows, list) else None,
    )


def _read_reset_credits(rows: list[Any]) -> Iterator[words.RateLimitResetCredit]:
    for row in map(read_object, rows):
        name, granted = read_text(row.get("id")), read_time(row.get("granted_at"))
        if name is None or granted is None:
            continue
        yield words.RateLimitResetCredit(
            id=name,
            reset_type=_RESET_TYPES.get(read_text(row.get("reset_type")), "unknown"),
            status=_RESET_STATES.get(read_text(row.get("status")), "unknown"),
            granted_at=granted,
            expires_at=read_time(row.get("expires_at")),
            title=read_text(row.get("title")),
            description=read_text(row.get("description")),
        )


def _read_additional(
    entries: object, plan: PlanType | None
) -> Iterator[words.RateLimitSnapshot]:
    for entry in map(read_object, read_list(entries)):
        name = read_text(entry.get("metered_feature"))
        if name is None:
            continue
        limit = read_object(entry.get("rate_limit"))
        yield words.RateLimitSnapshot(
            limit_id=name,
            limit_name=read_text(entry.get("limit_name")),
            normal_model_slug=read_text(entry.get("normal_model_slug")),
            primary=_read_usage_window(limit.get("primary_window")),
            secondary=_read_usage_window(limit.get("secondary_window")),
            plan_type=plan,
        )


def _read_usage_window(window: object) -> words.RateLimitWindow | None:
    told = read_object(window)
    seconds = read_number(told.get("limit_window_seconds"))
    minutes = None if seconds is None else math.ceil(seconds / 60)
    return _window(told.get("used_percent"), minutes, told.get("reset_at"))


def _read_individual_limit(limit: object) -> words.SpendControlLimitSnapshot | None:
    told = read_object(limit)
    most, used = read_text(told.get("limit")), read_text(told.get("used"))
    left, resets_at = told.get("remaining_percent"), read_time(told.get("reset_at"))
    remaining = _read_percent(left)
    if most is None or used is None or remaining is None or resets_at is None:
        return None
    return words.SpendControlLimitSnapshot(
        limit=most, used=used, remaining_percent=remaining, resets_at=resets_at
    )


def _read_reached(told: object) -> words.RateLimitReachedType | None:
    return _REACHED.get(read_text(told.get("type") if isinstance(told, dict) else told))


# --- what it says beside its replies: headers, and events of a stream ---


def read_headers(headers: Mapping[str, str]) -> list[words.RateLimitSnapshot]:
    """Read the headers of a reply: the main limit, and then what else carries data.

    The main one is told in ``x-codex-…``, and there is always one; others in ``x-{limit}-…``.
    """
    told = {name.lower(): value for name, value in headers.items()}
    credit = _read_credits(
        {
            "has_credits": told.get("x-codex-credits-has-credits"),
            "unlimited": told.get("x-codex-credits-unlimited"),
            "balance": told.get("x-codex-credits-balance", "").strip() or None,
        }
    )
    families = {
        name.removeprefix("x-").removesuffix(_USED)
        for name in told
        if name.startswith("x-") and len(name) > len(f"x-{_USED}") and name.endswith(_USED)
    }
    main = _read_family(told, CODEX, credit)
    others = (_read_family(told, family, credit) for family in sorted(families - {CODEX}))
    return [main, *(one for one in others if one.primary or one.secondary or one.credits)]


def read_event(event: object) -> words.RateLimitSnapshot | None:
    """Read an event of a stream; None when it is not about limits."""
    told = read_object(event)
    if told.get("type") != "codex.rate_limits":
        return None
    windows = read_object(told.get("rate_limits"))
    name = read_text(told.get("metered_limit_name")) or read_text(told.get("limit_name"))
    return words.RateLimitSnapshot(
        limit_id=_limit_id(name or CODEX),
        primary=_read_event_window(windows.get("primary")),
        secondary=_read_event_window(windows.get("secondary")),
        credits=_read_credits(told.get("credits")),
        plan_type=_read_plan(told.get("plan_type")),
    )


def merge(
    previous: words.RateLimitSnapshot | None, new: words.RateLimitSnapshot
) -> words.RateLimitSnapshot:
    """Lay news over what was known: what is known of the account stays unless it is told anew.

    Windows do not: one that is not told is not there any more.
    """
    merged = attrs.evolve(new, limit_id=new.limit_id or CODEX)
    if previous is None:
        return merged
    return attrs.evolve(
        merged,
        credits=_newer(new.credits, previous.credits),
        individual_limit=_newer(new.individual_limit, previous.individual_limit),
        spend_control_reached=_newer(new.spend_control_reached, previous.spend_control_reached),
        plan_type=_newer(new.plan_type, previous.plan_type),
    )


def _read_family(
    told: Mapping[str, str], family: str, credit: words.CreditsSnapshot | None
) -> words.RateLimitSnapshot:
    return words.RateLimitSnapshot(
        limit_id=_limit_id(family),
        limit_name=told.get(f"x-{family}-limit-name", "").strip() or None,
        primary=_read_header_window(told, f"x-{family}-primary"),
        secondary=_read_header_window(told, f"x-{family}-secondary"),
        credits=credit,
    )


def _read_header_window(told: Mapping[str, str], prefix: str) -> words.RateLimitWindow | None:
    window = _window(
        told.get(f"{prefix}-used-percent"),
        told.get(f"{prefix}-window-minutes"),
        told.get(f"{prefix}-reset-at"),
    )
    # All zeroes is how a header says that there is no such window.
    return None if window == words.RateLimitWindow(used_percent=0) else window


def _read_event_window(window: object) -> words.RateLimitWindow | None:
    told = read_object(window)
    return _window(told.get("used_percent"), told.get("window_minutes"), told.get("reset_at"))


def _limit_id(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _newer(new: Any, former: Any) -> Any:
    return former if new is None else new


# --- what all of them have ---


def _window(used: object, minutes: object, resets_at: object) -> words.RateLimitWindow | None:
    percent, duration = _read_percent(used), read_integer(minutes)
    if percent is None:
        return None
    return words.RateLimitWindow(
        used_percent=percent,
        window_duration_mins=duration if duration is not None and duration > 0 else None,
        resets_at=read_time(resets_at),
    )


def _read_percent(value: object) -> int | None:
    percent = read_integer(value)
    return percent if percent is not None and -INT32 <= percent < INT32 else None


def _read_credits(credit: object) -> words.CreditsSnapshot | None:
    told = read_object(credit)
    has_credits, unlimited = (
        read_flag(told.get("has_credits")),
        read_flag(told.get("unlimited")),
    )
    if has_credits is None and unlimited is None:
        return None
    return words.CreditsSnapshot(
        has_credits=bool(has_credits),
        unlimited=bool(unlimited),
        balance=read_text(told.get("balance")),
    )


def _read_plan(plan: object) -> PlanType | None:
    if not isinstance(plan, str):
        return None
    return "edu" if plan == "education" else plan_type(plan)


def _is_plain(value: object, levels: int = _DEEPEST) -> bool:
    """Say whether a JSON value can be passed on: neither too deep nor with numbers too long."""
    if isinstance(value, dict):
        return levels > 0 and all(_is_plain(one, levels - 1) for one in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_is_plain(one, levels - 1) for one in value)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return not number or read_number(value) is not None
