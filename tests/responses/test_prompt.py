"""What a model is asked, as it goes over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import orjson
import pytest

from codex_trio.responses.prompt import Prompt, body, headers
from tests.responses.asking import AGENT, PROMPT, SECRET, ask, failure, provider_of

if TYPE_CHECKING:
    from codex_trio.responses.sampling import Responses
    from tests.responses.hosts import ModelHost

METADATA = (
    '{"session_id":"S","thread_id":"T","agent_name":"/root","turn_id":"U","window_id":"T:0",'
    '"window_number":0,"request_kind":"turn","root_turn_id":"R","model":"m"}'
)


async def test_a_request(responses: Responses, host: ModelHost) -> None:
    """Names and order are the original's."""
    await ask(responses, provider_of(host, query_params={"q": "1"}))
    (asked,) = host.asked
    assert asked.line == "POST /v1/responses?q=1 HTTP/1.1"
    assert list(asked.headers.items()) == [
        ("host", host.url.removeprefix("http://")),
        ("connection", "keep-alive"),
        ("x-codex-window-id", "T:0"),
        ("x-codex-turn-metadata", METADATA),
        ("x-client-request-id", "T"),
        ("session-id", "S"),
        ("thread-id", "T"),
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
        ("originator", "lab"),
        ("user-agent", "lab/1"),
        ("content-length", str(len(asked.body))),
    ]
    assert list(asked.json.items()) == [
        ("model", "m"),
        ("stream", True),
        ("input", [{"type": "message", "content": SECRET}]),
        ("tools", []),
        ("tool_choice", "auto"),
        ("parallel_tool_calls", True),
        ("reasoning", None),
        ("store", False),
        ("include", ["reasoning.encrypted_content"]),
        ("prompt_cache_key", "T"),
        (
            "client_metadata",
            {
                "session_id": "S",
                "thread_id": "T",
                "turn_id": "U",
                "root_turn_id": "R",
                "x-codex-window-id": "T:0",
                "x-codex-turn-metadata": METADATA,
            },
        ),
    ]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"effort": "high"}, {"reasoning": {"effort": "high"}}),
        ({"summary": "auto"}, {"reasoning": {"summary": "auto"}}),
        (
            {"effort": "low", "summary": "detailed"},
            {"reasoning": {"effort": "low", "summary": "detailed"}},
        ),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        (
            {"output_schema": {"a": 1}, "verbosity": "low"},
            {
                "text": {
                    "verbosity": "low",
                    "format": {
                        "type": "json_schema",
                        "strict": True,
                        "schema": {"a": 1},
                        "name": "codex_output_schema",
                    },
                }
            },
        ),
        ({"service_tier": "priority"}, {"service_tier": "priority"}),
        ({"tools": [{"type": "x"}], "parallel_tool_calls": False}, {
            "tools": [{"type": "x"}], "parallel_tool_calls": False
        }),
    ],
)  # fmt: skip
def test_what_is_asked_for(given: dict[str, Any], sent: dict[str, Any]) -> None:
    usual = body(PROMPT)
    assert body(attrs.evolve(PROMPT, **given)) == {**usual, **sent}


def test_nothing_need_be_said_of_tools() -> None:
    assert "tools" not in body(attrs.evolve(PROMPT, tools=None))


def test_what_else_the_provider_is_told() -> None:
    told = {"installation_id": "I", "sandbox": "seccomp", "x": "é\n"}
    prompt = attrs.evolve(PROMPT, metadata=told, window=2)
    metadata = headers(prompt, AGENT)["x-codex-turn-metadata"]
    assert metadata.isascii()
    assert orjson.loads(metadata) == {
        **orjson.loads(METADATA),
        **told,
        "window_id": "T:2",
        "window_number": 2,
    }
    client_metadata = body(prompt)["client_metadata"]
    assert client_metadata["x-codex-installation-id"] == "I"
    assert client_metadata["x-codex-turn-metadata"] == metadata
    assert client_metadata["x-codex-window-id"] == "T:2"


def test_nothing_of_it_is_shown() -> None:
    prompt = attrs.evolve(PROMPT, tools=[SECRET], output_schema=SECRET, metadata={"x": SECRET})
    assert SECRET not in repr(prompt)


async def test_a_provider_is_told_what_it_wants(
    responses: Responses, host: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "from the environment")
    provider = provider_of(
        host,
        http_headers={"X-A": "a", "Accept": "anything", "authorization": "Basic x"},
        env_http_headers={"x-b": "SOME_KEY", "x-c": "NOT_THERE_AT_ALL"},
    )
    await ask(responses, provider)
    told = host.asked[0].headers
    assert (told["x-a"], told["x-b"], told["accept"]) == (
        "a",
        "from the environment",
        "anything",
    )
    assert told["authorization"] == "Basic x"
    assert "x-c" not in told


@pytest.mark.parametrize(
    "wrong", ["\ud800", 2**70, object(), {1: 2}], ids=["half", "number", "object", "key"]
)
async def test_a_prompt_may_be_no_json(
    responses: Responses, host: ModelHost, wrong: object
) -> None:
    prompt: Prompt = attrs.evolve(PROMPT, input=[wrong])
    caught = await failure(responses, provider_of(host), prompt)
    assert caught.message == "the prompt cannot be written as JSON"
    assert (caught.info, caught.retry) == ("other", False)
    assert host.asked == []
