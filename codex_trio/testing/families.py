"""Families of tokens: what has been issued, and what became of it. No I/O, no Trio."""

from __future__ import annotations

import time
from typing import Final, Literal, TypeAlias, get_args

import attrs

from codex_trio.testing.replies import RefusedError
from codex_trio.testing.tokens import Account, Tokens, make_tokens

Ending: TypeAlias = Literal["expired", "reused", "invalidated", "invalid_grant"]
"""Why a refresh token is refused: with 401 and OpenAI's code, ``refresh_token_expired`` and so
on, or with 400 and RFC 6749's ``invalid_grant``."""

Outcome: TypeAlias = Literal[
    "rotated", "renewed", "expired", "reused", "invalidated", "invalid_grant"
]
"""What became of a request to refresh; ``renewed`` where the account does not rotate."""

_CODED: Final = {
    "expired": "Could not validate your refresh token: it has expired.",
    "reused": "Your refresh token has already been used.",
    "invalidated": "Your refresh token has been invalidated.",
}


@attrs.frozen
class Exchange:
    """A refresh token that was shown to the issuer.

    Args:
        outcome: what became of it.
        account_id: whose token it was; None when it was never issued.
    """

    outcome: Outcome
    account_id: str | None


@attrs.define(eq=False)
class _Family:
    """All the tokens that stem from one grant."""

    account: Account
    client_id: str
    refresh_token: str | None = None
    refresh_until: float = 0.0
    ending: Ending | None = None
    revoked: bool = False

    def judge(self, token: str, client_id: str) -> Outcome:
        if self.revoked or self.client_id != client_id:
            return "invalidated"
        if self.ending is not None:
            return self.ending
        if token != self.refresh_token:
            return "reused"
        if self.refresh_until <= time.time():
            return "expired"
        return "rotated" if self.account.rotation else "renewed"


@attrs.define(eq=False)
class _Bearer:
    """A token that says who somebody is."""

    family: _Family
    until: float
    is_access_token: bool


@attrs.define(eq=False)
class Families:
    """Gives tokens, and new ones for old ones.

    Args:
        exchanges: every refresh that was asked for, in its order.
    """

    exchanges: list[Exchange] = attrs.field(factory=list, init=False)
    _refreshable: dict[str, _Family] = attrs.field(factory=dict, init=False)
    _bearers: dict[str, _Bearer] = attrs.field(factory=dict, init=False)

    def issue(self, account: Account, client_id: str) -> Tokens:
        """Begin a family."""
        return self._continue(_Family(account, client_id))

    def issue_access_token(self, account: Account) -> str:
        """Give an access token that nobody can refresh."""
        token = make_tokens(account, client_id="").access_token
        self._remember(_Family(account, client_id=""), token, is_access_token=True)
        return token

    def refresh(self, token: str, client_id: str) -> tuple[Tokens, Account]:
        """Give new tokens for a refresh token; they say what the account is now.

        Raises:
            RefusedError: it was never issued to this client, has ended or was used before; in
                the last case its family ends, as RFC 9700 says, section 4.14.2.
        """
        family = self._refreshable.get(token)
        outcome = "invalidated" if family is None else family.judge(token, client_id)
        account_id = None if family is None else family.account.account_id
        self.exchanges.append(Exchange(outcome, account_id))
        if family is None or outcome in get_args(Ending):
            if family is not None and outcome == "reused" and family.ending is None:
                family.revoked = True  # one of the two has stolen it
            raise _refusal(outcome)
        return self._continue(family), family.account

    def account_of(self, token: str) -> Account:
        """Say whose an access token is, or an ID token.

        Raises:
            RefusedError: it was never issued, has expired or was revoked.
        """
        bearer = self._bearers.get(token)
        if bearer is None or bearer.family.revoked:
            raise RefusedError.coded(401, "token_invalidated", "The token is not valid.")
        if bearer.until <= time.time():
            raise RefusedError.coded(401, "token_expired", "The token has expired.")
        return bearer.family.account

    def live_refresh_tokens(self, account_id: str) -> list[str]:
        """List the refresh tokens of an account that would be taken now."""
        return [
            token
            for token, family in self._refreshable.items()
            if family.account.account_id == account_id
            and family.judge(token, family.client_id) in ("rotated", "renewed")
        ]

    def revoke(self, token: str) -> None:
        """Revoke a token of any kind, with its whole family; unknown ones are no error."""
        if (family := self._refreshable.get(token)) is not None:
            family.revoked = True
        if (bearer := self._bearers.get(token)) is not None:
            bearer.family.revoked = True

    def revoke_all(self) -> None:
        """Revoke everything that has been issued."""
        for token in [*self._refreshable, *self._bearers]:
            self.revoke(token)

    def expire_access_tokens(self) -> None:
        """Let every access token have expired, whatever it says of itself."""
        for bearer in self._bearers.values():
            if bearer.is_access_token:
                bearer.until = 0.0

    def end_refresh_tokens(self, ending: Ending) -> None:
        """Refuse all refresh tokens from now on; access tokens count as before.

        Raises:
            ValueError: there is no such ending.
        """
        if ending not in get_args(Ending):
            raise ValueError(f"{ending!r} is none of {', '.join(get_args(Ending))}")
        for family in self._refreshable.values():
            family.ending = ending

    def _continue(self, family: _Family) -> Tokens:
        tokens = make_tokens(family.account, family.client_id)
        if family.refresh_token is not None and not family.account.rotation:
            tokens = attrs.evolve(tokens, refresh_token=family.refresh_token)
        family.refresh_token = tokens.refresh_token
        family.refresh_until = time.time() + family.account.refresh_lifetime
        self._refreshable[tokens.refresh_token] = family
        self._remember(family, tokens.access_token, is_access_token=True)
        self._remember(family, tokens.id_token, is_access_token=False)
        return tokens

    def _remember(self, family: _Family, token: str, *, is_access_token: bool) -> None:
        until = time.time() + family.account.token_lifetime
        self._bearers[token] = _Bearer(family, until, is_access_token)


def _refusal(outcome: Outcome) -> RefusedError:
    if outcome == "invalid_grant":
        return RefusedError.oauth("invalid_grant", "The refresh token does not count.")
    return RefusedError.coded(401, f"refresh_token_{outcome}", _CODED[outcome])
