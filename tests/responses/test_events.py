"""What events mean, and what is made of those that mean nothing."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_trio.responses import events
from codex_trio.responses.events import Completed, Created, Usage, decode_event
from codex_trio.responses.failures import ResponseError

NUMBERED = [
    ("response.reasoning_text.delta", "content_index", events.ReasoningDelta),
    ("response.reasoning_summary_text.delta", "summary_index", events.SummaryDelta),
]


def decode(kind: str, **members: object) -> object:
    return decode_event(orjson.dumps({"type": kind, **members}))


def test_text() -> None:
    kind = "response.output_text.delta"
    assert decode(kind, item_id="m", delta="a") == events.TextDelta("m", "a")
    assert decode(kind, delta="") == events.TextDelta(None, "")
    assert decode(kind, item_id=5, delta="a") == events.TextDelta(None, "a")
    assert decode(kind, item_id="m") is None
    assert decode(kind, delta=5) is None


@pytest.mark.parametrize(("kind", "index", "event"), NUMBERED)
def test_reasoning(kind: str, index: str, event: type) -> None:
    assert decode(kind, delta="a", **{index: 2}) == event(2, "a")
    for members in (
        {index: 2},
        {"delta": "a"},
        {"delta": 5, index: 2},
        {"delta": "a", index: True},
    ):
        assert decode(kind, **members) is None


def test_a_part_of_a_summary() -> None:
    kind = "response.reasoning_summary_part.added"
    assert decode(kind, summary_index=1) == events.SummaryPartAdded(1)
    assert decode(kind) is None


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("response.output_item.added", events.ItemAdded),
        ("response.output_item.done", events.ItemDone),
    ],
)
def test_items_come_as_they_are(kind: str, event: type) -> None:
    item = {"type": "whatever", "x": [{"y": None}]}
    assert decode(kind, item=item) == event(item)
    assert "whatever" not in repr(event(item))
    wrong: list[object] = [None, [], "item", {}, {"type": 5}]
    assert [decode(kind, item=one) for one in wrong] == [None] * 5
    assert decode(kind) is None


def test_an_item_that_could_not_be_passed_on_is_none() -> None:
    deep = b'{"type":"response.output_item.done","item":{"type":"m","x":%s1%s}}'
    assert decode_event(deep % (b"[" * 100, b"]" * 100)) is not None
    assert decode_event(deep % (b"[" * 500, b"]" * 500)) is None


def test_the_beginning() -> None:
    kind = "response.created"
    assert decode(kind, response={"id": "r", "model": "x"}) == Created(None)
    told = {"headers": {"OpenAI-Model": "gpt-x"}}
    assert decode(kind, response=told) == Created("gpt-x")
    assert decode(kind, response={"headers": {"openai-model": 5}}) == Created(None)
    assert decode(kind, response={"headers": {"openai-model": ""}}) == Created(None)
    assert decode(kind, response={"headers": 5}) == Created(None)
    assert decode(kind) is None


def test_the_end() -> None:
    kind = "response.completed"
    assert decode(kind, response={"id": "r"}) == Completed("r", None, None)
    assert decode(kind, response={"id": "r", "end_turn": False}) == Completed("r", None, False)
    assert decode(kind, response={"id": "r", "end_turn": "no"}) == Completed("r", None, None)
    assert decode(kind) is None
    assert decode(kind, response=None) is None


@pytest.mark.parametrize(
    ("response", "reason"),
    [({}, "missing field `id`"), ({"id": 5}, "`id` is not a string")],
)
def test_an_end_without_a_name(response: object, reason: str) -> None:
    with pytest.raises(ResponseError) as caught:
        decode("response.completed", response=response)
    assert caught.value.message == (
        f"stream disconnected before completion: failed to parse ResponseCompleted: {reason}"
    )
    assert caught.value.retry


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (
            {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11},
            Usage(input_tokens=5, output_tokens=6, total_tokens=11),
        ),
        (
            {
                "input_tokens": 5,
                "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2},
                "output_tokens": 6,
                "output_tokens_details": {"reasoning_tokens": 4},
                "total_tokens": 11,
            },
            Usage(
                input_tokens=5,
                cached_input_tokens=1,
                cache_write_input_tokens=2,
                output_tokens=6,
                reasoning_output_tokens=4,
                total_tokens=11,
            ),
        ),
        (
            {
                "input_tokens": 5,
                "input_tokens_details": None,
                "output_tokens": 6,
                "output_tokens_details": {"reasoning_tokens": "4"},
                "total_tokens": 11,
            },
            Usage(input_tokens=5, output_tokens=6, total_tokens=11),
        ),
        ({"input_tokens": 5, "output_tokens": 6}, None),
        ({"input_tokens": 5, "total_tokens": 6}, None),
        ({"input_tokens": "5", "output_tokens": 6, "total_tokens": 11}, None),
        ({"input_tokens": 1e300, "output_tokens": 6, "total_tokens": 11}, None),
        (None, None),
        (7, None),
    ],
)
def test_what_an_answer_has_taken(told: object, usage: Usage | None) -> None:
    response = {"id": "r", "usage": told}
    assert decode("response.completed", response=response) == Completed("r", usage, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[DONE]",
        b"[1, 2]",
        b"5",
        b"null",
        b'"type"',
        b"{}",
        b'{"type": 5}',
        b'{"type": ["response.created"]}',
        b'{"type": "response.done", "response": {"id": "r"}}',
        b'{"type": "error", "message": "boom"}',
        b'{"type": "codex.rate_limits"}',
        b'{"type": "response.output_text.delta", "delta": "\xff"}',
        b'{"type": "response.output_text.delta", "delta": "\\ud800"}',
        b'{"type": "response.output_text.delta", "delta": "half',
        b"[" * 5000,
    ],
)
def test_what_means_nothing_is_passed_over(data: bytes) -> None:
    assert decode_event(data) is None


KINDS = [
    "response.output_text.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_part.added",
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.completed",
    "response.failed",
    "response.incomplete",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "error", "code", "message", "usage", "headers", "type", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=5,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["response", "item", "delta", "item_id", "summary_index", "content_index"]),
    JSON,
)


# Making values takes its time on a busy machine; reading them does not.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(KINDS), MEMBERS)
def test_nothing_that_a_host_says_is_a_fault_of_ours(
    kind: str, members: dict[str, object]
) -> None:
    try:
        event = decode(kind, **members)
    except ResponseError as error:
        orjson.dumps([error.message, error.info])
    else:
        assert event is None or isinstance(event, events.Event)
