"""Why there is no answer: every stream that is none, in the original's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.responses.events import TextDelta
from codex_trio.responses.failures import ResponseError
from tests.responses.asking import AGENT, PROMPT, failure, provider_of
from tests.responses.hosts import (
    HELLO,
    chunked,
    completed,
    cut,
    event,
    head,
    open_model_host,
    reply,
    reset,
    stream,
    text_delta,
    then,
)
from tests.responses.texts import (
    AT_CAPACITY,
    CLOSED,
    CUT,
    CYBER,
    FULL,
    HALF,
    NOT_INCLUDED,
    QUOTA,
    error,
)

if TYPE_CHECKING:
    from codex_trio.responses.sampling import Responses
    from tests.responses.hosts import ModelHost, Said


@pytest.mark.parametrize(
    ("response", "message", "info", "retry"),
    [
        (None, f"{CUT}response.failed event received", "other", True),
        ({"error": None}, f"{CUT}response.failed event received", "other", True),
        ({"error": "no"}, f"{CUT}response.failed event received", "other", True),
        (error(code=5, message="m"), f"{CUT}response.failed event received", "other", True),
        (error(), CUT, "other", True),
        (error(message="m"), f"{CUT}m", "other", True),
        (error(code="server_error", message="m"), f"{CUT}m", "other", True),
        (error(type="insufficient_quota", message="m"), f"{CUT}m", "other", True),
        (error(code="context_length_exceeded"), FULL, "contextWindowExceeded", False),
        (error(code="insufficient_quota"), QUOTA, "usageLimitExceeded", False),
        (error(code="usage_not_included"), NOT_INCLUDED, "usageLimitExceeded", False),
        (error(code="invalid_prompt", message="m"), "m", "other", False),
        (error(code="invalid_prompt"), "Invalid request.", "other", False),
        (error(code="bio_policy", message="m"), "m", "other", False),
        (error(code="cyber_policy", message="m"), "m", "cyberPolicy", False),
        (error(code="cyber_policy"), CYBER, "cyberPolicy", False),
        (
            error(code="misalignment_policy_violation", message="m"),
            "m",
            "misalignmentPolicyViolation",
            False,
        ),
        (
            error(code="flex_unavailable", message="m"),
            "Flex capacity unavailable.",
            "flexUnavailable",
            False,
        ),
        (error(code="server_is_overloaded"), AT_CAPACITY, "serverOverloaded", False),
        (
            error(code="slow_down", message="m"),
            "rate limit exceeded: m",
            "rateLimitExceeded",
            True,
        ),
    ],
)
async def test_a_stream_says_that_it_has_failed(
    responses: Responses,
    host: ModelHost,
    response: object,
    message: str,
    info: str,
    retry: bool,
) -> None:
    host.say(then(HALF + chunked(event("response.failed", response=response))))
    caught = await failure(responses, provider_of(host))
    assert (caught.message, caught.info, caught.retry) == (message, info, retry)
    assert caught.status is None
    await host.door.wait_open(0)


@pytest.mark.parametrize(
    ("response", "reason", "retry"),
    [
        (None, "unknown", False),
        ({"incomplete_details": None}, "unknown", False),
        ({"incomplete_details": {"reason": 5}}, "unknown", False),
        ({"incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens", False),
        ({"incomplete_details": {"reason": "content_filter"}}, "content_filter", True),
        ({"incomplete_details": {"reason": "other"}}, "other", True),
    ],
)
async def test_an_answer_may_be_incomplete(
    responses: Responses, host: ModelHost, response: object, reason: str, retry: bool
) -> None:
    host.say(stream(event("response.incomplete", response=response)))
    caught = await failure(responses, provider_of(host))
    prefix = CUT if retry else ""
    assert caught.message == f"{prefix}Incomplete response returned, reason: {reason}"
    assert (caught.info, caught.retry) == ("other", retry)


@pytest.mark.parametrize(
    "said",
    [
        stream(text_delta("a")),
        stream(event("response.done", response={"id": "r"})),
        stream(event("error", message="boom")),
        stream(event("response.completed")),
        stream(),
        reply(),
        reply(204),
        reply(200, {"id": "r", "error": {"message": "m"}}),
        reply(200, b"<html>data: no"),
        cut(head() + text_delta("a") + b"data: {"),
    ],
)
async def test_an_answer_may_have_no_end(
    responses: Responses, host: ModelHost, said: Said
) -> None:
    host.say(said)
    caught = await failure(responses, provider_of(host))
    assert (caught.message, caught.info, caught.retry) == (CLOSED, "other", True)


async def test_an_answer_may_be_cut(responses: Responses, host: ModelHost) -> None:
    host.say(cut(HALF))
    caught = await failure(responses, provider_of(host))
    reason = f"{CUT}Transport error: network error: error decoding response body"
    assert (caught.message, caught.details) == (reason, "the connection was lost")
    assert caught.explained == f"{reason}: the connection was lost"
    assert (caught.info, caught.retry, caught.unreachable) == ("other", True, False)


@pytest.mark.parametrize("said", [cut(), reset, b"\x00 is not HTTP\r\n\r\n"])
async def test_there_may_be_no_reply(responses: Responses, host: ModelHost, said: Said) -> None:
    host.say(said)
    caught = await failure(responses, provider_of(host))
    assert caught.message == f"{CUT}error sending request"
    assert caught.details is not None
    assert caught.details.startswith(
        f"error sending request for url ({host.url}/v1/responses): the "
    )
    assert (caught.info, caught.retry, caught.unreachable) == ("other", True, False)


async def test_there_may_be_nobody(responses: Responses) -> None:
    async with open_model_host(HELLO) as host:
        pass
    caught = await failure(responses, provider_of(host))
    assert caught.message == "Connection failed: error sending request"
    assert caught.details is not None
    assert f"all attempts to connect to 127.0.0.1:{host.door.port} failed" in caught.details
    assert (caught.info, caught.retry, caught.unreachable) == ("other", True, True)


async def test_what_was_said_before_a_failure_is_not_lost(
    responses: Responses, host: ModelHost
) -> None:
    host.say(stream(text_delta("a"), event("response.failed"), text_delta("b"), completed()))
    async with responses.open(provider_of(host), PROMPT, AGENT) as answer:
        assert await answer.receive() == [TextDelta("msg_1", "a")]
        for _ in range(2):
            with pytest.raises(ResponseError, match=r"response\.failed event received"):
                await answer.receive()
