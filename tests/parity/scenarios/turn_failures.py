"""Turns that fail, and those that are tried again: what a host of models may answer instead."""

from __future__ import annotations

import base64
import json
from typing import Any

from codex_trio.testing import (
    Cut,
    End,
    Failed,
    FunctionCall,
    Hold,
    Incomplete,
    ModelResponse,
    Text,
)
from tests.parity.scenarios.conversing import (
    DONE,
    begin,
    converses,
    interrupt,
    model,
    opening,
    say,
    talk,
)
from tests.parity.scenarios.signing import rounds
from tests.parity.steps import Await, Hear, Step

LATE = {"resets_at": 1900000000}

error = ModelResponse.error
plain = ModelResponse.plain


def limit(plan: str | None = None, **more: Any) -> ModelResponse:
    """A host that says that the limit of a plan is reached."""
    told = {**LATE, **({} if plan is None else {"plan_type": plan})}
    return error(429, "no more", type="usage_limit_reached", more=told, **more)


def failed(code: str | None = None, message: str | None = "m") -> ModelResponse:
    return ModelResponse.of(Failed(code, message))


STATUSES = {
    **{str(status): error(status, "m") for status in (400, 401, 403, 404, 500, 502, 503)},
    "400 without a word": plain(400),
    "400 as the history is too long": error(400, "m", code="context_length_exceeded"),
    "400 as a picture is none": error(
        400, "The image data you provided does not represent a valid image"
    ),
    "403 in a page": plain(403, "<html><body>no</body></html>", "text/html"),
    "404 without a word": plain(404),
    "404 in other words": plain(404, {"detail": "no"}),
    "404 with more": error(404, "m", headers={"x-request-id": "req-1", "cf-ray": "ray-1"}),
    "401 with more": error(
        401,
        "m",
        headers={
            "x-request-id": "req-1",
            "x-openai-authorization-error": "auth_err",
            "x-error-json": base64.b64encode(
                json.dumps({"error": {"code": "token_expired"}}).encode()
            ).decode(),
        },
    ),
    "404 as there is no such model": error(404, "m", code="model_not_found"),
    "418": error(418, "m"),
    "429": error(429, "m"),
    "429 without a word": plain(429),
    "429 as the rate is too high": error(429, "m", code="rate_limit_exceeded"),
    "503 as it has too much to do": error(503, "m", code="server_is_overloaded"),
    "503 to go slower": error(503, "m", code="slow_down"),
}

LIMITED = {
    "for any plan": limit(),
    **{
        f"for {plan}": limit(plan)
        for plan in ("free", "go", "plus", "pro", "team", "business", "enterprise", "edu", "x")
    },
    "with words of its own": limit(headers={"x-codex-promo-message": "Do this"}),
    "which does not count": error(429, "m", type="usage_not_included"),
    "of a budget": error(429, "m", type="insufficient_quota", code="insufficient_quota"),
}

CODES = [
    *("server_error", "context_length_exceeded", "insufficient_quota", "usage_not_included"),
    *("invalid_prompt", "server_is_overloaded", "slow_down", "rate_limit_exceeded"),
    *("cyber_policy", "usage_limit_reached", "bio_policy"),
]

BROKEN = {
    "nobody knows why": ModelResponse.of(Failed()),
    **{code: failed(code) for code in CODES},
    "cyber_policy, without a word": failed("cyber_policy", None),
    "too long": ModelResponse.of("a", Incomplete()),
    "filtered": ModelResponse.of("a", Incomplete("content_filter")),
    "too early": ModelResponse.of("a", Incomplete(None)),
    "at its end": ModelResponse.of(Text("a", item_id="msg_1"), End()),
    "within": ModelResponse.of(*opening("a"), Cut()),
    "before it says anything": plain(200, b"", "text/event-stream"),
    "as it is no stream": plain(200, {"id": "x"}),
    "as it is a page": plain(200, "<html></html>", "text/html"),
    "without an answer": ModelResponse.nothing(),
    "without an id": ModelResponse.of(
        {"type": "response.completed", "response": {"usage": None}}, bare=True
    ),
}

SLOWLY = {"Retry-After": "1"}

AGAIN: dict[str, list[ModelResponse]] = {
    "500": [error(500, "m")] * 4,
    "500, and to come later": [error(500, "m", headers=SLOWLY)],
    "503 to go slower": [error(503, "m", code="slow_down")] * 4,
    "503 as it has too much to do": [error(503, "m", code="server_is_overloaded")] * 2,
    "401": [error(401, "m")] * 2,
    "404": [error(404, "m")] * 2,
    "429": [error(429, "m")],
    "429, and to come later": [error(429, "m", headers=SLOWLY)],
    "that a limit is reached": [limit("plus")],
    "400": [error(400, "m")],
    "not at all": [ModelResponse.nothing()] * 4,
    "and is cut": [ModelResponse.of(*opening("a "), Cut())] * 2,
    "and is cut once": [
        ModelResponse.of(Text("a", item_id="msg_1"), *opening("b", item_id="msg_2"), Cut())
    ],
    "and is cut behind a call": [
        ModelResponse.of(FunctionCall("nope", call_id="call_1", item_id="fc_1"), Cut())
    ],
    "that it failed": [failed("server_error")] * 2,
    "that it failed, and when to come": [
        failed("rate_limit_exceeded", "Please try again in 700ms.")
    ],
    "that the question is wrong": [failed("invalid_prompt")],
    "too much": [ModelResponse.of("a", Incomplete())],
    "what is filtered": [ModelResponse.of(said, Incomplete("content_filter")) for said in "ab"],
}


def all_of(ways: dict[str, Any]) -> list[Step]:
    """A turn for each way to fail, in a conversation of its own, and one behind it."""
    return rounds(
        [
            *begin(),
            model(name, *(way if isinstance(way, list) else [way])),
            *talk("hi"),
            *talk("and?"),
        ]
        for name, way in ways.items()
    )


FAILING = [
    converses("it fails with a status", *all_of(STATUSES)),
    converses("it fails at a limit", *all_of(LIMITED)),
    converses("it breaks off", *all_of(BROKEN)),
    converses("it is tried again", *all_of(AGAIN), retries=(1, 1)),
    converses(
        "it is tried more than once",
        *begin(),
        model("500, again and again", *[error(500, "m")] * 9),
        *talk("hi"),
        retries=(2, 2),
    ),
    converses(
        "it is silent",
        *begin(),
        model("half a word", ModelResponse.of(*opening("a"), Hold("for ever"))),
        *talk("hi"),
        config="model_providers.stand_in.stream_idle_timeout_ms = 500",
    ),
    converses(
        "nobody is there",
        *begin(modelProvider="nobody"),
        say("hi"),
        Await(4),
        Hear("error"),
        interrupt(),
        Await(6),
        DONE,
        config='model_providers.nobody = {name = "Nobody", base_url = "http://127.0.0.1:9/v1"}',
    ),
    converses(
        "a key that is not there",
        *begin(),
        *talk("hi"),
        config="\n".join(
            [
                'model_providers.stand_in.env_key = "NO_SUCH_KEY"',
                'model_providers.stand_in.env_key_instructions = "Get one."',
            ]
        ),
    ),
]
