"""Params that have the wrong shape, method by method."""

from __future__ import annotations

from typing import Any

from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import ask

WRONG: dict[str, list[Any]] = {
    "account/read": [
        None,
        {},
        [],
        [True],
        [1],
        [True, True],
        5,
        1.5,
        "x",
        'a"b\\',
        True,
        {"x": 1},
        {"refreshToken": True},
        {"refreshToken": None},
        {"refreshToken": 5},
        {"refreshToken": -5},
        {"refreshToken": 1.5},
        {"refreshToken": "yes"},
        {"refreshToken": [1]},
        {"refreshToken": {}},
    ],
    "account/logout": [None, {}, [], {"x": 1}, 5, "x", True],
    "getAuthStatus": [
        None,
        {},
        [],
        [True],
        [True, True],
        5,
        {"includeToken": 5},
        {"includeToken": None},
        {"refreshToken": "x"},
    ],
    "account/login/start": [
        None,
        {},
        [],
        5,
        "x",
        {"type": "bad"},
        {"type": None},
        {"type": "apikey"},
        {"apiKey": "x"},
        ["apiKey"],
        {"type": "apiKey"},
        {"type": "apiKey", "apiKey": 5},
        {"type": "apiKey", "apiKey": None},
        {"type": "chatgptAuthTokens"},
        {"type": "chatgptAuthTokens", "accessToken": "a"},
        {"type": "chatgpt", "codexStreamlinedLogin": 5},
        {"type": "chatgpt", "appBrand": "x"},
        {"type": "chatgpt", "appBrand": 5},
        {"type": "amazonBedrock", "region": "x"},
        {"type": "amazonBedrockAccessKeys", "region": "x"},
    ],
}

PARAMS = [
    Scenario(
        name=f"params of {method}",
        steps=[OPEN, ask(method), *(ask(method, params) for params in many)],
    )
    for method, many in WRONG.items()
] + [
    Scenario(
        name="unknown methods",
        steps=[OPEN, ask("nope"), ask("initialized"), ask(""), ask("account/read ", {})],
    ),
    Scenario(
        name="what is experimental",
        steps=[
            OPEN,
            ask("mock/experimentalMethod", {}),
            ask("collaborationMode/list", {}),
            ask("memory/reset"),
            ask(
                "account/login/start",
                {"type": "chatgptAuthTokens", "accessToken": "a", "chatgptAccountId": "b"},
            ),
        ],
    ),
]
