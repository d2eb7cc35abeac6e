"""The port of the callback, of which there is one: whose it is, and who gives way."""

from __future__ import annotations

from codex_trio.testing import Fault
from tests.parity.run import GENUINE, OPEN, Scenario
from tests.parity.scenarios.asking import READ
from tests.parity.scenarios.signing import (
    API_KEY,
    BROWSER,
    COMPLETED,
    TOKEN,
    UPDATED,
    faulty,
    reachable,
    through_browser,
)
from tests.parity.steps import Act, Cancel, Step
from tests.parity.world import (
    another,
    asked,
    browse,
    browse_meanwhile,
    browsed,
    neighbour_hears,
    occupy,
)
from tests.processes import OURS

CANCELLED = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nLogin cancelled"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def taken(name: str, *holders: Act, then: tuple[Step, ...] = ()) -> Scenario:
    """A script in which somebody has a port before the login begins."""
    return Scenario(
        name=f"ports: {name}",
        steps=[*holders, OPEN, BROWSER, *then],
        network=reachable,
        alone=True,
    )


def late(name: str, *steps: Step) -> Scenario:
    """A script in which something happens while a code is being exchanged for tokens."""
    return through_browser(
        f"{name} during the exchange",
        browse_meanwhile(),
        asked(TOKEN),
        *steps,
        browsed(),
        READ,
        network=faulty(TOKEN, Fault.delay(1.0)),
    )


PORTS = [
    taken("silent", occupy(1455), then=(browse(), COMPLETED, UPDATED)),
    taken("somebody who does not know us", occupy(1455, NOT_FOUND), then=(Cancel(), COMPLETED)),
    taken(
        "somebody who does not keep his word",
        occupy(1455, CANCELLED),
        then=(Cancel(), COMPLETED),
    ),
    taken("both", occupy(1455, NOT_FOUND), occupy(1457, NOT_FOUND)),
    taken("the second", occupy(1457), then=(Cancel(), COMPLETED)),
    taken("another server", another(), then=(neighbour_hears(), browse(), COMPLETED, UPDATED)),
    taken(
        "the genuine server", another(GENUINE), then=(neighbour_hears(), Cancel(), COMPLETED)
    ),
    taken("codex-trio", another(OURS), then=(neighbour_hears(), Cancel(), COMPLETED)),
    *(
        through_browser(
            f"another server takes over: {name}", another(command), COMPLETED, Cancel()
        )
        for name, command in {"its kind": None, "genuine": GENUINE, "codex-trio": OURS}.items()
    ),
    # What the genuine server makes of a sign-out and of a newer login at this moment differs from
    # run to run: now and then the former succeeds, and its browser waits for ever.
    late("cancelled", Cancel(), COMPLETED),
    late("an API key", API_KEY, COMPLETED, COMPLETED, UPDATED),
]
