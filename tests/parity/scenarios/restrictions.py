"""Who may be signed in: what is stored and not allowed is hidden, and stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_trio.testing import Fault
from tests.parity.scenarios.asking import LOGIN, LOGOUT, READ, STATUS
from tests.parity.scenarios.signing import BROWSER, DEVICE
from tests.parity.scenarios.standing import (
    BUNDLE,
    LIMITS,
    READ_ANEW,
    STATUS_ANEW,
    stands,
    usual,
)
from tests.parity.scenarios.states import named
from tests.parity.stored import Content, Stored
from tests.parity.world import asked, pause, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.testing import StandIn

KEY = '{"auth_mode":"apikey","OPENAI_API_KEY":"sk-test"}'


def workspace(*names: str) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"forced_chatgpt_workspace_id = [{listed}]\n"


HIDDEN: dict[str, tuple[Content, str]] = {
    "ChatGPT, for an API key": (Stored(), 'forced_login_method = "api"\n'),
    "an API key, for ChatGPT": (KEY, 'forced_login_method = "chatgpt"\n'),
    "another workspace": (Stored(), 'forced_chatgpt_workspace_id = "x"\n'),
    "none of many workspaces": (Stored(), workspace("x", "y")),
    "no workspace": (
        Stored(tokens={"id_token": named(), "account_id": None}),
        workspace("fake-account"),
    ),
    "another workspace in the file": (
        Stored(tokens={"account_id": "x"}),
        workspace("fake-account"),
    ),
    "tokens of a host, of another workspace": (
        Stored(fields={"auth_mode": "chatgptAuthTokens"}),
        workspace("x"),
    ),
    "tokens at their end": (Stored(lifetime=0), workspace("x")),
}

SHOWN: dict[str, tuple[Content, str]] = {
    "ChatGPT": (Stored(), 'forced_login_method = "chatgpt"\n'),
    "an API key": (KEY, 'forced_login_method = "api"\n'),
    "an API key, of no workspace": (KEY, workspace("x")),
    "the workspace": (Stored(), 'forced_chatgpt_workspace_id = "fake-account"\n'),
    "the workspace, in spaces": (Stored(), 'forced_chatgpt_workspace_id = " fake-account "\n'),
    "one of many workspaces": (Stored(), workspace("x", "fake-account")),
    "no list": (Stored(), workspace()),
    "a blank workspace": (Stored(), 'forced_chatgpt_workspace_id = "  "\n'),
    "the workspace of the file alone": (
        Stored(tokens={"id_token": named()}),
        workspace("fake-account"),
    ),
    "another workspace in the identity token": (
        Stored(tokens={"id_token": named(chatgpt_account_id="x")}),
        workspace("fake-account"),
    ),
}

KEYS = {
    "an API key": 'forced_login_method = "api"',
    "ChatGPT": 'forced_login_method = "chatgpt"',
    "another workspace": 'forced_chatgpt_workspace_id = "x"',
    "the workspace": 'forced_chatgpt_workspace_id = "fake-account"',
}


def wanted(layer: str, keys: str) -> Callable[[StandIn], None]:
    """A workspace that wants something, in one of the layers of its policy."""
    fragment = {"id": "1", "name": "n", "contents": keys}
    bundle = {layer: {"enterprise_managed": [fragment]}}

    def tell(stand_in: StandIn) -> None:
        usual(stand_in)
        stand_in.faults.add(BUNDLE, *[Fault.status(200, bundle)] * 9)

    return tell


RESTRICTED = [
    *(
        stands(
            f"restricted: by a workspace to {name}, in {layer}",
            asked(BUNDLE),
            pause(0.3),
            READ,
            STATUS,
            stored=Stored(account={"plan": "business"}),
            network=wanted(layer, keys),
        )
        for layer in ["config_toml", "requirements_toml"]
        for name, keys in KEYS.items()
    ),
    *(
        stands(
            f"restricted: {name} is hidden",
            READ,
            READ_ANEW,
            STATUS,
            STATUS_ANEW,
            LIMITS,
            stored=stored,
            config=config,
        )
        for name, (stored, config) in HIDDEN.items()
    ),
    *(
        stands(f"restricted: {name} is shown", READ, STATUS, stored=stored, config=config)
        for name, (stored, config) in SHOWN.items()
    ),
    stands(
        "restricted: an API key in the place of what is hidden",
        READ,
        LOGIN,
        READ,
        stored=Stored(),
        config=workspace("x"),
    ),
    stands(
        "restricted: signing out of what is hidden",
        LOGOUT,
        READ,
        stored=Stored(),
        config=workspace("x"),
    ),
    stands(
        "restricted: to an API key", BROWSER, DEVICE, config='forced_login_method = "api"\n'
    ),
    stands("restricted: to ChatGPT", LOGIN, config='forced_login_method = "chatgpt"\n'),
    stands(
        "restricted: and renewed to another workspace",
        READ,
        tell(
            "the account is of another workspace",
            lambda it: it.tell({"refresh_reply": {"id_token": named(chatgpt_account_id="x")}}),
        ),
        READ_ANEW,
        STATUS,
        stored=Stored(),
        config=workspace("fake-account"),
    ),
]
