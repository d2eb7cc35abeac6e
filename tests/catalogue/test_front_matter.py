"""What a SKILL.md says of itself; what is expected was observed on 0.163.0."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.catalogue.front_matter import (
    FrontMatter,
    FrontMatterError,
    parse_front_matter,
)


@pytest.mark.parametrize(
    ("lines", "name", "description"),
    [
        ("name: ok\ndescription: fine", "ok", "fine"),
        ("description: d", None, "d"),
        ("name:\ndescription: d", None, "d"),
        ("name: x\ndescription: a: b", "x", "a: b"),
        ("name: blk\ndescription: |\n  line one\n\n  line two", "blk", "line one line two"),
        ("name: fld\ndescription: >-  # c\n  line one\n  line two", "fld", "line one line two"),
        ("name: \"q x\"\ndescription: 'it''s' # c", "q x", "it's"),
        ("name: m\ndescription: one\n  two # c", "m", "one two"),
        ("name: m\ndescription:\n  one\n  two", "m", "one two"),
        ("name: 5\ndescription: 7", "5", "7"),
        ("name: [x\ndescription: y", "[x", "y"),
        ('name: "a\\nb"\ndescription: "d\\te"', "a b", "d e"),
        ('name: x\ndescription: "an \\x escape', "x", '"an \\x escape'),
        ('name: x\ndescription: "an \\x escape"', "x", "an \\x escape"),
        ('name: x\ndescription: "two\n  lines" # c', "x", "two lines"),
        ("name: x\ndescription: 'open", "x", "'open"),
        ("name: a:b\ndescription: d#e", "a:b", "d#e"),
        ("# c\n\nname: x # c\n\"description\": 'd'\n'other': [1,\n  2]", "x", "d"),
        ("name: x\ndescription: d\nallowed-tools:\n  - a\n  - b", "x", "d"),
        ("name: " + "n" * 64 + "\ndescription: " + "d" * 2000, "n" * 64, "d" * 2000),
    ],
)
def test_a_skill_says_what_it_is_called_and_what_it_is_for(
    lines: str, name: str | None, description: str
) -> None:
    found = parse_front_matter(f"---\n{lines}\n---\nbody\n")
    assert found == FrontMatter(name=name, description=description, short_description=None)


@pytest.mark.parametrize(
    ("lines", "short"),
    [
        ("metadata:\n  short-description: 'short' # c\n  other: x", "short"),
        ("metadata:\n\n    short-description: >\n      so\n      short", "so short"),
        ("metadata:\n  other: x", None),
        ("short-description: nope", None),
        ("metadata: none", None),
    ],
)
def test_it_may_be_said_in_fewer_words(lines: str, short: str | None) -> None:
    found = parse_front_matter(f"---\ndescription: d\n{lines}\n---\n")
    assert found.short_description == short


@pytest.mark.parametrize(
    "text",
    ["---  \r\nname: x\r\ndescription: d\r\n---  \r\n", "---\nname: x\ndescription: d\n---"],
)
def test_lines_may_end_in_several_ways(text: str) -> None:
    assert parse_front_matter(text).name == "x"


MISSING = "missing YAML frontmatter delimited by ---"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", MISSING),
        ("hello\n", MISSING),
        ("\n---\nname: x\ndescription: d\n---\n", MISSING),
        ("---\nname: x\ndescription: d\n", MISSING),
        ("---\nname: x\ndescription: d\n...\n", MISSING),
        ("---\nname: x\n---\n", "missing field `description`"),
        ('---\nname: x\ndescription: ""\n---\n', "missing field `description`"),
        (
            "---\n- a\n---\n",
            "invalid YAML: invalid type: sequence, expected struct SkillFrontmatter",
        ),
        ("---\nname: x\nwhat\n---\n", "invalid YAML: expected `name: value` in line 3"),
        (
            "---\nname: x\nmetadata:\n  what\ndescription: d\n---\n",
            "invalid YAML: expected `name: value` in line 2",
        ),
        (
            "---\nname: " + "n" * 65 + "\ndescription: d\n---\n",
            "invalid name: exceeds maximum length of 64 characters",
        ),
    ],
)
def test_what_is_missing_is_said(text: str, message: str) -> None:
    with pytest.raises(FrontMatterError) as caught:
        parse_front_matter(text)
    assert str(caught.value) == message


@given(st.text(alphabet="---\n: #'\"|>[]{}ab\\\t ", max_size=60))
def test_nothing_that_may_stand_there_is_too_much(lines: str) -> None:
    try:
        found = parse_front_matter(f"---\n{lines}\n---\n")
    except FrontMatterError:
        return
    assert found.description
