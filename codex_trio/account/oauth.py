"""What is said to the issuer of tokens, and what its answers mean."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import attrs

from codex_trio.account.claims import InvalidTokenError, read_auth_claim, read_claims
from codex_trio.account.credentials import Credentials, Tokens
from codex_trio.errors import LoginError, UpstreamError
from codex_trio.settings import ISSUER
from codex_trio.upstream import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.account.restrictions import Restrictions
    from codex_trio.settings import Settings
    from codex_trio.upstream import Reply, Upstream

_SCOPE: Final = "openid profile email offline_access api.connectors.read api.connectors.invoke"
_TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"

_SHOWN: Final = 500  # how much of a refusal a person is shown

COURTESY_PATIENCE: Final = 10.0
"""Seconds that something may take whose failure changes nothing for whoever waits."""


@attrs.frozen
class Pkce:
    """A proof key (RFC 7636): only who asked for a code can redeem it."""

    verifier: str = attrs.field(repr=False)

    @classmethod
    def make(cls) -> Pkce:
        """Make one of 64 random bytes, as the original does."""
        return cls(secrets.token_urlsafe(64))

    @property
    def challenge(self) -> str:
        """What the issuer is told beforehand (method ``S256``)."""
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


@attrs.frozen(kw_only=True)
class DeviceCode:
    """A code to be typed elsewhere (RFC 8628, in the original's dialect).

    Args:
        device_auth_id: what the issuer knows the sign-in by.
        user_code: what is to be typed.
        verification_url: where it is to be typed.
        interval: seconds between two questions whether that has been done.
    """

    device_auth_id: str = attrs.field(repr=False)
    user_code: str = attrs.field(repr=False)
    verification_url: str
    interval: int


@attrs.frozen(kw_only=True)
class Grant:
    """An authorization code, and what is needed to redeem it."""

    code: str = attrs.field(repr=False)
    verifier: str = attrs.field(repr=False)
    redirect_uri: str


class DeviceCodeError(UpstreamError):
    """There is no device code to be had; ``disabled`` when the issuer gives none to anybody."""

    def __init__(self, message: str, *, disabled: bool = False) -> None:
        super().__init__(message)
        self.disabled = disabled


@attrs.define(eq=False)
class Issuer:
    """Who signs people in (RFC 6749): the requests of 0.163.0, and what they are answered."""

    _settings: Settings
    _upstream: Upstream
    _restrictions: Restrictions

    def authorize_url(
        self, *, redirect_uri: str, challenge: str, state: str, originator: str
    ) -> str:
        """Compose the URL at which a browser begins, with the parameters of 0.163.0."""
        parameters = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": state,
            "scope": _SCOPE,
            "id_token_add_organizations": "true",
            "codex_cli_simplified_flow": "true",
            "originator": originator,
        }
        if self._restrictions.workspaces:
            parameters["allowed_workspace_id"] = ",".join(self._restrictions.workspaces)
        return f"{self._settings.issuer}/oauth/authorize?{urlencode(parameters)}"

    async def redeem(self, grant: Grant, failing: str) -> Credentials:
        """Exchange an authorization code for the credentials of a workspace that is allowed.

        Raises:
            LoginError: the code is refused or the reply is none, which is told behind the words
                ``failing``; or the workspace is not allowed.
        """
        try:
            fields = await self._exchange(grant)
        except LoginError as error:
            raise LoginError(f"{failing}{error}", "token_exchange_failed") from None
        id_token, access_token, refresh_token = fields
        try:
            claims = read_claims(id_token)
        except InvalidTokenError as error:
            raise LoginError(str(error), "token_exchange_failed") from None
        self._check_workspace(claims.account_id)
        return Credentials(
            mode="chatgpt",
            tokens=Tokens(
                id_token=id_token,
                access_token=access_token,
                refresh_token=refresh_token,
                account_id=claims.account_id,
                claims=claims,
            ),
            last_refresh=now(),
        )

    async def exchange_api_key(self, credentials: Credentials) -> Credentials:
        """Add an API key to the credentials, if the issuer gives one (RFC 8693).

        The original stores it beside the tokens and does not use it; neither do we.
        """
        assert credentials.tokens is not None  # they have just been redeemed
        try:
            reply = await self._post_form(
                {
                    "grant_type": _TOKEN_EXCHANGE,
                    "client_id": self._settings.client_id,
                    "requested_token": "openai-api-key",
                    "subject_token": credentials.tokens.id_token,
                    "subject_token_type": _ID_TOKEN,
                },
                COURTESY_PATIENCE,
            )
        except UpstreamError:
            return credentials
        fields = _strings(reply.json(), "access_token") if reply.succeeded else None
        return credentials if fields is None else attrs.evolve(credentials, api_key=fields[0])

    def setup_url(self, credentials: Credentials) -> str | None:
        """Say where an owner sets up the organization of the API, if that is still to be done.

        The place is told the identity token, as it is by the original.
        """
        assert credentials.tokens is not None  # they have just been redeemed
        tokens = credentials.tokens
        said = read_auth_claim(tokens.id_token)
        if said.get("completed_platform_onboarding") or not said.get("is_org_owner"):
            return None
        parameters = {
            "p": _text(read_auth_claim(tokens.access_token), "chatgpt_plan_type"),
            "t": tokens.id_token,
            "with_org": _text(said, "organization_id"),
            "project_id": _text(said, "project_id"),
        }
        platform = "openai.com" if self._settings.issuer == ISSUER else "api.openai.org"
        return f"https://platform.{platform}/org-setup?{urlencode(parameters)}"

    async def request_device_code(self) -> DeviceCode:
        """Ask for a code to be typed elsewhere.

        Raises:
            DeviceCodeError: the issuer gives none.
            UpstreamError: the issuer cannot be asked.
        """
        reply = await self._post_device("usercode", {"client_id": self._settings.client_id})
        if reply.status == 404:
            raise DeviceCodeError(
                "device code login is not enabled for this Codex server."
                " Use the browser login or verify the server URL.",
                disabled=True,
            )
        if not reply.succeeded:
            raise DeviceCodeError(f"device code request failed with status {reply.status_line}")
        answer = reply.json()
        fields = _strings(answer, "device_auth_id", "user_code") or _strings(
            answer, "device_auth_id", "usercode"
        )
        interval = answer.get("interval", "0") if isinstance(answer, dict) else None
        if fields is None or not isinstance(interval, str) or not _is_count(interval):
            raise DeviceCodeError("the issuer's reply is no device code")
        return DeviceCode(
            device_auth_id=fields[0],
            user_code=fields[1],
            verification_url=f"{self._settings.issuer}/codex/device",
            interval=int(interval),
        )

    async def poll_device_code(self, device: DeviceCode) -> Grant | None:
        """Ask whether the code has been typed; None while it has not.

        Raises:
            LoginError: the issuer says that it never will be.
            UpstreamError: the issuer cannot be asked at this moment.
        """
        reply = await self._post_device(
            "token", {"device_auth_id": device.device_auth_id, "user_code": device.user_code}
        )
        if reply.status in (403, 404):
            return None
        if not reply.succeeded:
            raise LoginError(f"device auth failed with status {reply.status_line}")
        fields = _strings(reply.json(), "authorization_code", "code_verifier", "code_challenge")
        if fields is None:
            raise LoginError("error decoding response body")
        return Grant(
            code=fields[0],
            verifier=fields[1],
            redirect_uri=f"{self._settings.issuer}/deviceauth/callback",
        )

    async def revoke(self, tokens: Tokens, agent: Mapping[str, str]) -> None:
        """Tell the issuer that tokens are not used any more (RFC 7009).

        Args:
            tokens: whose refresh token is revoked, or the access token when there is none.
            agent: the headers that say who we are.

        Raises:
            UpstreamError: the issuer cannot be asked, or refuses.
        """
        if tokens.refresh_token:
            question = {
                "token": tokens.refresh_token,
                "token_type_hint": "refresh_token",
                "client_id": self._settings.client_id,
            }
        else:
            question = {"token": tokens.access_token, "token_type_hint": "access_token"}
        url = self._settings.revoke_url or f"{self._settings.issuer}/oauth/revoke"
        reply = await self._upstream.post(
            url, json=question, headers=agent, patience=COURTESY_PATIENCE, follow=False
        )
        if not reply.succeeded:
            raise UpstreamError(f"the issuer answered with status {reply.status_line}")

    def _check_workspace(self, workspace: str | None) -> None:
        if self._restrictions.allows_workspace(workspace):
            return
        if workspace is None:
            text = (
                "Login is restricted to a specific workspace,"
                " but the token did not include an chatgpt_account_id claim."
            )
        else:
            allowed = ", ".join(self._restrictions.workspaces)
            text = f"Login is restricted to workspace id(s) {allowed}."
        raise LoginError(text, "workspace_restriction")

    async def _exchange(self, grant: Grant) -> list[str]:
        """Exchange a code for the identity, access and refresh token."""
        try:
            reply = await self._post_form(
                {
                    "grant_type": "authorization_code",
                    "client_id": self._settings.client_id,
                    "code": grant.code,
                    "redirect_uri": grant.redirect_uri,
                    "code_verifier": grant.verifier,
                }
            )
        except UpstreamError as error:
            raise LoginError(str(error)) from None
        if not reply.succeeded:
            detail = _detail(reply)
            for secret in (grant.code, grant.verifier):  # which may be quoted
                detail = detail.replace(secret, "[REDACTED]")
            raise LoginError(f"token endpoint returned status {reply.status_line}: {detail}")
        fields = _strings(reply.json(), "id_token", "access_token", "refresh_token")
        if fields is None:
            raise LoginError("OAuth token response is invalid")
        return fields

    async def _post_form(self, form: Mapping[str, str], patience: float = PATIENCE) -> Reply:
        url = f"{self._settings.issuer}/oauth/token"
        return await self._upstream.post(url, form=form, patience=patience)

    async def _post_device(self, path: str, question: Mapping[str, str]) -> Reply:
        url = f"{self._settings.issuer}/api/accounts/deviceauth/{path}"
        return await self._upstream.post(url, json=question)


def _strings(answer: Any, *names: str) -> list[str] | None:
    """Take some strings out of an object; None unless all of them are there."""
    if not isinstance(answer, dict):
        return None
    values = [value for name in names if isinstance(value := answer.get(name), str)]
    return values if len(values) == len(names) else None


def _text(claim: Mapping[str, Any], name: str) -> str:
    value = claim.get(name)
    return value if isinstance(value, str) else ""


def _is_count(text: str) -> bool:
    return text.strip().removeprefix("+").isdecimal() and len(text) < 10


def _detail(reply: Reply) -> str:
    """Find what an issuer says of its refusal (RFC 6749, section 5.2, and other habits)."""
    answer = reply.json()
    fields = answer if isinstance(answer, dict) else {}
    error = fields.get("error")
    inner = error if isinstance(error, dict) else {}
    for text in (
        fields.get("error_description"),
        inner.get("message"),
        inner.get("code") if inner else error,
    ):
        if isinstance(text, str) and text.strip():
            return text[:_SHOWN]
    # Whatever this is, it is for a person to read, and not all of it.
    return reply.body[:_SHOWN].decode(errors="replace").strip() or "unknown error"


def now() -> str:
    """Write the time as RFC 3339 has it, with the nine digits of the original."""
    seconds, fraction = divmod(time.time_ns(), 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:09d}Z"
