"""How the stand-in says yes and no. No I/O, no Trio."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from codex_trio.httpd import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Mapping


class RefusedError(Exception):
    """A request is refused, with this status and this body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"refused with {status}: {body}")
        self.status = status
        self.body = body

    @classmethod
    def oauth(cls, error: str, description: str) -> RefusedError:
        """Refuse as RFC 6749 says, section 5.2."""
        return cls(400, {"error": error, "error_description": description})

    @classmethod
    def coded(cls, status: int, code: str, message: str) -> RefusedError:
        """Refuse as OpenAI's own interfaces do."""
        return cls(status, {"error": {"code": code, "message": message}})


def required(fields: Mapping[str, Any], name: str) -> str:
    """Look up a parameter of a request.

    Raises:
        RefusedError: it is missing, empty or no text.
    """
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise RefusedError.oauth("invalid_request", f"The parameter {name} is missing.")
    return value


def json_response(value: Any, status: int = HTTPStatus.OK) -> HttpResponse:
    """Answer with JSON that nobody may store, as RFC 6749 wants it, section 5.1."""
    headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
    return HttpResponse(status=status, headers=headers, body=orjson.dumps(value))


def not_found() -> HttpResponse:
    """Answer what nobody serves."""
    return json_response({"detail": "Not Found"}, HTTPStatus.NOT_FOUND)


def merged(value: Any, patch: Any) -> Any:
    """Change a JSON value as RFC 7396 says: objects member by member, and None removes one."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, change in patch.items():
        if change is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), change)
    return result
