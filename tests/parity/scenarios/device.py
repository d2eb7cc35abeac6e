"""Signing in with a device code: what is asked, what is told, and every way to fail."""

from __future__ import annotations

from codex_trio.testing import Fault, make_jwt
from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import LOGOUT, READ, STATUS, able
from tests.parity.scenarios.signing import (
    AUTH,
    COMPLETED,
    DEVICE,
    TOKEN,
    UPDATED,
    USER_CODE,
    approving,
    faulty,
    gives,
    reachable,
    rounds,
    with_device,
)
from tests.parity.steps import Cancel, Hear
from tests.parity.world import POLL, approve, asked, polled, stored, tell

GRANT = {"authorization_code": "a", "code_challenge": "b", "code_verifier": "c"}

STARTS = {
    "404": Fault.status(404, "x"),
    "400": Fault.status(400, {"error": "x"}),
    "403": Fault.status(403, "x"),
    "429": Fault.status(429, "x"),
    "500": Fault.status(500),
    "503": Fault.status(503, "x"),
    "nothing": Fault.status(200),
    "no JSON": Fault.status(200, "x"),
    "no object": Fault.status(200, [1]),
    "no fields": Fault.status(200, {}),
    "no code": Fault.status(200, {"device_auth_id": "d"}),
    "no id": Fault.status(200, {"user_code": "C"}),
    "an id of the wrong type": Fault.status(200, {"device_auth_id": 5, "user_code": "C"}),
    **{
        f"an interval of {interval!r}": Fault.status(
            200, {"device_auth_id": "d", "user_code": "C", "interval": interval}
        )
        for interval in [5, None, "x", "-1", "1.5", "", "99999999999999999999"]
    },
    "a dropped connection": Fault.drop(),
    "no HTTP": Fault.garbage(),
}

BEGUN = {
    "another name": {"device_auth_id": "d", "usercode": "C1", "interval": "1"},
    "no interval": {"device_auth_id": "d", "user_code": "C2"},
    "an interval with space": {"device_auth_id": "d", "user_code": "C3", "interval": " 5 "},
    "an interval with a sign": {"device_auth_id": "d", "user_code": "C4", "interval": "+5"},
    "an empty code": {"device_auth_id": "d", "user_code": "", "interval": "1"},
}

POLLS = {
    **{
        str(status): Fault.status(status, "x") for status in (400, 401, 410, 418, 429, 500, 503)
    },
    "a reason": Fault.status(400, {"error": {"code": "c", "message": "m"}}),
    "nothing": Fault.status(200),
    "no JSON": Fault.status(200, "x"),
    "no fields": Fault.status(200, {}),
    "no challenge": Fault.status(200, {**GRANT, "code_challenge": None}),
    "no verifier": Fault.status(200, {**GRANT, "code_verifier": 5}),
}

EXCHANGES = {
    "400": Fault.status(400, {"error": "invalid_grant", "error_description": "d"}),
    "503": Fault.status(503, "x"),
    "no JSON": Fault.status(200, "x"),
    "no tokens": Fault.status(200, {}),
    "a dropped connection": Fault.drop(),
}

DEVICES = [
    with_device(
        "signed in, and out",
        approve(),
        COMPLETED,
        UPDATED,
        READ,
        STATUS,
        stored(),
        LOGOUT,
        READ,
        config="",
    ),
    with_device("asked again and again", asked(POLL, 3), approve(), COMPLETED, UPDATED),
    with_device(
        "told to wait with 404",
        asked(POLL, 2),
        approve(),
        COMPLETED,
        UPDATED,
        network=lambda s: s.tell({"device": {"pending": 404}}),
    ),
    with_device(
        "a quick user",
        COMPLETED,
        UPDATED,
        READ,
        network=approving,
    ),
    Scenario(
        name="device: for an experimental client",
        steps=[able(experimentalApi=True), DEVICE, polled(), Cancel(), COMPLETED],
        network=reachable,
    ),
    Scenario(
        name="device: no code",
        steps=[
            OPEN,
            *rounds(
                [
                    tell(f"the issuer answers with {name}", faulty(USER_CODE, fault)),
                    DEVICE,
                ]
                for name, fault in STARTS.items()
            ),
            READ,
        ],
        network=reachable,
    ),
    Scenario(
        name="device: codes of all kinds",
        steps=[
            OPEN,
            *rounds(
                [
                    tell(
                        f"the issuer answers with {name}",
                        faulty(USER_CODE, Fault.status(200, reply)),
                    ),
                    tell("and with 403", faulty(POLL, *[Fault.status(403)] * 1000)),
                    DEVICE,
                    polled(),
                    Cancel(),
                    COMPLETED,
                ]
                for name, reply in BEGUN.items()
            ),
            READ,
        ],
        network=reachable,
    ),
    Scenario(
        name="device: refused",
        steps=[
            OPEN,
            *rounds(
                [
                    tell(f"the issuer answers with {name}", faulty(POLL, fault)),
                    DEVICE,
                    COMPLETED,
                ]
                for name, fault in POLLS.items()
            ),
            READ,
        ],
        network=reachable,
    ),
    Scenario(
        name="device: the exchange fails",
        steps=[
            OPEN,
            *rounds(
                [
                    tell(f"the issuer answers with {name}", faulty(TOKEN, fault)),
                    DEVICE,
                    COMPLETED,
                ]
                for name, fault in EXCHANGES.items()
            ),
            *rounds(
                [gives(id_token=token), DEVICE, COMPLETED]
                for token in ["x", "a.e30=.b", "a.bnVsbA.b", make_jwt({AUTH: 5})]
            ),
            READ,
        ],
        network=approving,
    ),
    with_device(
        "a connection that is lost",
        Hear("account/login/completed", patience=3.0),
        network=faulty(POLL, Fault.drop()),
    ),
    *(
        with_device(
            f"forbidden: {config}",
            COMPLETED,
            gives(id_token=make_jwt({})),
            DEVICE,
            COMPLETED,
            READ,
            config=f"{config}\n",
            network=approving,
        )
        for config in [
            'forced_chatgpt_workspace_id = "a"',
            'forced_chatgpt_workspace_id = ["a", " b"]',
        ]
    ),
    with_device(
        "allowed",
        COMPLETED,
        UPDATED,
        network=approving,
        config='forced_chatgpt_workspace_id = "fake-account"\n',
    ),
    Scenario(
        name="device: not allowed",
        steps=[OPEN, DEVICE],
        files={"config.toml": 'forced_login_method = "api"\n'},
        network=reachable,
    ),
    with_device(
        "a directory in the file's place",
        COMPLETED,
        READ,
        network=approving,
        files={"auth.json": None},
    ),
    with_device(
        "kept in memory",
        COMPLETED,
        UPDATED,
        READ,
        network=approving,
        config='cli_auth_credentials_store = "ephemeral"\n',
    ),
]
