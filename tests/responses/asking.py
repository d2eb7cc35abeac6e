"""Asking a model, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.responses.events import Event, TextDelta
from codex_trio.responses.failures import ResponseError
from codex_trio.responses.prompt import Prompt
from codex_trio.responses.providers import Provider

if TYPE_CHECKING:
    from codex_trio.responses.sampling import Responses
    from codex_trio.responses.stream import ResponseStream
    from tests.responses.hosts import ModelHost

AGENT = {"originator": "lab", "user-agent": "lab/1"}
SECRET = "s3cret-and-more"

PROMPT = Prompt(
    model="m",
    input=[{"type": "message", "content": SECRET}],
    thread_id="T",
    session_id="S",
    turn_id="U",
    root_turn_id="R",
)


def provider_of(host: ModelHost, **more: Any) -> Provider:
    """Make a provider that nothing is tried twice for, unless that is said."""
    told = {"request_max_retries": 0, "stream_max_retries": 0, **more}
    return Provider(id="mock", name="Mock", base_url=f"{host.url}/v1", **told)


async def receive_all(stream: ResponseStream) -> list[Event]:
    events: list[Event] = []
    while received := await stream.receive():
        events += received
    return events


async def ask(responses: Responses, provider: Provider, prompt: Prompt = PROMPT) -> list[Event]:
    """Ask, and receive everything."""
    async with responses.open(provider, prompt, AGENT) as stream:
        return await receive_all(stream)


async def failure(
    responses: Responses, provider: Provider, prompt: Prompt = PROMPT
) -> ResponseError:
    """Ask in vain; nothing of what was sent is told."""
    with pytest.raises(ResponseError) as caught:
        await ask(responses, provider, prompt)
    error = caught.value
    assert SECRET not in repr((error, error.explained, error.info))
    assert error.__cause__ is None
    return error


def text_of(events: list[Event]) -> str:
    return "".join(event.delta for event in events if isinstance(event, TextDelta))
