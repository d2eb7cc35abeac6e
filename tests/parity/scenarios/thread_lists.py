"""Lists of conversations: filters, orders, pages; and what is told of one."""

from __future__ import annotations

from typing import Any

from codex_trio.testing import Failed, Hold, ModelResponse, Reasoning, Text
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
    beside,
    keeps,
    last,
    nth,
    nth_turn,
    of,
    request,
    start_thread,
)
from tests.parity.scenarios.planted import Planted, plant
from tests.parity.scenarios.signing import rounds
from tests.parity.steps import Await, Hear

PARENT = {"parent_thread_id": Planted(number=1).id}
CHILD = {"source": {"subagent": {"thread_spawn": {**PARENT, "depth": 1}}}, **PARENT}

FULL = [
    Planted(number=1, said="alpha first"),
    Planted(number=2, said="beta second\nline two " + "x" * 300),
    Planted(number=3, said="gamma", legacy=True),
    Planted(number=4, said="delta", meta={"cwd": "/srv/elsewhere", "source": "cli"}),
    Planted(number=5, said="epsilon", meta={"model_provider": "openai"}),
    Planted(number=6, said="zeta", meta={"source": "exec"}),
    Planted(number=7, said="eta", meta={"source": "mcp"}),
    Planted(number=8, said="theta", meta={"source": "nobody knows"}),
    Planted(number=9, said=None),
    Planted(number=10, said="iota", archived=True),
    Planted(number=11, said="kappa", meta=CHILD),
    Planted(number=12, said="lambda", meta={"source": None, "git": {"commit_hash": "abc", "branch": "main"}}),
]  # fmt: skip

FILTERS: list[dict[str, Any]] = [
    {},
    {"modelProviders": []},
    {"modelProviders": ["openai"]},
    {"modelProviders": ["openai", "stand_in"]},
    {"sourceKinds": []},
    *(
        {"sourceKinds": [kind]}
        for kind in ["cli", "vscode", "exec", "appServer", "unknown", "subAgent",
                     "subAgentThreadSpawn", "subAgentReview"]
    ),
    {"cwd": "/srv/elsewhere"},
    {"cwd": ["/srv/elsewhere/", "/srv/x/../elsewhere"]},
    {"cwd": "elsewhere"},
    {"archived": True},
    {"archived": False},
    {"archived": None},
    {"searchTerm": "alpha"},
    {"searchTerm": "ALPHA"},
    {"searchTerm": "line two"},
    {"searchTerm": ""},
    {"searchTerm": "Its name"},
    {"excludedThreadIds": [Planted(number=1).id]},
    {"sectionId": "x"},
    {"sectionId": None},
    {"parentThreadId": Planted(number=1).id},
    {"ancestorThreadId": Planted(number=1).id},
    {"useStateDbOnly": True},
]  # fmt: skip

PAGES: list[dict[str, Any]] = [
    {"limit": 2},
    {"limit": 0},
    {"limit": 1000},
    {"limit": None, "cursor": None, "sortKey": None, "sortDirection": None},
    *({"limit": 2, "sortKey": key} for key in ["created_at", "updated_at", "recency_at"]),
    *(
        {"limit": 2, "sortKey": key, "sortDirection": "asc"}
        for key in ["created_at", "updated_at", "recency_at"]
    ),
]

WRONG: list[Any] = [
    {"limit": -1},
    {"limit": "x"},
    {"cursor": "bad"},
    {"cursor": ""},
    {"cursor": 5},
    {"cursor": "2030-11-21T13:23:23Z"},
    {"cursor": f"2030-11-21T13:23:23Z|{NOBODY}"},
    {"sortKey": "section_position"},
    {"sortKey": "nope"},
    {"sortDirection": "nope"},
    {"sourceKinds": ["nope"]},
    {"originators": ["x"]},
    {"originators": []},
    {"excludedThreadIds": ["x"]},
    {"projectId": "x"},
    {"projectId": None},
    {"parentThreadId": "bad"},
    {"ancestorThreadId": "bad"},
    {"cwd": 5},
    {"modelProviders": "x"},
    {"archived": "x"},
    {"unknown": 1},
    None,
    ...,
]


def paged(query: dict[str, Any]) -> list[Any]:
    """A list page by page, and back again."""
    other = "desc" if query.get("sortDirection") == "asc" else "asc"
    back = {**query, "sortDirection": other, "cursor": last("backwardsCursor")}
    following = {**query, "cursor": last("nextCursor")}
    return [request("thread/list", one) for one in [query, following, following, back]]


LISTED = [
    keeps("listed", *plant(*FULL), *(request("thread/list", one) for one in FILTERS)),
    keeps("listed by the page", *plant(*FULL[:5]), *rounds(map(paged, PAGES))),
    keeps("listed wrongly", *plant(FULL[0]), *(request("thread/list", one) for one in WRONG)),
]

CURSOR = last("nextCursor")
BACK = last("backwardsCursor")

