"""Key paths, and what edits do to a table."""

from __future__ import annotations

from typing import Any

import pytest

from codex_trio.configuration.edits import (
    ConfigWriteError,
    Edit,
    apply,
    find_override,
    parse_key_path,
)


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("model", ("model",)),
        ("a.b.c", ("a", "b", "c")),
        (' a . b" ', None),
        (" model ", (" model ",)),
        ('projects."/a.b/c".trust_level', ("projects", "/a.b/c", "trust_level")),
        ('"a"', ("a",)),
        (r'"a\"b\\c"', (r'a"b\c',)),
        ("'a.b'", ("'a", "b'")),
        ("[x].é", ("[x]", "é")),
    ],
)
def test_a_path_is_cut_at_its_dots(path: str, keys: tuple[str, ...] | None) -> None:
    if keys is None:
        with pytest.raises(ConfigWriteError):
            parse_key_path(path)
    else:
        assert parse_key_path(path) == keys


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("", "keyPath must not be empty"),
        (".", "keyPath segments must not be empty"),
        ("a..b", "keyPath segments must not be empty"),
        (".a", "keyPath segments must not be empty"),
        ("a.", "keyPath segments must not be empty"),
        ('"".a', "keyPath segments must not be empty"),
        ('"a".', "keyPath segments must not be empty"),
        ('"a', "unterminated quoted keyPath segment"),
        ('"a\\', "unterminated quoted keyPath segment"),
        ('a"b', "invalid quoted keyPath segment"),
        ('a."b"c', "invalid quoted keyPath segment"),
        (".".join("a" * 65), "keyPath has more than 64 segments"),
    ],
)
def test_what_is_no_path_is_said_to_be_so(path: str, text: str) -> None:
    with pytest.raises(ConfigWriteError) as caught:
        parse_key_path(path)
    assert (str(caught.value), caught.value.code) == (text, "configValidationError")


@pytest.mark.parametrize(
    ("table", "edits", "after"),
    [
        ({}, [Edit(("a",), 1)], {"a": 1}),
        ({"a": 1}, [Edit(("a",), "x")], {"a": "x"}),
        ({}, [Edit(("a", "b", "c"), [1])], {"a": {"b": {"c": [1]}}}),
        ({"a": {"x": 1}}, [Edit(("a",), {"y": 2})], {"a": {"y": 2}}),
        ({"a": {"x": 1}}, [Edit(("a",), {"y": 2}, upsert=True)], {"a": {"x": 1, "y": 2}}),
        (
            {"a": {"x": {"p": 1}, "l": [1]}},
            [Edit(("a",), {"x": {"q": 2}, "l": [2]}, upsert=True)],
            {"a": {"x": {"p": 1, "q": 2}, "l": [2]}},
        ),
        ({"a": {"x": 1}}, [Edit(("a",), 5, upsert=True)], {"a": 5}),
        ({"a": 5}, [Edit(("a",), {"x": 1}, upsert=True)], {"a": {"x": 1}}),
        ({"a": 1, "b": 2}, [Edit(("a",), None)], {"b": 2}),
        ({"a": {"x": 1}}, [Edit(("a", "x"), None, upsert=True)], {"a": {}}),
        (
            {"a": 1},
            [Edit(("b",), None), Edit(("a", "x"), None), Edit(("c", "d"), None)],
            {"a": 1},
        ),
        ({"a": 1}, [Edit(("a",), 2), Edit(("a",), None)], {}),
        ({"profile": "p"}, [Edit(("profile",), None)], {}),
    ],
)
def test_edits_change_what_they_name(table: Any, edits: list[Edit], after: Any) -> None:
    before = repr(table)
    assert apply(table, edits) == after
    assert repr(table) == before


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (Edit(("a", "x"), 1), "cannot set value on non-table parent"),
        (Edit(("l", "x"), 1), "cannot set value on non-table parent"),
        (
            Edit(("n",), {"a": [1, None]}),
            "invalid value: invalid type: null, expected any valid TOML value",
        ),
        (Edit(("n",), 2**63), "invalid value: u64 value was too large"),
        (
            Edit(("n",), eval("[" * 65 + "]" * 65)),
            "invalid value: too many values in one another",
        ),
        (
            Edit(("profile",), "p"),
            (
                "`profile` is a legacy config selector and can no longer be written;"
                " use `--profile <name>` with `<name>.config.toml` instead"
            ),
        ),
    ],
)
def test_what_cannot_be_set_is_refused(edit: Edit, text: str) -> None:
    with pytest.raises(ConfigWriteError) as caught:
        apply({"a": 1, "l": [{}]}, [edit])
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (("a",), (True, 2)),
        (("b",), (False, 1)),
        (("t",), (True, {"x": 2, "y": 1})),
        (("t", "x"), (True, 2)),
        (("t", "y"), (False, None)),
        (("same",), (False, 1)),
        (("gone",), (True, 3)),
        (("a", "deeper"), (False, None)),
    ],
)
def test_what_lies_over_an_edit_is_found(keys: tuple[str, ...], found: Any) -> None:
    table = {"a": 1, "b": 1, "t": {"x": 1, "y": 1}, "same": 1}
    above = {"a": 2, "t": {"x": 2}, "same": 1, "gone": 3}
    overridden, value = find_override(table, above, keys)
    assert overridden is found[0]
    if overridden:
        assert value == found[1]
