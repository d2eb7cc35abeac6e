"""Words from JSON values: nothing is coerced, and the first fault is named as 0.163.0 does."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.errors import InvalidParamsError
from codex_trio.protocol import account, handshake
from codex_trio.protocol.structure import camel, structure, unstructure
from codex_trio.protocol.words import Tagged


@frozen(kw_only=True)
class Point:
    x: int
    y: float = 0.5
    names: list[str] | None = None
    extra: dict[str, int] | None = None


@frozen(kw_only=True)
class Named:
    type: Literal["named"] = "named"
    given_name: str


@frozen(kw_only=True)
class Other:
    type: Literal["other"] = "other"


Either = Annotated[Named | Other, Tagged("Either")]


def fault(value: Any, words: Any) -> str:
    with pytest.raises(InvalidParamsError) as caught:
        structure(value, words)
    return caught.value.reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "invalid type: null, expected struct Point"),
        (5, "invalid type: integer `5`, expected struct Point"),
        (1.5, "invalid type: floating point `1.5`, expected struct Point"),
        (True, "invalid type: boolean `true`, expected struct Point"),
        ('a"b', 'invalid type: string "a\\"b", expected struct Point'),
        ({}, "missing field `x`"),
        ({"x": None}, "invalid type: null, expected an integer"),
        ({"x": True}, "invalid type: boolean `true`, expected an integer"),
        ({"x": 1.0}, "invalid type: floating point `1.0`, expected an integer"),
        ({"x": 1, "y": "1"}, 'invalid type: string "1", expected a number'),
        ({"x": 1, "y": True}, "invalid type: boolean `true`, expected a number"),
        ({"x": 1, "names": "a"}, 'invalid type: string "a", expected a sequence'),
        ({"x": 1, "names": [1]}, "invalid type: integer `1`, expected a string"),
        ({"x": 1, "extra": []}, "invalid type: sequence, expected a map"),
        ({"x": 1, "extra": {"a": "b"}}, 'invalid type: string "b", expected an integer'),
        ({"y": "1"}, 'invalid type: string "1", expected a number'),
        ([], "invalid length 0, expected struct Point with 4 elements"),
        ([1, 1, None], "invalid length 3, expected struct Point with 4 elements"),
        ([1, 1, None, None, 1], "invalid length 5, expected 4 elements in sequence"),
    ],
)
def test_the_first_fault_is_named(value: Any, reason: str) -> None:
    assert fault(value, Point) == reason


@pytest.mark.parametrize(
    ("value", "point"),
    [
        ({"x": 1}, Point(x=1)),
        ({"x": 1, "y": 2, "unknown": 5}, Point(x=1, y=2.0)),
        ({"x": 1, "names": None, "extra": {"a": 1}}, Point(x=1, extra={"a": 1})),
        ([1, 2, ["a"], None], Point(x=1, y=2.0, names=["a"])),
    ],
)
def test_good_values_become_words(value: Any, point: Point) -> None:
    assert structure(value, Point) == point


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (5, "invalid type: integer `5`, expected internally tagged enum Either"),
        ({}, "missing field `type`"),
        ([], "missing field `type`"),
        ({"givenName": "a"}, "missing field `type`"),
        ({"type": None}, "invalid type: null, expected variant identifier"),
        ({"type": "x"}, "unknown variant `x`, expected `named` or `other`"),
        ({"type": "named"}, "missing field `givenName`"),
        ({"type": "named", "givenName": 5}, "invalid type: integer `5`, expected a string"),
        (["named"], "invalid length 0, expected struct variant Either::Named with 1 element"),
    ],
)
def test_the_first_fault_of_a_tagged_union_is_named(value: Any, reason: str) -> None:
    assert fault(value, Either) == reason


def test_a_tagged_union_becomes_its_member() -> None:
    assert structure({"type": "named", "givenName": "a"}, Either) == Named(given_name="a")
    assert structure(["named", "a"], Either) == Named(given_name="a")
    assert structure({"type": "other"}, Either) == Other()


def test_a_default_stands_in_for_a_missing_position() -> None:
    assert structure([], account.GetAccountParams) == account.GetAccountParams()


@pytest.mark.parametrize("value", [None, {}])
def test_no_params_may_be_empty(value: Any) -> None:
    assert structure(value, type(None)) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [([], "sequence"), ({"x": 1}, "map"), (0, "integer `0`"), (False, "boolean `false`")],
)
def test_no_params_may_not_be_anything(value: Any, found: str) -> None:
    assert fault(value, type(None)) == f"invalid type: {found}, expected unit"


def test_one_name_is_told_from_another() -> None:
    assert structure("b", Literal["a", "b"]) == "b"
    assert fault("c", Literal["a"]) == "unknown variant `c`, expected `a`"
    assert (
        fault("d", Literal["a", "b", "c"])
        == "unknown variant `d`, expected one of `a`, `b`, `c`"
    )
    assert fault(5, Literal["a"]) == "invalid type: integer `5`, expected string or map"


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.text(), st.none()))
def test_primitives_are_never_coerced(value: Any) -> None:
    for kind in (str, int, bool):
        if type(value) is kind:
            assert structure(value, kind) is value
        else:
            fault(value, kind)


@given(
    st.builds(
        account.ChatgptAuthTokensLoginAccountParams,
        access_token=st.text(),
        chatgpt_account_id=st.text(),
        chatgpt_plan_type=st.none() | st.text(),
    )
)
def test_words_survive_the_way_out_and_back(words: Any) -> None:
    assert structure(unstructure(words), account.LoginAccountParams) == words


def test_marked_nulls_are_left_out_and_others_written() -> None:
    warning = handshake.ConfigWarningNotification(summary="s")
    assert unstructure(warning) == {"summary": "s", "details": None}


@pytest.mark.parametrize(
    ("name", "wire"), [("id", "id"), ("login_id", "loginId"), ("a_b_c", "aBC")]
)
def test_names_are_in_camel_case(name: str, wire: str) -> None:
    assert camel(name) == wire
