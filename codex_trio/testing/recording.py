"""What was asked of the stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

import attrs
import orjson
import trio

if TYPE_CHECKING:
    from codex_trio.httpd import HttpRequest


@attrs.frozen(kw_only=True)
class Recorded:
    """A request that arrived, whatever was answered.

    Args:
        method: in capitals.
        path: without the query.
        query: its parameters; of repeated ones, the last.
        headers: by name in small letters.
        body: as it was sent.
        at: when it arrived, in seconds of Trio's clock.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """Record a request that arrives now."""
        return cls(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=dict(request.headers),
            body=request.body,
            at=trio.current_time(),
        )

    @property
    def json(self) -> Any:
        """The body as JSON; raises ``ValueError`` when it is none."""
        return orjson.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body as a form, in the order in which its fields were sent."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def fields(self) -> dict[str, Any]:
        """The body as JSON or a form, as its content type says; empty when it is neither."""
        if "json" not in self.headers.get("content-type", ""):
            return self.form
        try:
            fields = self.json
        except ValueError:
            return {}
        return fields if isinstance(fields, dict) else {}
