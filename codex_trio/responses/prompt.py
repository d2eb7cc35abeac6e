"""What a model is asked: the body and the headers of a request to the Responses API.

Names and order are the original's (observed on 0.163.0). It says more of itself than we do: what
we cannot do is not offered, and what we do not know is left out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@attrs.frozen(kw_only=True)
class Prompt:
    """What a model is to answer, and how; its repr shows nothing that somebody has said.

    Args:
        model: which one.
        input: what has been said, as JSON.
        tools: what it may call, as JSON; None says nothing of tools.
        parallel_tool_calls: whether it may call several at a time.
        effort: how hard it thinks; None leaves that to it.
        summary: how much it tells of that; None for nothing.
        verbosity: how much it says; None leaves that to it.
        output_schema: the JSON schema that the answer has to follow.
        service_tier: how fast it is to answer.
        thread_id: the conversation.
        session_id: the conversation that this one belongs to.
        cache_key: by what the host remembers the beginning of the input; None for the
            conversation.
        turn_id: the turn.
        root_turn_id: the turn that this one belongs to.
        window: how often the history has been made shorter.
        metadata: what else the provider is told of the turn.
    """

    model: str
    input: Sequence[object] = attrs.field(repr=False)
    tools: Sequence[object] | None = attrs.field(default=(), repr=False)
    parallel_tool_calls: bool = True
    effort: str | None = None
    summary: str | None = None
    verbosity: str | None = None
    output_schema: object = attrs.field(default=None, repr=False)
    service_tier: str | None = None
    thread_id: str
    session_id: str
    cache_key: str | None = None
    turn_id: str
    root_turn_id: str
    window: int = 0
    metadata: Mapping[str, object] = attrs.field(factory=dict, repr=False)

    @property
    def window_id(self) -> str:
        """The conversation, and which of its histories this is."""
        return f"{self.thread_id}:{self.window}"


def body(prompt: Prompt) -> dict[str, Any]:
    """Compose the body of a request, as JSON."""
    told: dict[str, Any] = {"model": prompt.model, "stream": True, "input": prompt.input}
    if prompt.tools is not None:
        told["tools"] = prompt.tools
    told |= {
        "tool_choice": "auto",
        "parallel_tool_calls": prompt.parallel_tool_calls,
        "reasoning": _given(effort=prompt.effort, summary=prompt.summary) or None,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": prompt.cache_key or prompt.thread_id,
    }
    text: dict[str, Any] = _given(verbosity=prompt.verbosity)
    if prompt.output_schema is not None:
        text["format"] = {
            "type": "json_schema",
            "strict": True,
            "schema": prompt.output_schema,
            "name": "codex_output_schema",
        }
    told |= _given(text=text or None, service_tier=prompt.service_tier)
    told["client_metadata"] = {
        "session_id": prompt.session_id,
        "thread_id": prompt.thread_id,
        "turn_id": prompt.turn_id,
        "root_turn_id": prompt.root_turn_id,
        "x-codex-window-id": prompt.window_id,
        "x-codex-turn-metadata": _turn_metadata(prompt),
    }
    if isinstance(installation_id := prompt.metadata.get("installation_id"), str):
        told["client_metadata"]["x-codex-installation-id"] = installation_id
    return told


def headers(prompt: Prompt, agent: Mapping[str, str]) -> dict[str, str]:
    """Compose the headers of a request, but for who signs it.

    Args:
        prompt: what is asked.
        agent: who we say we are.
    """
    return {
        "x-codex-window-id": prompt.window_id,
        "x-codex-turn-metadata": _turn_metadata(prompt),
        "x-client-request-id": prompt.thread_id,
        "session-id": prompt.cache_key or prompt.session_id,
        "thread-id": prompt.thread_id,
        "accept": "text/event-stream",
        "content-type": "application/json",
        **agent,
    }


def _turn_metadata(prompt: Prompt) -> str:
    """Say which turn it is, in JSON that can stand in a header."""
    told = {
        "session_id": prompt.session_id,
        "thread_id": prompt.thread_id,
        "agent_name": "/root",
        "turn_id": prompt.turn_id,
        "window_id": prompt.window_id,
        "window_number": prompt.window,
        "request_kind": "turn",
        "root_turn_id": prompt.root_turn_id,
        **prompt.metadata,
        "model": prompt.model,
    }
    return json.dumps(told, separators=(",", ":"))


def _given(**members: object) -> dict[str, Any]:
    """Leave out what is None."""
    return {name: value for name, value in members.items() if value is not None}
