"""Items that a client puts into the history by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.errors import RpcError
from codex_trio.testing import Hold, StandIn, Text
from tests.threads.conversing import Conversation, spoken

if TYPE_CHECKING:
    from codex_trio.testing import WireClient


def deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


def message(text: str, **more: Any) -> Any:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **more}


async def inject(talk: Conversation, *items: Any) -> Any:
    return await talk.client.call("thread/inject_items", {"threadId": talk.id, "items": items})


async def test_they_are_sent_behind_what_was_said(
    talk: Conversation, stand_in: StandIn
) -> None:
    await talk.run("one")
    call = {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "done"}
    assert await inject(talk, message("two", id="msg_two"), call, output) == {}
    await talk.run("three")
    request = stand_in.response_requests[-1]
    assert spoken(request)[::2] == ["one", "two"]
    assert spoken(request)[-1] == "three"
    assert request.tool_outputs() == {"c": "done"}
    ids = [item["id"].partition("_")[0] for item in request.input[-4:]]
    assert ids == ["msg", "fc", "fco", "msg"]


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([], "items must not be empty"),
        (["x"], r"items\[0\] is not a valid response item"),
        ([message("fine"), {"no": "type"}], r"items\[1\] is not a valid response item"),
        ([{"type": "message", "role": "user"}], r"items\[0\] is not a valid response item"),
        (
            [{"type": "message", "role": [], "content": []}],
            r"items\[0\] is not a valid response item",
        ),
        ([message("deep", more=deep(250))], r"items\[0\] is not a valid response item"),
    ],
)
async def test_what_no_host_takes_is_refused(
    talk: Conversation, stand_in: StandIn, items: list[Any], reason: str
) -> None:
    with pytest.raises(RpcError, match=reason):
        await inject(talk, *items)
    await talk.run("go on")
    assert spoken(stand_in.response_requests[-1]) == ["go on"]


async def test_what_is_unknown_is_taken_and_not_sent(
    talk: Conversation, stand_in: StandIn
) -> None:
    assert await inject(talk, {"type": "bogus"}) == {}
    await talk.run("go on")
    assert "bogus" not in [item["type"] for item in stand_in.response_requests[-1].input]


async def test_while_a_turn_runs_they_count_from_the_next_request_on(
    client: WireClient, talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"))
    await talk.start()
    await stand_in.wait_held("middle")
    await inject(talk, message("by the way"))
    stand_in.release("middle")
    await talk.ended()
    await talk.run("two")
    assert "by the way" in spoken(stand_in.response_requests[-1])
