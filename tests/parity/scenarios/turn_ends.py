"""How turns end early, go another way, or make a summary: interrupt, steer, join, compact."""

from __future__ import annotations

from codex_trio.testing import Completed, FunctionCall, Hold, ModelResponse, Text, Usage
from tests.parity.scenarios.conversing import (
    DELTA,
    DONE,
    HELD,
    begin,
    converses,
    hears_nothing_more,
    interrupt,
    model,
    model_asked,
    of_thread,
    opening,
    release,
    say,
    steer,
    talk,
    text,
)
from tests.parity.steps import Await, Hear, Step

USER = Hear("item/completed")
HALF = ModelResponse.of(*opening("Half a ", "word"), Hold(HELD))
BEHIND = ModelResponse.of(Text("done", item_id="msg_0"), *opening("more"), Hold(HELD))
NO_HEAD = ModelResponse.of("x", wait=Hold(HELD))
CALL = FunctionCall("nope", call_id="call_1", item_id="fc_1")

AGAIN = talk("and now?")


def half(response: ModelResponse = HALF, name: str = "half a word") -> tuple[Step, ...]:
    """A turn in the middle of a message."""
    return (*begin(), model(name, response), say("hi"), Await(4), DELTA, DELTA)


def compact() -> Step:
    return of_thread("thread/compact/start", 8)


INTERRUPTED = [
    converses(
        "interrupted",
        *half(),
        interrupt(),
        Await(6),
        DONE,
        hears_nothing_more(),
        *AGAIN,
    ),
    converses(
        "interrupted behind a message",
        *half(BEHIND, "a message and a half"),
        interrupt(),
        Await(6),
        DONE,
        *AGAIN,
    ),
    converses(
        "interrupted behind a turn",
        *begin(),
        *talk("a"),
        model("half a word", HALF),
        say("hi"),
        Await(4),
        DELTA,
        DELTA,
        DELTA,
        interrupt(),
        Await(6),
        DONE,
        *AGAIN,
    ),
    converses(
        "interrupted before there is a head",
        *begin(),
        model("nothing", NO_HEAD),
        say("hi"),
        Await(4),
        USER,
        model_asked(1),
        interrupt(),
        Await(6),
        DONE,
        hears_nothing_more(),
        *AGAIN,
    ),
    converses(
        "interrupted before the next try",
        *begin(),
        model("500", ModelResponse.error(500, "m", headers={"Retry-After": "60"})),
        say("hi"),
        Await(4),
        Hear("error"),
        interrupt(),
        Await(6),
        DONE,
        *AGAIN,
        retries=(0, 1),
    ),
    converses(
        "interrupted wrongly",
        *half(),
        interrupt(turn_id="x"),
        Await(6),
        interrupt(),
        Await(6),
        DONE,
        *AGAIN,
        interrupt(),
        Await(6),
        interrupt(turn_id="x"),
        Await(6),
    ),
    converses(
        "interrupted when it is over",
        *half(),
        interrupt(),
        Await(6),
        DONE,
        interrupt(),
        Await(6, patience=1.0),
        *AGAIN,
    ),
]

STEERED = [
    converses(
        "steered",
        *half(),
        steer("wait", clientUserMessageId="mine"),
        Await(5),
        DONE,
        *AGAIN,
    ),
    converses(
        "steered behind a message",
        *half(BEHIND, "a message and a half"),
        steer("wait"),
        Await(5),
        DONE,
    ),
    converses(
        "steered before there is a head",
        *begin(),
        model("late", NO_HEAD),
        say("hi"),
        Await(4),
        USER,
        model_asked(1),
        steer("wait"),
        Await(5),
        release(),
        DONE,
    ),
    converses(
        "steered wrongly",
        *begin(),
        steer("wait", expectedTurnId="x"),
        Await(5),
        model("half a word", HALF),
        say("hi"),
        Await(4),
        DELTA,
        DELTA,
        steer("wait", expectedTurnId=""),
        Await(5),
        steer("wait", expectedTurnId="nope"),
        Await(5),
        steer(""),
        Await(5),
        of_thread("turn/steer", 5, expectedTurnId="nope"),
        Await(5),
        release(),
        DONE,
        steer("late"),
        Await(5),
    ),
    converses(
        "joined",
        *half(),
        say("wait", message_id=9, clientUserMessageId="mine"),
        Await(9),
        DONE,
        *AGAIN,
    ),
]

COMPACTED = [
    converses(
        "compacted",
        *begin(developerInstructions="DEVELOPER"),
        *talk("one"),
        *talk("two"),
        model("a summary", Text("SUMMARY", item_id="msg_s")),
        compact(),
        Await(8),
        DONE,
        *talk("three"),
        model("another summary", Text("SUMMARY2", item_id="msg_s")),
        compact(),
        Await(8),
        DONE,
        *talk("four"),
    ),
    converses(
        "compacted before anything is said",
        *begin(),
        compact(),
        Await(8),
        DONE,
        *talk("one"),
    ),
    converses(
        "compacted in vain",
        *begin(),
        *talk("one"),
        model("400", ModelResponse.error(400, "no")),
        compact(),
        Await(8),
        DONE,
        *talk("two"),
    ),
    converses(
        "compacted, and interrupted",
        *begin(),
        *talk("one"),
        model("nothing", NO_HEAD),
        compact(),
        Await(8),
        Hear("item/started"),
        Hear("item/started"),
        Hear("item/started"),
        model_asked(2),
        say("two"),
        Await(4),
        interrupt(turn_id=""),
        Await(6),
        DONE,
        *talk("two"),
    ),
    converses(
        "compacted as there is too much",
        *begin(),
        model("much", ModelResponse.of("a", Completed(usage=Usage(total_tokens=1000)))),
        *talk("one"),
        model("a summary", Text("SUMMARY", item_id="msg_s")),
        *talk("two"),
        config="model_auto_compact_token_limit = 1000",
    ),
    converses(
        "compacted in the middle",
        *begin(),
        model("much", ModelResponse.of(CALL, Completed(usage=Usage(total_tokens=1000)))),
        model("a summary", Text("SUMMARY", item_id="msg_s")),
        *talk("one"),
        *talk("two"),
        config="model_auto_compact_token_limit = 1000",
    ),
]

INJECTED = [
    converses(
        "items from elsewhere",
        *begin(),
        of_thread(
            "thread/inject_items",
            7,
            items=[
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "said before"}],
                },
                {"type": "bogus"},
            ],
        ),
        Await(7),
        *talk("one"),
        of_thread("thread/inject_items", 7, items=[{"type": "message", "role": "user"}]),
        Await(7),
        of_thread("thread/inject_items", 7, items=["x"]),
        Await(7),
        of_thread(
            "thread/inject_items",
            7,
            items=[
                {"type": "message", "role": "user", "content": [text("no")]},
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "yes"}],
                },
            ],
        ),
        Await(7),
        *talk("two"),
    ),
]

ENDING = [*INTERRUPTED, *STEERED, *COMPACTED, *INJECTED]
