"""What the model is told of the world in a turn that made a summary in its middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.testing import Completed, FunctionCall, ModelResponse, StandIn, Text, Usage

if TYPE_CHECKING:
    from tests.threads.conversing import Conversation


@pytest.fixture
def config() -> dict[str, Any]:
    return {"model_auto_compact_token_limit": 1000}


async def test_it_is_told_again_at_once(talk: Conversation, stand_in: StandIn) -> None:
    full = Completed(usage=Usage(total_tokens=1000))
    stand_in.answer(ModelResponse.of(FunctionCall("none"), full))
    stand_in.answer("what it was about")
    stand_in.answer(Text("done", item_id="msg_done"))
    await talk.run("one")
    first, summary, last = stand_in.response_requests
    for request in (first, summary, last):
        (environment,) = [
            text for text in request.input_texts("user") if text.startswith("<environment")
        ]
        assert "<cwd>" in environment
    assert "what it was about" in last.input_texts("user")[1]
    _, permissions = last.input_texts("developer")
    assert permissions.startswith("<permissions")
