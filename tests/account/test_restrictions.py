"""Who may not be signed in here: what is stored is hidden and stays as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from codex_trio.account.backend import SignedOutError
from codex_trio.account.policy import Policy
from codex_trio.errors import RpcError
from codex_trio.server import open_server
from codex_trio.settings import load_settings
from codex_trio.testing import Account, make_jwt
from tests.account.conftest import (
    BROWSER,
    DEVICE,
    KEY,
    Witness,
    account,
    completed,
    left_in,
    open_witness,
    start,
)
from tests.account.hosts import NOBODY, REVOKE, TOKEN, ask_backend, asked, settled, updated
from tests.account.signed_in import sign_in, stored_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient

CHATGPT = {"type": "chatgpt", "email": "ada@example.com", "planType": "plus"}
PLUS = {"authMode": "chatgpt", "planType": "plus"}

FORBIDDEN = {
    "ChatGPT": ({"forced_login_method": "api"}, "chatgpt"),
    "an API key": ({"forced_login_method": "chatgpt"}, "apikey"),
    "another workspace": ({"forced_workspaces": ("ws1",)}, "chatgpt"),
    "none of several": ({"forced_workspaces": ("ws1", "ws2")}, "chatgpt"),
    "both": ({"forced_login_method": "api", "forced_workspaces": ("ws1",)}, "chatgpt"),
}
ALLOWED = {
    "ChatGPT": ({"forced_login_method": "chatgpt"}, "chatgpt"),
    "an API key": ({"forced_login_method": "api"}, "apikey"),
    "the workspace": ({"forced_workspaces": ("fake-account",)}, "chatgpt"),
    "one of several": ({"forced_workspaces": ("ws1", "fake-account")}, "chatgpt"),
    "an API key, of no workspace": ({"forced_workspaces": ("ws1",)}, "apikey"),
}

forbidden = pytest.mark.parametrize(
    ("forced", "mode"), FORBIDDEN.values(), ids=FORBIDDEN.keys()
)


def store(home: Path, stand_in: StandIn, mode: str) -> bytes:
    """Have somebody stored, and return how."""
    if mode == "chatgpt":
        sign_in(home, stand_in.issue_tokens())
    else:
        (home / "auth.json").write_text('{"OPENAI_API_KEY": "sk-stored"}', encoding="utf-8")
    return (home / "auth.json").read_bytes()


@pytest.fixture
async def client(
    login_settings: Settings,
    home: Path,
    stand_in: StandIn,
    forced: dict[str, Any],
    mode: str,
    witness: Witness,
) -> AsyncGenerator[WireClient]:
    """A client of a server that finds somebody stored, and has to obey."""
    store(home, stand_in, mode)
    settings = attrs.evolve(login_settings, **forced)
    async with open_server(settings) as server, open_witness(server, witness) as client:
        yield client


# --- what is stored ---


@forbidden
async def test_who_may_not_be_signed_in_is_not_and_stays_stored(
    client: WireClient, witness: Witness, home: Path, stand_in: StandIn
) -> None:
    content = (home / "auth.json").read_bytes()
    for flags in ({}, {"refreshToken": True}):
        answer = await client.call("account/read", flags)
        assert (answer["account"], answer["workspaceRouting"]) == (None, None)
        status = await client.call("getAuthStatus", {"includeToken": True, **flags})
        assert (status["authMethod"], status["authToken"]) == (None, None)
    with pytest.raises(RpcError) as caught:
        await client.call("account/rateLimits/read")
    assert caught.value.message == "codex account authentication required to read rate limits"
    assert (await client.call("account/status/read"))["hidden"] is True
    assert (home / "auth.json").read_bytes() == content
    assert stand_in.requests == []
    assert [told for told in witness.told if told.startswith("now")] == []


@forbidden
async def test_signing_out_removes_who_is_hidden_and_revokes_nothing(
    client: WireClient, home: Path, stand_in: StandIn
) -> None:
    assert await client.call("account/logout") == {}
    assert await updated(client) == NOBODY
    assert left_in(home) == []
    assert asked(stand_in, REVOKE) == []
    assert (await client.call("account/status/read"))["hidden"] is False


@pytest.mark.parametrize(("forced", "mode"), [FORBIDDEN["ChatGPT"]])
async def test_signing_in_replaces_who_is_hidden(client: WireClient, home: Path) -> None:
    await client.call("account/login/start", KEY)
    assert await account(client) == "apiKey"
    assert json.loads((home / "auth.json").read_text())["OPENAI_API_KEY"] == KEY["apiKey"]


@pytest.mark.parametrize(("forced", "mode"), ALLOWED.values(), ids=ALLOWED.keys())
async def test_who_may_be_signed_in_is(client: WireClient, mode: str) -> None:
    assert await account(client) == {"chatgpt": "chatgpt", "apikey": "apiKey"}[mode]
    assert (await client.call("account/status/read"))["hidden"] is False


@pytest.mark.parametrize(
    ("stored", "claimed", "shown"),
    [
        ("ws1", "ws1", True),
        ("ws1", "other", True),
        ("ws1", None, True),
        ("other", "ws1", False),
        (None, "ws1", False),
        (None, None, False),
    ],
)
async def test_the_workspace_is_the_one_that_is_stored(
    login_settings: Settings,
    home: Path,
    stand_in: StandIn,
    witness: Witness,
    stored: str | None,
    claimed: str | None,
    shown: bool,
) -> None:
    claims = {} if claimed is None else {"chatgpt_account_id": claimed}
    jwt = make_jwt({"https://api.openai.com/auth": claims})
    tokens = attrs.evolve(stand_in.issue_tokens(), id_token=jwt)
    sign_in(home, tokens, stored)  # type: ignore[arg-type]  # null, as some versions write it
    settings = attrs.evolve(login_settings, forced_workspaces=("ws1",))
    async with open_server(settings) as server, open_witness(server, witness) as client:
        assert await account(client) == ("chatgpt" if shown else None)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('forced_chatgpt_workspace_id = " fake-account "', True),
        ('forced_chatgpt_workspace_id = "  "', True),
        ("forced_chatgpt_workspace_id = []", True),
        ('forced_chatgpt_workspace_id = ["", " fake-account"]', True),
        ('forced_chatgpt_workspace_id = ["", "ws1"]', False),
        ('forced_chatgpt_workspace_id = "FAKE-ACCOUNT"', False),
        ('forced_login_method = "api"', False),
        ('forced_login_method = "chatgpt"', True),
    ],
)
async def test_it_is_so_in_config_toml(
    home: Path, stand_in: StandIn, witness: Witness, line: str, shown: bool
) -> None:
    (home / "config.toml").write_text(f"{line}\n{stand_in.config}", encoding="utf-8")
    store(home, stand_in, "chatgpt")
    settings = load_settings(environ={"CODEX_HOME": str(home), **stand_in.environ})
    async with open_server(settings) as server, open_witness(server, witness) as client:
        assert await account(client) == ("chatgpt" if shown else None)


async def test_who_is_stored_by_others_and_may_not_be_is_hidden_too(
    login_settings: Settings, home: Path, stand_in: StandIn, witness: Witness
) -> None:
    settings = attrs.evolve(login_settings, forced_workspaces=("fake-account",))
    async with open_server(settings) as server, open_witness(server, witness) as client:
        assert await account(client) is None
        sign_in(home, stand_in.issue_tokens())
        assert await account(client) == "chatgpt"
        assert await updated(client) == PLUS
        sign_in(home, stand_in.issue_tokens(account=Account(account_id="other")), "other")
        assert await account(client) is None
        assert await updated(client) == NOBODY
        assert stored_tokens(home)["account_id"] == "other"


# --- renewed tokens ---


@pytest.mark.parametrize("member", ["id_token", "access_token"])
async def test_tokens_of_another_workspace_do_not_come_in_by_renewal(
    login_settings: Settings, home: Path, stand_in: StandIn, witness: Witness, member: str
) -> None:
    content = store(home, stand_in, "chatgpt")
    stranger = stand_in.issue_tokens(account=Account(account_id="other", email="eve@x.com"))
    stand_in.refresh_reply = {member: getattr(stranger, member)}
    settings = attrs.evolve(login_settings, forced_workspaces=("fake-account",))
    async with open_server(settings) as server, open_witness(server, witness) as client:
        answer = await client.call("account/read", {"refreshToken": True})
        assert answer["account"] == CHATGPT
    assert (home / "auth.json").read_bytes() == content
    assert len(asked(stand_in, TOKEN)) == 1


# --- what changes while the server runs ---


@pytest.mark.parametrize(
    "policy",
    [Policy(forced_login_method="api"), Policy(forced_workspaces=("ws1",))],
    ids=["method", "workspace"],
)
async def test_a_policy_hides_who_is_signed_in_and_shows_them_again(
    login_server: Server,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    policy: Policy,
) -> None:
    content = store(home, stand_in, "chatgpt")
    assert await account(login_client) == "chatgpt"
    await settled(login_server)
    auth = login_server.account.auth
    auth.restrict(policy)
    assert await updated(login_client) == NOBODY
    assert await account(login_client) is None
    with pytest.raises(SignedOutError):
        await ask_backend(login_server)
    auth.restrict(Policy())
    assert await updated(login_client) == PLUS
    assert await account(login_client) == "chatgpt"
    assert (home / "auth.json").read_bytes() == content
    assert stand_in.exchanges == []


async def test_a_policy_that_changes_nothing_is_no_news(
    login_server: Server,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    witness: Witness,
) -> None:
    store(home, stand_in, "chatgpt")
    assert await account(login_client) == "chatgpt"
    for policy in (
        Policy(forced_login_method="chatgpt"),
        Policy(forced_workspaces=("fake-account",)),
        Policy(residency="us"),
        Policy(),
    ):
        login_server.account.auth.restrict(policy)
    assert await account(login_client) == "chatgpt"
    assert witness.told == ["done", "done"]


async def test_whoever_is_hidden_while_their_tokens_are_renewed_keeps_the_new_ones(
    login_server: Server, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    store(home, stand_in, "chatgpt")
    auth = login_server.account.auth
    stand_in.hold(TOKEN)
    async with trio.open_nursery() as nursery:
        flag = {"refreshToken": True}
        nursery.start_soon(login_client.call, "account/read", flag)
        await stand_in.wait_request(TOKEN)
        auth.restrict(Policy(forced_login_method="api"))
        stand_in.release(TOKEN)
    assert await account(login_client) is None
    assert stand_in.live_refresh_tokens() == [stored_tokens(home)["refresh_token"]]
    auth.restrict(Policy())
    assert await account(login_client) == "chatgpt"


@pytest.mark.parametrize("way", [BROWSER, DEVICE], ids=["browser", "device"])
async def test_a_policy_counts_for_new_logins(
    login_server: Server, login_client: WireClient, stand_in: StandIn, way: dict[str, str]
) -> None:
    login_server.account.auth.restrict(Policy(forced_login_method="api"))
    with pytest.raises(RpcError, match="ChatGPT login is disabled"):
        await start(login_client, way)
    login_server.account.auth.restrict(Policy(forced_login_method="chatgpt"))
    with pytest.raises(RpcError, match="API key login is disabled"):
        await start(login_client, KEY)
    assert await start(login_client, way)


async def test_a_policy_counts_for_a_login_that_has_begun(
    login_server: Server, login_client: WireClient, stand_in: StandIn, home: Path
) -> None:
    login = await start(login_client, BROWSER)
    login_server.account.auth.restrict(Policy(forced_workspaces=("ws1",)))
    await stand_in.visit(login["authUrl"])
    reason = "Login server error: Login is restricted to workspace id(s) ws1."
    assert await completed(login_client) == (login["loginId"], reason)
    assert left_in(home) == []


async def test_what_the_settings_and_a_policy_say_both_count(
    login_settings: Settings, home: Path, stand_in: StandIn, witness: Witness
) -> None:
    store(home, stand_in, "chatgpt")
    settings = attrs.evolve(login_settings, forced_workspaces=("fake-account", "ws1"))
    async with open_server(settings) as server, open_witness(server, witness) as client:
        for wanted, shown in (
            (("fake-account", "ws2"), True),
            (("ws1",), False),
            (("ws2",), False),
        ):
            server.account.auth.restrict(Policy(forced_workspaces=wanted))
            assert await account(client) == ("chatgpt" if shown else None)
        server.account.auth.restrict(Policy(forced_workspaces=("ws1", "ws2")))
        params = {"accessToken": "x", "chatgptAccountId": "ws2"}
        with pytest.raises(RpcError) as caught:
            await client.call("account/login/start", {"type": "chatgptAuthTokens", **params})
        assert caught.value.message == (
            'External auth must use one of workspace(s) ["ws1"], but received "ws2".'
        )