TURN_PAGES: list[dict[str, Any]] = [
    {},
    {"itemsView": "full"},
    {"itemsView": "notLoaded"},
    {"limit": 2},
    {"limit": 2, "cursor": CURSOR},
    {"limit": 2, "cursor": BACK, "sortDirection": "asc"},
    {"limit": 0},
    {"limit": 9999, "sortDirection": "asc"},
    {"limit": 1, "sortDirection": "asc"},
    {"limit": 1, "sortDirection": "asc", "cursor": CURSOR},
    {"cursor": "bad"},
    {"cursor": NOBODY},
    {"cursor": 5},
    {"limit": -1},
    {"itemsView": "x"},
]

ITEM_PAGES: list[dict[str, Any]] = [
    {},
    {"turnId": nth_turn(1)},
    {"turnId": "nope"},
    {"limit": 2},
    {"limit": 2, "cursor": CURSOR},
    {"limit": 2, "sortDirection": "desc"},
    {"limit": 2, "sortDirection": "desc", "cursor": CURSOR},
    {"limit": 2, "sortDirection": "asc", "cursor": BACK},
    {"limit": 0},
    {"turnId": nth_turn(1), "limit": 1},
    {"cursor": {"type": "item", "itemId": "rs_1"}},
    {"turnId": nth_turn(1), "cursor": {"type": "item", "itemId": "rs_1"}},
    {"turnId": nth_turn(1), "cursor": {"type": "item", "itemId": "nope"}},
    {"turnId": nth_turn(1), "sortDirection": "desc",
     "cursor": {"type": "item", "itemId": "rs_1"}},
    {"cursor": "bad"},
    {"cursor": 5},
    {"limit": -1},
]  # fmt: skip

A_PAST = (
    *start_thread(),
    model("Hello", ModelResponse.of(Text("Hello", item_id="msg_1"))),
    *talk("one"),
    model(
        "what it thinks",
        ModelResponse.of(
            Reasoning(["think"], raw="raw", encrypted="E", item_id="rs_1"),
            Text("so", item_id="msg_2"),
        ),
    ),
    *talk("two"),
    model("nothing but an error", ModelResponse.of(Failed("invalid_prompt", "no"))),
    *talk("three"),
    model("two messages", ModelResponse.of(Text("a", item_id="a"), Text("b", item_id="b"))),
    *talk("four"),
)
"""A conversation with turns of several kinds."""

READ: list[dict[str, Any]] = [{}, {"includeTurns": False}, {"includeTurns": True}]

TOLD = [
    keeps(
        "its past, while it is loaded",
        *A_PAST,
        *(of(0, "thread/turns/list", **page) for page in TURN_PAGES),
        *(of(0, "thread/items/list", **page) for page in ITEM_PAGES),
        *(of(0, "thread/read", **one) for one in READ),
        request("getConversationSummary", {"conversationId": nth(0)}),
        request("thread/list", {}),
        model("something, and no end", ModelResponse.of(*opening("a"), Hold("later"))),
        say("five"),
        Await(4),
        Hear("turn/started"),
        *[DELTA] * 5,
        of(0, "thread/read", includeTurns=True),
        of(0, "thread/turns/list", limit=1),
        of(0, "thread/items/list", limit=1, sortDirection="desc"),
        request("thread/list", {}),
        interrupt(),
        Await(6),
        DONE,
    ),
    keeps(
        "its past, on disk",
        beside(*A_PAST),
        *(of(0, "thread/turns/list", **page) for page in TURN_PAGES),
        *(of(0, "thread/items/list", **page) for page in ITEM_PAGES),
        *(of(0, "thread/read", **one) for one in READ),
        request("getConversationSummary", {"conversationId": nth(0)}),
        request("getConversationSummary", {"rolloutPath": last("thread", "path")}),
        request("thread/list", {}),
        of(0, "thread/resume", initialTurnsPage={"itemsView": "full"}),
        *talk("five"),
        of(0, "thread/read", includeTurns=True),
    ),
    keeps(
        "its past, when there is none",
        *start_thread(),
        *start_thread(ephemeral=True),
        *(
            of(number, method)
            for number in (0, 1)
            for method in ("thread/turns/list", "thread/items/list")
        ),
        *(of(number, "thread/read", **one) for number in (0, 1) for one in READ),
        *talk("one"),
        *(
            of(1, method)
            for method in ("thread/turns/list", "thread/items/list", "thread/read")
        ),
        *(request("getConversationSummary", {"conversationId": nth(n)}) for n in (0, 1)),
        request("thread/list", {}),
    ),
    keeps(
        "its past, asked for wrongly",
        *(
            request(method, {"threadId": thread_id})
            for method in ("thread/read", "thread/turns/list", "thread/items/list")
            for thread_id in IDS
        ),
        request("thread/read", {}),
        request("thread/read", {"threadId": NOBODY, "includeTurns": True}),
        request("thread/read", {"threadId": NOBODY, "includeTurns": "x"}),
        *(
            request("getConversationSummary", params)
            for params in [
                {},
                {"conversationId": NOBODY},
                {"conversationId": "abc"},
                {"rolloutPath": "/nonexistent"},
                {"rolloutPath": "config.toml"},
                {"rolloutPath": "project"},
            ]
        ),
    ),
]

THREAD_LISTS = [*LISTED, *TOLD]
