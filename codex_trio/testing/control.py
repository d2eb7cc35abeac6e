"""The stand-in's strings, for those who hold them from another process: ``/stand-in/…``."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio.testing.replies import RefusedError, json_response, not_found, required
from codex_trio.testing.script import read_faults

if TYPE_CHECKING:
    from codex_trio.httpd import HttpResponse
    from codex_trio.testing.recording import Recorded
    from codex_trio.testing.stand_in import StandIn

PREFIX: Final = "/stand-in/"


def answer_control(stand_in: StandIn, request: Recorded) -> HttpResponse:
    """Pull the string that a request names."""
    try:
        said = _pull(stand_in, request)
    except (KeyError, RefusedError, TypeError, ValueError) as error:
        return json_response({"detail": str(error)}, HTTPStatus.BAD_REQUEST)
    return not_found() if said is None else json_response(said)


def _pull(stand_in: StandIn, request: Recorded) -> Any:
    """Do what a request asks, and return what is said to that; None when nobody knows it."""
    match request.method, request.path.removeprefix(PREFIX):
        case "GET", "requests":
            return {"requests": [_spoken(one) for one in stand_in.requests]}
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
            stand_in.hold(required(request.fields, "path"))
        case "POST", "release":
            stand_in.release(required(request.fields, "path"))
        case "POST", "reset":
            stand_in.reset()
        case _:
            return None
    return {}


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
    said = attrs.asdict(request)
    return {**said, "body": request.body.decode("utf-8", "replace"), "fields": request.fields}
