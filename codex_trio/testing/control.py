"""The stand-in's strings, for those who hold them from another process: ``/stand-in/…``."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from codex_trio.testing.model import ResponseRequest
from codex_trio.testing.recording import Recorded
from codex_trio.testing.replies import RefusedError, json_response, not_found, required
from codex_trio.testing.script import read_faults

if TYPE_CHECKING:
    from codex_trio.httpd import HttpResponse
    from codex_trio.testing.stand_in import StandIn

PREFIX: Final = "/stand-in/"

PATIENCE: Final = 15.0
"""Seconds for which somebody may wait here, which is less than whoever asks does."""


async def answer_control(stand_in: StandIn, request: Recorded) -> HttpResponse:
    """Pull the string that a request names."""
    try:
        with trio.fail_after(PATIENCE):
            said = await _wait(stand_in, request)
        if said is None:
            said = _pull(stand_in, request)
    except trio.TooSlowError:
        return json_response({"detail": "it has not happened"}, HTTPStatus.BAD_REQUEST)
    except (KeyError, RefusedError, TypeError, ValueError) as error:
        return json_response({"detail": str(error)}, HTTPStatus.BAD_REQUEST)
    return not_found() if said is None else json_response(said)


async def _wait(stand_in: StandIn, request: Recorded) -> Any:
    """Wait for what a request names, and say what that is; None when it names nothing such."""
    number = int(request.query.get("number", "1"))
    match request.method, request.path.removeprefix(PREFIX):
        case "GET", "wait-request":
            path = required(request.query, "path")
            return {"request": _spoken(await stand_in.wait_request(path, number))}
        case "GET", "wait-response-request":
            return {"request": _spoken(await stand_in.wait_response_request(number))}
        case "GET", "wait-closed":
            return {"request": _spoken(await stand_in.wait_closed(number))}
        case "GET", "wait-held":
            await stand_in.wait_held(required(request.query, "name"), number)
            return {}
        case _:
            return None


def _pull(stand_in: StandIn, request: Recorded) -> Any:
    """Do what a request asks, and return what is said to that; None when nobody knows it."""
    match request.method, request.path.removeprefix(PREFIX):
        case "GET", "requests":
            return {"requests": [_spoken(one) for one in stand_in.requests]}
        case "GET", "response-requests":
            return {"requests": [_spoken(one) for one in stand_in.response_requests]}
        case "GET", "open-responses":
            return {"number": stand_in.open_responses}
        case "GET", "exchanges":
            return {"exchanges": [attrs.asdict(one) for one in stand_in.exchanges]}
        case "GET", "live-refresh-tokens":
            account_id = request.query.get("account_id", stand_in.account.account_id)
            account = attrs.evolve(stand_in.account, account_id=account_id)
            return {"refresh_tokens": stand_in.live_refresh_tokens(account)}
        case "POST", "script":
            _take_script(stand_in, request.json)
        case "POST", "approve-device":
            stand_in.approve_device(required(request.fields, "user_code"))
        case "POST", "issue-tokens":
            return attrs.asdict(stand_in.issue_tokens(**_read_owner(stand_in, request.json)))
        case "POST", "issue-access-token":
            token = stand_in.issue_access_token(**_read_owner(stand_in, request.json))
            return {"access_token": token}
        case "POST", "expire-access-tokens":
            stand_in.expire_access_tokens()
        case "POST", "end-refresh-tokens":
            stand_in.end_refresh_tokens(request.fields["ending"])
        case "POST", "revoke-all":
            stand_in.revoke_all()
        case "POST", "hold":
            stand_in.hold(_name(request))
        case "POST", "release":
            stand_in.release(_name(request))
        case "POST", "reset":
            stand_in.reset()
        case _:
            return None
    return {}


def _name(request: Recorded) -> str:
    """Read what is to be held or let go: a path, or a name that a script has given."""
    return required(request.fields, "path" if "path" in request.fields else "name")


def _read_owner(stand_in: StandIn, words: dict[str, Any]) -> dict[str, Any]:
    """Read whose tokens are to be issued: the account's words say what differs from ours."""
    if "client_id" in words:
        required(words, "client_id")
    if "account" in words:
        words["account"] = attrs.evolve(stand_in.account, **words["account"])
    return words


def _take_script(stand_in: StandIn, words: Any) -> None:
    if not isinstance(words, dict):
        raise TypeError("a script is an object")
    faults = list(read_faults(words.pop("faults", ())))
    stand_in.tell(words)
    for path, fault in faults:
        stand_in.faults.add(path, fault)


def _spoken(request: Recorded) -> dict[str, Any]:
    """Say a request in JSON: its body as text, and its fields if it has some."""
    said = {name: getattr(request, name) for name in attrs.fields_dict(Recorded)}
    said |= {"body": request.body.decode("utf-8", "replace"), "fields": request.fields}
    if isinstance(request, ResponseRequest):
        said["course"] = request.course
    return said
