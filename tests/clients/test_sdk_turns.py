"""The official Python SDK runs turns: to their end, step by step, with changes, into failures."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from openai_codex import (
    ApprovalMode,
    Codex,
    ImageInput,
    Input,
    LocalImageInput,
    Sandbox,
    TextInput,
)
from openai_codex.errors import InvalidRequestError
from openai_codex.types import ReasoningEffort, TurnStatus

from tests.clients.sdk import PICTURE, SLOW, body_of, deltas_of, texts_of, understood
from tests.clients.servers import KEY, MODEL, SDK_MARKS

if TYPE_CHECKING:
    from pathlib import Path

    from openai_codex import CodexConfig

    from codex_trio.testing import StandInProcess

pytestmark = SDK_MARKS


def test_a_turn_is_run(sdk_config: CodexConfig, stand_in_process: StandInProcess) -> None:
    usage = {"input_tokens": 70, "cached_tokens": 30, "output_tokens": 9, "reasoning_tokens": 4}
    parts = [{"reasoning": "Let me see."}, "It is four.", {"completed": True, "usage": usage}]
    stand_in_process.answer({"parts": parts}, "And this is five.")
    with Codex(config=sdk_config) as codex:
        thread = codex.thread_start()
        done = thread.run("What is 2 + 2?")
        assert done.status is TurnStatus.completed
        assert done.error is None
        assert done.final_response == "It is four."
        kinds = [item.root.type for item in done.items]
        assert kinds == ["userMessage", "reasoning", "agentMessage"]
        assert done.usage is not None
        assert done.usage.last.total_tokens == 79
        assert done.usage.last.cached_input_tokens == 30
        assert done.usage.last.reasoning_output_tokens == 4
        assert done.started_at is not None
        assert done.completed_at is not None
        assert done.duration_ms is not None
        assert thread.run("And 2 + 3?").final_response == "And this is five."
    first, second = stand_in_process.response_requests()
    assert first["headers"]["authorization"] == f"Bearer {KEY}"
    assert body_of(first)["model"] == MODEL
    assert texts_of(first, "user")[-1] == "What is 2 + 2?"
    said = texts_of(second, "user", "assistant")
    assert said[-3:] == ["What is 2 + 2?", "It is four.", "And 2 + 3?"]


def test_a_turn_is_streamed(sdk_config: CodexConfig, stand_in_process: StandInProcess) -> None:
    words = ["One, ", "two, ", "three."]
    said = {"text": "".join(words), "deltas": words}
    stand_in_process.answer({"parts": [{"reasoning": ["Let me count."]}, said]})
    with Codex(config=sdk_config) as codex:
        turn = codex.thread_start().turn("Count to three.")
        events = understood(turn.stream())
    methods = [event.method for event in events]
    assert methods[0] == "turn/started"
    assert methods[-1] == "turn/completed"
    assert methods.count("turn/completed") == 1
    assert methods.count("item/started") == methods.count("item/completed") == 3
    assert "thread/tokenUsage/updated" in methods
    assert deltas_of(events, "item/agentMessage/delta") == words
    thoughts = deltas_of(events, "item/reasoning/summaryTextDelta")
    assert "".join(thoughts) == "Let me count."


def test_a_turn_is_interrupted(
    sdk_config: CodexConfig, stand_in_process: StandInProcess
) -> None:
    stand_in_process.answer(SLOW, "Gladly.")
    with Codex(config=sdk_config) as codex:
        thread = codex.thread_start()
        turn = thread.turn("Tell me a story.")
        events = turn.stream()
        for event in events:
            if event.method == "item/agentMessage/delta":
                break
        turn.interrupt()
        *_, last = understood(events)
        assert last.method == "turn/completed"
        assert last.payload.turn.status is TurnStatus.interrupted
        assert stand_in_process.wait_closed()["course"] == "closed"
        assert thread.run("Go on.").final_response == "Gladly."
        done = thread.turn("Thank you.")
        done.run()
        with pytest.raises(InvalidRequestError, match="no active turn"):
            done.interrupt()


def test_a_turn_is_steered(sdk_config: CodexConfig, stand_in_process: StandInProcess) -> None:
    stand_in_process.answer(SLOW, "There was a king.")
    with Codex(config=sdk_config) as codex:
        turn = codex.thread_start().turn("Tell me a story.")
        stand_in_process.wait_response_request()
        assert turn.steer("A short one.").turn_id == turn.id
        done = turn.run()
    assert done.final_response == "There was a king."
    asked = [item for item in done.items if item.root.type == "userMessage"]
    assert len(asked) == 2
    steered = stand_in_process.response_requests()[-1]
    assert texts_of(steered, "user")[-2:] == ["Tell me a story.", "A short one."]


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"status": 400, "body": {"error": {"message": "No picture."}}}, "No picture"),
        ({"parts": [{"failed": "context_length_exceeded"}]}, "context window"),
        ({"parts": [{"failed": "insufficient_quota"}]}, "[Qq]uota"),
    ],
    ids=["refused", "too long", "no quota"],
)
def test_a_turn_fails(
    sdk_config: CodexConfig,
    stand_in_process: StandInProcess,
    response: dict[str, object],
    message: str,
) -> None:
    stand_in_process.answer(response)
    with Codex(config=sdk_config) as codex:
        thread = codex.thread_start()
        with pytest.raises(RuntimeError, match=message):
            thread.run("Look!")
        assert codex.thread_start().run("Hello").status is TurnStatus.completed


def test_a_cut_stream_is_asked_for_again(
    sdk_config: CodexConfig, stand_in_process: StandInProcess
) -> None:
    stand_in_process.answer({"parts": [{"cut": True}]}, "Here I am.")
    with Codex(config=sdk_config) as codex:
        turn = codex.thread_start().turn("Hello?")
        events = understood(turn.stream())
    (error,) = [event.payload for event in events if event.method == "error"]
    assert error.will_retry is True
    assert events[-1].payload.turn.status is TurnStatus.completed
    assert "".join(deltas_of(events, "item/agentMessage/delta")) == "Here I am."


def test_a_turn_has_wishes_of_its_own(
    sdk_config: CodexConfig, stand_in_process: StandInProcess
) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    stand_in_process.answer('{"city": "Łódź"}')
    with Codex(config=sdk_config) as codex:
        thread = codex.thread_start(
            base_instructions="You know cities.", developer_instructions="Be brief."
        )
        done = thread.run(
            "Where?",
            output_schema=schema,
            model="gpt-6-luna",
            effort=ReasoningEffort("high"),
            approval_mode=ApprovalMode.deny_all,
            sandbox=Sandbox.workspace_write,
        )
    assert done.final_response == '{"city": "Łódź"}'
    (asked,) = stand_in_process.response_requests()
    body = body_of(asked)
    assert body["model"] == "gpt-6-luna"
    assert body["reasoning"]["effort"] == "high"
    assert body["text"]["format"]["schema"] == schema
    told = [body.get("instructions", ""), *texts_of(asked, "developer")]
    assert [text for text in told if "You know cities." in text]
    assert [text for text in told if "Be brief." in text]


def test_pictures_are_shown(
    sdk_config: CodexConfig, stand_in_process: StandInProcess, work: Path
) -> None:
    here = work / "dot.png"
    here.write_bytes(base64.b64decode(PICTURE))
    url = f"data:image/png;base64,{PICTURE}"
    with Codex(config=sdk_config) as codex:
        shown: Input = [TextInput("Look!"), LocalImageInput(str(here)), ImageInput(url)]
        assert codex.thread_start().run(shown).status is TurnStatus.completed
    (asked,) = stand_in_process.response_requests()
    pictures = [
        part["image_url"]
        for item in body_of(asked)["input"]
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "input_image"
    ]
    assert len(pictures) == 2
    assert all(picture.startswith("data:image/png;base64,") for picture in pictures)
