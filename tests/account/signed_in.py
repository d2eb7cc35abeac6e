"""A home in which somebody is signed in, as the original would have left it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import Tokens

ACCOUNT_ID = "fake-account"


def sign_in(home: Path, tokens: Tokens, account_id: str = ACCOUNT_ID) -> None:
    """Store tokens, in one go."""
    stored = {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": tokens.id_token,
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "account_id": account_id,
        },
        "last_refresh": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    draft = home / "draft"
    draft.write_text(json.dumps(stored, indent=2), encoding="utf-8")
    draft.chmod(0o600)
    os.replace(draft, home / "auth.json")


def stored_tokens(home: Path) -> dict[str, Any]:
    """Read what is stored; fails when it is not whole, or may be read by others."""
    path = home / "auth.json"
    assert path.stat().st_mode & 0o777 == 0o600
    tokens: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["tokens"]
    return tokens
