"""What OpenAI's hosts answer: the issuer's pages and tokens here, the others beside it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlencode

import attrs

from codex_trio.httpd import HttpResponse
from codex_trio.testing import pages
from codex_trio.testing.backend import Backend
from codex_trio.testing.browser import is_local
from codex_trio.testing.devices import Devices
from codex_trio.testing.issuer import Grant, Issuer
from codex_trio.testing.model import Model
from codex_trio.testing.recording import Recorded
from codex_trio.testing.replies import RefusedError, json_response, merged, required
from codex_trio.testing.tokens import make_secret

if TYPE_CHECKING:
    from codex_trio.httpd import HttpStream
    from codex_trio.testing.holds import Holds, News
    from codex_trio.testing.script import Script, User

_CHALLENGE: Final = 43  # characters of a SHA-256 in base64url


@attrs.frozen
class _Asked:
    """What a client asked its user for."""

    client_id: str
    redirect_uri: str
    challenge: str
    state: str


@attrs.define(eq=False)
class Hosts:
    """Answers requests as the script says."""

    _url: str
    _script: Script
    _holds: Holds
    _news: News
    issuer: Issuer = attrs.field(factory=Issuer, init=False)
    devices: Devices = attrs.field(
        default=attrs.Factory(lambda self: Devices(self.issuer), takes_self=True), init=False
    )
    _backend: Backend = attrs.field(
        default=attrs.Factory(
            lambda self: Backend(self._script, self.issuer.families), takes_self=True
        ),
        init=False,
    )
    _model: Model = attrs.field(
        default=attrs.Factory(
            lambda self: Model(self._script, self.issuer.families, self._holds, self._news),
            takes_self=True,
        ),
        init=False,
    )
    _asked: dict[str, _Asked] = attrs.field(factory=dict, init=False)

    def answer(self, request: Recorded) -> HttpResponse | HttpStream:
        """Answer a request; what nobody knows is not found."""
        route = _ROUTES.get((request.method, request.path))
        try:
            if route is not None:
                return route(self, request)
            return self._model.answer(request) or self._backend.answer(request)
        except RefusedError as refused:
            return json_response(refused.body, refused.status)

    # --- the user's browser ---

    def authorize(self, request: Recorded) -> HttpResponse:
        """Ask the user, or do what the script says that the user does."""
        try:
            asked = _read_authorization(request.query)
        except RefusedError as refused:
            page = pages.message_page("Sign-in failed", refused.body["error_description"])
            return HttpResponse.html(page, refused.status)
        match self._script.user:
            case "ask":
                ticket = make_secret("consent")
                self._asked[ticket] = asked
                account = self._script.account
                name, plan = account.email or account.user_id, account.plan or "no plan"
                return HttpResponse.html(
                    pages.consent_page(asked.client_id, name, plan, ticket)
                )
            case "never":
                page = pages.message_page("Sign in?", "The user has gone away.")
                return HttpResponse.html(page)
            case user:
                return self._send_on(asked, user)

    def consent(self, request: Recorded) -> HttpResponse:
        """Do what the user of the page decided."""
        asked = self._asked.pop(request.form.get("request", ""), None)
        if asked is None:
            page = pages.message_page("Too late", "This was decided before.")
            return HttpResponse.html(page, HTTPStatus.BAD_REQUEST)
        approved = request.form.get("decision") == "approve"
        return self._send_on(asked, "approve" if approved else "deny")

    def _send_on(self, asked: _Asked, user: User) -> HttpResponse:
        """Redirect back to the client, which listens on this machine."""
        said: dict[str, str] = {}
        if user == "deny":
            said["error"] = self._script.denial.error
            if self._script.denial.description is not None:
                said["error_description"] = self._script.denial.description
        elif user == "wrong code":
            said["code"] = make_secret("code")
        elif user != "no code":
            said["code"] = self.issuer.grant_code(
                Grant(
                    self._script.account, asked.client_id, asked.redirect_uri, asked.challenge
                )
            )
        said["state"] = make_secret("state") if user == "wrong state" else asked.state
        joint = "&" if "?" in asked.redirect_uri else "?"
        location = f"{asked.redirect_uri}{joint}{urlencode(said)}"
        return HttpResponse(status=HTTPStatus.FOUND, headers=(("Location", location),))

    def show_device_page(self, request: Recorded) -> HttpResponse:
        """Ask for the code of a device."""
        return HttpResponse.html(pages.device_page())

    def approve_device(self, request: Recorded) -> HttpResponse:
        """Let the device sign in whose code the user typed."""
        try:
            self.devices.approve(request.form.get("user_code", ""), self._script.account)
        except KeyError:
            page = pages.device_page("There is no such code.")
            return HttpResponse.html(page, HTTPStatus.BAD_REQUEST)
        return HttpResponse.html(pages.message_page("Signed in", "Return to your device."))

    # --- the issuer ---

    def token(self, request: Recorded) -> HttpResponse:
        """Give tokens; RFC 6749, sections 4.1.3 and 6, and RFC 8693."""
        said = self.issuer.answer_token_request(request.fields)
        if request.fields["grant_type"] == "refresh_token":
            said = merged(said, self._script.refresh_reply)
        return json_response(said)

    def revoke(self, request: Recorded) -> HttpResponse:
        """Revoke a token; RFC 7009: what was not issued is revoked already."""
        self.issuer.families.revoke(required(request.fields, "token"))
        return json_response({})

    def start_device(self, request: Recorded) -> HttpResponse:
        """Give a device the code that its user types."""
        return json_response(self.devices.start(request.fields, self._script.device))

    def poll_device(self, request: Recorded) -> HttpResponse:
        """Answer a device that asks whether its code has been typed."""
        script, redirect_uri = self._script, f"{self._url}/deviceauth/callback"
        return json_response(
            self.devices.poll(request.fields, script.device, script.account, redirect_uri)
        )


_Route: TypeAlias = Callable[[Hosts, Recorded], HttpResponse]

_ROUTES: Final[dict[tuple[str, str], _Route]] = {
    ("GET", "/oauth/authorize"): Hosts.authorize,
    ("POST", "/oauth/consent"): Hosts.consent,
    ("POST", "/oauth/token"): Hosts.token,
    ("POST", "/oauth/revoke"): Hosts.revoke,
    ("POST", "/api/accounts/deviceauth/usercode"): Hosts.start_device,
    ("POST", "/api/accounts/deviceauth/token"): Hosts.poll_device,
    ("GET", "/codex/device"): Hosts.show_device_page,
    ("POST", "/codex/device"): Hosts.approve_device,
}


def _read_authorization(query: dict[str, str]) -> _Asked:
    """Check what a client asks for.

    Raises:
        RefusedError: it is not what RFC 6749, 7636 and 8252 want of a native client.
    """
    asked = _Asked(
        client_id=required(query, "client_id"),
        redirect_uri=required(query, "redirect_uri"),
        challenge=required(query, "code_challenge"),
        state=required(query, "state"),
    )
    right = {
        "response_type": query.get("response_type") == "code",
        "code_challenge_method": query.get("code_challenge_method") == "S256",
        "code_challenge": len(asked.challenge) == _CHALLENGE,
        "redirect_uri": is_local(asked.redirect_uri),
    }
    for name, is_right in right.items():
        if not is_right:
            raise RefusedError.oauth("invalid_request", f"The parameter {name} is wrong.")
    return asked
