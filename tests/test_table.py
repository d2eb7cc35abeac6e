"""The table, its handlers and our words, against the schema of the pinned binary."""

from __future__ import annotations

import json
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import attrs
import pytest

from codex_trio.protocol import methods
from codex_trio.protocol.structure import camel
from codex_trio.protocol.words import OURS
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


UNPUBLISHED_WORDS = {"GetAuthStatusParams", "GetAuthStatusResponse"}


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
        return compare(words, definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "allOf" in schema:
        (only,) = schema["allOf"]
        return compare(words, only, definitions)
    origin = get_origin(words)
    if origin is Annotated:
        return compare_union(get_args(get_args(words)[0]), schema, definitions)
    if origin in (Union, types.UnionType):
        (inner,) = (member for member in get_args(words) if member is not type(None))
        return compare(inner, without_null(schema), definitions)
    if origin is Literal:
        known = schema.get("enum") or [one["enum"][0] for one in schema["oneOf"]]
        assert set(get_args(words)) <= set(known)
        return None
    if attrs.has(words):
        if "oneOf" in schema:
            return compare_union((words,), schema, definitions)
        return compare_fields(words, schema, definitions)
    expected = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}
    assert schema["type"] == expected[origin or words]
    if origin is list:
        return compare(get_args(words)[0], schema["items"], definitions)
    if origin is dict:
        return compare(get_args(words)[1], schema["additionalProperties"], definitions)
    return None


def compare_union(members: tuple[Any, ...], schema: Json, definitions: Json) -> None:
    by_tag = {one["properties"]["type"]["enum"][0]: one for one in schema["oneOf"]}
    for member in members:
        (tag,) = get_args(attrs.fields(attrs.resolve_types(member)).type.type)
        compare_fields(member, by_tag[tag], definitions)


def compare_fields(words: Any, schema: Json, definitions: Json) -> None:
    fields = {
        camel(field.name): field
        for field in attrs.fields(attrs.resolve_types(words))
        if field.metadata != OURS
    }
    properties = schema.get("properties", {})
    assert set(fields) == set(properties), words
    for name in schema.get("required", []):
        assert fields[name].default is attrs.NOTHING or name == "type", (words, name)
    for name, field in fields.items():
        nullable = type(None) in get_args(field.type)
        assert nullable == accepts_null(properties[name]), (words, name)
        compare(field.type, properties[name], definitions)


def accepts_null(schema: Json) -> bool:
    return "null" in schema.get("type", []) or {"type": "null"} in schema.get("anyOf", [])


def without_null(schema: Json) -> Json:
    if "anyOf" in schema:
        (other,) = (one for one in schema["anyOf"] if one != {"type": "null"})
        return other
    (kind,) = (kind for kind in schema["type"] if kind != "null")
    return {**schema, "type": kind}


# --- handlers ---


def test_what_is_served_has_words() -> None:
    """A handler without words could not be told what it is asked."""
    rows = {row.name: row for row in methods.CLIENT_REQUESTS}
    for name in SERVED:
        assert rows[name].params is not None
        assert rows[name].result is not None
    assert {row.name for row in methods.CLIENT_REQUESTS if row.params is not None} == SERVED


SERVED = {
    "initialize",
    "account/login/start",
    "account/login/cancel",
    "account/logout",
    "account/rateLimits/read",
    "account/read",
    "getAuthStatus",
}


@pytest.mark.parametrize("row", methods.CLIENT_REQUESTS, ids=lambda row: row.name)
async def test_what_is_not_served_says_so(row: Any, settings: Settings) -> None:
    if row.name in SERVED:
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
