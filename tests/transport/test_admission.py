"""Who may come in by a websocket."""

from __future__ import annotations

import builtins
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from codex_trio.errors import SettingsError
from codex_trio.transport.admission import AdmissionFlags, CapabilityToken, SignedBearer

if TYPE_CHECKING:
    from pathlib import Path

SECRET = b"a-secret-of-thirty-two-bytes-or-more"
NOW = int(time.time())
SOON = NOW + 100_000  # tests may run long after they have been collected

INVALID = "invalid websocket jwt"
EXPIRED = "expired websocket jwt"
TOO_EARLY = "websocket jwt is not valid yet"


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        (None, "missing websocket bearer token"),
        (b"Bearer right", None),
        (b"bEARER   right", None),
        (b"Bearer wrong", "invalid websocket bearer token"),
        (b"Bearer right too", "invalid websocket bearer token"),
        (b"Bearerright", "invalid authorization header"),
        (b"Basic right", "invalid authorization header"),
        (b"Bearer", "invalid authorization header"),
        (b"Bearer ", "invalid authorization header"),
        (b"Bearer\tright", "invalid authorization header"),
        (b"", "invalid authorization header"),
        (b"Bearer \xff", "invalid authorization header"),
    ],
)
def test_a_capability_token_lets_in(header: bytes | None, refusal: str | None) -> None:
    assert CapabilityToken.of("right").refusal(header) == refusal


def signed(claims: Any, secret: bytes = SECRET, **headers: Any) -> bytes:
    payload = claims if isinstance(claims, str) else json.dumps(claims)
    algorithm = headers.get("alg", "HS256")
    token = jwt.PyJWS().encode(payload.encode(), secret, algorithm, headers=headers)
    return f"Bearer {token}".encode()


@pytest.mark.parametrize(
    ("claims", "refusal"),
    [
        ({"exp": SOON}, None),
        ({}, INVALID),
        ({"exp": str(SOON)}, INVALID),
        ({"exp": float(SOON)}, INVALID),
        ({"exp": True}, INVALID),
        ({"exp": None}, INVALID),
        ({"exp": 2**63}, INVALID),
        ({"exp": 2**63 - 1}, None),
        ({"exp": -5}, EXPIRED),
        ({"exp": NOW - 1000}, None),  # within the skew
        ({"exp": NOW - 50_000}, EXPIRED),
        ({"exp": SOON, "nbf": NOW + 500}, None),
        ({"exp": SOON, "nbf": SOON + 1000}, TOO_EARLY),
        ({"exp": 1, "nbf": SOON}, EXPIRED),
        ({"exp": SOON, "nbf": None}, None),
        ({"exp": SOON, "nbf": "x"}, INVALID),
        ({"exp": SOON, "nbf": 1.5}, INVALID),
        ({"exp": SOON, "iss": 5}, INVALID),
        ({"exp": SOON, "iss": None}, None),
        ({"exp": SOON, "aud": 5}, INVALID),
        ({"exp": SOON, "aud": ["a", 5]}, INVALID),
        ({"exp": SOON, "aud": ["a", "b"]}, None),
        ({"exp": SOON, "iat": "x", "sub": 5}, None),
        ([1], INVALID),
        (f'{{"exp":1,"exp":{SOON}}}', INVALID),
        (f'{{"exp":{SOON},"x":NaN}}', INVALID),
        (f'{{"exp":{SOON}}} x', INVALID),
        ("[" * 100_000, INVALID),
    ],
)
def test_a_signed_bearer_is_looked_at(claims: Any, refusal: str | None) -> None:
    assert SignedBearer(secret=SECRET, skew=20_000).refusal(signed(claims)) == refusal


@pytest.mark.parametrize(
    "header",
    [
        signed({"exp": SOON}, b"another-secret-of-thirty-two-bytes!!"),
        signed({"exp": SOON}, SECRET * 2, alg="HS384"),
        signed({"exp": SOON}, SECRET * 2, alg="HS512"),
        signed({"exp": SOON}, typ=5),
        b"Bearer a.b.c",
        b"Bearer " + jwt.encode({"exp": SOON}, "", "none").encode(),
        b"Bearer abc",
        b"Bearer a.b",
        signed({"exp": SOON}) + b"=",
        signed({"exp": SOON}) + b".x",
        signed({"exp": SOON})[:-2],
    ],
)
def test_what_is_not_signed_by_us_is_invalid(header: bytes) -> None:
    assert SignedBearer(secret=SECRET).refusal(header) == INVALID


