"""What the genuine server has recorded goes on here, and what ours has goes on there.

Each script runs on both, with a server of the other kind beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codex_trio.testing import FunctionCall, Hold, ModelResponse, Reasoning, Text
from tests.parity.scenarios.conversing import DELTA, DONE, model, opening, say, talk
from tests.parity.scenarios.keeping import (
    STARTED,
    beside,
    keeps,
    nth_turn,
    of,
    request,
    start_thread,
)
from tests.parity.scenarios.planted import Planted, plant
from tests.parity.scenarios.signing import rounds
from tests.parity.scenarios.turns import PIXEL
from tests.parity.steps import Act, Await, Hear, Step

if TYPE_CHECKING:
    from tests.parity.world import World

RICH = (
    model(
        "what it thinks",
        ModelResponse.of(
            Reasoning(["think"], raw="raw", encrypted="E", item_id="rs_1"),
            Text("so", item_id="msg_1"),
        ),
    ),
    *talk("one"),
    model(
        "a tool, and then an answer",
        ModelResponse.of(FunctionCall("nope", {"a": 1}, call_id="call_1", item_id="fc_1")),
        ModelResponse.of(Text("there is none", item_id="msg_2")),
    ),
    *talk("two"),
    model("an image", ModelResponse.of(Text("seen", item_id="msg_3"))),
    *talk("three", {"type": "image", "url": PIXEL}),
)
"""Turns of several kinds."""

LOOKED_AT = (
    request("thread/list", {}),
    of(0, "thread/resume"),
    of(0, "thread/read", includeTurns=True),
    of(0, "thread/turns/list"),
    of(0, "thread/items/list", limit=3),
)


def seen(*steps: Step, **manner: Any) -> Step:
    """Let a server of the other kind do something."""
    return beside(*steps, other=True, **manner)


def held() -> tuple[Step, ...]:
    """A turn that is in the middle of a message."""
    return (
        model("half a message", ModelResponse.of(*opening("half"), Hold("later"))),
        say("and?"),
        Await(4),
    )


def asked() -> Act:
    """Look what the model is told of a conversation, but for what it is told of the world.

    Each kind of server tells that in its own way, and again what it does not find.
    """

    async def do(world: World) -> Any:  # noqa: ASYNC124 - an Act awaits it
        *_, question = world.stand_in.response_requests
        world.stand_in.requests.clear()
        return [item for item in map(_said, question.json["input"]) if item is not None]

    return Act("what the model is told", do)


def _said(item: dict[str, Any]) -> Any:
    if item["type"] == "additional_tools":
        return None
    if item["type"] != "message":
        return [item["type"], item.get("call_id"), item.get("arguments")]
    parts = [part.get("text") or part["type"] for part in item["content"]]
    of_world = item["role"] == "developer" or parts[0].startswith("<environment_context>")
    return None if of_world else [item["role"], *parts]


OLD = Planted(number=1, legacy=True)
OLDER: list[tuple[str, dict[str, Any]]] = [
    ("read", {"includeTurns": True}),
    ("resume", {}),
    ("revert", {"beforeTurnId": "turn-1"}),
]

RECORDS = [
    keeps(
        "recorded by the other, and gone on with",
        seen(*start_thread(), *RICH),
        *LOOKED_AT,
        *talk("four"),
        asked(),
        of(0, "thread/read", includeTurns=True),
    ),
    keeps(
        "recorded in turn",
        *start_thread(),
        *talk("one"),
        of(0, "thread/archive"),
        Hear("thread/archived"),
        of(0, "thread/unarchive"),
        Hear("thread/unarchived"),
        seen(of(0, "thread/resume", excludeTurns=True), *talk("two")),
        of(0, "thread/resume"),
        *talk("three"),
        asked(),
        of(0, "thread/archive"),
        Hear("thread/archived"),
        seen(
            of(0, "thread/unarchive"),
            Hear("thread/unarchived"),
            of(0, "thread/resume", excludeTurns=True),
            *talk("four"),
        ),
        of(0, "thread/resume"),
    ),
    keeps(
        "set to something, by the other",
        seen(
            *start_thread(
                model="gpt-5.6-sol", approvalPolicy="never", sandbox="workspace-write"
            ),
            of(0, "thread/settings/update", effort="high", personality="friendly"),
            *talk("one"),
        ),
        request("thread/list", {}),
        of(0, "thread/resume", excludeTurns=True),
        *talk("two"),
        asked(),
    ),
    keeps(
        "put away by the other",
        seen(
            *rounds((*start_thread(), *talk(said)) for said in ("one", "two")),
            of(0, "thread/archive"),
            Hear("thread/archived"),
        ),
        request("thread/list", {}),
        request("thread/list", {"archived": True}),
        of(0, "thread/resume"),
        of(0, "thread/unarchive"),
        Hear("thread/unarchived"),
        of(0, "thread/resume"),
        *talk("three"),
        asked(),
    ),
    keeps(
        "forked and reverted by the other",
        seen(
            *start_thread(),
            *rounds(talk(said) for said in ("one", "two", "three")),
            of(0, "thread/fork", beforeTurnId=nth_turn(2)),
            STARTED,
            *talk("other three"),
            of(0, "thread/revert", beforeTurnId=nth_turn(1)),
            Hear("thread/reverted"),
            of(0, "turn/start", input=[{"type": "text", "text": "another two"}]),
            DONE,
        ),
        of(0, "thread/resume", excludeTurns=True, serviceTier="flex"),
        *talk("three"),
        asked(),
        of(1, "thread/resume", excludeTurns=True),
        *talk("four"),
        asked(),
    ),
    keeps(
        "held by the other",
        seen(*start_thread(), *talk("one"), stay=True),
        of(0, "thread/resume", excludeTurns=True),
        of(0, "thread/archive"),
        of(0, "thread/delete"),
        of(0, "thread/read"),
        request("thread/list", {}),
    ),
    keeps(
        "the other is killed in the middle of a message",
        seen(*start_thread(), *talk("one"), *held(), DELTA, DELTA, kill=True),
        request("thread/list", {}),
        of(0, "thread/resume"),
        *talk("three"),
        asked(),
        of(0, "thread/read", includeTurns=True),
    ),
    keeps(
        "recorded in the older way",
        *plant(OLD),
        request("thread/list", {}),
        *(request(f"thread/{what}", {"threadId": OLD.id, **more}) for what, more in OLDER),
        *talk("two"),
        request("thread/read", {"threadId": OLD.id, "includeTurns": True}),
    ),
]

RECORDS_BOTH_WAYS = RECORDS
