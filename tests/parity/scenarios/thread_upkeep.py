"""What is done with conversations besides talking: naming, putting away, deleting, changing."""

from __future__ import annotations

from typing import Any

from codex_trio.testing import Hold, ModelResponse
from tests.parity.scenarios.conversing import model, model_asked, say, talk
from tests.parity.scenarios.keeping import (
    IDS,
    STARTED,
    beside,
    files,
    keeps,
    nth_turn,
    of,
    request,
    start_thread,
)
from tests.parity.scenarios.signing import rounds
from tests.parity.steps import Await, Hear, Step

NAMED = Hear("thread/name/updated")
ARCHIVED = Hear("thread/archived")
UNARCHIVED = Hear("thread/unarchived")
DELETED = Hear("thread/deleted")
REVERTED = Hear("thread/reverted")
SET = Hear("thread/settings/updated")

THREE = (*start_thread(), *talk("one"), *start_thread(), *start_thread(ephemeral=True))
"""A conversation, one in which nothing was said, and one that is not recorded."""


def user(text: str) -> dict[str, Any]:
    """An item of the history."""
    part = {"type": "input_text", "text": text}
    return {"type": "message", "role": "user", "content": [part]}


def under_way() -> tuple[Step, ...]:
    """A turn that does not end by itself, behind one that did."""
    return (
        model("nothing", ModelResponse.of("x", wait=Hold("later"))),
        say("and?"),
        Await(4),
        *[Hear("item/completed")] * 3,
        model_asked(2),
    )


WRONG: dict[str, dict[str, Any]] = {
    "thread/name/set": {"name": "x"},
    "thread/archive": {},
    "thread/unarchive": {},
    "thread/delete": {},
    "thread/metadata/update": {"gitInfo": {"branch": "x"}},
    "thread/revert": {"beforeTurnId": "x"},
    "thread/settings/update": {"model": "x"},
    "thread/goal/get": {},
    "thread/backgroundTerminals/list": {},
    "thread/inject_items": {"items": [user("x")]},
    "thread/compact/start": {},
}

METADATA: list[dict[str, Any]] = [
    {"gitInfo": {"branch": "br", "sha": "abc"}},
    {"gitInfo": {"branch": None}},
    {"gitInfo": {"originUrl": " https://example.com/r.git "}},
    {},
    {"gitInfo": {}},
    {"gitInfo": None},
    {"gitInfo": {"branch": ""}},
    {"gitInfo": 5},
    {"daybreakEnabled": True},
    {"daybreakEnabled": None},
    {"projectId": "x"},
]

SETTINGS: list[dict[str, Any]] = [
    {"model": "gpt-5.6-sol"},
    {"approvalPolicy": "never", "effort": "high", "summary": "none", "personality": "friendly"},
    {"sandboxPolicy": {"type": "dangerFullAccess"}},
    {"sandboxPolicy": {"type": "workspaceWrite"}},
    {"permissions": ":read-only"},
    {"cwd": "/srv"},
    {"serviceTier": "flex"},
    {"serviceTier": "fast"},
    {"serviceTier": None},
    {"collaborationMode": {"mode": "plan", "settings": {"model": "gpt-6-sol"}}},
    {"model": "gpt-5.5"},
    {"effort": "low"},
    {"approvalsReviewer": "guardian_subagent"},
]

NOT_SET: list[dict[str, Any]] = [
    {},
    {"approvalsReviewer": "guardian_subagent"},
    {"sandboxPolicy": {"type": "readOnly"}, "permissions": ":read-only"},
    {"permissions": ":nope"},
    {"approvalPolicy": "x"},
    {"effort": 5},
]

INJECTED: list[Any] = [
    [user("INJECTED"), {"type": "message", "role": "assistant",
                        "content": [{"type": "output_text", "text": "TOO"}]}],
    [],
    [{"type": "nope"}],
    [5],
    [{}],
    "x",
]  # fmt: skip

