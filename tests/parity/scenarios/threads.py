"""Conversations: how they begin, go on and are left."""

from __future__ import annotations

from typing import Any

import attrs

from codex_trio.testing import Hold, ModelResponse
from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.conversing import (
    DELTA,
    DONE,
    interrupt,
    model,
    opening,
    say,
    talk,
)
from tests.parity.scenarios.keeping import (
    IDS,
    NOBODY,
    STARTED,
    STATUS,
    beside,
    keeps,
    last,
    nth_turn,
    of,
    project,
    request,
    start_thread,
)
from tests.parity.scenarios.signing import rounds
from tests.parity.steps import Await, Hear

MODELS: list[dict[str, Any]] = [
    {},
    {"model": "gpt-5.4"},
    {"model": "mock"},
    {"modelProvider": "openai"},
    {"config": {"model": "gpt-5.4", "model_reasoning_effort": "high"}},
    {"model": "gpt-5.5", "config": {"model": "gpt-5.4"}},
    {"serviceTier": "fast"},
    {"serviceTier": "flex"},
    {"serviceTier": "default"},
    {"serviceTier": None},
    {"personality": "friendly"},
]

POLICIES: list[dict[str, Any]] = [
    {"approvalPolicy": "untrusted"},
    {"approvalPolicy": "never"},
    {"approvalPolicy": {"granular": {"rules": True, "sandbox_approval": False,
                                     "mcp_elicitations": True}}},
    {"approvalsReviewer": "auto_review"},
    {"approvalsReviewer": "guardian_subagent"},
    {"sandbox": "read-only"},
    {"sandbox": "workspace-write"},
    {"sandbox": "danger-full-access"},
    {"sandbox": "workspace-write", "config": {"sandbox_workspace_write.network_access": True}},
    {"config": {"sandbox_mode": "workspace-write",
                "sandbox_workspace_write": {"writable_roots": ["/srv/a"]}}},
    {"permissions": ":read-only"},
    {"permissions": ":workspace"},
    {"permissions": ":danger-full-access"},
]  # fmt: skip

PLACES: list[dict[str, Any]] = [
    {"cwd": "/nonexistent/dir"},
    {"runtimeWorkspaceRoots": [project, "/srv/a"]},
    {"environments": []},
    {"environments": [{"environmentId": "local", "cwd": "/srv"}]},
    {"ephemeral": True},
    {"historyMode": "legacy"},
    {"historyMode": "paginated"},
    {"threadSource": "user"},
    {"threadSource": "whatever"},
    {"serviceName": "svc"},
    {"sessionStartSource": "clear"},
    {"dynamicTools": []},
    {"experimentalRawEvents": True},
    {"multiAgentMode": "proactive"},
    {"daybreakEnabled": True},
    {"allowProviderModelFallback": True},
    {"mockExperimentalField": "a"},
    {"persistExtendedHistory": False},
    {"baseInstructions": "BASE", "developerInstructions": "DEVELOPER"},
]

BAD: list[Any] = [
    {"modelProvider": "nope"},
    {"approvalPolicy": "on-failure"},
    {"approvalPolicy": 5},
    {"sandbox": "x"},
    {"config": {"model": 5}},
    {"config": 5},
    {"config": {"model_provider": "nope"}},
    {"permissions": ":nope"},
    {"permissions": ":workspace", "sandbox": "read-only"},
    {"environments": [{"environmentId": "nope", "cwd": "/srv"}]},
    {"projectId": "p1"},
    {"historyMode": "x"},
    {"personality": "x"},
    {"sessionStartSource": "x"},
    {"cwd": 5},
    {"model": 5},
    {"ephemeral": "x"},
]

UNSTABLE = (
    *("dynamicTools", "experimentalRawEvents", "environments", "permissions"),
    *("runtimeWorkspaceRoots", "historyMode", "multiAgentMode", "daybreakEnabled", "projectId"),
    *("mockExperimentalField", "selectedCapabilityRoots", "allowProviderModelFallback"),
)

NOTHING: tuple[Any, ...] = ([], None)

STARTING = [
    keeps(f"begun with {name}", *rounds(start_thread(**one) for one in wishes))
    for name, wishes in {"models": MODELS, "policies": POLICIES, "places": PLACES}.items()
]
STARTING += [
    keeps(
        "begun wrongly",
        *(request("thread/start", one) for one in BAD),
        request("thread/start"),
        request("thread/start", None),
        request("thread/start", []),
    ),
]


def of_the_stable_interface(scenario: Scenario) -> Scenario:
    """The same script, of a client that does without what is experimental."""
    return attrs.evolve(scenario, steps=[OPEN, *scenario.steps[1:]])


UNSTABLE_STARTED = keeps(
    "begun with what is not stable",
    *(
        request("thread/start", {"cwd": project, name: value})
        for value in NOTHING
        for name in UNSTABLE
    ),
    request("thread/start", {"approvalPolicy": {"granular": {}}}),
    request("thread/resume", {"threadId": NOBODY, "history": []}),
    request("thread/resume", {"threadId": NOBODY, "path": "/x"}),
    request("thread/resume", {"threadId": NOBODY, "initialTurnsPage": {}}),
    request("thread/fork", {"threadId": NOBODY, "path": "/x"}),
    request("thread/fork", {"threadId": NOBODY, "beforeTurnId": "x"}),
)

COLD = {"excludeTurns": True}
"""How a conversation is resumed by who wants to read it by the page."""

