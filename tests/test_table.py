"""The table, its handlers and our words, against the schema of the pinned binary."""

from __future__ import annotations

import json
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import attrs
import pytest

from codex_trio.protocol import methods
from codex_trio.protocol.structure import unstructure, wire_name
from codex_trio.protocol.words import (
    OURS,
    Absent,
    AsItCame,
    ExternallyTagged,
    NotEmpty,
    Path,
    Tagged,
    Untagged,
    Whole,
)
from codex_trio.rpc.calls import handlers_of
from codex_trio.server import open_server
from tests.checked import connect
from tests.schema import Json, load_schema, methods_in, words_name

if TYPE_CHECKING:
    from codex_trio.settings import Settings

# In no schema, and listed among the known methods all the same: the older dialect.
UNPUBLISHED = ["getConversationSummary", "gitDiffToRemote", "getAuthStatus"]

REQUESTS = [row.name for row in methods.CLIENT_REQUESTS]


def test_the_table_names_every_request_in_the_original_s_order() -> None:
    published = methods_in(load_schema()["ClientRequest"])
    assert [name for name in REQUESTS if name not in UNPUBLISHED] == published
    assert len(REQUESTS) == len(set(REQUESTS)) == len(published) + len(UNPUBLISHED)


def test_what_is_served_beside_the_contract_is_not_in_it() -> None:
    beside = {row.name for row in methods.SERVED_BESIDE}
    assert len(beside) == len(methods.SERVED_BESIDE)
    assert not beside & set(REQUESTS)
    assert not any(row.listed for row in methods.SERVED_BESIDE)
    assert all(row.listed for row in methods.CLIENT_REQUESTS)


def test_the_table_knows_what_is_experimental() -> None:
    stable = methods_in(load_schema(experimental=False)["ClientRequest"])
    experimental = {row.name for row in methods.CLIENT_REQUESTS if row.experimental}
    assert experimental == set(REQUESTS) - set(stable) - set(UNPUBLISHED)


def test_the_table_names_what_else_is_said() -> None:
    schema, stable = load_schema(), load_schema(experimental=False)
    unions: dict[str, tuple[Any, ...]] = {
        "ClientNotification": methods.CLIENT_NOTIFICATIONS,
        "ServerRequest": methods.SERVER_REQUESTS,
        "ServerNotification": methods.SERVER_NOTIFICATIONS,
    }
    for union, rows in unions.items():
        assert [row.name for row in rows] == methods_in(schema[union])
    asked_if_stable = [row.name for row in methods.SERVER_REQUESTS if not row.experimental]
    assert asked_if_stable == methods_in(stable["ServerRequest"])


# --- words ---


def all_words() -> list[Any]:
    rows: list[Any] = [
        *methods.CLIENT_REQUESTS,
        *methods.SERVER_REQUESTS,
        *methods.SERVER_NOTIFICATIONS,
    ]
    words = [getattr(row, side, None) for row in rows for side in ("params", "result")]
    return [word for word in words if word is not None and word is not type(None)]


UNPUBLISHED_WORDS = {
    "GetAuthStatusParams",
    "GetAuthStatusResponse",
    "GetConversationSummaryParams",
    "GetConversationSummaryResponse",
}


@pytest.mark.parametrize("words", all_words(), ids=words_name)
def test_words_agree_with_the_schema(words: Any) -> None:
    name = words_name(words)
    if name in UNPUBLISHED_WORDS:
        assert name not in load_schema()
        return
    # Params that may be left out have no schema of their own.
    inner = load_schema()["ClientRequest"]["definitions"]
    schema = load_schema().get(name) or inner[name]
    compare(words, schema, schema.get("definitions", inner))


