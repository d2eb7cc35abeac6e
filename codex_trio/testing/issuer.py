"""The stand-in's issuer: codes for consent, and tokens for codes. No I/O, no Trio."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio.testing.families import Families
from codex_trio.testing.replies import RefusedError, required
from codex_trio.testing.tokens import Account, Tokens, make_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"


@attrs.frozen
class Grant:
    """What a code stands for."""

    account: Account
    client_id: str
    redirect_uri: str
    challenge: str


@attrs.define(eq=False)
class Issuer:
    """Gives codes for consent, tokens for codes, and new tokens for old ones."""

    families: Families = attrs.field(factory=Families, init=False)
    _grants: dict[str, Grant] = attrs.field(factory=dict, init=False)

    def grant_code(self, grant: Grant) -> str:
        """Give a code, which can be used once."""
        code = make_secret("code")
        self._grants[code] = grant
        return code

    def answer_token_request(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Do what ``/oauth/token`` does.

        Raises:
            RefusedError: the request is wrong, or what it shows does not count.
        """
        match required(fields, "grant_type"):
            case "authorization_code":
                return self._exchange_code(fields)
            case "refresh_token":
                return self._refresh(fields)
            case _ as grant_type if grant_type == _EXCHANGE:
                return self._exchange_id_token(fields)
            case _ as grant_type:
                raise RefusedError.oauth("unsupported_grant_type", grant_type)

    def _exchange_code(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        shown = {
            name: required(fields, name)
            for name in ("code", "redirect_uri", "client_id", "code_verifier")
        }
        grant = self._grants.pop(shown["code"], None)  # RFC 6749, 4.1.2: once, whoever asks
        if grant is None:
            raise RefusedError.oauth("invalid_grant", "The code is unknown or was used before.")
        for name in ("redirect_uri", "client_id"):
            if shown[name] != getattr(grant, name):
                raise RefusedError.oauth("invalid_grant", f"The {name} is not the code's.")
        if challenge_of(shown["code_verifier"]) != grant.challenge:
            raise RefusedError.oauth("invalid_grant", "The code_verifier does not fit.")
        return _spoken(self.families.issue(grant.account, grant.client_id), grant.account)

    def _exchange_id_token(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        if required(fields, "requested_token") != "openai-api-key":
            raise RefusedError.oauth("invalid_request", "There is no such token to request.")
        if required(fields, "subject_token_type") != _ID_TOKEN:
            raise RefusedError.oauth("invalid_request", "An API key is given for an ID token.")
        required(fields, "client_id")
        account = self.families.account_of(required(fields, "subject_token"))
        if not account.api_key:
            raise RefusedError.coded(401, "invalid_subject_token", "No API key for this user.")
        return {"access_token": make_secret("sk")}

    def _refresh(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        shown, client_id = required(fields, "refresh_token"), required(fields, "client_id")
        tokens, account = self.families.refresh(shown, client_id)
        said = _spoken(tokens, account)
        if tokens.refresh_token == shown:
            del said["refresh_token"]  # RFC 6749, section 6: the old one goes on
        return said


def challenge_of(verifier: str) -> str:
    """Derive the S256 challenge of a verifier; RFC 7636, section 4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _spoken(tokens: Tokens, account: Account) -> dict[str, Any]:
    return {
        **attrs.asdict(tokens),
        "token_type": "Bearer",
        "expires_in": int(account.token_lifetime),
    }
