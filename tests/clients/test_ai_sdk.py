"""Two providers of the AI SDK, which is written in JavaScript, work with our server."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.testing import StandIn, WireClient, open_client
from codex_trio.testing.events import Completed, Pause
from codex_trio.testing.metering import Usage
from codex_trio.testing.output import Reasoning, Text
from codex_trio.testing.responses import ModelResponse
from tests.clients.servers import KEY, MODEL, PACKAGES, SERVER
from tests.processes import start, wire_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from codex_trio.testing import ResponseRequest

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not PACKAGES, reason="`nox -s clients` installs the providers"),
]

SLOW = Text("Once upon a time there was a king.", every=60.0)
"""A first word, and nothing more for as long as a test takes."""

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}


@attrs.frozen
class Provider:
    """What differs between the providers.

    Args:
        script: what runs it.
        counts: whether it tells what a turn has cost.
        raises: whether it raises when a turn fails; if not, it tells so in the text.
        wait: what a model does first. The second provider listens to a turn only after it has
            been told that the turn is begun, and never hears what it reads together with that.
        persistent: what is asked of a call whose thread shall be kept.
    """

    script: str
    counts: bool
    raises: bool
    wait: Pause | None = None
    persistent: dict[str, Any] = attrs.field(factory=dict)

    def going_on(self, done: Any) -> dict[str, Any]:
        """Ask for the thread of a call that is done."""
        if not self.persistent:
            return {}  # a model of this provider does that by itself
        thread_id = done["providerMetadata"]["codex-app-server"]["threadId"]
        return {"providerOptions": {"codex-app-server": {"threadId": thread_id}}}


CLI = Provider(
    "codex_cli.mjs",
    counts=True,
    raises=True,
    persistent={"providerOptions": {"codex-app-server": {"threadMode": "persistent"}}},
)
APP_SERVER = Provider("codex_app_server.mjs", counts=False, raises=False, wait=Pause(0.3))


@pytest.fixture(params=[CLI, APP_SERVER], ids=["codex-cli", "codex-app-server"])
def provider(request: pytest.FixtureRequest) -> Provider:
    provider: Provider = request.param
    return provider


@pytest.fixture
def answer(stand_in: StandIn, provider: Provider) -> Callable[..., None]:
    """Let the model answer the next request so; those behind are answered in a friendly way."""
    left: list[ModelResponse] = []

    def respond(request: ResponseRequest) -> ModelResponse:
        said = left.pop(0) if left else ModelResponse.of("Hello!")
        return attrs.evolve(said, wait=provider.wait)

    def answer(*parts: Any) -> None:
        whole = isinstance(parts[0], ModelResponse)
        left.append(parts[0] if whole else ModelResponse.of(*parts))

    stand_in.respond = respond
    return answer


@pytest.fixture(scope="session")
def scripts() -> Path:
    """The scripts, where they find their packages."""
    for script in Path(__file__).parent.glob("*.mjs"):
        shutil.copy(script, PACKAGES)
    return Path(PACKAGES)


@pytest.fixture
def open_sdk(
    furnished: Path, work: Path, scripts: Path, provider: Provider
) -> Callable[[], AbstractAsyncContextManager[WireClient]]:
    """Start the AI SDK with the provider, whose end must be clean."""

    @asynccontextmanager
    async def open_sdk() -> AsyncGenerator[WireClient]:
        node = shutil.which("node")
        assert node is not None
        arguments = [str(scripts / provider.script), SERVER, str(work)]
        quiet = {"AI_SDK_LOG_WARNINGS": "false", "NODE_NO_WARNINGS": "1"}
        async with start(furnished, *arguments, command=[node], environ=quiet) as process:
            async with open_client(wire_of(process)) as sdk:
                yield sdk
            assert await process.wait() == 0

    return open_sdk


async def next_part(sdk: WireClient, kind: str) -> Any:
    """Return the next part of a kind, passing over those before it."""
    while (part := (await sdk.next_notification("part"))["params"])["type"] != kind:
        pass
    return part


async def parts_to_the_end(sdk: WireClient) -> list[Any]:
    parts: list[Any] = []
    while not parts or parts[-1]["type"] != "finish":
        parts.append((await sdk.next_notification("part"))["params"])
    return parts


def texts_of(parts: list[Any], kind: str) -> list[str]:
    return [part["text"] for part in parts if part["type"] == kind]


async def test_a_text_is_generated(
    open_sdk: Callable[..., Any],
    answer: Callable[..., None],
    stand_in: StandIn,
    provider: Provider,
) -> None:
    usage = Usage(input_tokens=70, cached_tokens=30, output_tokens=9)
    answer("Four, I think.", Completed(usage=usage))
    async with open_sdk() as sdk:
        done = await sdk.call("generateText", {"prompt": "What is 2 + 2?"})
    assert done["text"] == "Four, I think."
    assert done["finishReason"] == "stop"
    if provider.counts:
        assert done["usage"]["inputTokens"] == 70
        assert done["usage"]["inputTokenDetails"]["cacheReadTokens"] == 30
        assert done["usage"]["outputTokens"] == 9
    (asked,) = stand_in.response_requests
    assert asked.json["model"] == MODEL
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert "What is 2 + 2?" in asked.input_texts("user")[-1]


async def test_a_text_is_streamed(
    open_sdk: Callable[..., Any],
    answer: Callable[..., None],
    provider: Provider,
) -> None:
    words = ["One, ", "two, ", "three."]
    answer(Reasoning("Let me count."), Text("".join(words), deltas=words))
    async with open_sdk() as sdk:
        done = await sdk.call("streamText", {"prompt": "Count to three."})
        parts = await parts_to_the_end(sdk)
    assert done["text"] == "One, two, three."
    kinds = [part["type"] for part in parts]
    assert kinds[:2] == ["start", "start-step"]
    assert kinds[-2:] == ["finish-step", "finish"]
    assert kinds.index("reasoning-delta") < kinds.index("text-delta")
    assert texts_of(parts, "text-delta") == words
    assert "".join(texts_of(parts, "reasoning-delta")) == "Let me count."
    assert parts[-1]["finishReason"] == "stop"
    assert (parts[-1]["totalUsage"]["totalTokens"] > 0) is provider.counts


async def test_an_object_is_generated(
    open_sdk: Callable[..., Any], answer: Callable[..., None], stand_in: StandIn
) -> None:
    answer('{"city": "Łódź", "people": 652015}')
    async with open_sdk() as sdk:
        done = await sdk.call("generateText", {"prompt": "A city?", "schema": SCHEMA})
    assert done["object"] == {"city": "Łódź", "people": 652015}
    (asked,) = stand_in.response_requests
    said = asked.json["text"]["format"]
    assert (said["type"], said["strict"]) == ("json_schema", True)
    assert said["schema"]["properties"] == SCHEMA["properties"]


@pytest.mark.parametrize("method", ["generateText", "streamText"])
async def test_a_turn_fails(
    open_sdk: Callable[..., Any],
    answer: Callable[..., None],
    provider: Provider,
    method: str,
) -> None:
    answer(ModelResponse.error(400, "Your picture is no picture."))
    async with open_sdk() as sdk:
        if provider.raises:
            with pytest.raises(RpcError, match="Your picture is no picture"):
                await sdk.call(method, {"prompt": "Look!"})
        else:
            done = await sdk.call(method, {"prompt": "Look!"})
            assert done["finishReason"] == "error"
            assert "Your picture is no picture." in done["text"]
        done = await sdk.call("generateText", {"prompt": "Hello"})
        assert done["finishReason"] == "stop"


@pytest.mark.parametrize("way", ["abort", "interrupt"])
async def test_a_turn_is_stopped(
    open_sdk: Callable[..., Any], answer: Callable[..., None], stand_in: StandIn, way: str
) -> None:
    answer(SLOW)
    async with open_sdk() as sdk:
        slot: list[Any] = []
        async with trio.open_nursery() as nursery:

            async def stream() -> None:
                slot.append(await sdk.call("streamText", {"prompt": "Tell me a story."}))

            nursery.start_soon(stream)
            await next_part(sdk, "text-delta")
            await sdk.call(way)
            stopped = await stand_in.wait_closed()
        assert stopped.course == "closed"
        if way == "abort":
            assert slot == [{"aborted": True}]
        else:
            assert (slot[0]["text"], slot[0]["finishReason"]) == ("Once ", "stop")
        done = await sdk.call("generateText", {"prompt": "Hello"})
        assert done["finishReason"] == "stop"


async def test_a_thread_goes_on(
    open_sdk: Callable[..., Any],
    answer: Callable[..., None],
    stand_in: StandIn,
    provider: Provider,
) -> None:
    answer("Nice to meet you, Ada.")
    answer("You are Ada.")
    async with open_sdk() as sdk:
        done = await sdk.call("generateText", {"prompt": "I am Ada.", **provider.persistent})
        more = provider.going_on(done)
        done = await sdk.call("generateText", {"prompt": "Who am I?", **more})
    assert done["text"] == "You are Ada."
    said = "\n".join(stand_in.response_requests[-1].input_texts())
    assert said.index("I am Ada.") < said.index("Nice to meet you") < said.index("Who am I?")


async def test_what_is_said_meanwhile_is_heard(
    open_sdk: Callable[..., Any], answer: Callable[..., None], stand_in: StandIn
) -> None:
    answer(SLOW)
    answer("There was a king.")
    async with open_sdk() as sdk:
        slot: list[Any] = []
        async with trio.open_nursery() as nursery:

            async def stream() -> None:
                slot.append(await sdk.call("streamText", {"prompt": "Tell me a story."}))

            nursery.start_soon(stream)
            await next_part(sdk, "text-delta")
            await sdk.call("inject", {"text": "No, a short one."})
            steered = await stand_in.wait_response_request(2)
    assert slot[0]["text"].endswith("There was a king.")
    *before, last = steered.input_texts("user")
    assert "Tell me a story." in before[-1]
    assert last == "No, a short one."


async def test_models_are_listed(open_sdk: Callable[..., Any]) -> None:
    async with open_sdk() as sdk:
        known = await sdk.call("listModels")
    assert known["defaultModel"]["isDefault"] is True
    assert MODEL in {model["id"] for model in known["models"]}