def compare(words: Any, schema: Json, definitions: Json) -> None:
    """Compare words with a schema, all the way down."""
    if words is object:
        assert schema is True or not {"type", "$ref", "allOf", "anyOf", "oneOf"} & schema.keys()
        return None
    if "$ref" in schema:
        mark = mark_of(words)
        if mark is not None:
            assert schema["$ref"].rpartition("/")[2] == mark.name
            if mark.name != "ThreadItem":
                return None
        return compare(words, definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "allOf" in schema:
        (only,) = schema["allOf"]
        return compare(words, only, definitions)
    origin = get_origin(words)
    if origin is Annotated:
        return compare_marked(words, schema, definitions)
    if origin in (Union, types.UnionType):
        (inner,) = (one for one in get_args(words) if one not in (type(None), Absent))
        return compare(inner, without_null(schema), definitions)
    if origin is Literal:
        known = schema.get("enum") or [name for one in schema["oneOf"] for name in one["enum"]]
        assert set(get_args(words)) <= set(known)
        return None
    if attrs.has(words):
        if "oneOf" in schema:
            return compare_union((words,), schema, definitions)
        return compare_fields(words, schema, definitions)
    expected = {
        str: "string",
        int: "integer",
        float: "number",
        bool: "boolean",
        list: "array",
        dict: "object",
    }
    assert schema["type"] == expected[origin or words]
    if origin is list:
        return compare(get_args(words)[0], schema["items"], definitions)
    if origin is dict:
        return compare(get_args(words)[1], schema["additionalProperties"], definitions)
    return None


def mark_of(words: Any) -> AsItCame | None:
    """Return the mark of what is passed on as it came; None for words."""
    marks = [one for one in getattr(words, "__metadata__", ()) if isinstance(one, AsItCame)]
    return marks[0] if marks else None


def compare_marked(words: Any, schema: Json, definitions: Json) -> None:
    kind, mark = get_args(words)
    match mark:
        case Tagged():
            compare_union(get_args(kind), schema, definitions)
        case Whole():
            assert (mark.name, schema["minimum"]) == (WHOLE[schema["format"]], 0)
        case ExternallyTagged() if "enum" in schema:
            assert list(get_args(kind)) == schema["enum"]
        case ExternallyTagged():
            compare_names_and_objects(get_args(kind), schema, definitions)
        case Path() | NotEmpty():
            assert schema["type"] == "string"
        case Untagged():
            members = zip(get_args(kind), schema["anyOf"], strict=True)
            for member, one in members:
                compare(member, one, definitions)
        case _:
            assert mark == AsItCame("ThreadItem")
            ours = tuple(member for member in get_args(kind) if attrs.has(member))
            compare_union(ours, schema, definitions)


WHOLE = {"uint32": "u32", "uint": "usize"}


def compare_names_and_objects(members: Any, schema: Json, definitions: Json) -> None:
    names = [name for one in schema["oneOf"] for name in one.get("enum", [])]
    ours = [name for member in members for name in get_args(member)]
    assert sorted(ours) == sorted(names)
    objects = [one for one in schema["oneOf"] if "enum" not in one]
    classes = [member for member in members if attrs.has(member)]
    for words, one in zip(classes, objects, strict=True):
        compare_fields(words, one, definitions)


def compare_union(members: tuple[Any, ...], schema: Json, definitions: Json) -> None:
    by_tag = {one["properties"]["type"]["enum"][0]: one for one in schema["oneOf"]}
    for member in members:
        (tag,) = get_args(attrs.fields(attrs.resolve_types(member)).type.type)
        compare_fields(member, by_tag[tag], definitions)


def compare_fields(words: Any, schema: Json, definitions: Json) -> None:
    fields = {
        wire_name(field): field
        for field in attrs.fields(attrs.resolve_types(words))
        if field.metadata != OURS
    }
    properties = schema.get("properties", {})
    # One of these has to be there, but each of them may be left out.
    one_of = {
        name: one["properties"][name]
        for one in schema.get("anyOf", [])
        for name in one["required"]
    }
    assert set(fields) == {*properties, *one_of}, words
    for name in schema.get("required", []):
        assert fields[name].default is attrs.NOTHING or name == "type", (words, name)
    for name, member in properties.items():
        field = fields[name]
        nullable = type(None) in get_args(field.type)
        assert nullable == accepts_null(member), (words, name)
        compare_default(words, field, member)
        compare(field.type, member, definitions)
    for name, member in one_of.items():
        assert fields[name].default is None
        compare(fields[name].type, {"anyOf": [member, {"type": "null"}]}, definitions)


def compare_default(words: Any, field: Any, schema: Json) -> None:
    """A default of ours is the one that the schema names, if it names any."""
    if field.default is attrs.NOTHING or schema is True or schema.get("default") is None:
        return
    default = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # it is a class at runtime
        default = default.factory()
    assert unstructure(default) == schema["default"], (words, field.name)


def accepts_null(schema: Json) -> bool:
    if schema is True:
        return False
    return "null" in schema.get("type", []) or {"type": "null"} in schema.get("anyOf", [])


def without_null(schema: Json) -> Json:
    if "anyOf" in schema:
        (other,) = (one for one in schema["anyOf"] if one != {"type": "null"})
        return without_null(other) if accepts_null(other) else other
    (kind,) = (kind for kind in schema["type"] if kind != "null")
    return {**schema, "type": kind}


# --- handlers ---


async def served(settings: Settings) -> set[str]:
    async with open_server(settings) as server:
        return set(server.account.board.handlers)


async def test_what_is_served_has_words(settings: Settings) -> None:
    """A handler without words could not be told what it is asked."""
    rows = {row.name: row for row in (*methods.CLIENT_REQUESTS, *methods.SERVED_BESIDE)}
    for name in await served(settings):
        assert rows[name].params is not None
        assert rows[name].result is not None


@pytest.mark.parametrize("row", methods.CLIENT_REQUESTS, ids=lambda row: row.name)
async def test_what_is_not_served_says_so(row: Any, settings: Settings) -> None:
    if row.name in await served(settings) or row.params is not None:
        return
    async with open_server(settings) as server, connect(server) as client:
        await client.initialize(experimental=True)
        with pytest.raises(
            Exception, match=f"^`{row.name}` is not served by codex-trio yet$"
        ) as e:
            await client.call(row.name, json.loads('{"anything": [1]}'))
        assert e.value.code == -32601  # type: ignore[attr-defined]


def test_a_method_cannot_be_served_twice() -> None:
    class Family:
        async def handler(self) -> None: ...

        handler.serves = methods.LOGOUT  # type: ignore[attr-defined]

    with pytest.raises(ValueError, match="account/logout is served twice"):
        handlers_of([Family(), Family()])
