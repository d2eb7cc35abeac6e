"""The stand-in's strings, for those who hold them from another process: ``/stand-in/…``."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio.testing.issuer import RefusedError, required
from codex_trio.testing.routes import json_response
from codex_trio.testing.script import read_faults

if TYPE_CHECKING:
    from codex_trio.httpd import HttpResponse
    from codex_trio.testing.recording import Recorded
    from codex_trio.testing.stand_in import StandIn

PREFIX: Final = "/stand-in/"


def answer_control(stand_in: StandIn, request: Recorded) -> HttpResponse:
    """Tell what was asked, take a new script, or begin anew."""
    try:
        match request.method, request.path.removeprefix(PREFIX):
            case "GET", "requests":
                return json_response({"requests": [_spoken(one) for one in stand_in.requests]})
            case "POST", "script":
                _take_script(stand_in, request.json)
            case "POST", "approve-device":
                stand_in.approve_device(required(request.fields, "user_code"))
            case "POST", "reset":
                stand_in.reset()
            case _:
                return json_response({"detail": "Not Found"}, HTTPStatus.NOT_FOUND)
    except (KeyError, RefusedError, TypeError, ValueError) as error:
        return json_response({"detail": str(error)}, HTTPStatus.BAD_REQUEST)
    return json_response({})


def _take_script(stand_in: StandIn, words: Any) -> None:
    if not isinstance(words, dict):
        raise TypeError("a script is an object")
    faults = list(read_faults(words.pop("faults", ())))
    stand_in.tell(words)
    for path, fault in faults:
        stand_in.faults.add(path, fault)


def _spoken(request: Recorded) -> dict[str, Any]:
    """Say a request in JSON: its body as text, and its fields if it has some."""
    said = attrs.asdict(request)
    return {**said, "body": request.body.decode("utf-8", "replace"), "fields": request.fields}
