"""What the backend of ChatGPT accounts answers: routing, limits, and what a workspace wants."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from codex_trio.testing.replies import RefusedError, json_response, merged, not_found

if TYPE_CHECKING:
    from codex_trio.httpd import HttpResponse
    from codex_trio.testing.families import Families
    from codex_trio.testing.recording import Recorded
    from codex_trio.testing.script import Script
    from codex_trio.testing.tokens import Account


@attrs.define(eq=False)
class Backend:
    """Answers whoever shows an access token that counts."""

    _script: Script
    _families: Families

    def answer(self, request: Recorded) -> HttpResponse:
        """Answer a request; what nobody knows is not found.

        Raises:
            RefusedError: its token does not count.
        """
        route = _ROUTES.get((request.method, request.path))
        if route is None:
            return not_found()
        return route(self, self._signed_in(request))

    def list_accounts(self, account: Account) -> HttpResponse:
        """Say where an account is served from."""
        entry = {
            "id": account.account_id,
            "name": account.workspace_name,
            "plan_type": account.plan,
            "workspace_backend_origin": account.backend_origin,
            "account_routing_override": account.routing_override,
        }
        return json_response({"accounts": [entry]})

    def usage(self, account: Account) -> HttpResponse:
        """Say how much of its limits an account has used."""
        usual = {
            "plan_type": account.plan,
            "rate_limit": {
                "allowed": True,
                "limit_reached": False,
                "primary_window": _window(used_percent=12, seconds=5 * 3600),
                "secondary_window": _window(used_percent=34, seconds=7 * 86400),
            },
            "credits": {"has_credits": False, "unlimited": False, "balance": None},
        }
        return json_response(merged(usual, self._script.usage))

    def requirements(self, account: Account) -> HttpResponse:
        """Say what the account's workspace requires, as 0.118 asked it."""
        text = self._script.requirements
        if text is None:
            return not_found()
        digest = hashlib.sha256(text.encode()).hexdigest()
        return json_response({"contents": text, "sha256": digest})

    def bundle(self, account: Account) -> HttpResponse:
        """Say what the account's workspace requires, as 0.163 asks it."""
        text = self._script.requirements
        if text is None:
            return json_response({})
        fragment = {"id": "fake-policy", "name": "Fake policy", "contents": text}
        return json_response({"requirements_toml": {"enterprise_managed": [fragment]}})

    def _signed_in(self, request: Recorded) -> Account:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise RefusedError.coded(401, "missing_token", "Whose is this request?")
        return self._families.account_of(token)


_Route: TypeAlias = Callable[[Backend, "Account"], "HttpResponse"]

_ROUTES: Final[dict[tuple[str, str], _Route]] = {
    ("GET", f"{base}/{name}"): route
    for base in ("/backend-api/wham", "/api/codex")
    for name, route in (
        ("accounts/check", Backend.list_accounts),
        ("usage", Backend.usage),
        ("config/requirements", Backend.requirements),
        ("config/bundle", Backend.bundle),
    )
}


def _window(*, used_percent: int, seconds: int) -> dict[str, Any]:
    return {
        "used_percent": used_percent,
        "limit_window_seconds": seconds,
        "reset_after_seconds": seconds // 2,
        "reset_at": int(time.time()) + seconds // 2,
    }
