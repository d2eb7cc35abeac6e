"""The four message shapes, and bytes to messages and back.

A line is a JSON object without the ``jsonrpc`` member, which is tolerated on input. How a line
is classified, and what makes it no message at all, follows 0.163.0 (observed): an ``id`` that
is neither a string nor a 64-bit integer makes a notification of a request.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any, Final, TypeAlias, TypeGuard, TypeVar

import orjson
from attrs import define

from codex_trio.errors import InvalidParamsError, MessageError, RpcError
from codex_trio.protocol.rows import ServerNotification, ServerRequest
from codex_trio.protocol.structure import structure, unstructure

RequestId: TypeAlias = str | int

CANCEL: Final = "$/cancelRequest"
"""The notification that a request is not wanted any more, as in the Language Server Protocol.

Ours; 0.163.0 ignores it (observed). Its params are ``{"id": …}``.
"""

P = TypeVar("P")

_SMALLEST_ID: Final = -(2**63)
_LARGEST_ID: Final = 2**63 - 1


# These four are not frozen only because one of them is made for every line, and a frozen
# attrs class takes three times as long to make. Their params may hold secrets: no repr.
@define(eq=False, repr=False)
class Request:
    """Something to be answered."""

    id: RequestId
    method: str
    params: object = None
    trace: object = None
    """Where it comes from, see ``telemetry``; anything, it is not checked."""


@define(eq=False, repr=False)
class Notification:
    """Something to be heard."""

    method: str
    params: object = None


@define(eq=False, repr=False)
class Response:
    """The answer to a question of ours."""

    id: RequestId
    result: object = None


@define(eq=False, repr=False)
class Failure:
    """A question of ours could not be answered."""

    id: RequestId
    error: RpcError


Message: TypeAlias = Request | Notification | Response | Failure


def decode(line: bytes) -> Message:
    """Read one message.

    Raises:
        MessageError: the line is not JSON or not one of the four shapes. Nothing can be
            answered then; the text says why and never quotes the line.
    """
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise MessageError(str(error)) from None
    if type(fields) is not dict:
        raise MessageError("expected a JSON object")
    message_id, method = fields.get("id"), fields.get("method")
    if type(method) is str:
        if _is_id(message_id):
            return Request(message_id, method, fields.get("params"), fields.get("trace"))
        return Notification(method, fields.get("params"))
    if "method" not in fields and _is_id(message_id):
        if "result" in fields:
            return Response(message_id, fields["result"])
        match fields.get("error"):
            case {"code": int(code), "message": str(text), **others} if type(code) is int:
                return Failure(message_id, RpcError(code, text, others.get("data")))
    raise MessageError("neither a request nor a notification nor an answer")


def _is_id(value: object) -> TypeGuard[RequestId]:
    """Say whether a value is an id: what else stands there makes no request."""
    # Not isinstance: a bool is an int in Python, and is none on the wire.
    if type(value) is int:
        return _SMALLEST_ID <= value <= _LARGEST_ID
    return type(value) is str


_ID: Final = rb'"id"\s*:\s*(?P<id>-?\d+|"(?:[^"\\]|\\.)*")\s*,\s*'
_HEAD: Final = re.compile(
    rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"[^"]*"\s*,\s*)?'
    rb'(?:"(?P<method>method)"\s*:\s*"[^"]*"\s*,\s*'
    + _ID
    + rb"|"
    + _ID.replace(b"<id>", b"<first>")
    + rb'"(?P<next>method|result|error)"\s*:)'
)


def decode_head(head: bytes) -> Request | Response | None:
    """Tell of a message of which only the beginning was kept whom it is about.

    Returns a request or an answer with nothing in it but the id; None when the beginning does
    not say. An answer must not be taken for a request: both sides count their ids from 0.
    """
    if (start := _HEAD.match(head)) is None:
        return None
    try:
        found = orjson.loads(start["id"] or start["first"])
    except orjson.JSONDecodeError:
        return None
    if not _is_id(found):
        return None
    return (
        Request(found, "") if b"method" in (start["method"], start["next"]) else Response(found)
    )


def decode_params(row_params: Any, raw: object) -> Any:
    """Turn the params of a request into the words of its row.

    Raises:
        InvalidParamsError: with the text of 0.163.0.
    """
    if raw is None and row_params is not type(None):
        raise InvalidParamsError("missing field `params`")
    return structure(raw, row_params)


def decode_result(row: ServerRequest[Any, P], raw: object) -> P:
    """Turn the client's answer into the words of the question.

    Raises:
        InvalidParamsError: its ``reason`` says what is wrong with the answer.
    """
    result: P = structure(raw, row.result)
    return result


def encode_response(request_id: RequestId, result: object) -> bytes:
    """Write the answer to a request of the client."""
    return _dumps({"id": request_id, "result": unstructure(result)})


def encode_failure(request_id: RequestId, error: RpcError) -> bytes:
    """Write why a request of the client could not be answered."""
    fields: dict[str, object] = {"code": error.code}
    if error.data is not None:
        fields["data"] = error.data
    fields["message"] = error.message
    return _dumps({"error": fields, "id": request_id})


def encode_request(row: ServerRequest[P, Any], request_id: RequestId, params: P) -> bytes:
    """Write a question to the client."""
    return _dumps({"method": row.name, "id": request_id, "params": unstructure(params)})


def encode_notification(row: ServerNotification[P], params: P) -> bytes:
    """Write a notification, stamped with the time at which it is written."""
    return _dumps(
        {
            "method": row.name,
            "params": unstructure(params),
            "emittedAtMs": time.time_ns() // 1_000_000,
        }
    )


def _dumps(message: object) -> bytes:
    try:
        # A copy, since orjson's own holds on to 4 KiB: much, for a thousand short answers.
        return bytes(memoryview(orjson.dumps(message)))
    except TypeError:
        # The name of a file, say, that is no Unicode: it is shown with question marks, for an
        # error that cannot be told is worse than one that is told inexactly.
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="replace")
