"""codex-acp, the bridge by which editors reach Codex, works with our threads and turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.testing import ModelResponse, StandIn, WireClient
from codex_trio.testing.events import Completed
from codex_trio.testing.metering import Usage
from codex_trio.testing.output import Reasoning, Text
from tests.clients.editor import next_update, open_editor, prompt
from tests.clients.servers import KEY, MODEL, PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codex_trio.testing import ResponseRequest

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not PACKAGES, reason="`nox -s clients` installs codex-acp"),
]


def answering(*answers: Any) -> Callable[[ResponseRequest], Any]:
    """Answer one after the other, but what the bridge asks beside: a title of the session."""
    left = list(answers)

    def respond(request: ResponseRequest) -> Any:
        if "format" in request.json.get("text", {}):
            return '{"title": "Cats and dogs"}'
        return left.pop(0)

    return respond


def conversation(stand_in: StandIn) -> list[ResponseRequest]:
    """List what the model was asked, but for titles."""
    return [
        one for one in stand_in.response_requests if "format" not in one.json.get("text", {})
    ]


async def begin(editor: WireClient, work: Path) -> Any:
    return await editor.call("session/new", {"cwd": str(work), "mcpServers": []})


async def chunks(editor: WireClient, kind: str, text: str) -> str:
    """Return what is said in chunks, when it has come to a text."""
    said = ""
    while not said.endswith(text):
        said += (await next_update(editor, kind))["content"]["text"]
    return said


async def test_an_editor_asks(furnished: Path, work: Path, stand_in: StandIn) -> None:
    usage = Usage(input_tokens=70, cached_tokens=30, output_tokens=9, reasoning_tokens=4)
    stand_in.respond = answering(
        ModelResponse.of(Reasoning("Hmm."), "A dog, of course.", Completed(usage=usage))
    )
    async with open_editor(furnished, stand_in) as editor:
        session = await begin(editor, work)
        assert session["models"]["currentModelId"].startswith(f"{MODEL}[")
        done = await prompt(editor, session["sessionId"], "A cat or a dog?")
        assert done["stopReason"] == "end_turn"
        assert done["usage"]["totalTokens"] == 79
        assert done["usage"]["cachedReadTokens"] == 30
        assert (await chunks(editor, "agent_thought_chunk", "Hmm.")).strip() == "Hmm."
        said = await chunks(editor, "agent_message_chunk", "course.")
        assert said == "A dog, of course."
        assert (await next_update(editor, "usage_update"))["used"] == 79
        while (await next_update(editor, "session_info_update")).get(
            "title"
        ) != "Cats and dogs":
            pass
    (asked,) = conversation(stand_in)
    assert asked.input_texts("user")[-1] == "A cat or a dog?"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.json["model"] == MODEL


async def test_an_editor_cancels(furnished: Path, work: Path, stand_in: StandIn) -> None:
    stand_in.respond = answering(Text("A very long story.", every=60.0), "Short.")
    async with open_editor(furnished, stand_in) as editor:
        session_id = (await begin(editor, work))["sessionId"]
        slot: list[Any] = []
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                slot.append(await prompt(editor, session_id, "Tell me a story."))

            nursery.start_soon(ask)
            await next_update(editor, "agent_message_chunk")
            await editor.notify("session/cancel", {"sessionId": session_id})
            await stand_in.wait_closed()
        assert slot[0]["stopReason"] == "cancelled"
        done = await prompt(editor, session_id, "Another one.")
        assert done["stopReason"] == "end_turn"


async def test_an_editor_is_told_why_a_turn_failed(
    furnished: Path, work: Path, stand_in: StandIn
) -> None:
    stand_in.respond = answering(ModelResponse.error(400, "Your picture is no picture."), "Hi")
    async with open_editor(furnished, stand_in) as editor:
        session_id = (await begin(editor, work))["sessionId"]
        await prompt(editor, session_id, "Look!")
        said = (await next_update(editor, "agent_message_chunk"))["content"]["text"]
        assert "Your picture is no picture." in said
        done = await prompt(editor, session_id, "Hello")
        assert done["stopReason"] == "end_turn"


async def test_an_editor_comes_back(furnished: Path, work: Path, stand_in: StandIn) -> None:
    stand_in.respond = answering(ModelResponse.of(Reasoning("Hmm."), "A dog."), "A dog!")
    async with open_editor(furnished, stand_in) as editor:
        session_id = (await begin(editor, work))["sessionId"]
        await prompt(editor, session_id, "A cat or a dog?")
        while "title" not in await next_update(editor, "session_info_update"):
            pass
    async with open_editor(furnished, stand_in) as editor:
        listed = (await editor.call("session/list", {}))["sessions"]
        assert [(one["sessionId"], one["cwd"]) for one in listed] == [(session_id, str(work))]
        place = {"cwd": str(work), "mcpServers": []}
        await editor.call("session/load", {"sessionId": session_id, **place})
        assert await chunks(editor, "user_message_chunk", "dog?") == "A cat or a dog?"
        assert (await chunks(editor, "agent_thought_chunk", "Hmm.")).strip() == "Hmm."
        assert await chunks(editor, "agent_message_chunk", "dog.") == "A dog."
        await prompt(editor, session_id, "Really?")
    said = conversation(stand_in)[-1].input_texts()
    assert said[-1] == "Really?"
    assert said.index("A cat or a dog?") < said.index("A dog.") < said.index("Really?")


async def test_an_editor_chooses_a_model(
    furnished: Path, work: Path, stand_in: StandIn
) -> None:
    stand_in.respond = answering("Hello")
    async with open_editor(furnished, stand_in) as editor:
        session = await begin(editor, work)
        session_id = session["sessionId"]
        known = {one["modelId"] for one in session["models"]["availableModels"]}
        assert "gpt-6-luna[high]" in known
        chosen = {"sessionId": session_id, "modelId": "gpt-6-luna[high]"}
        await editor.call("session/set_model", chosen)
        mode = {"sessionId": session_id, "modeId": "read-only"}
        await editor.call("session/set_mode", mode)
        await prompt(editor, session_id, "Hello")
    (asked,) = conversation(stand_in)
    assert (asked.json["model"], asked.json["reasoning"]["effort"]) == ("gpt-6-luna", "high")


async def test_an_editor_compacts_forks_closes_and_deletes(
    furnished: Path, work: Path, stand_in: StandIn
) -> None:
    stand_in.respond = answering("A dog.", "They prefer dogs.", "So it is.")
    place = {"cwd": str(work), "mcpServers": []}
    async with open_editor(furnished, stand_in) as editor:
        session_id = (await begin(editor, work))["sessionId"]
        await prompt(editor, session_id, "A cat or a dog?")
        done = await prompt(editor, session_id, "/compact")
        assert done["stopReason"] == "end_turn"
        fork = await editor.call("session/fork", {"sessionId": session_id, **place})
        assert fork["sessionId"] != session_id
        await prompt(editor, fork["sessionId"], "Really?")
        said = conversation(stand_in)[-1].input_texts()
        assert "A dog." not in said
        *before, last = [text for text in said if not text.startswith("<")]
        assert ("They prefer dogs." in before[-1], last) == (True, "Really?")
        await editor.call("session/resume", {"sessionId": session_id, **place})
        await editor.call("session/close", {"sessionId": session_id})
        await editor.call("session/delete", {"sessionId": session_id})
        listed = (await editor.call("session/list", {}))["sessions"]
        assert [one["sessionId"] for one in listed] == [fork["sessionId"]]


async def test_an_editor_must_sign_in(furnished: Path, work: Path, stand_in: StandIn) -> None:
    (furnished / "auth.json").unlink()
    async with open_editor(furnished, stand_in) as editor:
        with pytest.raises(RpcError) as refused:
            await begin(editor, work)
        assert refused.value.code == -32000
        meta = {"api-key": {"apiKey": KEY}}
        await editor.call("authenticate", {"methodId": "api-key", "_meta": meta})
        assert (await begin(editor, work))["sessionId"]
