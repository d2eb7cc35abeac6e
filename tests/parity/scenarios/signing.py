"""What scripts that sign in are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codex_trio.testing import Fault, StandIn
from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import ask
from tests.parity.steps import Act, Hear, Step
from tests.parity.world import polled, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


AUTH = "https://api.openai.com/auth"
"""The claim of a token that says whose it is."""

CODE = "/auth/callback?state={state}&code=the-code-of-a-test"
"""A redirect with a code that the issuer does not know."""

TOKEN = "/oauth/token"
USER_CODE = "/api/accounts/deviceauth/usercode"
REVOKE = "/oauth/revoke"

BROWSER = ask("account/login/start", {"type": "chatgpt"}, 2)
DEVICE = ask("account/login/start", {"type": "chatgptDeviceCode"}, 3)
API_KEY = ask("account/login/start", {"type": "apiKey", "apiKey": "sk-test"}, 4)

COMPLETED = Hear("account/login/completed")
UPDATED = Hear("account/updated")


def reachable(_: StandIn) -> None:
    """The stand-in, with everything as it should be."""


def faulty(path: str, *faults: Fault) -> Callable[[StandIn], None]:
    """The next requests to a path meet these faults."""
    return lambda stand_in: stand_in.faults.add(path, *faults)


def signed_in_as(**account: Any) -> Callable[[StandIn], None]:
    """Another account signs in."""
    return lambda stand_in: stand_in.tell({"account": account})


def now(path: str, *faults: Fault) -> Act:
    """From here on, requests to a path meet these faults."""
    return tell(f"{path} is going to fail", faulty(path, *faults))


def gives(**fields: Any) -> Act:
    """Let the issuer give tokens that are right, but for what is given here."""

    def do(stand_in: StandIn) -> None:
        tokens = stand_in.issue_tokens()
        right = {
            "id_token": tokens.id_token,
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
        }
        reply = {name: value for name, value in {**right, **fields}.items() if value is not ...}
        stand_in.faults.clear()
        stand_in.faults.add(TOKEN, Fault.status(200, reply))

    return tell(f"the issuer gives {sorted(fields)}", do)


def approving(stand_in: StandIn) -> None:
    """The user of a device is quick."""
    stand_in.device.approve_after = 0


def rounds(many: Iterable[Sequence[Step]]) -> list[Step]:
    """Join the steps of many rounds."""
    return [step for steps in many for step in steps]


def through_browser(
    name: str,
    *steps: Step,
    network: Callable[[StandIn], object] = reachable,
    config: str = "",
    **more: Any,
) -> Scenario:
    """A script that has the port of the callback for itself, and a login to begin with."""
    files = {"config.toml": config, **more.pop("files", {})}
    script = [OPEN, BROWSER, *steps]
    return Scenario(
        name=f"browser: {name}", steps=script, files=files, network=network, alone=True, **more
    )


def with_device(
    name: str,
    *steps: Step,
    network: Callable[[StandIn], object] = reachable,
    config: str = "",
    **more: Any,
) -> Scenario:
    """A script that begins with a device code, about which the server has asked once."""
    files = {"config.toml": config, **more.pop("files", {})}
    script = [OPEN, DEVICE, polled(), *steps]
    return Scenario(name=f"device: {name}", steps=script, files=files, network=network, **more)
