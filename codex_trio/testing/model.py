"""What stands in for models: who may ask, what is answered, and what becomes of it."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
import trio

from codex_trio.httpd import HttpResponse, HttpStream
from codex_trio.testing.events import Cut, Hold, Pause, Repeat
from codex_trio.testing.recording import Recorded
from codex_trio.testing.replies import RefusedError, json_response
from codex_trio.testing.responses import ModelResponse

if TYPE_CHECKING:
    from codex_trio.httpd import HttpRequest, Send
    from codex_trio.testing.families import Families
    from codex_trio.testing.holds import Holds, News
    from codex_trio.testing.script import Script

Course: TypeAlias = Literal["waiting", "open", "complete", "cut", "closed"]
"""What has become of a request. Its response has not begun, nor will it where it was refused or
met a fault; is under way; went out to its end; was cut as the script says; or was closed by the
client before its end."""


@attrs.define
class _Fate:
    course: Course = "waiting"


@attrs.frozen(kw_only=True)
class ResponseRequest(Recorded):
    """A request for a response of a model: a POST to any path that ends with ``/responses``."""

    _fate: _Fate = attrs.field(factory=_Fate, init=False, eq=False, repr=False)

    @property
    def course(self) -> Course:
        """What has become of it."""
        return self._fate.course

    def turn(self, course: Course) -> None:
        """Note what becomes of it now."""
        self._fate.course = course

    @property
    def input(self) -> list[Any]:
        """The items of the conversation so far."""
        items: list[Any] = self.json["input"]
        return items

    def input_texts(self, role: str | None = None) -> list[str]:
        """List the texts of all messages in the input, or of those of a role, in their order."""
        return [
            part["text"]
            for item in self.input
            if item.get("type", "message") == "message" and role in {None, item["role"]}
            for part in _parts(item["content"])
            if "text" in part
        ]

    def tool_outputs(self) -> dict[str, Any]:
        """Return what the tools have said that the model called, by the id of the call."""
        return {
            item["call_id"]: item["output"]
            for item in self.input
            if str(item.get("type")).endswith("_call_output")
        }


def record(request: HttpRequest) -> Recorded:
    """Record a request that arrives now, as what it is."""
    asks = request.method == "POST" and request.path.endswith("/responses")
    return ResponseRequest.of(request) if asks else Recorded.of(request)


@attrs.define(eq=False)
class Model:
    """Answers those who may ask with what they shall hear."""

    _script: Script
    _families: Families
    _holds: Holds
    _news: News

    def answer(self, request: Recorded) -> HttpResponse | HttpStream | None:
        """Answer a request; None when it is none for models.

        Raises:
            RefusedError: it shows what does not count, or is not what it should be.
        """
        if isinstance(request, ResponseRequest):
            self._check_authorization(request)
            _check_body(request)
            response = self._next_response(request)
            return HttpStream(
                write=partial(self._write, request, response),
                status=response.status,
                headers=response.headers,
            )
        match request.method, request.path.rpartition("/")[2]:
            case "GET", "responses":  # by websocket, which is not spoken here
                return HttpResponse.text(HTTPStatus.UPGRADE_REQUIRED, "Send a POST instead.")
            case "GET", "models" if self._script.models is not None:
                self._check_authorization(request)
                return json_response({"models": self._script.models})
        return None

    def _check_authorization(self, request: Recorded) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.count(".") == 2:  # a JSON web token
            self._families.account_of(token)
        elif (keys := self._script.api_keys) is not None and token not in keys:
            raise RefusedError.coded(401, "invalid_api_key", "There is no such API key.")

    def _next_response(self, request: ResponseRequest) -> ModelResponse:
        waiting = self._script.responses
        said = waiting.pop(0) if waiting else self._script.respond(request)
        return said if isinstance(said, ModelResponse) else ModelResponse.of(said)

    async def _write(
        self, request: ResponseRequest, response: ModelResponse, send: Send
    ) -> bool:
        """Give a response and note what becomes of it; say whether it is complete."""
        course: Course = "closed"  # unless we come to its end
        try:
            course = await self._give(request, response, send)
        finally:
            self._note(request, course)
        return course == "complete"

    async def _give(
        self, request: ResponseRequest, response: ModelResponse, send: Send
    ) -> Course:
        if response.wait is not None:
            await self._stay(response.wait)
        if not response.status:
            return "cut"
        self._note(request, "open")
        await send(b"")
        for step in response.steps:
            match step:
                case Cut():
                    return "cut"
                case Repeat():
                    await _repeat(step, send)
                case Pause() | Hold():
                    await self._stay(step)
                case data:
                    await send(data)
        return "complete"

    async def _stay(self, step: Pause | Hold) -> None:
        if isinstance(step, Pause):
            await trio.sleep(step.seconds)
        else:
            await self._holds.pass_new(step.name)

    def _note(self, request: ResponseRequest, course: Course) -> None:
        request.turn(course)
        self._news.tell()


async def _repeat(step: Repeat, send: Send) -> None:
    for number in count() if step.times is None else range(step.times):
        if number and step.every:
            await trio.sleep(step.every)
        await send(step.data)


def _check_body(request: Recorded) -> None:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusedError.coded(415, "unsupported_encoding", "Nothing is unpacked here.")
    try:
        is_object = isinstance(request.json, dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise RefusedError.coded(400, "invalid_json", "A request is an object of JSON.")


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"text": content}] if isinstance(content, str) else content
