"""What a workspace wants, in a server: it delays nobody, and counts for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from codex_trio.errors import RpcError
from codex_trio.server import open_server
from codex_trio.testing import Fault, StandIn, connect
from tests.account.conftest import (
    KEY,
    Witness,
    account,
    jump,
    open_login_client,
    open_witness,
    until,
)
from tests.account.signed_in import sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.settings import Settings

BUNDLE = "/backend-api/wham/config/bundle"
CHECK = "/backend-api/wham/accounts/check"
ELSEWHERE = 'forced_chatgpt_workspace_id = "elsewhere"'
RESIDENCY = "x-openai-internal-codex-residency"


@pytest.fixture
def home(home: Path, stand_in: StandIn) -> Path:
    """A home in which a member of a business has signed in."""
    stand_in.account.plan = "business"
    sign_in(home, stand_in.issue_tokens())
    return home


async def test_it_delays_nobody(
    login_settings: Settings, stand_in: StandIn, still_clock: MockClock
) -> None:
    stand_in.faults.add(BUNDLE, Fault.hang())
    stand_in.faults.add(CHECK, Fault.hang())
    async with open_server(login_settings) as server, connect(server) as client:
        await client.initialize()
        assert await account(client) == "chatgpt"
        await stand_in.wait_request(BUNDLE)
        await stand_in.wait_request(CHECK)
        assert await account(client) == "chatgpt"
        assert (await client.call("account/rateLimits/read"))["accountId"] is None
        assert server.account.policy.status.source == "unknown"
        assert trio.current_time() == 0


async def test_it_hides_an_account_and_shows_it_again(
    login_settings: Settings, witness: Witness, stand_in: StandIn, still_clock: MockClock
) -> None:
    stand_in.requirements = ELSEWHERE
    async with open_login_client(login_settings, witness) as client:
        assert await account(client) == "chatgpt"
        await client.next_notification("account/updated")
        assert await account(client) is None
        with pytest.raises(RpcError, match="authentication required"):
            await client.call("account/rateLimits/read")
        stand_in.requirements = None
        jump(still_clock)
        await client.next_notification("account/updated")
        assert await account(client) == "chatgpt"
        assert witness.told.count("now None") == 1
        assert witness.told.count("now chatgpt") == 1


async def test_it_forbids_a_way_to_sign_in_until_one_signs_out(
    login_settings: Settings, witness: Witness, stand_in: StandIn
) -> None:
    stand_in.requirements = 'forced_login_method = "chatgpt"'
    async with (
        open_server(login_settings) as server,
        open_witness(server, witness) as client,
    ):
        assert await account(client) == "chatgpt"
        await until(lambda: server.account.policy.status.source == "backend")
        with pytest.raises(RpcError, match="API key login is disabled"):
            await client.call("account/login/start", KEY)
        await client.call("account/logout")
        await until(lambda: server.account.policy.status.source == "none")
        await client.call("account/login/start", KEY)
        assert await account(client) == "apiKey"


async def test_a_renewal_says_where_data_has_to_stay(
    login_settings: Settings, witness: Witness, stand_in: StandIn
) -> None:
    stand_in.requirements = 'enforce_residency = "us"'
    async with (
        open_server(login_settings) as server,
        open_witness(server, witness) as client,
    ):
        assert await account(client) == "chatgpt"
        await until(lambda: server.account.policy.status.source == "backend")
        await client.call("account/read", {"refreshToken": True})
        assert (await stand_in.wait_request("/oauth/token")).headers[RESIDENCY] == "us"


async def test_what_was_known_counts_in_the_next_server(
    login_settings: Settings, witness: Witness, stand_in: StandIn
) -> None:
    stand_in.requirements = ELSEWHERE
    async with open_login_client(login_settings, witness) as client:
        assert await account(client) == "chatgpt"
        await client.next_notification("account/updated")
    stand_in.requests.clear()
    async with open_login_client(login_settings, witness) as client:
        assert await account(client) is None  # from the first answer on
    assert all(one.path != BUNDLE for one in stand_in.requests)


async def test_a_host_is_asked_for_tokens_while_others_are_answered(
    login_settings: Settings, witness: Witness, stand_in: StandIn
) -> None:
    token = stand_in.issue_access_token()
    stand_in.expire_access_tokens()
    tokens = {"accessToken": token, "chatgptAccountId": "fake-account"}
    async with open_login_client(login_settings, witness) as client:
        await client.call("account/login/start", {"type": "chatgptAuthTokens", **tokens})
        question = await client.next_question()
        assert question.method == "account/chatgptAuthTokens/refresh"
        assert await account(client) == "chatgpt"
        fresh: dict[str, Any] = {**tokens, "accessToken": stand_in.issue_access_token()}
        await client.answer(question, fresh)
        await stand_in.wait_request(BUNDLE, 2)


# --- where requests go ---


async def test_where_requests_go_is_told_when_it_is_known(
    login_settings: Settings, witness: Witness, stand_in: StandIn
) -> None:
    stand_in.hold(CHECK)
    async with (
        open_server(login_settings) as server,
        open_witness(server, witness) as client,
    ):
        assert (await client.call("account/read", {}))["workspaceRouting"] is None
        await stand_in.wait_request(CHECK)
        stand_in.release(CHECK)
        await until(lambda: server.account.routing.current)
        assert (await client.call("account/read", {}))["workspaceRouting"] == {
            "chatgptAccountId": "fake-account",
            "backendOrigin": "https://chatgpt.com",
            "accountRoutingOverride": "NO_CONSTRAINT",
        }
        await client.call("account/logout")
        assert (await client.call("account/read", {}))["workspaceRouting"] is None


async def test_nobody_asks_in_the_name_of_whom_the_settings_hide(
    home: Path, witness: Witness, stand_in: StandIn
) -> None:
    settings = stand_in.settings(home, forced_login_method="api")
    async with (
        open_server(settings) as server,
        open_witness(server, witness) as client,
    ):
        assert await account(client) is None
        await trio.testing.wait_all_tasks_blocked()
        assert server.account.policy.status.source == "none"
        assert server.account.routing.current is None
