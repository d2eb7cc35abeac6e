"""The texts of failures, and what is made of them on the wire."""

from __future__ import annotations

from typing import Any

from tests.responses.hosts import chunked, head, text_delta

QUOTA = "Quota exceeded. Check your plan and billing details."
NOT_INCLUDED = (
    "To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus."
)
AT_CAPACITY = "Selected model is at capacity. Please try a different model."
BUSY = "We\u2019re currently experiencing high demand, which may cause temporary errors."
FULL = (
    "Codex ran out of room in the model's context window."
    " Start a new thread or clear earlier history before retrying."
)
CYBER = "This request has been flagged for possible cybersecurity risk."
TOO_MANY = "exceeded retry limit, last status: 429 Too Many Requests"
BAD_IMAGE = "Invalid image in your last message. Please remove it and try again."
CUT = "stream disconnected before completion: "
CLOSED = f"{CUT}stream closed before response.completed"
LIMITED = {"responseTooManyFailedAttempts": {"httpStatusCode": 429}}
HALF = head(transfer_encoding="chunked") + chunked(text_delta("a"))


def http(status: int) -> dict[str, dict[str, int]]:
    return {"httpConnectionFailed": {"httpStatusCode": status}}


def error(**members: Any) -> dict[str, Any]:
    return {"error": members}
