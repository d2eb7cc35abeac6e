"""Tokens that the host owns: brought, brought anew, and asked for."""

from __future__ import annotations

from typing import Any

from codex_trio.testing import Fault, StandIn
from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import LOGIN, LOGOUT, READ, STATUS, ask
from tests.parity.scenarios.signing import BROWSER, DEVICE, UPDATED, rounds
from tests.parity.scenarios.standing import (
    BUNDLE,
    READ_ANEW,
    STATUS_ALONE,
    STATUS_ANEW,
    brought,
    hosted,
    stands,
)
from tests.parity.steps import Answer, Await, Hear, Step
from tests.parity.stored import Stored
from tests.parity.world import polled

NAMES = ["PRO", "education", "zzz", None, "hc", "Enterprise", "k12", "", " pro", "edu_plus"]

PLANS = [
    *("free", "go", "plus", "pro", "prolite", "promax", "team"),
    *("self_serve_business_prolite", "self_serve_business_usage_based"),
    *("business", "ent26", "enterprise_cbp_automation", "enterprise_cbp_usage_based"),
    *("enterprise", "hc", "edu", "education", "edu_plus", "edu_pro", "sci", "k12", "PRO"),
]

CLAIMS: list[dict[str, Any]] = [
    {"email": None},
    {"plan": None},
    {"email": None, "plan": None, "user_id": ""},
    *({"plan": plan} for plan in PLANS),
]

NO_TOKENS = ["abc", "a.b", "!.!.!", "", "a.bnVsbA.b"]

REFRESH = Hear("account/chatgptAuthTokens/refresh")


def refused_once(stand_in: StandIn) -> None:
    """The token that is brought first is refused where a workspace's policy is asked for."""
    stand_in.tell({"account": {"plan": "business"}})
    stand_in.faults.add(BUNDLE, Fault.status(401))


def asked_for(name: str, *steps: Step, config: str = "") -> Scenario:
    """A script in which a host is asked for tokens as soon as it has brought some."""
    return stands(
        f"host: asked, {name}",
        hosted(patient=False),
        REFRESH,
        *steps,
        network=refused_once,
        config=config,
    )


HOSTED = [
    Scenario(
        name="host: a client that may not",
        steps=[
            OPEN,
            ask(
                "account/login/start",
                {"type": "chatgptAuthTokens", "accessToken": "x", "chatgptAccountId": "y"},
            ),
        ],
    ),
    stands(
        "host: tokens, and others",
        hosted(),
        UPDATED,
        READ,
        READ_ANEW,
        STATUS_ALONE,
        STATUS,
        STATUS_ANEW,
        hosted({"email": "b@example.com", "plan": "pro"}),
        UPDATED,
        READ,
        LOGIN,
        BROWSER,
        DEVICE,
        READ,
        LOGOUT,
        READ,
        LOGIN,
        READ,
    ),
    stands(
        "host: what a plan is called",
        *rounds(
            [hosted({"plan": "team"}, chatgptPlanType=plan), UPDATED, READ] for plan in NAMES
        ),
    ),
    stands(
        "host: what a token says",
        *rounds([hosted(account), UPDATED, READ] for account in CLAIMS),
        STATUS,
    ),
    stands(
        "host: no tokens",
        *(hosted(accessToken=token) for token in NO_TOKENS),
        hosted(accessToken=5),
        hosted(accessToken=None),
        hosted(chatgptAccountId=None),
        hosted(chatgptPlanType=5),
        READ,
        STATUS,
        stored=Stored(),
    ),
    stands(
        "host: the wrong workspace",
        hosted({"account_id": "x"}),
        hosted(chatgptAccountId="x"),
        hosted(),
        UPDATED,
        READ,
        config='forced_chatgpt_workspace_id = "fake-account"\n',
    ),
    stands(
        "host: none of many workspaces",
        hosted({"account_id": "x"}),
        hosted({"account_id": "b"}),
        UPDATED,
        READ,
        config='forced_chatgpt_workspace_id = ["a", "b"]\n',
    ),
    stands("host: not wanted", hosted(), READ, config='forced_login_method = "api"\n'),
    stands(
        "host: before what is stored",
        READ,
        hosted({"email": "b@example.com"}),
        UPDATED,
        READ,
        STATUS,
        LOGOUT,
        READ,
        stored=Stored(),
    ),
    stands(
        "host: before an API key",
        hosted(),
        UPDATED,
        READ,
        LOGOUT,
        READ,
        stored='{"auth_mode":"apikey","OPENAI_API_KEY":"sk-test"}',
    ),
    *(
        stands(
            f"host: while somebody signs in, {name}",
            DEVICE,
            polled(),
            bringing,
            READ,
        )
        for name, bringing in {
            "with tokens": hosted(),
            "without": hosted(accessToken="x"),
        }.items()
    ),
    asked_for(
        "brings others",
        Answer(brought),
        Await(7),
        UPDATED,
        READ,
        STATUS,
    ),
    asked_for(
        "brings those of another workspace, which may not be",
        Answer(lambda world: brought(world, chatgptAccountId="x")),
        Await(7),
        UPDATED,
        READ,
        STATUS,
        config='forced_chatgpt_workspace_id = "fake-account"\n',
    ),
]
