"""Turns that end well: what a model says, thinks and wants, and what it is asked."""

from __future__ import annotations

from typing import Any

import attrs

from codex_trio.testing import (
    Completed,
    CustomToolCall,
    FunctionCall,
    Item,
    ModelResponse,
    RateLimits,
    Reasoning,
    Text,
    Usage,
)
from tests.parity.run import OPEN
from tests.parity.scenarios.asking import ask
from tests.parity.scenarios.conversing import (
    begin,
    converses,
    interrupt,
    model,
    of_thread,
    say,
    talk,
    text,
)
from tests.parity.scenarios.signing import rounds
from tests.parity.steps import Await, Step

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)

SAID: dict[str, tuple[Any, ...]] = {
    "a message without an id": (Text("a", item_id=None),),
    "a message that was not announced": (Text("a b", added=False, item_id="msg_1"),),
    "a whole message": (Text("a b", deltas=0, item_id="msg_1"),),
    "nothing in a message": (Text("", item_id="msg_1"),),
    "two messages": (
        Text("a", phase="commentary", item_id="msg_1"),
        Text("b", phase="final_answer", item_id="msg_2"),
    ),
    "two parts": (
        Item(
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": "a"},
                    {"type": "output_text", "text": "b"},
                ],
            }
        ),
    ),
    "a web search": (
        Item(
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {"type": "search", "query": "q"},
            }
        ),
        Text("found", item_id="msg_1"),
    ),
    "an item of no known kind": (
        Item({"type": "bogus", "id": "x_1"}),
        Text("a", item_id="m-1"),
    ),
    "what a tool says": (
        Item({"type": "function_call_output", "call_id": "call_1", "output": "x"}),
        Text("a", item_id="msg_1"),
    ),
    "events of no known kind": ({"type": "codex.rate_limits"}, b": a comment\n\n", "a"),
    "nothing": (),
    "nothing of what it costs": (Text("a", item_id="msg_1"), Completed(usage=None)),
    "what it costs": (
        Text("a", item_id="msg_1"),
        Completed(
            usage=Usage(
                cached_tokens=40, cache_write_tokens=7, reasoning_tokens=5, total_tokens=1000
            )
        ),
    ),
}

REFUSAL = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "content": [{"type": "refusal", "refusal": "no"}],
}

WANTED: dict[str, tuple[Any, ...]] = {
    "a tool": (FunctionCall("nope", {"a": 1}, call_id="call_1", item_id="fc_1"),),
    "a tool of a server": (
        FunctionCall("nope", "{}", namespace="mcp__x", call_id="call_1", item_id="fc-1"),
    ),
    "a tool that takes text": (CustomToolCall("nope", "x", call_id="call_1", item_id="ctc_1"),),
    "two tools": (
        Text("I will", item_id="msg_1"),
        FunctionCall("nope", call_id="call_1", item_id="fc_1"),
        FunctionCall("nope", call_id="call_2", item_id="fc_2"),
    ),
    "to go on": (Text("well", item_id="msg_1"), Completed(end_turn=False)),
    "a tool, and to stop": (
        FunctionCall("nope", call_id="call_1", item_id="fc_1"),
        Completed(end_turn=True),
    ),
}

LIMITS = [
    ModelResponse.of(
        "a",
        rate_limits=RateLimits(
            primary_used_percent=42.5,
            primary_window_minutes=300,
            primary_reset_at=1900000000,
            secondary_used_percent=10.4,
            has_credits=True,
            unlimited=False,
            balance="12.5",
        ),
    ),
    ModelResponse.of("b"),
    ModelResponse.of(
        "c",
        rate_limits=[
            RateLimits(primary_used_percent=5),
            RateLimits(family="other", limit_name="Other", primary_used_percent=0),
        ],
    ),
    ModelResponse.of("d", headers={"x-codex-primary-used-percent": "many"}),
]

INPUTS: dict[str, list[Any]] = {
    "a picture": [text("see"), {"type": "image", "url": PIXEL}],
    "a picture, small": [{"type": "image", "url": PIXEL, "detail": "low"}],
    "a picture elsewhere": [{"type": "image", "url": "https://example.com/a.png"}],
    "a picture that is none": [{"type": "image", "url": "data:image/png;base64,eA=="}],
    "a file that is not there": [{"type": "localImage", "path": "/nonexistent/a.png"}],
    "a file that is no picture": [{"type": "localImage", "path": "/etc/passwd"}],
    "a skill and a mention": [
        text("go"),
        {"type": "skill", "name": "x", "path": "/nonexistent/SKILL.md"},
        {"type": "mention", "name": "y", "path": "app://y"},
    ],
    "nothing": [],
    "an empty text": [text("")],
    "too much": [text("x" * 2**19), text("y" * (2**19 + 1))],
    "no known kind": [{"type": "nope"}],
}

SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}

OVERRIDES: list[dict[str, Any]] = [
    {"effort": "high", "summary": "detailed"},
    {"effort": "high"},
    {"summary": "none"},
    {"outputSchema": SCHEMA},
    {"serviceTier": "fast"},
    {"personality": "friendly"},
    {"approvalPolicy": "never"},
    {"sandboxPolicy": {"type": "dangerFullAccess"}},
    {"model": "mock"},
    {},
]

BAD: dict[str, dict[str, Any]] = {
    "turn/start": {"input": []},
    "turn/steer": {"input": [], "expectedTurnId": "x"},
    "turn/interrupt": {"turnId": "x"},
    "thread/compact/start": {},
    "thread/inject_items": {"items": []},
}

IDS = ["00000000-0000-7000-8000-000000000000", "zzz", ""]


def all_of(steps: dict[str, tuple[Any, ...]]) -> list[Step]:
    """A turn for each way to respond, in a conversation of its own."""
    return rounds(
        [
            *begin(),
            model(name, ModelResponse.of(*parts)),
            *talk("hi"),
            *talk("and?"),
        ]
        for name, parts in steps.items()
    )


TURNS = [
    converses(
        "two of them",
        *begin(),
        model("Hello", Text("Hello there", item_id="msg_1")),
        *talk("hi"),
        model("again", Text("Well, again", item_id="msg-2")),
        *talk("again", clientUserMessageId="mine"),
    ),
    converses("a model that nobody knows", *begin(), *talk("a"), *talk("b"), model_name="mock"),
    converses("another model", *begin(), *talk("a"), model_name="gpt-6.1-sol"),
    converses(
        "what the model thinks",
        *begin(),
        model(
            "with a summary",
            ModelResponse.of(
                Reasoning(["one two", "three"], raw="raw text", encrypted="E", item_id="rs_1"),
                Text("so", item_id="msg_1"),
            ),
            ModelResponse.of(Reasoning(encrypted="E", item_id="rs-2"), "so"),
        ),
        *talk("a"),
        *talk("b"),
        *talk("c"),
    ),
    converses("what the model says", *all_of(SAID)),
    converses("what the model wants", *all_of(WANTED)),
    converses("the model refuses", *all_of({"a refusal": (Item(REFUSAL),)})),
    converses(
        "what may still be used",
        *begin(),
        model("four times", *LIMITS),
        *(step for said in "abcd" for step in talk(said)),
    ),
    converses(
        "another model responds",
        *begin(),
        model(
            "in the head and in the events",
            ModelResponse.of("a", headers={"openai-model": "gpt-5.2"}),
            ModelResponse.of("b", model="gpt-5.2"),
            ModelResponse.of("c", headers={"openai-model": "GPT-5.5"}),
        ),
        *(step for said in "abc" for step in talk(said)),
    ),
    converses(
        "what a user says",
        *begin(),
        *rounds(
            [say(*parts)] if name in ("too much", "no known kind", "a picture elsewhere") else
            [say(*parts), Await(4), *talk("x")[2:]]
            for name, parts in INPUTS.items()
        ),
    ),
    converses("what a turn sets", *begin(), *rounds(talk("x", **one) for one in OVERRIDES)),
    converses(
        "what the model is told first",
        *begin(baseInstructions="BASE", developerInstructions="DEVELOPER"),
        *talk("x"),
        files={"AGENTS.md": "GLOBAL\n", "project/AGENTS.md": "PROJECT\n"},
    ),
    converses(
        "what is said wrongly",
        *rounds(
            [ask(method, {"threadId": thread_id, **params})]
            for method, params in BAD.items()
            for thread_id in IDS
        ),
        *begin(),
        *rounds([of_thread(method, 4, **params), Await(4)] for method, params in BAD.items()
            if method not in ("turn/start", "thread/compact/start")),
        of_thread("turn/start", 4), Await(4),
        of_thread("turn/start", 4, input="hi"), Await(4),
        of_thread("turn/interrupt", 4), Await(4),
        interrupt(turn_id=""), Await(6),
    ),
]  # fmt: skip

PLAIN = attrs.evolve(TURNS[0], name="turn: a client of the stable interface")
TURNS.append(attrs.evolve(PLAIN, steps=[OPEN, *PLAIN.steps[1:]]))
