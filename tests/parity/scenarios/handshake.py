"""initialize: what may be said before it, and what it makes of its params."""

from __future__ import annotations

from typing import Any

from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import LOGIN, LOGOUT, READ, able, ask, info

WRONG: list[Any] = [
    5,
    1.5,
    "x",
    [],
    ["a"],
    {},
    None,
    {"clientInfo": 5},
    {"clientInfo": {}},
    {"clientInfo": []},
    {"clientInfo": {"name": 5}},
    {"clientInfo": {"name": "a"}},
    info(version=5),
    info(title=5),
    {**info(), "capabilities": 5},
    {**info(), "capabilities": {"experimentalApi": None}},
    {**info(), "capabilities": {"experimentalApi": "yes"}},
    {**info(), "capabilities": {"optOutNotificationMethods": "x"}},
    {**info(), "capabilities": {"optOutNotificationMethods": [1]}},
    {**info(), "capabilities": {"requestAttestation": 5}},
    {**info(), "capabilities": {"mcpServerOpenaiFormElicitation": 5}},
    {**info(), "capabilities": {"explicitGatewayOauth": 5}},
    {**info(), "capabilities": {"extensions": []}},
]

HANDSHAKE = [
    Scenario(
        name="before the handshake",
        steps=[
            READ,
            LOGOUT,
            ask("nope"),
            ask("account/read"),
            ask("mock/experimentalMethod", {}),
            OPEN,
            READ,
        ],
    ),
    Scenario(name="the handshake twice", steps=[OPEN, OPEN, ask("initialize", 5)]),
    Scenario(
        name="params of the handshake",
        steps=[
            *(ask("initialize", params) for params in WRONG),
            ask("initialize"),
        ],
    ),
    Scenario(
        name="names that fit in no header",
        steps=[
            *(ask("initialize", info(name=name)) for name in ["a\x01b", "a\nb", "\x7f"]),
            OPEN,
        ],
    ),
    *(
        Scenario(
            name=f"a client called {name!r} {version!r}",
            steps=[ask("initialize", info(name=name, version=version))],
        )
        for name, version in [
            ("né/ x", "1\n2é"),
            ("", ""),
            ("a\tb", " 1 "),
            ("né x", "1"),
            ("codex_vscode", "1"),
        ]
    ),
    Scenario(
        name="an originator from the environment",
        steps=[OPEN],
        environ={"CODEX_INTERNAL_ORIGINATOR_OVERRIDE": "over_ride"},
    ),
    Scenario(
        name="an originator that fits in no header",
        steps=[OPEN],
        environ={"CODEX_INTERNAL_ORIGINATOR_OVERRIDE": "over\nride"},
    ),
    *(
        Scenario(name=f"a terminal: {environ}", steps=[OPEN], environ=environ)
        for environ in [
            {"TERM": "xterm-256color"},
            {"TERM_PROGRAM": "vscode"},
            {"TERM_PROGRAM": "a b", "TERM_PROGRAM_VERSION": "1.2"},
        ]
    ),
    Scenario(
        name="opting out",
        steps=[able(optOutNotificationMethods=["account/updated", "unknown"]), LOGIN, LOGOUT],
    ),
    Scenario(
        name="null capabilities",
        steps=[ask("initialize", {**info(), "capabilities": None}), READ],
    ),
]
