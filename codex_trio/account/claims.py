"""What the tokens of a ChatGPT account say about it, unverified: they came from the issuer."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final, get_args

import orjson
from attrs import frozen

from codex_trio.protocol.account import PlanType

if TYPE_CHECKING:
    from collections.abc import Mapping

_AUTH: Final = "https://api.openai.com/auth"
_PROFILE: Final = "https://api.openai.com/profile"
_MOST_SECONDS: Final = 2**53  # what a float can still tell apart
_PLANS: Final = {
    **{plan: plan for plan in get_args(PlanType)},
    "hc": "enterprise",
    "education": "edu",
}


class InvalidTokenError(ValueError):
    """A token cannot be read; the text never quotes it."""


@frozen(kw_only=True)
class Claims:
    """What a token says.

    ``plan`` is a plan type of the wire, None when the token names no plan.
    """

    email: str | None = None
    plan: PlanType | None = None
    account_id: str | None = None
    user_id: str | None = None


def read_claims(token: str) -> Claims:
    """Read the claims of a JSON web token without verifying it.

    Three parts that are not empty, of which only the second is looked at; claims of the wrong
    type make the token invalid, missing ones do not (observed).

    Raises:
        InvalidTokenError: it is no token.
    """
    claims = _read_payload(token)
    auth, profile = _object(claims, _AUTH), _object(claims, _PROFILE)
    plan = _text(auth, "chatgpt_plan_type")
    return Claims(
        email=_first(_text(claims, "email"), _text(profile, "email")),
        plan=None if plan is None else plan_type(plan),
        account_id=_text(auth, "chatgpt_account_id"),
        user_id=_first(_text(auth, "chatgpt_user_id"), _text(auth, "user_id")),
    )


def read_expiry(token: str) -> float | None:
    """Read when an access token ends, in Unix time; None when it does not say, or is opaque."""
    try:
        expiry = _read_payload(token).get("exp")
    except InvalidTokenError:
        return None
    if not isinstance(expiry, int) or isinstance(expiry, bool):
        return None
    return float(expiry) if abs(expiry) < _MOST_SECONDS else None


def read_auth_claim(token: str) -> Mapping[str, Any]:
    """Read what the issuer says of a token beside the standard claims; nothing if it cannot be.

    None of it has been checked for its type.
    """
    try:
        return _object(_read_payload(token), _AUTH)
    except InvalidTokenError:
        return {}


def _read_payload(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) < 3 or not all(parts[:3]):
        raise InvalidTokenError("invalid ID token format")
    payload = parts[1]
    try:
        # With the padding added the standard library accepts what the original refuses.
        if "=" in payload:
            raise InvalidTokenError("Invalid padding")
        decoded = base64.b64decode(payload + "=" * (-len(payload) % 4), b"-_", validate=True)
        claims = orjson.loads(decoded)
    except (binascii.Error, ValueError) as error:
        if isinstance(error, InvalidTokenError):
            raise
        raise InvalidTokenError("invalid ID token payload") from None
    if not isinstance(claims, dict):
        raise InvalidTokenError("invalid ID token payload")
    return claims


def plan_type(raw: str) -> PlanType:
    """Map the issuer's name of a plan to the wire's."""
    known: dict[str, Any] = _PLANS
    plan: PlanType = known.get(raw, "unknown")
    return plan


def _first(*values: str | None) -> str | None:
    return next((value for value in values if value is not None), None)


def _object(claims: dict[str, Any], name: str) -> dict[str, Any]:
    value = claims.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidTokenError(f"invalid type of claim {name}")
    return value or {}


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidTokenError(f"invalid type of claim {name}")
    return value
