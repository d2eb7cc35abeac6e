"""What a reply comes to whose status is no success, in the words of the original.

What is not marked otherwise was observed on 0.163.0.
"""

from __future__ import annotations

import base64
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio.account.lenient import read_json, read_object
from codex_trio.responses.failures import (
    AT_CAPACITY,
    CYBER,
    QUOTA,
    ResponseError,
    rate_limited,
    read_message,
)
from codex_trio.responses.usage_limits import MODEL_NOT_INCLUDED, explain_usage_limit
from codex_trio.urls import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LONGEST: Final = 16 * 2**10  # characters that are shown of what a host says
_LONGEST_BODY: Final = 1000  # … and of a body that is no JSON
_SHORTEST_SECRET: Final = 8  # characters; blotting out shorter ones would blot out words

_BUSY: Final = (
    "We\u2019re currently experiencing high demand, which may cause temporary errors."
)
_BAD_IMAGE: Final = "Invalid image in your last message. Please remove it and try again."
_NO_IMAGE: Final = "The image data you provided does not represent a valid image"
_BLOCKED: Final = (
    "Access blocked by Cloudflare."
    " This usually happens when connecting from a restricted region"
)


@attrs.frozen(kw_only=True)
class Refusal:
    """A reply whose status is no success, read.

    Args:
        status: the status code.
        headers: by name in small letters.
        body: as much of it as was read.
        url: who has said so.
        secrets: what we have signed with, to be left out wherever it is quoted.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    url: str
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)

    @property
    def transient(self) -> bool:
        """Whether the same request may well succeed in a moment."""
        return 500 <= self.status < 600

    @property
    def delay(self) -> float | None:
        """Seconds that the host wants us to wait (RFC 9110, section 10.2.3)."""
        return read_retry_after(self.headers.get("retry-after"), time.time())


def of_status(refusal: Refusal) -> ResponseError:
    """Say what a reply comes to whose status is no success."""
    text = refusal.body.decode(errors="replace")
    for secret in refusal.secrets:
        text = text.replace(secret, "[redacted]")
    error = _read_error(text)
    match refusal.status:
        case 400:
            return _of_bad_request(text, error)
        case 429:
            return _of_too_many(refusal, error)
        case 500:
            return ResponseError(_BUSY, "internalServerError", retry=True, delay=refusal.delay)
        case 503 if error.get("code") == "server_is_overloaded":
            return ResponseError(AT_CAPACITY, "serverOverloaded")
        case 503 if error.get("code") == "slow_down":
            return rate_limited(read_message(error, "message"), refusal.delay)
        case _:
            return ResponseError(
                _describe(refusal, text, error),
                {"httpConnectionFailed": {"httpStatusCode": refusal.status}},
                retry=True,
                delay=refusal.delay,
                status=refusal.status,
            )


def _of_bad_request(text: str, error: Mapping[str, Any]) -> ResponseError:
    if _NO_IMAGE in text:
        return ResponseError(_BAD_IMAGE, "badRequest")
    message = read_message(error, "message")
    match error.get("code"):
        case "cyber_policy":
            return ResponseError(message or CYBER, "cyberPolicy")
        case "invalid_prompt" if message:
            return ResponseError(message)
        case _:
            return ResponseError(text[:_LONGEST])


def _of_too_many(refusal: Refusal, error: Mapping[str, Any]) -> ResponseError:
    match error.get("type"):
        case "usage_limit_reached":
            message = explain_usage_limit(error, refusal.headers, time.time())
            return ResponseError(message, "usageLimitExceeded", headers=refusal.headers)
        case "usage_not_included":
            return ResponseError(MODEL_NOT_INCLUDED, "usageLimitExceeded")
        case "insufficient_quota":
            return ResponseError(QUOTA, "usageLimitExceeded")
        case _:
            request_id = _request_id(refusal.headers)
            return ResponseError(
                "exceeded retry limit, last status: 429 Too Many Requests"
                + ("" if request_id is None else f", request id: {request_id}"),
                {"responseTooManyFailedAttempts": {"httpStatusCode": 429}},
                retry=refusal.delay is not None,  # who does not say when is not asked again
                delay=refusal.delay,
                status=429,
            )


def _describe(refusal: Refusal, text: str, error: Mapping[str, Any]) -> str:
    status = _status_line(refusal.status)
    blocked = refusal.status == 403 and "Cloudflare" in text and "blocked" in text
    if blocked:
        said = f"{_BLOCKED} (status {status})"
    else:
        said = f"unexpected status {status}: {read_message(error, 'message') or _cut(text)}"
    headers = refusal.headers
    diagnostics = (
        ("url", shown(refusal.url)),
        ("cf-ray", headers.get("cf-ray")),
        ("request id", _request_id(headers)),
        ("auth error", headers.get("x-openai-authorization-error")),
        ("auth error code", _auth_error_code(headers.get("x-error-json"))),
    )
    return ", ".join([said, *(f"{name}: {value}" for name, value in diagnostics if value)])


def _cut(text: str) -> str:
    text = text.strip()
    if not text:
        return "Unknown error"
    return text if len(text) <= _LONGEST_BODY else f"{text[:_LONGEST_BODY]}..."


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} <unknown status code>"


def _request_id(headers: Mapping[str, str]) -> str | None:
    return headers.get("x-request-id") or headers.get("x-oai-request-id")


def _auth_error_code(encoded: str | None) -> str | None:
    try:
        told = read_object(read_json(base64.b64decode(encoded or "", validate=True)))
    except ValueError:
        return None
    return read_message(read_object(told.get("error")), "code") or None


def _read_error(text: str) -> dict[str, Any]:
    try:
        return read_object(read_object(read_json(text.encode())).get("error"))
    except ValueError:
        return {}


def read_retry_after(value: str | None, now: float) -> float | None:
    """Read a header that says in how many seconds to try again, or at what time.

    Args:
        value: the header; None when there is none.
        now: the present Unix time.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value[:20])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(moment.timestamp() - now, 0.0)


def secrets_of(values: Iterable[str | None]) -> tuple[str, ...]:
    """Choose what must not be quoted; what is too short to be a secret would blot out words."""
    return tuple(
        value for value in values if value is not None and len(value) >= _SHORTEST_SECRET
    )
