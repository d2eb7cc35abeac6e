"""Exchanging a code for tokens: what the issuer may answer instead, and tokens that are none."""

from __future__ import annotations

from codex_trio.testing import Fault, make_jwt
from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import READ
from tests.parity.scenarios.signing import (
    AUTH,
    BROWSER,
    CODE,
    COMPLETED,
    TOKEN,
    faulty,
    gives,
    reachable,
    rounds,
)
from tests.parity.world import get, stored, tell

REFUSALS = {
    "400": Fault.status(400),
    "a text": Fault.status(400, "  no \n"),
    "a long text": Fault.status(400, "x" * 5000),
    "bytes": Fault.status(400, b"a\xffb"),
    "a description": Fault.status(400, {"error": "e", "error_description": "d"}),
    "a blank description": Fault.status(400, {"error": "e", "error_description": " "}),
    "an error": Fault.status(400, {"error": "e"}),
    "an empty error": Fault.status(400, {"error": ""}),
    "a message": Fault.status(401, {"error": {"code": "e", "message": "m"}}),
    "a blank message": Fault.status(401, {"error": {"code": "e", "message": " "}}),
    "a code": Fault.status(403, {"error": {"code": "e"}}),
    "nothing in an error": Fault.status(403, {"error": {}}),
    "an error of another type": Fault.status(403, {"error": 5}),
    "a list": Fault.status(403, [1]),
    "an empty object": Fault.status(404, {}),
    "what was sent": Fault.status(400, {"error_description": "a the-code-of-a-test"}),
    "a token": Fault.status(400, "a refresh_token=abc&x"),
    "409": Fault.status(409, "x"),
    "418": Fault.status(418, "x"),
    "429": Fault.status(429, "x"),
    "500": Fault.status(500, "x"),
    "503": Fault.status(503, "x"),
    "599": Fault.garbage(b"HTTP/1.1 599 Odd\r\nContent-Length: 1\r\n\r\nx"),
    "304": Fault.status(304),
    "nothing": Fault.status(200),
    "no JSON": Fault.status(200, "x"),
    "no tokens": Fault.status(200, {}),
    "no object": Fault.status(200, [1]),
    "a dropped connection": Fault.drop(),
    "no HTTP": Fault.garbage(),
}

EXCHANGES = [
    Scenario(
        name="browser: the exchange fails",
        steps=[
            OPEN,
            *rounds(
                [
                    tell(f"the issuer answers with {name}", faulty(TOKEN, fault)),
                    BROWSER,
                    get(CODE),
                    COMPLETED,
                ]
                for name, fault in REFUSALS.items()
            ),
            READ,
        ],
        network=reachable,
        alone=True,
    ),
    Scenario(
        name="browser: tokens that are none",
        steps=[
            OPEN,
            *rounds(
                [told, BROWSER, get(CODE), COMPLETED]
                for told in [
                    gives(refresh_token=5),
                    gives(refresh_token=...),
                    gives(access_token=None),
                    gives(id_token=5),
                    *(
                        gives(id_token=token)
                        for token in [
                            "x",
                            "",
                            "a.e30",
                            "a..b",
                            "a.e30=.b",
                            "a.!!.b",
                            "a.bnVsbA.b",
                            "a.eHg.b",
                            make_jwt({"email": 1}),
                            make_jwt({AUTH: {"chatgpt_plan_type": 1}}),
                        ]
                    ),
                ]
            ),
            READ,
        ],
        network=reachable,
        alone=True,
    ),
    Scenario(
        name="browser: tokens that do",
        steps=[
            OPEN,
            *rounds(
                [told, BROWSER, get(CODE), get("/success"), COMPLETED, stored()]
                for told in [
                    gives(id_token=make_jwt({})),
                    gives(id_token="a.e30.b.c"),
                    gives(refresh_token=""),
                    gives(more=5),
                ]
            ),
            READ,
        ],
        network=reachable,
        alone=True,
    ),
]
