"""What scripts are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.parity.steps import Step


def ask(method: str, params: Any = ..., message_id: Any = 1) -> Step:
    """One request; without params unless they are given."""
    message = {"id": message_id, "method": method}
    return message if params is ... else {**message, "params": params}


def raw(message_id: str, *, more: str = "") -> str:
    """account/read with an id that is written as it stands."""
    return f'{{"id":{message_id},"method":"account/read","params":{{}}{more}}}'


READ = ask("account/read", {})
STATUS = ask("getAuthStatus", {"includeToken": True})
LOGIN = ask("account/login/start", {"type": "apiKey", "apiKey": "sk-test"})
LOGOUT = ask("account/logout")


def info(**fields: Any) -> dict[str, Any]:
    return {"clientInfo": {"name": "probe", "version": "1.0", **fields}}


def able(**capabilities: Any) -> Step:
    return ask("initialize", {**info(), "capabilities": capabilities}, "i")
