"""Whose credentials these are, and whether others are of the same account."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_trio.account.credentials import Credentials


def is_renewable(stored: Credentials, former: Credentials) -> bool:
    """Say whether what is stored still has the refresh token of some former snapshot."""
    return _refresh_key(stored) is not None and _refresh_key(stored) == _refresh_key(former)


def is_same_account(one: Credentials | None, other: Credentials | None) -> bool:
    """Say whether two snapshots are of one account, be it with other tokens."""
    if one is None or other is None or one.mode != other.mode:
        return False
    if one.mode == "apikey" or one.tokens is None or other.tokens is None:
        return one == other
    users = one.tokens.claims.user_id, other.tokens.claims.user_id
    known = None not in users  # it may become known by and by
    return one.tokens.account_id == other.tokens.account_id and not (
        known and users[0] != users[1]
    )


def _refresh_key(credentials: Credentials) -> tuple[str, str | None] | None:
    tokens = credentials.tokens
    if tokens is None or credentials.mode != "chatgpt":
        return None
    return tokens.refresh_token, tokens.account_id


def identity(credentials: Credentials | None) -> tuple[object, ...] | None:
    """Name what clients are told of somebody, and who it is."""
    if credentials is None:
        return None
    tokens = credentials.tokens
    if tokens is None or credentials.mode == "apikey":
        return credentials.mode, credentials.api_key
    claims = tokens.claims
    return credentials.mode, claims.plan, tokens.account_id, claims.user_id
