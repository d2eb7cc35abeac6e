"""What is stored of an account, and its text in auth.json."""

from __future__ import annotations

import json
import re
from typing import Any, Final, get_args

import orjson
from attrs import field, frozen

from codex_trio.account.claims import Claims, InvalidTokenError, read_claims
from codex_trio.errors import StoreError
from codex_trio.protocol.account import AuthMode

_MODES: Final[tuple[AuthMode, ...]] = get_args(AuthMode)
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # of which JSON can make strings
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


@frozen(kw_only=True)
class Tokens:
    """The tokens of a ChatGPT account, and what the identity token says."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    account_id: str | None = None
    claims: Claims = field(factory=Claims)


@frozen(kw_only=True)
class Credentials:
    """What is stored of an account; its repr shows no secret.

    Args:
        mode: the way in which one has signed in.
        api_key: the key; beside tokens, one that was exchanged for them and is not used.
        tokens: what a ChatGPT account signs in with.
        last_refresh: when the tokens were new, in RFC 3339.
    """

    mode: AuthMode
    api_key: str | None = field(default=None, repr=False)
    tokens: Tokens | None = None
    last_refresh: str | None = None

    @classmethod
    def of_api_key(cls, api_key: str) -> Credentials:
        """Make the credentials of an API key, which is taken as it is, even when empty."""
        return cls(mode="apikey", api_key=api_key)

    @property
    def bearer(self) -> str | None:
        """What requests are signed with; None when there is nothing that could be used."""
        if self.mode == "apikey":
            return self.api_key or None
        # The original will not touch tokens of which it does not know how old they are.
        if self.tokens is None or self.last_refresh is None:
            return None
        return self.tokens.access_token

    def encode(self, *, compact: bool = False) -> bytes:
        """Write them as auth.json has them: the original's fields, in its order.

        ``compact`` is how the original writes them into a keyring, without a blank or a line end.
        """
        stored: dict[str, Any] = {"auth_mode": self.mode, "OPENAI_API_KEY": self.api_key}
        if self.tokens is not None:
            stored["tokens"] = {
                "id_token": self.tokens.id_token,
                "access_token": self.tokens.access_token,
                "refresh_token": self.tokens.refresh_token,
                "account_id": self.tokens.account_id,
            }
        if self.last_refresh is not None:
            stored["last_refresh"] = self.last_refresh
        return orjson.dumps(stored, option=0 if compact else orjson.OPT_INDENT_2)

    @classmethod
    def decode(cls, content: bytes) -> Credentials:
        """Read them from the content of auth.json; fields that we do not know are ignored.

        Raises:
            StoreError: anything is not as it must be. The text quotes nothing of the content.
        """
        try:
            # Not orjson: a repeated key must be noticed, it could hide another account.
            stored = json.loads(content.decode(), object_pairs_hook=_unique)
        except UnicodeDecodeError:
            raise StoreError("not valid UTF-8") from None
        except (ValueError, RecursionError):
            raise StoreError("not valid JSON, or a key that is repeated") from None
        if not isinstance(stored, dict):
            raise StoreError("not a JSON object")
        api_key = _text(stored, "OPENAI_API_KEY")
        mode = _decode_mode(_text(stored, "auth_mode"), api_key)
        if mode == "apikey" and api_key is None:
            raise StoreError("API key auth is missing a key.")
        last_refresh = _text(stored, "last_refresh")
        if last_refresh is not None and not _RFC_3339.fullmatch(last_refresh):
            raise StoreError("last_refresh is not a time")
        return cls(
            mode=mode,
            api_key=api_key,
            tokens=_decode_tokens(stored.get("tokens")),
            last_refresh=last_refresh,
        )


def _decode_mode(stored: str | None, api_key: str | None) -> AuthMode:
    if stored is None:
        return "chatgpt" if api_key is None else "apikey"
    for mode in _MODES:
        if stored == mode:
            return mode
    raise StoreError("unknown auth_mode")


def _decode_tokens(stored: object) -> Tokens | None:
    if stored is None:
        return None
    if not isinstance(stored, dict):
        raise StoreError("tokens is not an object")
    id_token = _required_text(stored, "id_token")
    try:
        claims = read_claims(id_token)
    except InvalidTokenError as error:
        raise StoreError(str(error)) from None
    return Tokens(
        id_token=id_token,
        access_token=_required_text(stored, "access_token"),
        refresh_token=_required_text(stored, "refresh_token"),
        account_id=_text(stored, "account_id"),
        claims=claims,
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise StoreError(f"{name} is not a string")
    if not value.isascii() and _LONE_SURROGATE.search(value):
        raise StoreError(f"{name} is no text")  # which could not be sent, nor written again
    return value


def _required_text(fields: dict[str, Any], name: str) -> str:
    value = _text(fields, name)
    if value is None:
        raise StoreError(f"{name} is missing")
    return value
