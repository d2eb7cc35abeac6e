"""Puts names in the place of what differs from run to run."""

from __future__ import annotations

import base64
import json
import re
from functools import partial
from typing import Any, Final, TypeAlias

import attrs

Json: TypeAlias = Any

_LETTERS: Final = "[BCDFGHJKLMNPQRSTVWXZ]{4}"  # of the codes that the stand-in lets users type
_HEX: Final = "[0-9a-f]"

NUMBERED: Final = {
    "token": r"eyJ[\w-]+\.eyJ[\w-]+\.fake",
    "login": rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
    "state": r"(?<=state=)[\w-]{43}(?![\w-])",
    "challenge": r"(?<=code_challenge=)[\w-]{43}(?![\w-])",
    "verifier": rf"(?<![\w-])(?:[\w-]{{86}}|verifier-fake-{_HEX}{{64}})(?![\w-])",
    "code": rf"\bcode-fake-{_HEX}{{32}}\b",
    "key": rf"\bsk-fake-{_HEX}{{32}}\b",
    "refresh-token": rf"\brt-fake-{_HEX}{{32}}\b",
    "device": rf"\bdevice-fake-{_HEX}{{32}}\b",
    "foreign-state": rf"\bstate-fake-{_HEX}{{32}}\b",
    "item": rf"\b(?:msg|rs|fc|ctc|call)_fake{_HEX}{{24}}\b",
    "place": r'(?:(?<=rolloutOrdinal\\":)|(?<=rolloutOrdinal\\\\\\":))\d+',
    "version": rf"\bsha256:{_HEX}{{64}}\b",
    "user-code": rf"\b{_LETTERS}-{_LETTERS}\b",
}
"""What is told apart: the first of its kind becomes ``<kind-1>``, wherever it is seen."""

UNNUMBERED: Final = {
    r'"emittedAtMs": \d+': '"emittedAtMs": "<time>"',
    r"\bid_token=eyJ[\w.-]+": "id_token=<id-token>",
    r"/success\?ticket=[\w-]+": "/success",  # whose page it is
    r'"expiresAt": \d+': '"expiresAt": "<time>"',
    r'"holder": \{"pid": \d+, "name": "[^"]+"\}': (
        '"holder": {"pid": "<pid>", "name": "<program>"}'
    ),
    r'"(started|completed|created|updated|recency)At(Ms)?": \d+': r'"\1At\2": "<time>"',
    r'"last": \{"totalTokens": (?!0,|258400)\d+, "inputTokens": 0,': (
        '"last": {"totalTokens": "<estimate>", "inputTokens": 0,'
    ),
    r"(\w)\1{99999,}": r"\1…",
    r'"durationMs": \d+': '"durationMs": "<time>"',
    r"/sessions/\d{4}/\d\d/\d\d/rollout-[\dT-]{19}-": "/sessions/<day>/rollout-<time>-",
    r"/archived_sessions/rollout-[\dT-]{19}-": "/archived_sessions/rollout-<time>-",
    r"\bby \S+ \(process \d+\)": "by <program> (process <pid>)",
    r"(error sending request for url \([^)]*\)): [^\"\\]*": r"\1: <reason>",
    r'"installationId": "[^"]*"': '"installationId": "<installation>"',
    r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z": "<time>",
}


@attrs.define(eq=False)
class Names:
    """Remembers what has been named; ``fixed`` are texts and their names."""

    fixed: dict[str, str]
    _given: dict[str, dict[str, str]] = attrs.field(factory=dict, init=False)

    def apply(self, value: Json) -> Json:
        """Return a JSON value with names in it."""
        text = json.dumps(value)
        for known, name in self.fixed.items():
            text = text.replace(known, name)
        for pattern, name in UNNUMBERED.items():
            text = re.sub(pattern, name, text)
        for kind, pattern in NUMBERED.items():
            text = re.sub(pattern, partial(self._name, kind), text)
        return json.loads(text)

    def _name(self, kind: str, found: re.Match[str]) -> str:
        value = found[0]
        if kind == "token":
            kind = _kind_of(value)
        given = self._given.setdefault(kind, {})
        return given.setdefault(value, f"<{kind}-{len(given) + 1}>")


def _kind_of(token: str) -> str:
    """Tell ID tokens from access tokens; the stand-in gives them another audience."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return (
        "access-token" if "https://api.openai.com/v1" in claims.get("aud", ()) else "id-token"
    )


def renumbered(transcript: Json) -> Json:
    """Number ids anew, in the order in which they are seen; a rule may have removed some."""
    given: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return given.setdefault(found[0], f"<login-{len(given) + 1}>")

    return json.loads(re.sub(r"<login-\d+>", number, json.dumps(transcript)))
