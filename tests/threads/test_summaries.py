"""What is in a summary, and what is asked for it: nothing that keeps a conversation too big."""

from __future__ import annotations

import base64

from codex_trio.testing import Failed, ModelResponse, StandIn
from codex_trio.threads.compacting import MAX_KEPT
from tests.threads.conversing import Conversation, spoken

PICTURE = (
    "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 300).decode()
)


async def compact(talk: Conversation) -> None:
    await talk.client.call("thread/compact/start", {"threadId": talk.id})
    await talk.ended()


async def test_pictures_do_not_outlive_a_summary(talk: Conversation, stand_in: StandIn) -> None:
    look = {"type": "text", "text": "look"}
    await talk.run(input=[{"type": "image", "url": PICTURE}, look])
    await talk.run(input=[{"type": "image", "url": PICTURE}])
    assert PICTURE in stand_in.response_requests[-1].body.decode()
    stand_in.answer("there was a picture")
    await compact(talk)
    await talk.run("more")
    *said, summary, more = spoken(stand_in.response_requests[-1])
    assert (said, more) == (["look"], "more")
    assert summary.endswith("there was a picture")
    assert PICTURE not in stand_in.response_requests[-1].body.decode()


async def test_the_last_that_was_said_is_cut_and_not_left_out(
    talk: Conversation, stand_in: StandIn
) -> None:
    await talk.run("what was before")
    await talk.run("x" * (MAX_KEPT + 5))
    await compact(talk)
    await talk.run("more")
    kept, _, more = spoken(stand_in.response_requests[-1])
    assert (kept, more) == ("x" * MAX_KEPT, "more")


async def test_what_fits_beside_it_is_kept(talk: Conversation, stand_in: StandIn) -> None:
    await talk.run("abc")
    await talk.run("x" * (MAX_KEPT - 2))
    await compact(talk)
    await talk.run("more")
    first, second, _, _ = spoken(stand_in.response_requests[-1])
    assert (first, len(second)) == ("ab", MAX_KEPT - 2)


async def test_a_summary_is_asked_for_in_no_schema(
    talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.answer(ModelResponse.of(Failed("context_length_exceeded", "full")))
    await talk.run("one", status="failed")
    stand_in.answer("a summary")
    await talk.run("two", outputSchema={"type": "object"})
    *_, asking, answering = stand_in.response_requests
    assert "format" not in asking.json.get("text", {})
    assert answering.json["text"]["format"]["type"] == "json_schema"
