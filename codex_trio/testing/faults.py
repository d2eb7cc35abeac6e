"""What goes wrong, by script."""

from __future__ import annotations

import math
from collections import deque
from http import HTTPStatus
from typing import Any, Final, Literal, TypeAlias

import attrs
import orjson
import trio
from attrs.validators import ge

from codex_trio.httpd import Answer, HttpResponse

Loss: TypeAlias = Literal["lost", "cut", "endless"]
"""What becomes of an answer: not a word of it comes, half of its body, or more and more."""

_GARBAGE: Final = b"\x00\x01 this is not HTTP \xff\r\n\r\n"


@attrs.frozen
class Fault:
    """What becomes of one request.

    Args:
        wait: seconds before anything is answered, on Trio's clock.
        answer: what is answered instead of what would be; bytes are written as they are, and
            the connection is closed. None answers as if there were no fault.
        loss: what becomes of the answer to a request that has been done. It is done before the
            wait, and ``answer`` does not count. Of a model's response nothing comes in any case;
            it has ways of its own to be cut.
    """

    wait: float = attrs.field(default=0.0, validator=ge(0))
    answer: Answer | None = None
    loss: Loss | None = None

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
    def redirect(cls, location: str, status: int = HTTPStatus.TEMPORARY_REDIRECT) -> Fault:
        """Send whoever asks to another place."""
        return cls(answer=HttpResponse(status=status, headers=(("Location", location),)))

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
        """Do nothing and never answer, until the stand-in ends."""
        return cls(wait=math.inf)

    @classmethod
    def lose(cls, wait: float = 0.0) -> Fault:
        """Do what is asked; wait, and close the connection without a word."""
        return cls(wait, loss="lost")

    @classmethod
    def cut(cls) -> Fault:
        """Do what is asked, and close the connection in the middle of the answer."""
        return cls(loss="cut")

    @classmethod
    def trickle(cls) -> Fault:
        """Do what is asked, and answer without an end: a space more every second."""
        return cls(loss="endless")


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


async def lose(response: HttpResponse, loss: Loss, stream: trio.abc.SendStream) -> bytes:
    """Return what is left of a response; an endless one goes out until the peer has had enough.

    Raises:
        trio.BrokenResourceError: it has.
    """
    if loss == "lost":
        return b""
    whole = ("Content-Length", str(len(response.body)))
    if loss == "cut":
        return _head(response, whole) + response.body[: len(response.body) // 2]
    data = _head(response, ("Connection", "close")) + response.body
    while True:
        await stream.send_all(data)
        await trio.sleep(1)
        data = b" "


def _head(response: HttpResponse, last: tuple[str, str]) -> bytes:
    status = HTTPStatus(response.status)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in (*response.headers, last)]
    return "\r\n".join([*lines, "", ""]).encode("ascii")
