"""Files that say something else, and look the same."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.configuration.edits import ConfigWriteError, Edit, apply
from codex_trio.configuration.text import rewrite, same
from codex_trio.errors import ConfigError


def edited(text: str, *edits: Edit) -> str:
    old = tomllib.loads(text)
    return rewrite(text, old, apply(old, edits))


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("", Edit(("model",), "x"), 'model = "x"\n'),
        (
            '# top\nmodel = "a" # mine\n\n# about t\n[t]\nx = 1\n',
            Edit(("model",), "b"),
            '# top\nmodel = "b" # mine\n\n# about t\n[t]\nx = 1\n',
        ),
        (
            '# top\nmodel = "a" # mine\n\n# about t\n[t]\nx = 1\n',
            Edit(("new",), [1, "two"]),
            '# top\nmodel = "a" # mine\nnew = [1, "two"]\n\n# about t\n[t]\nx = 1\n',
        ),
        (
            "[t]\nx=1 # c\n\n# about u\n[u]\ny=1\n",
            Edit(("t", "n"), True),
            "[t]\nx=1 # c\nn = true\n\n# about u\n[u]\ny=1\n",
        ),
        (
            "[t]\nx=1\n[t.a]\nz=1\n[u]\ny=1\n",
            Edit(("t",), {"n": 1.5}, upsert=True),
            "[t]\nx=1\nn = 1.5\n[t.a]\nz=1\n[u]\ny=1\n",
        ),
        (
            "[t]\nkept = 1 # c\ngone = 2\n",
            Edit(("t",), {"kept": 3}),
            "[t]\nkept = 3 # c\n",
        ),
        (
            'model = "a"\n[z]\nq=1\n',
            Edit(("projects", "/x.y"), {"trust_level": "trusted"}),
            'model = "a"\n[z]\nq=1\n\n[projects."/x.y"]\ntrust_level = "trusted"\n',
        ),
        (
            "",
            Edit(("mcp_servers", "foo"), {"command": "x", "env": {"A": "b"}, "args": ["a"]}),
            (
                '[mcp_servers.foo]\ncommand = "x"\nargs = ["a"]\n\n'
                '[mcp_servers.foo.env]\nA = "b"\n'
            ),
        ),
        ("t = { a = 1, b = 2 } # c\n", Edit(("t", "a"), 5), "t = { a = 5, b = 2 } # c\n"),
        ("a.b.c = 1\na.b.d = 2\n", Edit(("a", "b", "c"), 5), "a.b.c = 5\na.b.d = 2\n"),
        ("[[l]]\nx=1\n[[l]]\nx=2\n", Edit(("l",), [{"x": 3}]), "l = [{x = 3}]\n"),
        ('model = "a"', Edit(("n",), 1), 'model = "a"\nn = 1\n'),
        (
            'model = "a"\r\n# c\r\n[t]\r\nx = 1\r\n',
            Edit(("n",), 1),
            'model = "a"\r\nn = 1\r\n# c\r\n[t]\r\nx = 1\r\n',
        ),
        ("[t]\nx = 1\n", Edit(("t", "x"), None), "[t]\n"),
        ("a = 1\n[t]\nx = 1\n[u]\n", Edit(("t",), None), "a = 1\n[u]\n"),
        ("when = 1979-05-27 # c\nx = 1\n", Edit(("x",), 2), "when = 1979-05-27 # c\nx = 2\n"),
        # A table in several parts, and one that lives in dotted keys alone.
        (
            "[a.b]\nx=1\n[c]\n[a.d]\ny=2\n",
            Edit(("a", "b", "x"), 5),
            "[a.b]\nx=5\n[c]\n[a.d]\ny=2\n",
        ),
        ("d.e = true\nf = 1\n", Edit(("d", "e"), None), "f = 1\n\n[d]\n"),
    ],
)
def test_only_what_differs_is_touched(before: str, edit: Edit, after: str) -> None:
    assert edited(before, edit) == after


def test_what_would_not_say_it_is_refused() -> None:
    """Whoever made the mistake: here it is the caller, who says what the file does not say."""
    with pytest.raises(ConfigError, match="cannot be edited"):
        rewrite("b = 1\n", {"a": 1}, {"a": 2})
    with pytest.raises(ConfigError, match="cannot be edited"):
        rewrite("b = = 1\n", {}, {"a": 2})


@pytest.mark.parametrize(
    ("one", "other", "are"),
    [
        (1, 1, True),
        (1, True, False),
        (1, 1.0, False),
        (float("nan"), float("nan"), True),
        ({"a": [1]}, {"a": [1]}, True),
        ({"a": [1]}, {"a": [1, 1]}, False),
        ({"a": 1}, {"b": 1}, False),
        ("a", "b", False),
    ],
)
def test_values_are_the_same_if_toml_says_so(one: object, other: object, *, are: bool) -> None:
    assert same(one, other) is are


# --- any file, any edit ---

VALUES = (
    "1",
    '"s"',
    "1979-05-27",
    '"""\nml\n"""',
    "[1, # c\n 2]",
    "{ a = 1, b = {c = 2} }",
    "[{x = 1}]",
)
KEYS = ("a", "b", "d.e", "d.f", '"q.r"')
HEADERS = ("t", "u", "t.v", "t.v.w", "u.z", '"q.s"', "[l]", "d")
NEW: tuple[Any, ...] = (
    1,
    "new",
    ["l"],
    {"n": 1},
    {"n": {"m": 2}, "o": 3},
    [{"x": 1}],
    {},
    [],
    None,
)


@st.composite
def files(draw: st.DrawFn) -> str:
    lines = []
    for header in ["", *draw(st.lists(st.sampled_from(HEADERS), max_size=4))]:
        lines += draw(st.sampled_from([[], [""], ["# about what follows"]]))
        lines += [f"[{header}]"] if header else []
        for key in draw(st.lists(st.sampled_from(KEYS), max_size=3, unique=True)):
            comment = draw(st.sampled_from(["", " # of this"]))
            lines.append(f"{key} = {draw(st.sampled_from(VALUES))}{comment}")
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


def loads(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@given(
    files().filter(lambda text: loads(text) is not None),
    st.lists(st.sampled_from(["a", "d", "e", "t", "v", "q.r", "new"]), min_size=1, max_size=3),
    st.sampled_from(NEW),
    st.booleans(),
)
def test_any_file_can_be_edited(text: str, keys: list[str], value: Any, upsert: bool) -> None:
    old = loads(text)
    assert old is not None
    try:
        new = apply(old, [Edit(tuple(keys), value, upsert)])
    except ConfigWriteError:
        return
    assert same(tomllib.loads(rewrite(text, old, new)), new)