UPKEEP = [
    keeps(
        "named",
        *THREE,
        *rounds(
            (of(0, "thread/name/set", name=name), NAMED) for name in ["N", "N", " Ä \n b "]
        ),
        of(1, "thread/name/set", name="nothing said"),
        NAMED,
        of(2, "thread/name/set", name="x"),
        *(of(0, "thread/name/set", name=name) for name in ["", "  ", None, 5]),
        of(0, "thread/name/set"),
        of(0, "thread/read"),
        request("thread/list", {"searchTerm": "Ä"}),
        beside(of(0, "thread/name/set", name="by another"), NAMED),
        request("thread/list", {}),
    ),
    keeps(
        "put away, and taken back",
        *THREE,
        of(0, "thread/archive"),
        ARCHIVED,
        of(0, "thread/read"),
        of(0, "thread/read", includeTurns=True),
        *(of(0, method) for method in ("thread/archive", "thread/resume", "thread/fork")),
        of(0, "thread/name/set", name="x"),
        of(0, "turn/start", input=[]),
        request("thread/list", {"archived": True}),
        request("thread/list", {}),
        request("thread/loaded/list", {}),
        files("archived_sessions"),
        of(0, "thread/unarchive"),
        UNARCHIVED,
        of(0, "thread/unarchive"),
        request("thread/list", {}),
        of(0, "thread/resume", excludeTurns=True),
        of(0, "thread/unarchive"),
        *talk("two"),
        of(2, "thread/archive"),
        of(2, "thread/unarchive"),
        of(2, "thread/delete"),
    ),
    keeps(
        "put away while a turn is under way",
        *start_thread(),
        *talk("one"),
        *under_way(),
        of(0, "thread/archive"),
        ARCHIVED,
        of(0, "thread/unarchive"),
        UNARCHIVED,
        of(0, "thread/read", includeTurns=False),
        of(0, "thread/delete"),
        DELETED,
    ),
    keeps(
        "deleted",
        *THREE,
        of(0, "thread/fork", excludeTurns=True),
        STARTED,
        of(0, "thread/delete"),
        of(3, "thread/delete"),
        DELETED,
        of(0, "thread/delete"),
        DELETED,
        of(0, "thread/read"),
        of(0, "thread/delete"),
        of(1, "thread/delete"),
        of(2, "thread/delete"),
        files("sessions"),
        request("thread/loaded/list", {}),
    ),
    keeps(
        "changed with ids that are wrong",
        *(
            request(method, {"threadId": thread_id, **params})
            for method, params in WRONG.items()
            for thread_id in IDS
        ),
        *(request(method, {}) for method in WRONG),
    ),
    keeps(
        "its metadata",
        *THREE,
        *(of(0, "thread/metadata/update", **one) for one in METADATA),
        of(1, "thread/metadata/update", gitInfo={"branch": "x"}),
        of(2, "thread/metadata/update", gitInfo={"branch": "x"}),
        of(0, "thread/read"),
        request("thread/list", {}),
    ),
    keeps(
        "what it is set to",
        *start_thread(),
        *talk("one"),
        *rounds((of(0, "thread/settings/update", **one), SET) for one in SETTINGS),
        *(of(0, "thread/settings/update", **one) for one in NOT_SET),
        *talk("two"),
        of(0, "thread/resume", excludeTurns=True),
    ),
    keeps(
        "what is put into its history",
        *start_thread(),
        *talk("one"),
        *(of(0, "thread/inject_items", items=items) for items in INJECTED),
        *talk("two"),
        *start_thread(),
        of(1, "thread/inject_items", items=[user("INJECTED")]),
        of(1, "thread/turns/list"),
        of(0, "thread/goal/get"),
        of(0, "thread/backgroundTerminals/list"),
    ),
    keeps(
        "taken back",
        *start_thread(),
        *rounds(talk(said) for said in ("one", "two", "three")),
        of(0, "thread/revert", beforeTurnId=nth_turn(1)),
        REVERTED,
        of(0, "thread/turns/list"),
        of(0, "thread/items/list"),
        *talk("four"),
        of(0, "thread/revert", beforeTurnId="nope"),
        of(0, "thread/revert", beforeTurnId=nth_turn(1)),
        *talk("five"),
        of(0, "thread/read", includeTurns=True),
        beside(of(0, "thread/read")),
        of(0, "thread/revert", beforeTurnId=nth_turn(0)),
        REVERTED,
        of(0, "thread/turns/list"),
        *talk("six"),
        of(0, "thread/turns/list"),
    ),
    keeps(
        "taken back on disk",
        beside(
            *start_thread(),
            *rounds(talk(said) for said in ("one", "two")),
            of(0, "thread/revert", beforeTurnId=nth_turn(1)),
            REVERTED,
            *talk("three"),
        ),
        of(0, "thread/revert", beforeTurnId=nth_turn(0)),
        of(0, "thread/resume"),
        *talk("four"),
    ),
]

THREAD_UPKEEP = UPKEEP
