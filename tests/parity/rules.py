"""What rules are made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from tests.parity.run import Scenario

Json: TypeAlias = Any
Transcript: TypeAlias = list[Json]
Rule: TypeAlias = Callable[[Scenario, Transcript], Transcript]


class Rules(dict[str, Rule]):
    """Rules by their name, in the order in which they are applied."""

    def add(self, name: str) -> Callable[[Rule], Rule]:
        def add(function: Rule) -> Rule:
            self[name] = function
            return function

        return add


def heard(entry: Json) -> Json:
    """The message of the server that an entry is about; empty for anything else."""
    return entry.get("<--", {}) if isinstance(entry, dict) else {}


def says(entry: Json, method: str) -> bool:
    return bool(heard(entry).get("method") == method)


def is_sent(entry: Json, *texts: str) -> bool:
    """Whether an entry is a line of the client with one of these texts in it."""
    line = entry.get("-->", "") if isinstance(entry, dict) else ""
    return any(text in line for text in texts)


def replaced(value: Json, pattern: str, text: str) -> Json:
    """Replace what matches a pattern, wherever it stands."""
    if isinstance(value, str):
        return re.sub(pattern, text, value)
    if isinstance(value, list):
        return [replaced(item, pattern, text) for item in value]
    if isinstance(value, dict):
        return {name: replaced(item, pattern, text) for name, item in value.items()}
    return value
