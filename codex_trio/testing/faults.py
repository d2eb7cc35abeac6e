"""What goes wrong, by script."""

from __future__ import annotations

import math
from collections import deque
from http import HTTPStatus
from typing import Any, Final

import attrs
import orjson
from attrs.validators import ge

from codex_trio.httpd import Answer, HttpResponse

_GARBAGE: Final = b"\x00\x01 this is not HTTP \xff\r\n\r\n"


@attrs.frozen
class Fault:
    """What becomes of one request.

    Args:
        wait: seconds before anything is answered, on Trio's clock.
        answer: what is answered instead of what would be; bytes are written as they are, and
            the connection is closed. None answers as if there were no fault.
    """

    wait: float = attrs.field(default=0.0, validator=ge(0))
    answer: Answer | None = None

    @classmethod
    def none(cls) -> Fault:
        """Let a request pass, so that a later one fails."""
        return cls()

    @classmethod
    def status(cls, status: int, body: Any = b"", content_type: str | None = None) -> Fault:
        """Answer with a status; what is not bytes or text is sent as JSON.

        Raises:
            ValueError: there is no such status, or it answers nothing.
        """
        if HTTPStatus(status) < HTTPStatus.OK:
            raise ValueError(f"{status} is no answer")
        kind = content_type or "text/plain; charset=utf-8"
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body, kind = orjson.dumps(body), content_type or "application/json"
        response = HttpResponse(status=status, headers=(("Content-Type", kind),), body=body)
        return cls(answer=response)

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """Answer as usual, later."""
        return cls(wait=seconds)

    @classmethod
    def drop(cls) -> Fault:
        """Close the connection without a word."""
        return cls(answer=b"")

    @classmethod
    def garbage(cls, data: bytes = _GARBAGE) -> Fault:
        """Write what is no HTTP, and close the connection."""
        return cls(answer=data)

    @classmethod
    def hang(cls) -> Fault:
        """Never answer, until the stand-in ends."""
        return cls(wait=math.inf)


@attrs.define(eq=False)
class Faults:
    """Faults by path, each for one request, in their order."""

    _by_path: dict[str, deque[Fault]] = attrs.field(factory=dict, init=False)

    def add(self, path: str, *faults: Fault) -> None:
        """Let the next requests to a path meet these, after what was added before."""
        self._by_path.setdefault(path, deque()).extend(faults)

    def take(self, path: str) -> Fault:
        """Take the next fault of a path off; the one that is none when there is no more."""
        faults = self._by_path.get(path)
        return faults.popleft() if faults else Fault.none()

    def clear(self) -> None:
        """Forget what has not happened yet."""
        self._by_path.clear()
