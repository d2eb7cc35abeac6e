"""Identities that are nobody's, and a scene in which one is in force."""

from __future__ import annotations

from typing import Any

import trio

from codex_trio.account.auth import Auth
from codex_trio.account.claims import Claims
from codex_trio.account.credentials import Credentials, Tokens
from codex_trio.account.policy import Policy
from codex_trio.account.restrictions import Restrictions
from codex_trio.account.storage import Store
from codex_trio.errors import StoreError
from codex_trio.testing import make_jwt

API_KEY = Credentials.of_api_key("sk-secret")


def signed_in(
    refresh_token: str = "r1", account_id: str | None = "acc", **more: Any
) -> Credentials:
    """Make credentials of somebody; ``more`` are claims, or ``mode``."""
    mode = more.pop("mode", "chatgpt")
    tokens = Tokens(
        id_token=make_jwt({}),
        access_token=f"access of {refresh_token}",
        refresh_token=refresh_token,
        account_id=account_id,
        claims=Claims(**more),
    )
    return Credentials(mode=mode, tokens=tokens, last_refresh="2026-01-01T00:00:00Z")


class OwnStore(Store):
    """A store that cannot tell cheaply whether anything has changed; what is asked is counted."""

    def __init__(self, stored: Credentials | None = None) -> None:
        self.stored = stored
        self.error: str | Exception | None = None
        self.loads = 0

    async def load(self) -> Credentials | None:
        await trio.lowlevel.checkpoint()
        self.loads += 1
        self._check()
        return self.stored

    async def save(self, credentials: Credentials) -> None:
        await trio.lowlevel.checkpoint()
        self._check()
        self.stored = credentials

    async def delete(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check()
        self.stored = None

    def _check(self) -> None:
        if isinstance(self.error, Exception):
            raise self.error
        if self.error is not None:
            raise StoreError(self.error)


class Scene:
    """An identity in a store, and what was told of it."""

    def __init__(self, store: Store, own: Policy | None = None) -> None:
        self.auth = Auth(store, Restrictions(own or Policy()), 1.0)
        self.told: list[Credentials | None] = []
        self.followed = 0
        self.auth.changed = lambda: self.told.append(self.auth.current)
        self.auth.followers.append(self.follow)

    def follow(self) -> None:
        self.followed += 1