RESUMING: list[dict[str, Any]] = [
    {},
    COLD,
    {**COLD, "initialTurnsPage": {}},
    {"initialTurnsPage": {"limit": 1, "itemsView": "full"}},
    {"initialTurnsPage": {"sortDirection": "asc", "itemsView": "notLoaded", "limit": 1}},
    {"model": "gpt-5.4", "approvalPolicy": "never"},
    {"path": None},
    {"path": last("thread", "path")},
    {"path": "/nonexistent/x.jsonl"},
    {"path": "x.jsonl"},
    {"model": 5},
    {"history": []},
    {"cwd": project, "history": [{"type": "message", "role": "user", "content": []}]},
]

SAID_BEFORE = (*start_thread(), *talk("one"), *talk("two"))

RESUMED = [
    keeps(
        "resumed while it is loaded",
        *SAID_BEFORE,
        *(of(0, "thread/resume", **one) for one in RESUMING),
    ),
    keeps(
        "resumed from disk",
        beside(*rounds((*start_thread(), *talk("one")) for _ in RESUMING)),
        *(of(number, "thread/resume", **one) for number, one in enumerate(RESUMING)),
    ),
    keeps(
        "resumed, and gone on with",
        beside(*start_thread(model="gpt-5.4", approvalPolicy="never"), *talk("one")),
        of(0, "thread/resume", **COLD),
        *talk("two"),
        of(0, "thread/resume"),
    ),
    keeps(
        "resumed wrongly",
        *(request("thread/resume", {"threadId": thread_id}) for thread_id in IDS),
        *(request("thread/fork", {"threadId": thread_id}) for thread_id in IDS),
        request("thread/resume", {}),
        request("thread/resume"),
        *start_thread(),
        of(0, "thread/resume"),
        of(0, "thread/fork"),
        *start_thread(ephemeral=True),
        of(1, "thread/resume"),
        of(1, "thread/fork"),
        request("thread/resume", {"threadId": NOBODY, "history": []}),
    ),
]

FORKING: list[dict[str, Any]] = [
    {"path": last("thread", "path")},
    {},
    COLD,
    {"lastTurnId": nth_turn(0)},
    {"beforeTurnId": nth_turn(1)},
    {"beforeTurnId": nth_turn(0)},
    {**COLD, "ephemeral": True},
    {**COLD, "threadSource": "user", "model": "gpt-5.4", "approvalPolicy": "never"},
]

FORKED_WRONGLY: list[dict[str, Any]] = [
    {**COLD, "lastTurnId": "nope"},
    {**COLD, "beforeTurnId": "nope"},
    {"beforeTurnId": nth_turn(0), "lastTurnId": nth_turn(0)},
    {"ephemeral": True},
    {"path": "/nonexistent/x.jsonl"},
    {"path": "x.jsonl"},
    {"path": ""},
    {"model": 5},
]

NAMED = of(0, "thread/name/set", name="Its name")

FORKED = [
    keeps(
        "forked",
        *SAID_BEFORE,
        NAMED,
        Hear("thread/name/updated"),
        *rounds((of(0, "thread/fork", **one), STARTED) for one in FORKING),
        *(of(0, "thread/fork", **one) for one in FORKED_WRONGLY),
    ),
    keeps(
        "forked, and gone on with",
        *SAID_BEFORE,
        of(0, "thread/fork", beforeTurnId=nth_turn(1)),
        STARTED,
        *talk("other two"),
        of(1, "thread/fork", excludeTurns=True),
        STARTED,
        *talk("other three"),
        of(2, "thread/fork", ephemeral=True, excludeTurns=True),
        STARTED,
        *talk("other four"),
        *(of(number, "thread/read", includeTurns=True) for number in range(4)),
    ),
    keeps(
        "forked from disk",
        beside(*start_thread(), *talk("one"), *talk("two")),
        of(0, "thread/fork", beforeTurnId=nth_turn(1)),
        STARTED,
        *talk("other two"),
        request("thread/loaded/list", {}),
        of(0, "thread/read"),
        of(1, "thread/read"),
    ),
    keeps(
        "forked while a turn is under way",
        *start_thread(),
        *talk("one"),
        model("something, and no end", ModelResponse.of(*opening("a"), Hold("later"))),
        say("two"),
        Await(4),
        DELTA,
        DELTA,
        of(0, "thread/fork", excludeTurns=True),
        STARTED,
        of(0, "thread/resume"),
        interrupt(),
        Await(6),
        DONE,
    ),
]

LEFT = [
    keeps(
        "left by who follows it",
        *start_thread(),
        *talk("one"),
        of(0, "thread/unsubscribe"),
        of(0, "thread/unsubscribe"),
        request("thread/loaded/list", {}),
        say("nobody hears it"),
        Await(4),
        *[STATUS] * 4,  # of both turns
        of(0, "thread/resume", excludeTurns=True),
        *talk("two"),
        *(request("thread/unsubscribe", {"threadId": thread_id}) for thread_id in IDS),
        request("thread/unsubscribe", {}),
    ),
    keeps(
        "which are loaded",
        request("thread/loaded/list", {}),
        *rounds(start_thread(ephemeral=one) for one in (True, False, False)),
        *(
            request("thread/loaded/list", params)
            for params in [
                {},
                {"limit": 0},
                {"limit": 2},
                {"limit": 2, "cursor": last("nextCursor")},
                {"limit": 3},
                {"cursor": "bad"},
                {"cursor": ""},
                {"cursor": NOBODY},
                {"cursor": None, "limit": None},
                {"limit": -1},
                {"limit": "x"},
                ...,
            ]
        ),
    ),
]

THREADS = [*STARTING, of_the_stable_interface(UNSTABLE_STARTED), *RESUMED, *FORKED, *LEFT]
