"""Accounts that do not exist, and tokens that say so: shaped like the issuer's, never signed."""

from __future__ import annotations

import base64
import secrets
import time
from typing import Any, Final

import attrs
import orjson
from attrs.validators import ge, instance_of, optional

ISSUER: Final = "https://stand-in.invalid"
"""The issuer that our tokens name."""

_AUTH: Final = "https://api.openai.com/auth"
_PROFILE: Final = "https://api.openai.com/profile"
_TEXT: Final = instance_of(str)
_MAYBE_TEXT: Final[Any] = optional(_TEXT)  # mypy reads optional(…) as if None were refused
_FLAG: Final = instance_of(bool)
_SECONDS: Final[Any] = [instance_of((int, float)), ge(0)]


@attrs.define(kw_only=True)
class Account:
    """Who is signed in, and with what tokens; may be changed at any time.

    What has been issued keeps saying what it said. A refresh goes by the account's present
    state; a new ``Account`` is somebody else, whose sign-in leaves the old one's tokens alone.

    Args:
        email: None for an account without one.
        plan: as the issuer names it, not as the wire does.
        account_id: of the account, which is also called the workspace.
        user_id: of the person.
        workspace_name: as the list of accounts shows it.
        organization_id: of the API organization.
        project_id: of the API project.
        completed_platform_onboarding: whether that organization is set up.
        is_org_owner: whether this person could set it up.
        api_key: whether an API key is given in exchange for an ID token.
        token_lifetime: seconds for which access tokens and ID tokens count.
        refresh_lifetime: seconds for which refresh tokens do.
        rotation: whether a refresh token counts once, and the next comes with the reply.
        backend_origin: where the account's workspace is served from.
        routing_override: how its requests are to be routed.
        more_claims: added to what every token says of the account, or in place of it.
    """

    email: str | None = attrs.field(default="ada@example.com", validator=_MAYBE_TEXT)
    plan: str | None = attrs.field(default="plus", validator=_MAYBE_TEXT)
    account_id: str = attrs.field(default="fake-account", validator=_TEXT)
    user_id: str = attrs.field(default="user-fake", validator=_TEXT)
    workspace_name: str | None = attrs.field(default=None, validator=_MAYBE_TEXT)
    organization_id: str | None = attrs.field(default="org-fake", validator=_MAYBE_TEXT)
    project_id: str | None = attrs.field(default="proj-fake", validator=_MAYBE_TEXT)
    completed_platform_onboarding: bool = attrs.field(default=True, validator=_FLAG)
    is_org_owner: bool = attrs.field(default=False, validator=_FLAG)
    api_key: bool = attrs.field(default=True, validator=_FLAG)
    token_lifetime: float = attrs.field(default=3600.0, validator=_SECONDS)
    refresh_lifetime: float = attrs.field(default=30 * 86400.0, validator=_SECONDS)
    rotation: bool = attrs.field(default=True, validator=_FLAG)
    backend_origin: str = attrs.field(default="https://chatgpt.com", validator=_TEXT)
    routing_override: str = attrs.field(default="NO_CONSTRAINT", validator=_TEXT)
    more_claims: dict[str, Any] = attrs.field(factory=dict, validator=instance_of(dict))


@attrs.frozen
class Tokens:
    """What one grant or refresh gives; every token is fake and there is no other like it."""

    id_token: str
    access_token: str
    refresh_token: str


def make_tokens(account: Account, client_id: str) -> Tokens:
    """Make tokens that say what the account is now."""
    return Tokens(
        id_token=make_jwt({"aud": [client_id], **_claims(account)}),
        access_token=make_jwt({"aud": ["https://api.openai.com/v1"], **_claims(account)}),
        refresh_token=make_secret("rt"),
    )


def make_secret(kind: str) -> str:
    """Make a text that is unique and recognisable, such as ``sk-fake-…`` for an API key."""
    return f"{kind}-fake-{secrets.token_hex(16)}"


def make_jwt(claims: dict[str, Any]) -> str:
    """Make a JSON web token of any claims; it is not signed, and says ``fake`` instead."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    encoded = (base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=") for part in parts)
    return ".".join([*(part.decode() for part in encoded), "fake"])


def _claims(account: Account) -> dict[str, Any]:
    now = int(time.time())
    auth = {
        "chatgpt_account_id": account.account_id,
        "chatgpt_plan_type": account.plan,
        "chatgpt_user_id": account.user_id,
        "user_id": account.user_id,
        "organization_id": account.organization_id,
        "project_id": account.project_id,
        "completed_platform_onboarding": account.completed_platform_onboarding,
        "is_org_owner": account.is_org_owner,
        **account.more_claims,
    }
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "sub": f"fake|{account.user_id}",
        "iat": now,
        "exp": now + int(account.token_lifetime),
        "jti": secrets.token_hex(8),
        _AUTH: {name: value for name, value in auth.items() if value is not None},
    }
    if account.email is not None:
        claims |= {
            "email": account.email,
            "email_verified": True,
            _PROFILE: {"email": account.email, "email_verified": True},
        }
    return claims
