"""A refresh token for new tokens (RFC 6749, section 6): what is asked, what the reply means."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio.account.claims import InvalidTokenError, read_claims, read_expiry
from codex_trio.errors import RefreshError

if TYPE_CHECKING:
    from codex_trio.account.claims import Claims
    from codex_trio.account.credentials import Credentials, Tokens
    from codex_trio.errors import RefreshFailure
    from codex_trio.upstream import Reply

EARLY: Final = 300.0
"""Seconds before its end at which an access token is renewed (observed on 0.163.0)."""

_OLD: Final = 8 * 86400.0  # seconds after which one is that does not say when it ends

_NOT_REFRESHED: Final = "Your access token could not be refreshed"
_SIGN_IN: Final = "Please log out and sign in again."

_PERMANENT: Final[dict[str, tuple[RefreshFailure, str]]] = {
    "refresh_token_expired": ("expired", "because your refresh token has expired"),
    "refresh_token_reused": ("reused", "because your refresh token was already used"),
    "refresh_token_invalidated": ("revoked", "because your refresh token was revoked"),
}

MISMATCH: Final = (
    f"{_NOT_REFRESHED} because you have since logged out or signed in to another account."
    " Please sign in again."
)
"""What is said when the tokens in force are somebody else's by now."""


@attrs.frozen
class Age:
    """How an access token stands at this moment: still good, soon at its end, or past it."""

    expires_at: float | None
    """Unix time; None when the token does not say."""
    old: bool
    """Whether it does not say and was given a week ago and more."""

    @classmethod
    def of(cls, credentials: Credentials) -> Age:
        """Look at the access token of some credentials."""
        tokens = credentials.tokens
        if tokens is None:
            return cls(None, old=False)
        expires_at = read_expiry(tokens.access_token)
        given = instant(credentials.last_refresh)
        old = expires_at is None and given is not None and time.time() - given > _OLD
        return cls(expires_at, old)

    @property
    def stale(self) -> bool:
        """Whether it is time for another one."""
        return self.old or (
            self.expires_at is not None and self.expires_at <= time.time() + EARLY
        )

    @property
    def expired(self) -> bool:
        """Whether it is of no use any more."""
        return self.expires_at is not None and self.expires_at <= time.time()


def question(client_id: str, tokens: Tokens) -> dict[str, str]:
    """Compose the request, in the order of 0.163.0."""
    return {
        "client_id": client_id,
        "grant_type": "refresh_token",
        "refresh_token": tokens.refresh_token,
    }


def classify(reply: Reply) -> RefreshError:
    """Say why a reply that is no success is none, in the words of 0.163.0.

    Of what the issuer says only the code counts: its text may quote the token.
    """
    code = _code(reply.json())
    if code in _PERMANENT:
        kind, reason = _PERMANENT[code]
        return RefreshError(f"{_NOT_REFRESHED} {reason}. {_SIGN_IN}", kind)
    if reply.status == 401 or (reply.status == 400 and code == "invalid_grant"):
        return RefreshError(f"{_NOT_REFRESHED}. {_SIGN_IN}", "other")
    return RefreshError(f"Failed to refresh token: {reply.status_line}")


def renew(credentials: Credentials, reply: Reply, now: str) -> Credentials:
    """Put the tokens of a reply in the place of the former ones.

    What is missing, or is no text, leaves the former one in force, as does an identity token
    that is none; the others are taken, because the former ones may be spent. Where one of them
    says that it is somebody else's, none is taken: the account stays whose it was.

    Raises:
        RefreshError: there is no token in it, or somebody else's.
    """
    assert credentials.tokens is not None  # whose they are renewed
    former, answer = credentials.tokens, reply.json()
    fields = answer if isinstance(answer, dict) else {}
    given: dict[str, Any] = {}
    for name in ("id_token", "access_token", "refresh_token"):
        if not isinstance(token := fields.get(name), str) or not token:
            continue
        claims = _claims(token)  # none where it is opaque
        if claims is not None and not _is_same_account(former.claims, claims):
            raise RefreshError("Failed to refresh token: the reply is somebody else's")
        if name != "id_token":
            given[name] = token
        elif claims is not None:
            given |= {"id_token": token, "claims": claims}
    if not given:
        raise RefreshError("Failed to refresh token: there is no token in the reply")
    tokens = attrs.evolve(former, **given)
    return attrs.evolve(credentials, tokens=tokens, last_refresh=now)


def _claims(token: str) -> Claims | None:
    try:
        return read_claims(token)
    except InvalidTokenError:
        return None


def _is_same_account(former: Claims, claims: Claims) -> bool:
    pairs = (former.account_id, claims.account_id), (former.user_id, claims.user_id)
    return all(None in pair or pair[0] == pair[1] for pair in pairs)


def _code(answer: Any) -> str:
    """Find the code of a refusal, where the original looks for it."""
    fields = answer if isinstance(answer, dict) else {}
    error = fields.get("error")
    inner = error.get("code") if isinstance(error, dict) else error
    for code in (inner, fields.get("code")):
        if isinstance(code, str):
            return code.lower()
    return ""


def instant(text: str | None) -> float | None:
    """Read a time of RFC 3339 as Unix time; None when there is no such time."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        return None
