"""What is told of an account's limits, and what its backend may say instead."""

from __future__ import annotations

from typing import Any

from codex_trio.testing import Fault
from tests.parity.scenarios.asking import LOGOUT, STATUS, ask
from tests.parity.scenarios.signing import rounds
from tests.parity.scenarios.standing import (
    DETAILS,
    LIMITS,
    USAGE,
    answers,
    brought,
    hosted,
    stands,
)
from tests.parity.steps import Answer, Await, Hear, Send, Step
from tests.parity.stored import LEFT_OUT, Stored

OURS = {"account_id": "fake-account", "user_id": "user-fake"}


def window(**changes: Any) -> dict[str, Any]:
    usual = {
        "used_percent": 42,
        "limit_window_seconds": 18000,
        "reset_after_seconds": 100,
        "reset_at": 1900000000,
    }
    return _present({**usual, **changes})


def limit(**changes: Any) -> dict[str, Any]:
    usual = {
        "allowed": True,
        "limit_reached": False,
        "primary_window": window(),
        "secondary_window": window(used_percent=5, limit_window_seconds=604800),
    }
    return _present({**usual, **changes})


def usage(**changes: Any) -> dict[str, Any]:
    return _present({"plan_type": "pro", "rate_limit": limit(), **changes})


def spending(**changes: Any) -> dict[str, Any]:
    usual = {
        "limit": "100",
        "used": "5",
        "remaining": "95",
        "remaining_percent": 95,
        "used_percent": 5,
        "reset_at": 1900000000,
        "reset_after_seconds": 10,
        "source": "x",
    }
    return {"reached": False, "individual_limit": _present({**usual, **changes})}


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not LEFT_OUT}


OTHER = {"limit_name": "GPT-X", "metered_feature": "codex_x", "rate_limit": limit()}

TOLD = {
    "everything": usage(
        **OURS,
        email="ada@example.com",
        credits={"has_credits": True, "unlimited": False, "balance": "12.5"},
        additional_rate_limits=[{**OTHER, "normal_model_slug": "gpt-x"}],
        rate_limit_reached_type={"type": "workspace_owner_credits_depleted"},
        rate_limit_upsell={"a_b": {"c_d": [1, None, "x"]}},
        rate_limit_reset_credits={"available_count": 2},
        spend_control=spending(),
    ),
    "next to nothing": {"plan_type": "pro"},
    "a plan unheard of": usage(plan_type="zzz"),
    "the plan of a school": usage(plan_type="education"),
    "the plan of a guest": usage(plan_type="guest"),
    "no limit": usage(rate_limit=None),
    "no second window": usage(rate_limit=limit(secondary_window=LEFT_OUT)),
    "null for a window": usage(rate_limit=limit(primary_window=None)),
    "a window of no length": usage(
        rate_limit=limit(primary_window=window(limit_window_seconds=0))
    ),
    "a window of a minute and more": usage(
        rate_limit=limit(primary_window=window(limit_window_seconds=61))
    ),
    "more than all": usage(rate_limit=limit(primary_window=window(used_percent=250))),
    "that nothing is allowed": usage(
        **OURS, rate_limit=limit(allowed=False, limit_reached=True)
    ),
    "another account": usage(account_id="x", user_id="user-fake", rate_limit_upsell={"x": 1}),
    "another user": usage(account_id="fake-account", user_id="x", rate_limit_upsell={"x": 1}),
    "no user": usage(account_id="fake-account", rate_limit_upsell={"x": 1}),
    "a banner that is a text": usage(**OURS, rate_limit_upsell="x"),
    "no balance": usage(credits={"has_credits": True, "unlimited": True}),
    "null for credits": usage(credits=None),
    "null for others": usage(additional_rate_limits=None),
    "another without a limit": usage(
        additional_rate_limits=[{"limit_name": "n", "metered_feature": "f"}]
    ),
    "what is reached, unheard of": usage(rate_limit_reached_type={"type": "zzz"}),
    "no spending of one's own": usage(spend_control={"reached": True}),
    "the slug of a model": usage(normal_model_slug="x"),
}

ODD = {
    "no plan": (usage(plan_type=LEFT_OUT), usage()),
    "null for a plan": (usage(plan_type=None), usage()),
    "nothing": ({}, {"plan_type": "pro"}),
    "a fraction": (
        usage(rate_limit=limit(primary_window=window(used_percent=1.4))),
        usage(rate_limit=limit(primary_window=window(used_percent=1))),
    ),
    "a whole fraction": (
        usage(rate_limit=limit(primary_window=window(used_percent=42.0))),
        usage(),
    ),
    "no word of being allowed": (usage(rate_limit=limit(allowed=LEFT_OUT)), usage()),
    "no word of a limit's being reached": (
        usage(rate_limit=limit(limit_reached=LEFT_OUT)),
        usage(),
    ),
    "no seconds until a reset": (
        usage(rate_limit=limit(primary_window=window(reset_after_seconds=LEFT_OUT))),
        usage(),
    ),
    "no length of a window": (
        usage(rate_limit=limit(primary_window=window(limit_window_seconds=LEFT_OUT))),
        usage(rate_limit=limit(primary_window=window(limit_window_seconds=0))),
    ),
    "no use of a window": (
        usage(rate_limit=limit(primary_window=window(used_percent=LEFT_OUT))),
        usage(rate_limit=limit(primary_window=None)),
    ),
    "a balance that is a number": (
        usage(credits={"has_credits": True, "unlimited": False, "balance": 12.5}),
        usage(credits={"has_credits": True, "unlimited": False, "balance": "12.5"}),
    ),
    "another without an id": (usage(additional_rate_limits=[{"limit_name": "n"}]), usage()),
    "what is reached, as a text": (
        usage(rate_limit_reached_type="rate_limit_reached"),
        usage(rate_limit_reached_type={"type": "rate_limit_reached"}),
    ),
    "spending of which nothing is left": (
        usage(spend_control=spending(remaining=LEFT_OUT)),
        usage(spend_control=spending()),
    ),
    "an account that is a number": (usage(account_id=5), usage(account_id="5")),
}
"""What cannot be read by the genuine server, and what it can be taken for."""

