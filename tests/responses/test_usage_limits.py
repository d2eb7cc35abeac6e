"""What is said when a limit is reached (every text was observed on 0.163.0)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.responses.usage_limits import explain_usage_limit
from tests.responses.asking import failure, provider_of
from tests.responses.hosts import reply

if TYPE_CHECKING:
    from codex_trio.responses.sampling import Responses
    from tests.responses.hosts import ModelHost

NOW = datetime(2026, 11, 21, 13, 41, 30).timestamp()
SOON = int(NOW) + 60
LATER = "again later."
AT = "again at 1:42 PM."

TO_PLUS = "Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus), or try "
TO_PRO = (
    "Upgrade to Pro (https://chatgpt.com/explore/pro), visit"
    " https://chatgpt.com/settings/usage to purchase more credits or try "
)
BUY = "Visit https://chatgpt.com/settings/usage to purchase more credits or try "
ASK = "To get more access now, send a request to your admin or try "
WAIT = "Try "


def explain(error: dict[str, Any], **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    text = explain_usage_limit(error, named, NOW)
    return text.removeprefix("You\u2019ve hit your usage limit. ")


@pytest.mark.parametrize(
    ("plan", "advice"),
    [
        ("free", TO_PLUS),
        ("go", TO_PLUS),
        ("plus", TO_PRO),
        ("pro", BUY),
        ("prolite", BUY),
        ("team", ASK),
        ("self_serve_business_usage_based", ASK),
        ("business", ASK),
        ("enterprise_cbp_usage_based", ASK),
        ("enterprise", WAIT),
        ("edu", WAIT),
        ("whatever", WAIT),
        ("", WAIT),
        (None, WAIT),
        (5, WAIT),
        ([], WAIT),
    ],
)
def test_what_can_be_done_depends_on_the_plan(plan: object, advice: str) -> None:
    assert explain({"plan_type": plan, "resets_at": SOON}) == advice + AT
    assert explain({"plan_type": plan}) == advice + LATER


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (datetime(2026, 11, 21, 0, 5), "12:05 AM"),
        (datetime(2026, 11, 21, 12, 0), "12:00 PM"),
        (datetime(2026, 11, 21, 23, 59), "11:59 PM"),
        (datetime(2026, 11, 22, 13, 41), "Nov 22nd, 2026 1:41 PM"),
        (datetime(2026, 11, 23, 9, 1), "Nov 23rd, 2026 9:01 AM"),
        (datetime(2026, 11, 24, 13, 41), "Nov 24th, 2026 1:41 PM"),
        (datetime(2026, 12, 1, 13, 41), "Dec 1st, 2026 1:41 PM"),
        (datetime(2026, 12, 11, 13, 41), "Dec 11th, 2026 1:41 PM"),
        (datetime(2026, 12, 12, 13, 41), "Dec 12th, 2026 1:41 PM"),
        (datetime(2026, 12, 13, 13, 41), "Dec 13th, 2026 1:41 PM"),
        (datetime(2027, 12, 26, 13, 41), "Dec 26th, 2027 1:41 PM"),
    ],
)
def test_the_time_is_that_of_this_machine(then: datetime, said: str) -> None:
    assert explain({"resets_at": int(then.timestamp())}) == f"Try again at {said}."


@pytest.mark.parametrize("resets_at", [None, "soon", [], 10**15, -(10**15), 2.0**62])
def test_a_time_that_is_none_is_later(resets_at: object) -> None:
    assert explain({"resets_at": resets_at}) == f"Try {LATER}"


@pytest.mark.parametrize("resets_at", [SOON + 0.4, str(SOON)])
def test_a_time_may_be_told_otherwise(resets_at: object) -> None:
    assert explain({"resets_at": resets_at}) == f"Try {AT}"


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (
            "workspace_owner_credits_depleted",
            "Your workspace is out of credits. Add credits to continue.",
        ),
        (
            "workspace_member_credits_depleted",
            (
                "Your workspace is out of credits."
                " Ask your workspace owner to refill in order to continue."
            ),
        ),
        (
            "workspace_owner_usage_limit_reached",
            (
                "You hit your spend cap set in your workspace."
                " Increase your spend cap to continue."
            ),
        ),
        (
            "workspace_member_usage_limit_reached",
            (
                "You hit your spend cap set by the owner of your workspace."
                " Ask an owner to increase your spend cap to continue."
            ),
        ),
        ("rate_limit_reached", ASK + LATER),
        ("bogus", ASK + LATER),
    ],
)
def test_a_workspace_has_reasons_of_its_own(reason: str, text: str) -> None:
    assert explain({"plan_type": "team"}, x_codex_rate_limit_reached_type=reason) == text


def test_a_limit_may_have_a_name() -> None:
    switch = "You\u2019ve hit your usage limit for {}. Switch to another model now, or try "
    other = {
        "x_codex_active_limit": "codex_other",
        "x_codex_other_limit_name": "Other Model",
        "x_codex_other_primary_used_percent": "100",
    }
    plus = {"plan_type": "plus"}
    assert explain(plus, **other) == switch.format("Other Model") + LATER
    del other["x_codex_other_limit_name"]
    assert explain(plus, **other) == TO_PRO + LATER
    named = switch.format("Codex") + LATER
    assert explain(plus, x_codex_limit_name="Codex") == named
    assert explain(plus, x_codex_limit_name="Codex", x_codex_active_limit="codex") == named
    assert explain(plus, x_codex_active_limit="nobody") == TO_PRO + LATER


def test_something_may_be_offered() -> None:
    free = {"plan_type": "free", "resets_at": SOON}
    assert explain(free, x_codex_promo_message=" PROMO ") == f"PROMO, or try {AT}"
    assert explain(free, x_codex_promo_message=" ") == TO_PLUS + AT


async def test_it_comes_with_what_is_known_of_the_limits(
    responses: Responses, host: ModelHost
) -> None:
    tomorrow = datetime.fromtimestamp(time.time()) + timedelta(days=2)
    error = {"type": "usage_limit_reached", "resets_at": int(tomorrow.timestamp())}
    host.say(reply(429, {"error": error}, x_codex_primary_used_percent="100"))
    caught = await failure(responses, provider_of(host))
    assert caught.message.startswith("You\u2019ve hit your usage limit. Try again at ")
    assert f", {tomorrow.year} " in caught.message
    assert (caught.info, caught.retry, caught.delay) == ("usageLimitExceeded", False, None)
    assert caught.headers is not None
    assert caught.headers["x-codex-primary-used-percent"] == "100"
