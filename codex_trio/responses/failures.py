"""Why there is no answer: in the words of the original, and whether it is worth another try.

What is not marked otherwise was observed on 0.163.0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from codex_trio.account.lenient import read_object
from codex_trio.errors import CodexTrioError, TrustError
from codex_trio.responses.usage_limits import MODEL_NOT_INCLUDED
from codex_trio.upstream import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.errors import RefreshError, UpstreamError

ErrorInfo: TypeAlias = str | dict[str, dict[str, int | None]]
"""The ``codexErrorInfo`` of the wire, as JSON."""

LONGEST_PAUSE: Final = 300.0
"""Seconds that a host may ask us to wait; whoever wants more is not asked again (ours)."""

AT_CAPACITY: Final = "Selected model is at capacity. Please try a different model."
"""What is said when a model has no time for us."""

QUOTA: Final = "Quota exceeded. Check your plan and billing details."
"""What is said when nothing is left of what was paid for."""

CYBER: Final = "This request has been flagged for possible cybersecurity risk."
"""What is said of a request that may do harm, unless the host has words of its own."""

_LONGEST: Final = 16 * 2**10  # characters that are shown of what a host says
_FULL: Final = (
    "Codex ran out of room in the model's context window."
    " Start a new thread or clear earlier history before retrying."
)
_FLEX: Final = "Flex capacity unavailable."
_LATER: Final = re.compile(r"(?i)try again in\s*(\d+(?:\.\d+)?)\s*(ms|s|seconds?)\b")


class ResponseError(CodexTrioError):
    """There is no answer, or no complete one; the text is for whoever has asked.

    Args:
        message: what happened. It quotes the host, and never what we have sent.
        info: the ``codexErrorInfo`` of the wire.
        retry: whether the whole request is worth another try, announced to the client.
        delay: seconds that the host wants us to wait before that; None when it does not say.
        status: the status of the host's reply, where that is to be told with a retry.
        headers: those of the reply, where they say something about the account's limits.
        unreachable: whether the host could not even be connected to, as without a network.
        details: what is known beside the message, which is the original's.
    """

    def __init__(
        self,
        message: str,
        info: ErrorInfo = "other",
        *,
        retry: bool = False,
        delay: float | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        unreachable: bool = False,
        details: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.info = info
        self.retry = retry and (delay is None or delay <= LONGEST_PAUSE)
        self.delay = delay
        self.status = status
        self.headers = headers
        self.unreachable = unreachable
        self.details = details

    @property
    def explained(self) -> str:
        """The message, and the details behind it."""
        return self.message if self.details is None else f"{self.message}: {self.details}"


def disconnected(
    reason: str, *, retry: bool = True, details: str | None = None
) -> ResponseError:
    """Say that a stream has ended before the answer was complete."""
    message = f"stream disconnected before completion: {reason}"
    return ResponseError(message, retry=retry, details=details)


def unreadable(reason: str) -> ResponseError:
    """Say that the end of an answer cannot be read."""
    return disconnected(f"failed to parse ResponseCompleted: {reason}")


def of_upstream(error: UpstreamError) -> ResponseError:
    """Say that a host could not be asked."""
    details = str(error)
    if isinstance(error, UnreachableError):
        message = "Connection failed: error sending request"
        return ResponseError(message, retry=True, unreachable=True, details=details)
    retry = not isinstance(error, TrustError)
    return disconnected("error sending request", retry=retry, details=details)


def of_cut(error: UpstreamError) -> ResponseError:
    """Say that a stream was cut."""
    reason = "Transport error: network error: error decoding response body"
    return disconnected(reason, details=str(error))


def of_refresh(error: RefreshError) -> ResponseError:
    """Say that a token was refused, and that there is no other."""
    if error.permanent:
        return ResponseError(str(error), "unauthorized")
    return ResponseError(str(error), retry=True)


# --- a stream that says so itself ---


def of_failed(response: object) -> ResponseError:
    """Say what ``response.failed`` comes to."""
    error = read_object(response).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(code, str | None):
        return disconnected("response.failed event received")
    message = read_message(error, "message")
    match code:
        case "context_length_exceeded":
            return ResponseError(_FULL, "contextWindowExceeded")
        case "insufficient_quota":
            return ResponseError(QUOTA, "usageLimitExceeded")
        case "usage_not_included":
            return ResponseError(MODEL_NOT_INCLUDED, "usageLimitExceeded")
        case "invalid_prompt":
            return ResponseError(message or "Invalid request.")
        case "bio_policy":
            return ResponseError(message)
        case "cyber_policy":
            return ResponseError(message or CYBER, "cyberPolicy")
        case "misalignment_policy_violation":
            return ResponseError(message, "misalignmentPolicyViolation")
        case "flex_unavailable":
            return ResponseError(_FLEX, "flexUnavailable")
        case "server_is_overloaded":
            return ResponseError(AT_CAPACITY, "serverOverloaded")
        case "slow_down" | "rate_limit_exceeded":
            return rate_limited(message, _read_later(message))
        case _:
            return disconnected(message)


def of_incomplete(response: object) -> ResponseError:
    """Say what ``response.incomplete`` comes to."""
    details = read_object(read_object(response).get("incomplete_details"))
    reason = read_message(details, "reason") or "unknown"
    message = f"Incomplete response returned, reason: {reason}"
    if reason in ("unknown", "max_output_tokens"):  # which would happen again
        return ResponseError(message)
    return disconnected(message)


def rate_limited(message: str, delay: float | None) -> ResponseError:
    """Say that a host is asked too often, and wants us to wait."""
    message = f"rate limit exceeded: {message}"
    return ResponseError(message, "rateLimitExceeded", retry=True, delay=delay)


def read_message(fields: Mapping[str, Any], name: str) -> str:
    """Read what a host says, as much as is shown of it; empty when it says nothing."""
    value = fields.get(name)
    if not isinstance(value, str):
        return ""
    # JSON can make strings that are no text, and could not be told to anybody.
    return value[:_LONGEST].encode(errors="replace").decode()


def _read_later(message: str) -> float | None:
    """Find in how many seconds somebody wants to be asked again."""
    if (found := _LATER.search(message)) is None:
        return None
    return float(found[1]) / (1000 if found[2].lower() == "ms" else 1)
