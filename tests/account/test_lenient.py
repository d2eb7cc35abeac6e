"""JSON that is read as far as it can be."""

from __future__ import annotations

import math

import pytest

from codex_trio.account.lenient import (
    read_flag,
    read_integer,
    read_json,
    read_number,
    read_text,
    read_time,
)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        (b"[NaN, Infinity, -Infinity, 1]", [None, None, None, 1]),
        (b'["\\ud800"]', ["\ud800"]),
        (b"[NaN, 9223372036854775807]", [None, 2**63 - 1]),
        (b"[NaN, " + b"9" * 5000 + b"]", [None, math.inf]),
    ],
)
def test_json_is_what_python_takes_for_it(body: bytes, value: object) -> None:
    assert read_json(body) == value


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_not_quoted(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is not JSON$"):
        read_json(body)


def test_a_number_is_finite_and_not_endless() -> None:
    assert [read_number(one) for one in (5, -2.5, " 7 ", "1e3")] == [5, -2.5, 7, 1000]
    others: list[object] = [None, True, "", "x", math.nan, math.inf, "nan", 2**63, 10**400, []]
    assert [read_number(one) for one in others] == [None] * len(others)


def test_an_integer_is_rounded_exactly() -> None:
    assert read_integer(2**63 - 1) == 2**63 - 1
    assert [read_integer(one) for one in (0.5, -0.5, 1.5, -1.4)] == [1, -1, 2, -1]
    assert read_integer(None) is None


def test_a_text_may_be_a_number() -> None:
    assert [read_text(one) for one in ("x", "", 5, 2.5)] == ["x", "", "5", "2.5"]
    others: list[object] = [None, True, math.nan, {}]
    assert [read_text(one) for one in others] == [None] * len(others)


def test_a_flag_may_be_a_word_or_a_number() -> None:
    assert [read_flag(one) for one in (True, 1, 1.0, "True", "1")] == [True] * 5
    assert [read_flag(one) for one in (False, 0, "FALSE", "0")] == [False] * 4
    others: list[object] = [None, 2, "yes", []]
    assert [read_flag(one) for one in others] == [None] * len(others)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("2025-01-01T00:00:00Z", 1735689600),
        ("2025-01-01T01:00:00.9+01:00", 1735689600),
        ("2025-01-01T00:00:00", 1735689600),
        ("0001-01-01T00:00:00+23:59", -62135683140),
        (1735689600.4, 1735689600),
        ("1735689600", 1735689600),
        ("yesterday", None),
        ([], None),
    ],
)
def test_a_time_may_be_told_in_two_ways(told: object, seconds: int | None) -> None:
    assert read_time(told) == seconds
