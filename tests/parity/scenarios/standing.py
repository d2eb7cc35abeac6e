"""What scripts are made of in which somebody is signed in already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from codex_trio.testing import Fault
from tests.parity.run import Scenario
from tests.parity.scenarios.asking import able, ask
from tests.parity.steps import Act, Send, Step
from tests.parity.world import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.testing import StandIn
    from tests.parity.stored import Content
    from tests.parity.world import World

OPEN_ABLE = able(experimentalApi=True)

READ_ANEW = ask("account/read", {"refreshToken": True})
STATUS_ANEW = ask("getAuthStatus", {"includeToken": True, "refreshToken": True})
STATUS_ALONE = ask("getAuthStatus", {})
LIMITS = ask("account/rateLimits/read", message_id=6)

USAGE = "/backend-api/wham/usage"
DETAILS = "/backend-api/wham/rate-limit-reset-credits"
ROUTING = "/backend-api/wham/accounts/check"
BUNDLE = "/backend-api/wham/config/bundle"


ROUTES = Fault.status(
    200,
    {
        "accounts": [
            {
                "id": account_id,
                "workspace_backend_origin": "https://chatgpt.com",
                "account_routing_override": "NO_CONSTRAINT",
            }
            for account_id in ["fake-account", "other", "a", "b"]
        ]
    },
)


def usual(stand_in: StandIn) -> None:
    """The stand-in as it is, with limits that do not depend on the time.

    Where an account is served from, it tells everybody: the genuine server asks now and then,
    and renews its token when it is refused.
    """
    window = {"reset_at": 1900000000}
    limit = {"primary_window": window, "secondary_window": window}
    stand_in.usage = {"plan_type": "pro", "rate_limit": limit}
    stand_in.faults.add(ROUTING, *[ROUTES] * 100)


def stands(
    name: str,
    *steps: Step,
    stored: Content = None,
    network: Callable[[StandIn], object] | None = None,
    config: str = "",
    **more: Any,
) -> Scenario:
    """A script of a client that may use everything, with a ChatGPT login if not told else."""
    files: dict[str, str | None] = {"config.toml": config}
    if isinstance(stored, str):
        files["auth.json"], stored = stored, None
    return Scenario(
        name=name,
        steps=[OPEN_ABLE, *steps],
        files=files,
        stored=stored,
        network=network or usual,
        **more,
    )


def answers(path: str, name: str, fault: Fault, times: int = 1, *, forget: bool = True) -> Act:
    """From here on, the first requests to a path meet this fault, and no other."""

    def do(stand_in: StandIn) -> None:
        if forget:
            stand_in.faults.clear()
            stand_in.faults.add(ROUTING, *[ROUTES] * 100)
        stand_in.faults.add(path, *[fault] * times)

    return tell(f"{path} answers with {name}", do)


def hosted(
    account: dict[str, Any] | None = None, *, patient: bool = True, **params: Any
) -> Send:
    """Bring the tokens of an account, which a host owns; or other params, if told so."""

    def make(world: World) -> Any:
        owner = attrs.evolve(world.stand_in.account, **(account or {}))
        usual = {
            "type": "chatgptAuthTokens",
            "accessToken": world.stand_in.issue_access_token(owner),
            "chatgptAccountId": owner.account_id,
        }
        return ask("account/login/start", {**usual, **params}, 7)

    return Send(make, patient)


def brought(world: World, **changes: Any) -> Any:
    """What a host answers when it is asked."""
    token = world.stand_in.issue_access_token()
    usual = {"accessToken": token, "chatgptAccountId": "fake-account"}
    return {"result": {**usual, **changes}}
