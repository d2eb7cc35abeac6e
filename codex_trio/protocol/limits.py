"""Words of account/rateLimits/*."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from codex_trio.protocol.account import PlanType

RateLimitReachedType: TypeAlias = Literal[
    "rate_limit_reached",
    "workspace_owner_credits_depleted",
    "workspace_member_credits_depleted",
    "workspace_owner_usage_limit_reached",
    "workspace_member_usage_limit_reached",
]

RateLimitResetType: TypeAlias = Literal["codexRateLimits", "unknown"]
RateLimitResetCreditStatus: TypeAlias = Literal["available", "redeeming", "redeemed", "unknown"]


@frozen(kw_only=True)
class GetAccountRateLimitsParams:
    """How much of an account is used up, and with what details?"""

    exclude_reset_credit_details: bool = False
    supports_luna_reserve: bool = False


@frozen(kw_only=True)
class RateLimitWindow:
    """How much of a limit is used, over how long, and when it begins anew in Unix time."""

    used_percent: int
    window_duration_mins: int | None = None
    resets_at: int | None = None


@frozen(kw_only=True)
class CreditsSnapshot:
    """What has been bought beyond the plan; the balance is for people to read."""

    has_credits: bool
    unlimited: bool
    balance: str | None = None


@frozen(kw_only=True)
class SpendControlLimitSnapshot:
    """What one person may spend in a workspace."""

    limit: str
    used: str
    remaining_percent: int
    resets_at: int


@frozen(kw_only=True)
class RateLimitSnapshot:
    """One limit of an account, as far as it is known; null is not known."""

    limit_id: str | None = None
    limit_name: str | None = None
    normal_model_slug: str | None = None
    primary: RateLimitWindow | None = None
    secondary: RateLimitWindow | None = None
    credits: CreditsSnapshot | None = None
    individual_limit: SpendControlLimitSnapshot | None = None
    spend_control_reached: bool | None = None
    plan_type: PlanType | None = None
    rate_limit_reached_type: RateLimitReachedType | None = None


@frozen(kw_only=True)
class RateLimitResetCredit:
    """Something with which a limit can be made to begin anew once."""

    id: str
    reset_type: RateLimitResetType
    status: RateLimitResetCreditStatus
    granted_at: int
    expires_at: int | None = None
    title: str | None = None
    description: str | None = None


@frozen(kw_only=True)
class RateLimitResetCreditsSummary:
    """How many of these there are; ``credits`` is null when only their number is known."""

    available_count: int
    credits: list[RateLimitResetCredit] | None = None


@frozen(kw_only=True)
class GetAccountRateLimitsResponse:
    """The limits of an account: the main one, and all of them by their ids."""

    ordinary_usage_allowed: bool | None = None
    rate_limits: RateLimitSnapshot
    rate_limits_by_limit_id: dict[str, RateLimitSnapshot] | None = None
    rate_limit_reset_credits: RateLimitResetCreditsSummary | None = None
    account_id: str | None = None
    rate_limit_upsell: object = None


@frozen(kw_only=True)
class AccountRateLimitsUpdatedNotification:
    """One limit has changed; what is null in it need not have."""

    rate_limits: RateLimitSnapshot
