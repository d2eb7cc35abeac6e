"""How logins end that nobody finishes: cancelled, replaced, signed in or out otherwise."""

from __future__ import annotations

from typing import Any

from codex_trio.testing import Fault
from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import LOGOUT, READ, ask
from tests.parity.scenarios.signing import (
    API_KEY,
    BROWSER,
    CODE,
    COMPLETED,
    DEVICE,
    REVOKE,
    UPDATED,
    USER_CODE,
    approving,
    now,
    reachable,
    rounds,
    through_browser,
    with_device,
)
from tests.parity.steps import Cancel, HangUp
from tests.parity.world import browse, get, polled, stored

NOBODY = "00000000-0000-4000-8000-000000000000"

SPELLINGS = {
    "in capitals": str.upper,
    "without hyphens": lambda text: text.replace("-", ""),
    "in braces": lambda text: f"{{{text}}}",
    "in braces without hyphens": lambda text: f"{{{text.replace('-', '')}}}",
    "as a URN": lambda text: f"urn:uuid:{text}",
    "as a URN in capitals": lambda text: f"URN:UUID:{text}",
    "as a URN without hyphens": lambda text: f"urn:uuid:{text.replace('-', '')}",
    "with a space": lambda text: f" {text}",
    "with a newline": lambda text: f"{text}\n",
    "with a hyphen less": lambda text: text.replace("-", "", 1),
    "with hyphens elsewhere": lambda text: f"{text[:4]}-{text[4:].replace('-', '', 1)}",
    "in half a brace": lambda text: f"{{{text}",
    "with a digit more": lambda text: f"{text}0",
}

CANCELLING: list[Any] = [
    None,
    {},
    [],
    5,
    "x",
    [5],
    [NOBODY],
    [NOBODY, 1],
    {"loginId": None},
    {"loginId": 5},
    {"loginId": ""},
    {"loginId": "é"},
    {"loginId": NOBODY},
    {"loginId": NOBODY, "x": 1},
]

CANCELS = [
    Scenario(
        name="cancelling: params",
        steps=[
            OPEN,
            ask("account/login/cancel"),
            *(ask("account/login/cancel", params) for params in CANCELLING),
        ],
    ),
    through_browser("cancelled", Cancel(), COMPLETED, Cancel(), READ, get("/cancel")),
    with_device("cancelled", Cancel(), COMPLETED, Cancel(), READ),
    Scenario(
        name="device: cancelled in many ways",
        steps=[
            OPEN,
            *rounds(
                [DEVICE, polled(), Cancel(-1, spell, name), Cancel(), COMPLETED]
                for name, spell in SPELLINGS.items()
            ),
        ],
        network=reachable,
    ),
    through_browser("cancelled when it is over", get(CODE), COMPLETED, Cancel()),
    through_browser("cancelled when it is signed in", browse(), COMPLETED, UPDATED, Cancel()),
    through_browser(
        "cancelled when another has begun", BROWSER, COMPLETED, Cancel(0), Cancel(), COMPLETED
    ),
    with_device(
        "cancelled when another has begun", DEVICE, COMPLETED, polled(), Cancel(0), Cancel()
    ),
]

REPLACED = [
    through_browser("and then again", BROWSER, COMPLETED, Cancel(), COMPLETED),
    through_browser("and then a device", DEVICE, COMPLETED, polled(), Cancel(), COMPLETED),
    with_device("and then a device", DEVICE, COMPLETED, polled(), Cancel(), COMPLETED),
    Scenario(
        name="device: and then a browser",
        steps=[OPEN, DEVICE, polled(), BROWSER, COMPLETED, Cancel(), COMPLETED],
        network=reachable,
        alone=True,
    ),
    through_browser("and then an API key", API_KEY, COMPLETED, COMPLETED, UPDATED, READ),
    with_device("and then an API key", API_KEY, COMPLETED, COMPLETED, UPDATED, READ),
    through_browser("and then signing out", LOGOUT, COMPLETED, UPDATED, READ),
    with_device("and then signing out", LOGOUT, COMPLETED, UPDATED, READ),
    with_device(
        "and then a device without a code",
        now(USER_CODE, Fault.status(404)),
        DEVICE,
        Cancel(),
        COMPLETED,
    ),
    through_browser(
        "and then a device without a code",
        now(USER_CODE, Fault.status(500)),
        DEVICE,
        Cancel(),
        COMPLETED,
    ),
    with_device(
        "and then an API key that cannot be stored",
        API_KEY,
        COMPLETED,
        READ,
        files={"auth.json": None},
    ),
    with_device(
        "and then signing out of a directory",
        LOGOUT,
        COMPLETED,
        READ,
        files={"auth.json": None},
    ),
    through_browser("and then the end of input", HangUp()),
    with_device("and then the end of input", HangUp()),
]

SIGNING_OUT = [
    *(
        with_device(
            f"signing out, and the issuer answers with {name}",
            COMPLETED,
            UPDATED,
            now(REVOKE, fault),
            LOGOUT,
            UPDATED,
            READ,
            network=approving,
        )
        for name, fault in {
            "500": Fault.status(500),
            "400": Fault.status(400, {"error": "x"}),
            "nothing": Fault.drop(),
        }.items()
    ),
    with_device(
        "another account signs in",
        COMPLETED,
        UPDATED,
        DEVICE,
        COMPLETED,
        UPDATED,
        stored(),
        API_KEY,
        COMPLETED,
        UPDATED,
        LOGOUT,
        UPDATED,
        network=approving,
    ),
]

ENDING = [*CANCELS, *REPLACED, *SIGNING_OUT]
