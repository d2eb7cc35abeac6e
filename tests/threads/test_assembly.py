"""From the events of a response to items, and what is told of them."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
import trio

from codex_trio.rpc.client import Client, Unsaid
from codex_trio.threads.assembly import Assembly
from codex_trio.threads.followers import Followers


class Heard:
    """An assembly, and what somebody hears of it."""

    def __init__(self) -> None:
        outbox, self._queue = trio.open_memory_channel[bytes | Unsaid](math.inf)
        followers = Followers()
        followers.add(Client(outbox, trio.CancelScope()))
        self.assembly = Assembly(followers, "thread", "turn")

    def finish(self, item: Any) -> Any:
        """Finish an item as a turn does."""
        shown = self.assembly.finish(item)
        if shown is not None:
            self.assembly.complete(shown)
        return shown

    @property
    def told(self) -> list[tuple[str, Any]]:
        """What was told since it was asked for last: the method, and the item or the delta."""
        told = []
        while self._queue.statistics().current_buffer_used:
            message = self._queue.receive_nowait()
            assert isinstance(message, bytes)
            one = orjson.loads(message)
            params = one["params"]
            assert (params["threadId"], params["turnId"]) == ("thread", "turn")
            what = params.get("item", params.get("delta", params.get("summaryIndex")))
            told.append((one["method"].removeprefix("item/"), what))
        return told

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.told]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def message(text: str, **more: Any) -> Any:
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "role": "assistant", "id": "m", "content": content, **more}


def test_a_message_grows(heard: Heard) -> None:
    heard.assembly.add_item(message("pre"))
    heard.assembly.add_text("one ")
    heard.assembly.add_text("two")
    heard.finish(message("as it is in the end"))
    (begun, item), one, two, (ended, whole) = heard.told
    assert (begun, item["text"]) == ("started", "pre")
    assert (one, two) == (("agentMessage/delta", "one "), ("agentMessage/delta", "two"))
    assert (ended, whole["text"], whole["id"]) == ("completed", "as it is in the end", "m")


def test_what_was_not_announced_begins_when_it_is_there(heard: Heard) -> None:
    heard.assembly.add_text("of nothing")
    shown = heard.finish(message("whole"))
    assert [(method, item["text"]) for method, item in heard.told] == [
        ("started", "whole"), ("completed", "whole"),
    ]  # fmt: skip
    assert shown.text == "whole"


def test_who_gives_no_id_is_given_one_and_keeps_it(heard: Heard) -> None:
    anonymous = message("x")
    del anonymous["id"]
    heard.assembly.add_item(anonymous)
    heard.finish(anonymous)
    ids = {item["id"] for _, item in heard.told}
    assert len(ids) == 1
    assert ids.pop().startswith("msg_")


@pytest.mark.parametrize(
    ("given", "shown"), [("commentary", "commentary"), ("nonsense", None), (7, None)]
)
def test_the_phase_is_passed_on_if_it_is_one(
    heard: Heard, given: Any, shown: str | None
) -> None:
    assert heard.finish(message("x", phase=given)).phase == shown


def test_the_phase_of_the_beginning_counts_until_there_is_another(heard: Heard) -> None:
    heard.assembly.add_item(message("", phase="commentary"))
    assert heard.finish(message("x")).phase == "commentary"


def test_several_parts_are_one_text(heard: Heard) -> None:
    parts = [
        {"type": "output_text", "text": "a"},
        {"type": "refusal", "refusal": "b"},
        {"type": "output_text", "text": 7},
        "c",
    ]
    assert heard.finish({**message(""), "content": parts}).text == "ab"


def test_what_has_come_of_a_message_can_be_taken_once(heard: Heard) -> None:
    assert heard.assembly.take_partial() is None
    heard.assembly.add_item(message(""))
    assert heard.assembly.take_partial() is None
    heard.assembly.add_item(message("pre "))
    heard.assembly.add_text("some")
    partial = heard.assembly.take_partial()
    assert partial is not None
    assert partial.text == "pre some"
    assert heard.assembly.take_partial() is None
    heard.assembly.add_item(message(""))
    heard.assembly.add_text("x")
    heard.finish(message("x"))
    assert heard.assembly.take_partial() is None


def test_reasoning_grows_in_its_parts(heard: Heard) -> None:
    item = {"type": "reasoning", "id": "r", "summary": []}
    heard.assembly.add_item(item)
    heard.assembly.add_summary_part(0)
    heard.assembly.add_summary(0, "why")
    heard.assembly.add_reasoning(0, "because")
    shown = heard.finish(
        {
            **item,
            "summary": [{"type": "summary_text", "text": "why"}],
            "content": [{"type": "reasoning_text", "text": "because"}],
        }
    )
    assert (shown.summary, shown.content) == (["why"], ["because"])
    assert heard.methods == [
        "started",
        "reasoning/summaryPartAdded",
        "reasoning/summaryTextDelta",
        "reasoning/textDelta",
        "completed",
    ]


def test_reasoning_of_nothing_is_not_told(heard: Heard) -> None:
    heard.assembly.add_summary_part(0)
    heard.assembly.add_summary(0, "x")
    heard.assembly.add_reasoning(0, "x")
    assert heard.told == []
    heard.finish({"type": "reasoning", "summary": 7, "content": None})
    assert heard.methods == ["started", "completed"]


@pytest.mark.parametrize(
    ("action", "query", "shown"),
    [
        (
            {"type": "search", "query": "q"},
            "q",
            {"type": "search", "query": "q", "queries": None},
        ),
        ({"type": "open_page", "url": "u"}, "u", {"type": "openPage", "url": "u"}),
        (
            {"type": "find_in_page", "url": "u", "pattern": "p"},
            "u",
            {"type": "findInPage", "url": "u", "pattern": "p"},
        ),
        (
            {"type": "search", "query": 7, "queries": ["q", 7]},
            "",
            {"type": "search", "query": None, "queries": ["q"]},
        ),
        ({"type": "nonsense"}, "", {"type": "other"}),
        (None, "", {"type": "other"}),
    ],
)
def test_what_the_host_looks_up_is_shown(
    heard: Heard, action: Any, query: str, shown: Any
) -> None:
    item = {"type": "web_search_call", "id": "ws_1", "action": action}
    whole = heard.finish(item)
    assert (whole.query, whole.action) == (query, shown)
    heard.assembly.add_item({"type": "web_search_call", "id": "ws_2"})
    assert heard.finish({**item, "id": "other"}).id == "ws_2"
    assert heard.methods == ["started", "completed"] * 2


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call", "name": "x"},
        {"type": "message", "role": "user", "content": []},
        {"type": "nobody knows"},
    ],
)
def test_what_is_not_shown_is_not_told(heard: Heard, item: Any) -> None:
    heard.assembly.add_item(item)
    assert heard.finish(item) is None
    assert heard.told == []
