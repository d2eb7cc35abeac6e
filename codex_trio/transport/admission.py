"""Who may come in by a websocket: tokens in the Authorization header of its handshake.

All texts are those of 0.163.0 (observed), where clients and people know them from.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import converters, field, frozen

from codex_trio.errors import SettingsError, os_error_text
from codex_trio.plain_files import open_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_SKEW: Final = 30
"""Seconds by which clocks may differ."""

_MAX_SECRET_FILE: Final = 64 * 2**10
_MIN_SECRET: Final = 32
_I64: Final = range(-(2**63), 2**63)
_COMPACT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class Admission(ABC):
    """Decides who may come in, by the Authorization header."""

    def refusal(self, authorization: bytes | None) -> str | None:
        """Say why somebody may not come in; None if they may."""
        if authorization is None:
            return "missing websocket bearer token"
        scheme, _, token = authorization.partition(b" ")
        token = token.strip()
        if not authorization.isascii() or scheme.lower() != b"bearer" or not token:
            return "invalid authorization header"
        return self._refusal_of(token.decode("ascii"))

    @abstractmethod
    def _refusal_of(self, token: str) -> str | None: ...


@frozen
class CapabilityToken(Admission):
    """Whoever knows a secret token.

    Args:
        digest: the SHA-256 of the token.
    """

    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, token: str) -> CapabilityToken:
        """Let those in who know this token."""
        return cls(hashlib.sha256(token.encode()).digest())

    def _refusal_of(self, token: str) -> str | None:
        given = hashlib.sha256(token.encode()).digest()
        return (
            None
            if hmac.compare_digest(given, self.digest)
            else "invalid websocket bearer token"
        )


@frozen(kw_only=True)
class SignedBearer(Admission):
    """Whoever has a JWT that is signed with our secret: HS256 alone, with an ``exp``.

    Needs PyJWT: the extra ``bearer``.

    Args:
        secret: of 32 bytes at least.
        issuer: who must have issued it; anybody, if None.
        audience: whom it must be meant for, maybe among others; anybody, if None.
        skew: seconds by which clocks may differ.

    Raises:
        SettingsError: PyJWT is missing.
    """

    secret: bytes = field(repr=False)
    issuer: str | None = None
    audience: str | None = None
    skew: int = DEFAULT_SKEW

    def __attrs_post_init__(self) -> None:
        try:
            import jwt  # here, so that it is missed now, and not by the first client
        except ImportError:
            raise SettingsError(
                "`--ws-auth signed-bearer-token` needs PyJWT; "
                "install it with `pip install codex-trio[bearer]`"
            ) from None
        try:  # what looks like the public half of a key pair is no secret, and PyJWT says so
            jwt.PyJWS(algorithms=["HS256"]).encode(b"", self.secret, "HS256")
        except jwt.InvalidKeyError:
            raise SettingsError("the shared secret of websockets looks like a key") from None

    def _refusal_of(self, token: str) -> str | None:
        claims = self._claims(token)
        if claims is None:
            return "invalid websocket jwt"
        now = int(time.time())
        audience = claims.get("aud")
        if now > claims["exp"] + self.skew:
            return "expired websocket jwt"
        if (not_before := claims.get("nbf")) is not None and now < not_before - self.skew:
            return "websocket jwt is not valid yet"
        if self.issuer is not None and claims.get("iss") != self.issuer:
            return "websocket jwt issuer mismatch"
        if self.audience is not None and self.audience not in (
            audience if isinstance(audience, list) else [audience]
        ):
            return "websocket jwt audience mismatch"
        return None

    def _claims(self, token: str) -> dict[str, Any] | None:
        """Read the claims of a token that is ours and well formed."""
        import jwt

        if not _COMPACT.fullmatch(token):
            return None
        try:
            whole = jwt.PyJWS(algorithms=["HS256"]).decode_complete(
                token, self.secret, algorithms=["HS256"]
            )
            claims = json.loads(
                whole["payload"], object_pairs_hook=_once, parse_constant=_refuse_constant
            )
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            return None
        if not isinstance(whole["header"].get("typ"), str | None):
            return None
        return claims if _are_claims(claims) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members; which of two is meant must not be a matter of taste."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a member is there twice")
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _are_claims(claims: object) -> bool:
    """Say whether the claims that we look at are of their types (RFC 7519, section 4.1)."""
    if not isinstance(claims, dict):
        return False
    audience = claims.get("aud")
    return (
        _is_time(claims.get("exp"))
        and (claims.get("nbf") is None or _is_time(claims["nbf"]))
        and isinstance(claims.get("iss"), str | None)
        and (
            isinstance(audience, str | None)
            or (isinstance(audience, list) and all(isinstance(one, str) for one in audience))
        )
    )


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in _I64


@frozen(kw_only=True)
class AdmissionFlags:
    """What the command line says about who may come in."""

    auth: Literal["capability-token", "signed-bearer-token"] | None = None
    token_file: Path | None = field(default=None, converter=converters.optional(Path))
    token_sha256: str | None = field(default=None, repr=False)
    shared_secret_file: Path | None = field(default=None, converter=converters.optional(Path))
    issuer: str | None = None
    audience: str | None = None
    max_clock_skew_seconds: int | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse flags that contradict each other.

        Raises:
            SettingsError: they do, or one is missing.
        """
        of_tokens = (self.token_file, self.token_sha256)
        of_signing = (
            self.shared_secret_file,
            self.issuer,
            self.audience,
            self.max_clock_skew_seconds,
        )
        if self.auth is None:
            if _any_given([*of_tokens, *of_signing]):
                raise SettingsError(
                    "websocket auth flags require `--ws-auth capability-token` or "
                    "`--ws-auth signed-bearer-token`"
                )
        elif self.auth == "capability-token":
            self._check_token(of_signing)
        elif _any_given(of_tokens):
            raise SettingsError(
                "`--ws-token-file` and `--ws-token-sha256` require "
                "`--ws-auth capability-token`, not `signed-bearer-token`"
            )
        elif self.shared_secret_file is None:
            raise SettingsError(
                "`--ws-shared-secret-file` is required when "
                "`--ws-auth signed-bearer-token` is set"
            )

    def _check_token(self, of_signing: Sequence[object]) -> None:
        if _any_given(of_signing):
            raise SettingsError(
                "`--ws-shared-secret-file`, `--ws-issuer`, `--ws-audience`, and "
                "`--ws-max-clock-skew-seconds` require `--ws-auth signed-bearer-token`"
            )
        if self.token_file is not None and self.token_sha256 is not None:
            raise SettingsError(
                "`--ws-token-file` and `--ws-token-sha256` are mutually exclusive"
            )
        if self.token_file is None and self.token_sha256 is None:
            raise SettingsError(
                "`--ws-token-file` or `--ws-token-sha256` is required when "
                "`--ws-auth capability-token` is set"
            )
        if self.token_sha256 is not None and not re.fullmatch(
            "[0-9a-fA-F]{64}", self.token_sha256
        ):
            raise SettingsError("--ws-token-sha256 must be a 64-character hex SHA-256 digest")

    def load(self) -> Admission | None:
        """Read the secrets; blocks.

        Raises:
            SettingsError: one cannot be read or is too short, or PyJWT is missing.
        """
        if self.auth is None:
            return None
        if self.token_sha256 is not None:
            return CapabilityToken(bytes.fromhex(self.token_sha256))
        if self.token_file is not None:
            return CapabilityToken.of(_read_secret(self.token_file))
        assert self.shared_secret_file is not None  # as checked when we were made
        path = self.shared_secret_file.absolute()
        secret = _read_secret(path).encode()
        if len(secret) < _MIN_SECRET:
            raise SettingsError(
                f"signed websocket bearer secret {path} must be at least {_MIN_SECRET} bytes"
            )
        skew = self.max_clock_skew_seconds
        if skew is not None and skew not in _I64:
            raise SettingsError("websocket auth clock skew must fit in a signed 64-bit integer")
        return SignedBearer(
            secret=secret,
            issuer=(self.issuer or "").strip() or None,
            audience=(self.audience or "").strip() or None,
            skew=DEFAULT_SKEW if skew is None else skew,
        )


def _any_given(values: Sequence[object]) -> bool:
    return any(value is not None for value in values)


def _read_secret(path: Path) -> str:
    path = path.absolute()
    try:
        with open_plain(path) as file:
            secret = file.read(_MAX_SECRET_FILE).decode().strip()
    except UnicodeDecodeError:
        reason = "stream did not contain valid UTF-8"
        raise SettingsError(f"failed to read websocket auth secret {path}: {reason}") from None
    except OSError as error:
        reason = os_error_text(error)
        raise SettingsError(f"failed to read websocket auth secret {path}: {reason}") from None
    if not secret:
        raise SettingsError(f"websocket auth secret {path} must not be empty")
    return secret
