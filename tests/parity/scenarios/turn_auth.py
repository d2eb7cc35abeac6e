"""Turns whose credentials are refused: renewed, asked of the host, or not at all."""

from __future__ import annotations

from typing import Any

import attrs

from codex_trio.testing import Fault, ModelResponse, StandIn
from tests.parity.scenarios.conversing import begin, converses, say, talk, talkative
from tests.parity.scenarios.refresh import REFUSED
from tests.parity.scenarios.signing import TOKEN, UPDATED
from tests.parity.scenarios.standing import answers, brought, hosted
from tests.parity.steps import Answer, Await, Hear, Step
from tests.parity.stored import Stored
from tests.parity.world import tell

NO = ModelResponse.error(401, "no", headers={"x-request-id": "req-1"})
QUESTION = Hear("account/chatgptAuthTokens/refresh")
LATE = Hear("turn/completed", patience=15.0)


def refuses() -> Step:
    """The host of models refuses everybody."""

    def do(stand_in: StandIn) -> None:
        stand_in.respond = lambda _: NO

    return tell("the model's host refuses everybody", do)


def relents() -> Step:
    """It answers again."""
    return tell("the model's host answers again", talkative)


def managed(name: str, *steps: Step, streams: int = 0) -> Any:
    """Somebody is signed in, whose tokens are refused."""
    return converses(
        f"refused, {name}",
        *begin(),
        *steps,
        *talk("hi"),
        relents(),
        *talk("again"),
        stored=Stored(),
        retries=(0, streams),
    )


def asked(name: str, *steps: Step, streams: int = 0, config: str = "") -> Any:
    """A host has brought tokens that are refused, and is asked for others."""
    return converses(
        f"refused, and the host {name}",
        hosted(),
        UPDATED,
        *begin(),
        refuses(),
        say("hi"),
        Await(4),
        QUESTION,
        *steps,
        LATE,
        relents(),
        *talk("again"),
        stored=NOBODY,
        retries=(0, streams),
        config=config,
    )


def nothing_stored(scenario: Any) -> Any:
    files = {name: text for name, text in scenario.files.items() if name != "auth.json"}
    return attrs.evolve(scenario, files=files)


NOBODY = "{}"

EXPIRED = tell("all access tokens have ended", lambda stand_in: stand_in.expire_access_tokens())
BOOM = Fault.status(500, {"error": {"message": "boom"}})

MANAGED = [
    managed("until it is renewed", EXPIRED),
    managed("always", refuses()),
    managed("always, and tried again", refuses(), streams=1),
    *(
        managed(
            f"and the refresh token is {name}",
            refuses(),
            answers(TOKEN, name, REFUSED[name]),
            streams=1,
        )
        for name in ("expired", "reused", "invalidated", "no code")
    ),
    managed("and the issuer fails", refuses(), answers(TOKEN, "500", BOOM)),
    managed(
        "and the issuer fails twice",
        refuses(),
        answers(TOKEN, "500", BOOM, times=2),
        streams=1,
    ),
]

KEYS = [
    converses(
        f"an API key is refused, with {streams} more tries",
        *begin(),
        refuses(),
        *talk("hi"),
        relents(),
        *talk("again"),
        retries=(0, streams),
    )
    for streams in (0, 1)
]

NEVER = Answer(lambda _: {"error": {"code": -32000, "message": "no way"}})
ELSEWHERE = Answer(lambda world: brought(world, chatgptAccountId="other"))

HOSTED = [
    asked("brings others", relents(), Answer(brought)),
    asked("brings others that are refused", Answer(brought)),
    asked("brings others twice", Answer(brought), QUESTION, Answer(brought), streams=1),
    asked("says no", NEVER),
    asked("brings nothing", Answer(lambda _: {"result": {}})),
    asked("brings no token", Answer(lambda world: brought(world, accessToken="x"))),
    asked(
        "brings those of a workspace that may not be",
        ELSEWHERE,
        config='forced_chatgpt_workspace_id = "fake-account"',
    ),
    asked("is silent"),
]

SIGNED = [*MANAGED, *KEYS, *map(nothing_stored, HOSTED)]
