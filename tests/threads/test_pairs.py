"""Calls of tools and what was said to them: a host refuses one without the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.threads.context import paired
from tests.threads.conversing import Conversation
from tests.threads.records import said

if TYPE_CHECKING:
    from codex_trio.testing import StandIn, WireClient

OUTPUTS = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "local_shell_call": "function_call_output",
}


def call(kind: str, call_id: str = "c") -> dict[str, Any]:
    more: dict[str, dict[str, Any]] = {
        "function_call": {"name": "x", "arguments": "{}"},
        "custom_tool_call": {"name": "x", "input": ""},
        "local_shell_call": {"action": {"type": "exec", "command": ["ls"]}},
    }
    return {"type": kind, "call_id": call_id, **more[kind]}


def output(kind: str, call_id: str = "c", text: str = "done") -> dict[str, Any]:
    return {"type": OUTPUTS[kind], "call_id": call_id, "output": text}


def tools(items: list[Any]) -> list[tuple[str, str, str | None]]:
    """What is said of tools, in short."""
    return [
        (one["type"], one["call_id"], one.get("output")) for one in items if "call_id" in one
    ]


@pytest.mark.parametrize("kind", OUTPUTS)
async def test_what_a_client_brings_alone_is_completed(
    talk: Conversation, stand_in: StandIn, kind: str
) -> None:
    await talk.run("one")
    items = [call(kind, "alone"), output(kind, "of nothing")]
    await talk.client.call("thread/inject_items", {"threadId": talk.id, "items": items})
    await talk.run("two")
    told = tools(stand_in.response_requests[-1].json["input"])
    assert told == [(kind, "alone", None), (OUTPUTS[kind], "alone", "aborted")]


async def test_a_history_that_a_client_brings_is_completed(
    client: WireClient, stand_in: StandIn
) -> None:
    history = [said("user", "one", "msg_1"), call("function_call"), output("custom_tool_call")]
    answer = await client.call("thread/resume", {"threadId": "", "history": history})
    talk = Conversation(client, answer["thread"]["id"], answer["thread"])
    await talk.run("two")
    told = tools(stand_in.response_requests[-1].json["input"])
    assert told == [("function_call", "c", None), ("function_call_output", "c", "aborted")]


FC, FO = "function_call", "function_call_output"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ([call(FC), output(FC)], [(FC, "c", None), (FO, "c", "done")]),
        ([output(FC), call(FC)], [(FC, "c", None), (FO, "c", "aborted")]),
        ([call(FC), output(FC), output(FC)], [(FC, "c", None), (FO, "c", "done")]),
        (
            [call(FC), output(FC), call(FC)],
            [(FC, "c", None), (FO, "c", "done"), (FC, "c", None), (FO, "c", "aborted")],
        ),
        (
            [call(FC), call(FC), output(FC)],
            [(FC, "c", None), (FO, "c", "aborted"), (FC, "c", None), (FO, "c", "done")],
        ),
        (
            [call(FC, "a"), call(FC, "b"), output(FC, "b"), output(FC, "a")],
            [(FC, "a", None), (FC, "b", None), (FO, "b", "done"), (FO, "a", "done")],
        ),
        (
            [call(FC), output("custom_tool_call"), output(FC)],
            [(FC, "c", None), (FO, "c", "done")],
        ),
    ],
)
def test_every_call_has_one_output_behind_it(given: list[Any], sent: list[Any]) -> None:
    assert tools(paired(given)) == sent
    assert paired([said("user", "one", "m"), *given])[0]["type"] == "message"
