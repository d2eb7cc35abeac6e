"""What is said when an account has used up what it has (observed on 0.163.0)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from codex_trio.account.lenient import read_text, read_time
from codex_trio.account.limits import read_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL_NOT_INCLUDED: Final = (
    "To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus."
)
"""What is said to an account whose plan knows nothing of Codex."""

_REACHED: Final = "You\u2019ve hit your usage limit"
_TO_PLUS: Final = "Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus),"
_TO_PRO: Final = "Upgrade to Pro (https://chatgpt.com/explore/pro),"
_BUY: Final = "visit https://chatgpt.com/settings/usage to purchase more credits"
_ASK: Final = "To get more access now, send a request to your admin"
_BY_PLAN: Final = {
    "free": _TO_PLUS,
    "go": _TO_PLUS,
    "plus": f"{_TO_PRO} {_BUY}",
    "pro": f"V{_BUY[1:]}",
    "prolite": f"V{_BUY[1:]}",
    "team": _ASK,
    "self_serve_business_usage_based": _ASK,
    "business": _ASK,
    "enterprise_cbp_usage_based": _ASK,
}
"""What can be done about it, by plan; for others there is nothing but waiting."""

_BY_REASON: Final = {
    "workspace_owner_credits_depleted": (
        "Your workspace is out of credits. Add credits to continue."
    ),
    "workspace_member_credits_depleted": (
        "Your workspace is out of credits."
        " Ask your workspace owner to refill in order to continue."
    ),
    "workspace_owner_usage_limit_reached": (
        "You hit your spend cap set in your workspace. Increase your spend cap to continue."
    ),
    "workspace_member_usage_limit_reached": (
        "You hit your spend cap set by the owner of your workspace."
        " Ask an owner to increase your spend cap to continue."
    ),
}
"""What is said instead, by what the headers call the reason."""


def explain_usage_limit(
    error: Mapping[str, Any], headers: Mapping[str, str], now: float
) -> str:
    """Say that a limit is reached, what can be done about it, and when it will be lifted.

    Args:
        error: what the provider says of it: ``plan_type``, ``resets_at``.
        headers: those of its reply, by name in small letters.
        now: the present Unix time.
    """
    if reason := _BY_REASON.get(headers.get("x-codex-rate-limit-reached-type", "")):
        return reason
    again = f"try again {_when(error.get('resets_at'), now)}."
    if (name := _limit_name(headers)) is not None:
        return f"{_REACHED} for {name}. Switch to another model now, or {again}"
    if promotion := headers.get("x-codex-promo-message", "").strip():
        return f"{_REACHED}. {promotion}, or {again}"
    advice = _BY_PLAN.get(read_text(error.get("plan_type")) or "")
    return f"{_REACHED}. {f'T{again[1:]}' if advice is None else f'{advice} or {again}'}"


def _limit_name(headers: Mapping[str, str]) -> str | None:
    """Find what the limit is called that has been reached, where it has a name of its own."""
    active = headers.get("x-codex-active-limit", "").strip().lower().replace("-", "_")
    snapshots = {limit.limit_id: limit.limit_name for limit in read_headers(headers)}
    return snapshots.get(active or "codex")


def _when(resets_at: object, now: float) -> str:
    """Say when, in the time of whoever looks at this machine's clock."""
    moment = read_time(resets_at)
    if moment is None:
        return "later"
    try:
        there, here = datetime.fromtimestamp(moment), datetime.fromtimestamp(now)
    except (ValueError, OverflowError, OSError):
        return "later"
    clock = f"{there.hour % 12 or 12}:{there:%M %p}"
    if there.date() == here.date():
        return f"at {clock}"
    return f"at {there:%b} {there.day}{_ordinal(there.day)}, {there.year} {clock}"


def _ordinal(day: int) -> str:
    if day in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