@pytest.mark.parametrize(
    ("claims", "refusal"),
    [
        ({"iss": "me", "aud": "you"}, None),
        ({"iss": "me", "aud": ["x", "you"]}, None),
        ({"aud": "you"}, "websocket jwt issuer mismatch"),
        ({"iss": "x", "aud": "x"}, "websocket jwt issuer mismatch"),
        ({"iss": "me"}, "websocket jwt audience mismatch"),
        ({"iss": "me", "aud": "x"}, "websocket jwt audience mismatch"),
        ({"iss": "me", "aud": []}, "websocket jwt audience mismatch"),
        ({"iss": "x", "exp": 1}, EXPIRED),
        ({"iss": "x", "nbf": SOON}, TOO_EARLY),
    ],
)
def test_issuer_and_audience_are_looked_at(claims: Any, refusal: str | None) -> None:
    admission = SignedBearer(secret=SECRET, issuer="me", audience="you", skew=0)
    assert admission.refusal(signed({"exp": SOON, **claims})) == refusal


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ({"token_file": "t"}, "websocket auth flags require `--ws-auth capability-token` or "),
        ({"issuer": "x"}, "websocket auth flags require `--ws-auth capability-token` or "),
        (
            {"auth": "capability-token"},
            (
                "`--ws-token-file` or `--ws-token-sha256` is required when "
                "`--ws-auth capability-token` is set"
            ),
        ),
        (
            {"auth": "capability-token", "token_file": "t", "token_sha256": "aa"},
            "`--ws-token-file` and `--ws-token-sha256` are mutually exclusive",
        ),
        (
            {"auth": "capability-token", "token_sha256": "aa"},
            "--ws-token-sha256 must be a 64-character hex SHA-256 digest",
        ),
        (
            {"auth": "capability-token", "token_file": "t", "max_clock_skew_seconds": 0},
            (
                "`--ws-shared-secret-file`, `--ws-issuer`, `--ws-audience`, and "
                "`--ws-max-clock-skew-seconds` require `--ws-auth signed-bearer-token`"
            ),
        ),
        (
            {"auth": "signed-bearer-token"},
            "`--ws-shared-secret-file` is required when `--ws-auth signed-bearer-token` is set",
        ),
        (
            {"auth": "signed-bearer-token", "shared_secret_file": "s", "token_sha256": "a"},
            (
                "`--ws-token-file` and `--ws-token-sha256` require `--ws-auth capability-token`, "
                "not `signed-bearer-token`"
            ),
        ),
    ],
)
def test_flags_that_contradict_each_other_are_refused(flags: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        AdmissionFlags(**flags)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            None,
            "failed to read websocket auth secret {path}: No such file or directory (os error 2)",
        ),
        (b" \n", "websocket auth secret {path} must not be empty"),
        (
            b"\xff",
            "failed to read websocket auth secret {path}: stream did not contain valid UTF-8",
        ),
        (b" short ", "signed websocket bearer secret {path} must be at least 32 bytes"),
    ],
)
def test_a_secret_that_cannot_be_used_is_named(
    content: bytes | None, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "s").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        AdmissionFlags(auth="signed-bearer-token", shared_secret_file="s").load()
    assert str(caught.value) == text.format(path=tmp_path / "s")


def test_flags_make_an_admission(tmp_path: Path) -> None:
    assert AdmissionFlags().load() is None
    token = tmp_path / "token"
    token.write_text("right\n", encoding="utf-8")
    secret = tmp_path / "secret"
    secret.write_bytes(b"  " + SECRET + b"\n")
    digest = hashlib.sha256(b"right")
    for known in (
        AdmissionFlags(auth="capability-token", token_file=token),
        AdmissionFlags(auth="capability-token", token_sha256=digest.hexdigest().upper()),
    ):
        assert known.load() == CapabilityToken(digest.digest())
    flags = AdmissionFlags(
        auth="signed-bearer-token", shared_secret_file=secret, issuer=" me ", audience=" "
    )
    assert flags.load() == SignedBearer(secret=SECRET, issuer="me", audience=None, skew=30)
    too_much = AdmissionFlags(
        auth="signed-bearer-token", shared_secret_file=secret, max_clock_skew_seconds=2**63
    )
    with pytest.raises(SettingsError, match="clock skew must fit in a signed 64-bit integer"):
        too_much.load()


def test_no_secret_is_in_a_repr() -> None:
    for holder in (CapabilityToken.of("right"), SignedBearer(secret=SECRET)):
        assert "secret-of" not in repr(holder)
        assert "right" not in repr(holder)


def test_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_jwt(name: str, *rest: Any) -> Any:
        if name == "jwt":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_jwt)
    with pytest.raises(SettingsError, match=r"pip install codex-trio\[bearer\]"):
        SignedBearer(secret=SECRET)


@pytest.mark.parametrize("kind", ["-----BEGIN PUBLIC KEY-----", "ssh-rsa"])
def test_a_public_key_is_no_secret(kind: str) -> None:
    with pytest.raises(SettingsError, match="looks like a key") as caught:
        SignedBearer(
            secret=f"{kind} AAAAB3NzaC1yc2EAAAADAQABAAABgQ-----END PUBLIC KEY-----".encode()
        )
    assert "AAAAB3" not in str(caught.value)
