"""Signing in and out, and every content that auth.json may have."""

from __future__ import annotations

import json

from tests.account.test_credentials import REFRESHED, TOKENS
from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import LOGIN, LOGOUT, READ, STATUS, ask

ACCOUNT = [
    Scenario(
        name="sign in and out",
        steps=[
            OPEN,
            READ,
            STATUS,
            LOGIN,
            READ,
            STATUS,
            ask("getAuthStatus", {}),
            LOGOUT,
            READ,
            STATUS,
            LOGOUT,
        ],
    ),
    Scenario(name="what is stored", steps=[OPEN, LOGIN]),
    Scenario(
        name="another key",
        steps=[
            OPEN,
            LOGIN,
            ask("account/login/start", {"type": "apiKey", "apiKey": " ключ\n"}),
            STATUS,
        ],
    ),
    Scenario(
        name="an empty key",
        steps=[
            OPEN,
            ask("account/login/start", {"type": "apiKey", "apiKey": ""}),
            READ,
            STATUS,
        ],
    ),
    Scenario(
        name="params by position",
        steps=[OPEN, ask("account/login/start", ["apiKey", "k"]), READ],
    ),
    Scenario(
        name="a directory in the file's place",
        steps=[OPEN, READ, LOGIN, LOGOUT],
        files={"auth.json": None},
    ),
    Scenario(
        name="signing out of a broken file", steps=[OPEN, LOGOUT], files={"auth.json": "xx"}
    ),
    *(
        Scenario(
            name=f"stored: {name}",
            steps=[OPEN, READ, STATUS, ask("getAuthStatus", {})],
            files={"auth.json": content},
        )
        for name, content in {
            "empty": "",
            "garbage": "xx",
            "null": "null",
            "list": "[]",
            "byte order mark": '\ufeff{"OPENAI_API_KEY":"k"}',
            "repeated key": '{"OPENAI_API_KEY":"k","OPENAI_API_KEY":"k"}',
            "unknown mode": '{"auth_mode":"ApiKey","OPENAI_API_KEY":"k"}',
            "wrong type": '{"OPENAI_API_KEY":5}',
            "nothing in it": "{}",
            "no key": '{"auth_mode":"apikey","OPENAI_API_KEY":null}',
            "no mode": '{"OPENAI_API_KEY":"k"}',
            "empty key": '{"auth_mode":"apikey","OPENAI_API_KEY":""}',
            "unknown field": '{"auth_mode":"apikey","OPENAI_API_KEY":"k","x":1}',
            "tokens that are none": '{"tokens":{"id_token":"x","access_token":"a","refresh_token":"r"}}',
            "tokens of unknown age": json.dumps({"tokens": TOKENS}),
            "tokens beside a key": json.dumps(
                {"OPENAI_API_KEY": "k", "tokens": TOKENS, "last_refresh": REFRESHED}
            ),
            "params in a list": '["apikey","sk"]',
        }.items()
    ),
    Scenario(
        name="stored tokens",
        steps=[OPEN, READ],
        files={"auth.json": json.dumps({"tokens": TOKENS, "last_refresh": REFRESHED})},
    ),
]
