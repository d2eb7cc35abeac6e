"""What of a host's words may be shown."""

from __future__ import annotations

import pytest

from codex_trio.account.excerpt import LONGEST, excerpt
from codex_trio.testing.tokens import Account, make_secret, make_tokens

TOKENS = make_tokens(Account(), "client")


def test_what_is_short_and_harmless_is_shown() -> None:
    assert excerpt(b'{"detail": "Too many requests"}') == '{"detail": "Too many requests"}'
    assert excerpt(b"") == ""


def test_it_is_one_line() -> None:
    assert excerpt(b"<html>\r\n\t<b>\x00\x1b[31m5\x7f00</b>\n") == "<html> <b> [31m5 00</b>"


def test_it_is_not_long() -> None:
    told = excerpt(b"ab " * 1_000_000)
    assert len(told) == LONGEST + 1
    assert told.endswith("…")
    assert excerpt(b"ab" * 1_000_000) == "ab" * (LONGEST // 2) + "…"


@pytest.mark.parametrize(
    "secret",
    [
        TOKENS.access_token,
        TOKENS.access_token[:50],
        TOKENS.refresh_token,
        make_secret("sk"),
        "sk-abcdefgh",
        "0123456789abcdef" * 4,
        "Bearer opaque",
        "bearer  a.b~c/d+e=",
    ],
)
@pytest.mark.parametrize("around", ["token {}, refused", '{{"token":"{}"}}', "{}"])
def test_what_looks_like_a_secret_is_redacted(secret: str, around: str) -> None:
    told = excerpt(around.format(secret).encode())
    shown = around.format("[redacted]")
    assert told == shown or (told.endswith("[redacted]…") and shown.startswith(told[:-1]))


def test_what_is_ours_is_redacted_whatever_it_looks_like() -> None:
    told = excerpt(b"your token is hunter 2", ["hunter 2", None, ""])
    assert told == "your token is [redacted]"


@pytest.mark.parametrize("before", range(LONGEST - 30, LONGEST + 10))
def test_nothing_is_left_of_a_half(before: int) -> None:
    body = f"{'ab ' * LONGEST}"[:before] + "hunter 2" + " and so on" * 10
    told = excerpt(body.encode(), ["hunter 2"])
    assert "hunter"[:3] not in told
    assert "redacted" in told or before >= LONGEST


def test_words_are_not_taken_for_secrets() -> None:
    words = "the-name-of-something-that-is-long-but-means-nothing-at-all /a/b/c.html sk-short"
    assert excerpt(words.encode()) == words
