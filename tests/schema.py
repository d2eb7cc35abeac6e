"""The schema that the pinned binary generates, and a watcher that checks messages against it."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import jsonschema
from codex_cli_bin import bundled_codex_path  # type: ignore[import-untyped]  # it has no types

from codex_trio.protocol import legacy, methods
from codex_trio.protocol.words import Tagged, Untagged

Json = Any

OLDER_NEWS = {row.name for row in legacy.NOTIFICATIONS}  # of a dialect that is in no schema


def genuine_environment(home: Path) -> dict[str, str]:
    """An environment in which the genuine server does not find anybody's credentials.

    Nor does it have a time zone: ours would name it, and the genuine server does not.
    """
    others = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "TZ")
    kept = {name: value for name, value in os.environ.items() if name not in others}
    return {**kept, "CODEX_HOME": str(home)}


@functools.cache
def load_schema(*, experimental: bool = True) -> dict[str, Json]:
    """Generate the schema and return its files by their name without the folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(bundled_codex_path()), "app-server", "generate-json-schema"]
        flags = ["--experimental"] if experimental else []
        subprocess.run(
            [*command, "--out", folder, *flags],
            check=True,
            capture_output=True,
            env=genuine_environment(Path(folder)),
        )
        return {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in Path(folder).rglob("*.json")
        }


def methods_in(schema: Json) -> list[str]:
    """List the methods of one of the four unions of messages, in its order."""
    return [one["properties"]["method"]["enum"][0] for one in schema["oneOf"]]


@functools.cache
def message_validator(union: str, method: str) -> jsonschema.Draft7Validator:
    """Return what checks the messages of one method."""
    schema = load_schema()[union]
    index = methods_in(schema).index(method)
    return jsonschema.Draft7Validator(
        {"definitions": schema["definitions"], **schema["oneOf"][index]}
    )


def words_name(words: Any) -> str:
    """Return the name that words have in the schema."""
    tags = [
        mark.name
        for mark in getattr(words, "__metadata__", ())
        if isinstance(mark, Tagged | Untagged)
    ]
    return tags[0] if tags else str(words.__name__)


@functools.cache
def result_validator(method: str) -> jsonschema.Draft7Validator | None:
    """Return what checks the results of a method; None for the few that are in no schema."""
    rows = (*methods.CLIENT_REQUESTS, *methods.SERVED_BESIDE)
    row = {row.name: row for row in rows}[method]
    schema = load_schema().get(words_name(row.result))
    return None if schema is None else jsonschema.Draft7Validator(schema)


class SchemaWatch:
    """Sees every message that passes, and fails on one of ours that is not in the schema."""

    def __init__(self) -> None:
        self._asked: dict[str | int, str] = {}
        self.seen: list[tuple[str, Json]] = []

    def __call__(self, arrow: str, data: bytes) -> None:
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            assert arrow == "-->", "the server writes JSON"
            return
        self.seen.append((arrow, message))
        if arrow == "-->":
            if isinstance(message, dict) and isinstance(message.get("id"), str | int):
                self._asked[message["id"]] = str(message.get("method"))
        elif "method" not in message:
            self._check_answer(message)
        elif "id" in message:
            message_validator("ServerRequest", message["method"]).validate(message)
        else:
            assert type(message["emittedAtMs"]) is int
            if message["method"] not in OLDER_NEWS:
                message_validator("ServerNotification", message["method"]).validate(message)

    def _check_answer(self, message: Json) -> None:
        if "error" in message:
            assert set(message) == {"error", "id"}
            jsonschema.validate(message, load_schema()["JSONRPCError"])
        else:
            assert set(message) == {"id", "result"}
            validator = result_validator(self._asked[message["id"]])
            if validator is not None:
                validator.validate(message["result"])


def fields_of(schema: Json) -> set[str]:
    """List the properties of an object in the schema."""
    return set(schema.get("properties", {}))
