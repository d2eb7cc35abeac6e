"""What the stand-in has granted: codes, tokens and what became of them. No I/O, no Trio."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio.testing.tokens import Account, Tokens, make_secret, make_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"

_REFRESH_REFUSALS: Final = {
    "refresh_token_expired": "Could not validate your refresh token: it has expired.",
    "refresh_token_reused": "Your refresh token has already been used.",
    "refresh_token_invalidated": "Your refresh token has been invalidated.",
}


class RefusedError(Exception):
    """A request is refused, with this status and this body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"refused with {status}: {body}")
        self.status = status
        self.body = body

    @classmethod
    def oauth(cls, error: str, description: str) -> RefusedError:
        """Refuse as RFC 6749 says, section 5.2."""
        return cls(400, {"error": error, "error_description": description})

    @classmethod
    def coded(cls, status: int, code: str, message: str) -> RefusedError:
        """Refuse as OpenAI's own interfaces do."""
        return cls(status, {"error": {"code": code, "message": message}})


@attrs.frozen
class Grant:
    """What a code stands for."""

    account: Account
    client_id: str
    redirect_uri: str
    challenge: str


@attrs.define(eq=False)
class _Family:
    """All the tokens that stem from one grant."""

    account: Account
    client_id: str
    current: Tokens
    refresh_until: float = 0.0
    revoked: bool = False


@attrs.define(eq=False)
class Issuer:
    """Gives codes for consent, tokens for codes, and new tokens for old ones."""

    _grants: dict[str, Grant] = attrs.field(factory=dict, init=False)
    _refreshable: dict[str, _Family] = attrs.field(factory=dict, init=False)
    _readable: dict[str, tuple[_Family, float]] = attrs.field(factory=dict, init=False)

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

    def issue(self, account: Account, client_id: str) -> Tokens:
        """Give tokens without a code."""
        tokens = make_tokens(account, client_id)
        return self._remember(_Family(account, client_id, tokens), tokens)

    def account_of(self, token: str) -> Account:
        """Say whose an access token is, or an ID token.

        Raises:
            RefusedError: it was never issued, has expired or was revoked.
        """
        family, until = self._readable.get(token, (None, 0.0))
        if family is None or family.revoked:
            raise RefusedError.coded(401, "token_invalidated", "The token is not valid.")
        if until <= time.time():
            raise RefusedError.coded(401, "token_expired", "The token has expired.")
        return family.account

    def revoke(self, token: str) -> None:
        """Revoke a token of any kind, with its whole family; unknown ones are no error."""
        family = self._refreshable.get(token) or self._readable.get(token, (None,))[0]
        if family is not None:
            family.revoked = True

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
        return _spoken(self.issue(grant.account, grant.client_id), grant.account)

    def _exchange_id_token(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        if required(fields, "requested_token") != "openai-api-key":
            raise RefusedError.oauth("invalid_request", "There is no such token to request.")
        if required(fields, "subject_token_type") != _ID_TOKEN:
            raise RefusedError.oauth("invalid_request", "An API key is given for an ID token.")
        required(fields, "client_id")
        account = self.account_of(required(fields, "subject_token"))
        if not account.api_key:
            raise RefusedError.coded(401, "invalid_subject_token", "No API key for this user.")
        return {"access_token": make_secret("sk")}

    def _refresh(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        shown, client_id = required(fields, "refresh_token"), required(fields, "client_id")
        family = self._refreshable.get(shown)
        if family is None or family.revoked or family.client_id != client_id:
            raise _no_refresh("refresh_token_invalidated")
        if shown != family.current.refresh_token:
            family.revoked = True  # as RFC 9700 says, 4.14.2: one of the two has stolen it
            raise _no_refresh("refresh_token_reused")
        if family.refresh_until <= time.time():
            raise _no_refresh("refresh_token_expired")
        tokens = self._remember(family, make_tokens(family.account, client_id))
        return _spoken(tokens, family.account)

    def _remember(self, family: _Family, tokens: Tokens) -> Tokens:
        now = time.time()
        family.current = tokens
        family.refresh_until = now + family.account.refresh_lifetime
        self._refreshable[tokens.refresh_token] = family
        until = now + family.account.token_lifetime
        self._readable[tokens.access_token] = (family, until)
        self._readable[tokens.id_token] = (family, until)
        return tokens


def required(fields: Mapping[str, Any], name: str) -> str:
    """Look up a parameter of a request.

    Raises:
        RefusedError: it is missing, empty or no text.
    """
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise RefusedError.oauth("invalid_request", f"The parameter {name} is missing.")
    return value


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


def _no_refresh(code: str) -> RefusedError:
    return RefusedError.coded(401, code, _REFRESH_REFUSALS[code])
