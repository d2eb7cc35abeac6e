"""Why there is no answer: every reply that is none, in the original's words."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import orjson
import pytest

from codex_trio.responses.failures import LONGEST_PAUSE
from tests.responses.asking import SECRET, failure, provider_of
from tests.responses.hosts import (
    cut,
    event,
    head,
    reply,
    stream,
)
from tests.responses.texts import (
    AT_CAPACITY,
    BAD_IMAGE,
    BUSY,
    CYBER,
    LIMITED,
    NOT_INCLUDED,
    QUOTA,
    TOO_MANY,
    error,
    http,
)

if TYPE_CHECKING:
    from codex_trio.responses.sampling import Responses
    from tests.responses.hosts import ModelHost


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (302, "302 Found"),
        (401, "401 Unauthorized"),
        (403, "403 Forbidden"),
        (404, "404 Not Found"),
        (501, "501 Not Implemented"),
        (502, "502 Bad Gateway"),
        (503, "503 Service Unavailable"),
        (529, "529 <unknown status code>"),
    ],
)
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (error(message="because"), "because"),
        (error(message="because", code="model_not_found"), "because"),
        (error(message=""), '{"error":{"message":""}}'),
        (error(message=5), '{"error":{"message":5}}'),
        ({"error": "because"}, '{"error":"because"}'),
        ([1], "[1]"),
        (b"<html>no</html>", "<html>no</html>"),
        (b"", "Unknown error"),
        (b" \n", "Unknown error"),
        (b"\xff", "\ufffd"),
        (b"x" * 1001, "x" * 1000 + "..."),
        (error(message="x" * 20_000), "x" * 2**14),
    ],
)
async def test_a_status_is_told_with_what_the_host_says(
    responses: Responses, host: ModelHost, status: int, line: str, body: object, text: str
) -> None:
    host.say(reply(status, body))
    caught = await failure(responses, provider_of(host, query_params={"k": "v"}))
    url = f"{host.url}/v1/responses"
    assert caught.message == f"unexpected status {line}: {text}, url: {url}"
    assert (caught.info, caught.retry, caught.status) == (http(status), True, status)
    assert (caught.delay, caught.details, caught.headers) == (None, None, None)
    assert not caught.unreachable


async def test_a_status_is_told_with_what_helps_to_find_it(
    responses: Responses, host: ModelHost
) -> None:
    code = base64.b64encode(orjson.dumps(error(code="token_expired"))).decode()
    given = {
        "cf_ray": "ray-1",
        "x_oai_request_id": "oai-1",
        "x_openai_authorization_error": "auth_err",
        "x_error_json": code,
    }
    host.say(reply(403, error(message="m"), **given))
    url = f"{host.url}/v1/responses"
    assert (await failure(responses, provider_of(host))).message == (
        f"unexpected status 403 Forbidden: m, url: {url}, cf-ray: ray-1, request id: oai-1,"
        " auth error: auth_err, auth error code: token_expired"
    )
    host.say(reply(403, error(message="m"), **given, x_request_id="req-1"))
    assert ", request id: req-1, auth" in (await failure(responses, provider_of(host))).message


@pytest.mark.parametrize(
    "told", [b"no base64!", b"[1]", b'{"error":5}', b'{"error":{"code":5}}']
)
async def test_what_cannot_be_read_of_that_is_left_out(
    responses: Responses, host: ModelHost, told: bytes
) -> None:
    encoded = told.decode() if b"!" in told else base64.b64encode(told).decode()
    host.say(reply(403, b"m", x_error_json=encoded))
    message = (await failure(responses, provider_of(host))).message
    assert message == f"unexpected status 403 Forbidden: m, url: {host.url}/v1/responses"


async def test_who_is_blocked_is_told_by_whom(responses: Responses, host: ModelHost) -> None:
    host.say(reply(403, b"<html>you have been blocked ... Cloudflare", cf_ray="RAY"))
    caught = await failure(responses, provider_of(host))
    assert caught.message == (
        "Access blocked by Cloudflare. This usually happens when connecting from a restricted"
        f" region (status 403 Forbidden), url: {host.url}/v1/responses, cf-ray: RAY"
    )
    assert caught.info == http(403)


@pytest.mark.parametrize(
    ("status", "body", "message", "info", "retry"),
    [
        (400, b"as it is\n", "as it is\n", "other", False),
        (400, b"", "", "other", False),
        (400, error(code="context_length_exceeded"), None, "other", False),
        (400, error(code="invalid_prompt"), None, "other", False),
        (400, error(code="invalid_prompt", message="no"), "no", "other", False),
        (400, error(code="cyber_policy", message="no"), "no", "cyberPolicy", False),
        (400, error(code="cyber_policy"), CYBER, "cyberPolicy", False),
        (
            400,
            error(message="The image data you provided does not represent a valid image."),
            BAD_IMAGE,
            "badRequest",
            False,
        ),
        (429, b"", TOO_MANY, LIMITED, False),
        (429, error(code="rate_limit_exceeded", message="slow"), TOO_MANY, LIMITED, False),
        (429, error(code="slow_down"), TOO_MANY, LIMITED, False),
        (429, error(type="usage_not_included"), NOT_INCLUDED, "usageLimitExceeded", False),
        (429, error(type="insufficient_quota"), QUOTA, "usageLimitExceeded", False),
        (500, error(message="boom"), BUSY, "internalServerError", True),
        (500, error(code="server_is_overloaded"), BUSY, "internalServerError", True),
        (503, error(code="server_is_overloaded"), AT_CAPACITY, "serverOverloaded", False),
        (503, error(code="slow_down", message="m"), "rate limit exceeded: m", None, True),
        (503, error(code="slow_down"), "rate limit exceeded: ", None, True),
    ],
)
async def test_some_statuses_have_words_of_their_own(
    responses: Responses,
    host: ModelHost,
    status: int,
    body: object,
    message: str | None,
    info: object,
    retry: bool,
) -> None:
    host.say(reply(status, body))
    caught = await failure(responses, provider_of(host))
    assert caught.message == (orjson.dumps(body).decode() if message is None else message)
    assert caught.info == (info or "rateLimitExceeded")
    assert caught.retry == retry
    assert caught.status == (429 if info == LIMITED else None)
    assert caught.headers is None


async def test_too_many_requests_have_an_id(responses: Responses, host: ModelHost) -> None:
    host.say(reply(429, x_request_id="req-1"))
    caught = await failure(responses, provider_of(host))
    assert caught.message == f"{TOO_MANY}, request id: req-1"


async def test_a_long_body_is_not_shown_to_its_end(
    responses: Responses, host: ModelHost
) -> None:
    host.say(reply(400, b"x" * 100_000))
    assert (await failure(responses, provider_of(host))).message == "x" * 2**14


async def test_a_body_that_is_cut_says_nothing(responses: Responses, host: ModelHost) -> None:
    host.say(cut(head(403, content_length="9") + b"half"))
    message = (await failure(responses, provider_of(host))).message
    assert message.startswith("unexpected status 403 Forbidden: Unknown error, url: ")


# --- who wants us to wait ---


@pytest.mark.parametrize(
    ("said", "delay"),
    [
        (reply(429, retry_after="7"), 7),
        (reply(429, retry_after=" 0 "), 0),
        (reply(503, retry_after="7"), 7),
        (reply(401, retry_after="7"), 7),
        (reply(500, retry_after="7"), 7),
        (reply(503, error(code="slow_down"), retry_after="7"), 7),
        (reply(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), 0),
        (reply(500, retry_after="7.5"), None),
        (reply(500, retry_after="-7"), None),
        (reply(500, retry_after="\u0667"), None),
        (reply(500, retry_after="soon"), None),
        (reply(500, retry_after_ms="7"), None),
        (stream(event("response.failed", response=error(code="slow_down"))), None),
    ],
)
async def test_a_host_says_when_to_come_back(
    responses: Responses, host: ModelHost, said: bytes, delay: float | None
) -> None:
    host.say(said)
    caught = await failure(responses, provider_of(host))
    assert (caught.retry, caught.delay) == (True, delay)


@pytest.mark.parametrize(
    ("words", "delay"),
    [
        ("Please try again in 1.5s.", 1.5),
        ("try again in 700ms", 0.7),
        ("Try Again In 2 Seconds!", 2),
        ("try again in 1 second", 1),
        ("try again in 5 minutes", None),
        ("try again later", None),
    ],
)
async def test_or_says_so_in_words(
    responses: Responses, host: ModelHost, words: str, delay: float | None
) -> None:
    told = error(code="rate_limit_exceeded", message=words)
    host.say(stream(event("response.failed", response=told)))
    caught = await failure(responses, provider_of(host))
    assert caught.message == f"rate limit exceeded: {words}"
    assert (caught.info, caught.retry, caught.delay) == ("rateLimitExceeded", True, delay)


@pytest.mark.parametrize("seconds", ["301", "9" * 400])
async def test_who_wants_us_to_wait_too_long_is_not_asked_again(
    responses: Responses, host: ModelHost, seconds: str
) -> None:
    host.say(reply(429, retry_after=seconds))
    caught = await failure(responses, provider_of(host))
    assert not caught.retry
    assert caught.delay is not None
    assert caught.delay > LONGEST_PAUSE


async def test_a_secret_that_comes_back_is_not_told(
    responses: Responses, host: ModelHost
) -> None:
    body = error(message=f"Incorrect key: {SECRET}. Not {SECRET}, please")
    for told in (
        {"bearer_token": SECRET},
        {"http_headers": {"x-key": SECRET}},
        {"query_params": {"key": SECRET}},
    ):
        for status in (400, 403):
            host.say(reply(status, body))
            caught = await failure(responses, provider_of(host, **told))
            assert "Incorrect key: [redacted]. Not [redacted], please" in caught.message
