"""What is stored of a ChatGPT account: tokens that the stand-in has issued, and what is odd."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.testing import StandIn

LEFT_OUT: Final[Any] = ...

Content: TypeAlias = "Callable[[StandIn], str] | str | None"
"""What is stored: text, made for a stand-in or not; or nothing."""


@attrs.frozen(kw_only=True)
class Stored:
    """Makes an ``auth.json`` for a stand-in.

    Args:
        account: what differs of the account.
        lifetime: seconds for which the access token counts.
        days: since the tokens were given; None for a login that does not say.
        tokens: in the place of those that were issued, or beside them.
        fields: in the place of the others, or beside them.
    """

    account: dict[str, Any] = attrs.field(factory=dict)
    lifetime: float = 3600.0
    days: float | None = 0.0
    tokens: dict[str, Any] = attrs.field(factory=dict)
    fields: dict[str, Any] = attrs.field(factory=dict)

    def __call__(self, stand_in: StandIn) -> str:
        account = stand_in.account
        if self.account:
            account = attrs.evolve(account, **self.account)
        account.token_lifetime = self.lifetime
        issued = stand_in.issue_tokens(account=account)
        account.token_lifetime = 3600.0  # of those that follow
        tokens = {
            "id_token": issued.id_token,
            "access_token": issued.access_token,
            "refresh_token": issued.refresh_token,
            "account_id": account.account_id,
            **self.tokens,
        }
        stored = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": _present(tokens)}
        if self.days is not None:
            given = datetime.now(UTC) - timedelta(days=self.days)
            stored["last_refresh"] = given.isoformat().replace("+00:00", "Z")
        return json.dumps(_present({**stored, **self.fields}), indent=2)


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not LEFT_OUT}