UNREADABLE: dict[str, Any] = {"a list": [], "null": None, "a text": "x"}

FAILED = {
    "400": Fault.status(400, {"detail": "x"}),
    "403": Fault.status(403, "<html>no</html>", "text/html"),
    "404": Fault.status(404),
    "429": Fault.status(429, {"detail": "x"}),
    "500": Fault.status(500, "x"),
    "a long text": Fault.status(500, "x" * 5000),
    "no JSON": Fault.status(200, "<html>"),
    "nothing": Fault.status(204),
    "a dropped connection": Fault.drop(),
    "no HTTP": Fault.garbage(),
    "a redirect": Fault.redirect("/elsewhere"),
}

ROWS = [
    {
        "id": "one",
        "reset_type": "codex_rate_limits",
        "status": "available",
        "granted_at": "2026-01-01T00:00:00Z",
        "expires_at": None,
        "title": "t",
        "description": "d",
    },
    {
        "id": "two",
        "reset_type": "zzz",
        "status": "zzz",
        "granted_at": "2026-01-01T00:00:00.5+01:00",
        "expires_at": "2027-01-01T00:00:00Z",
    },
]

TOLD_OF_CREDITS = {
    "rows": Fault.status(200, {"available_count": 3, "credits": ROWS}),
    "no rows": Fault.status(200, {"available_count": 3, "credits": []}),
    "null for rows": Fault.status(200, {"available_count": 3, "credits": None}),
    "no JSON": Fault.status(200, "x"),
    "500": Fault.status(500),
    "401": Fault.status(401),
    "a dropped connection": Fault.drop(),
}

COUNTED = Fault.status(200, usage(rate_limit_reset_credits={"available_count": 2}))


PARAMS: list[Any] = [
    None,
    {},
    [],
    {"x": 1},
    {"excludeResetCreditDetails": None},
    {"excludeResetCreditDetails": 5},
    {"supportsLunaReserve": True},
    "x",
    5,
]


def told(bodies: dict[str, Any]) -> list[Step]:
    return rounds(
        [answers(USAGE, name, Fault.status(200, body)), LIMITS] for name, body in bodies.items()
    )


def told_of_credits(name: str, fault: Fault) -> list[Step]:
    return [
        answers(DETAILS, name, fault),
        answers(USAGE, "a count", COUNTED, forget=False),
        LIMITS,
    ]


LIMITED = [
    stands("limits: what is told", *told(TOLD), stored=Stored()),
    stands(
        "limits: what is told oddly",
        *rounds(
            told({name: odd, "what that is taken for": plain})
            for name, (odd, plain) in ODD.items()
        ),
        stored=Stored(),
    ),
    stands(
        "limits: of the main one twice",
        *told({"that": usage(additional_rate_limits=[{**OTHER, "metered_feature": "codex"}])}),
        stored=Stored(),
    ),
    stands("limits: what is told cannot be read", *told(UNREADABLE), stored=Stored()),
    stands(
        "limits: failures",
        *rounds([answers(USAGE, name, fault), LIMITS] for name, fault in FAILED.items()),
        stored=Stored(),
    ),
    stands(
        "limits: what is told of credits",
        *rounds(told_of_credits(name, fault) for name, fault in TOLD_OF_CREDITS.items()),
        stored=Stored(),
    ),
    stands(
        "limits: who may ask how",
        *(ask("account/rateLimits/read", params, 6) for params in PARAMS),
        stored=Stored(),
    ),
    stands(
        "limits: without details",
        ask("account/rateLimits/read", {"excludeResetCreditDetails": True}, 6),
        stored=Stored(),
    ),
    stands(
        "limits: of the tokens of a host",
        hosted({"plan": "pro"}),
        Hear("account/updated"),
        LIMITS,
        LOGOUT,
        LIMITS,
    ),
    stands(
        "limits: of the tokens of a host, refused",
        hosted(),
        Hear("account/updated"),
        LIMITS,
        answers(USAGE, "401", Fault.status(401)),
        Send(lambda _: ask("account/rateLimits/read", message_id=8), patient=False),
        Hear("account/chatgptAuthTokens/refresh", patience=0.5),
        Answer(brought),
        Await(8),
        STATUS,
    ),
    stands(
        "limits: refused",
        LIMITS,
        answers(USAGE, "401", Fault.status(401)),
        LIMITS,
        stored=Stored(),
    ),
    stands(
        "limits: refused all the time",
        answers(USAGE, "401", Fault.status(401), times=5),
        LIMITS,
        stored=Stored(),
    ),
]
