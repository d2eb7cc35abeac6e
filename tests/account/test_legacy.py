"""The older dialect, as release 0.92.0 spoke it, alone and beside the present one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.protocol import legacy
from codex_trio.testing import Fault, StandIn
from tests.account.conftest import left_in, of_issuer
from tests.checked import connect, open_memory_client
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import WireClient
    from tests.schema import SchemaWatch

KEY = {"apiKey": "sk-secret"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"
CANCELLED = "Login server error: Login was not completed"


@pytest.fixture
def settings(home: Path, stand_in: StandIn) -> Settings:
    return stand_in.settings(home)


@pytest.fixture
async def other(server: Server, other_watch: SchemaWatch) -> AsyncGenerator[WireClient]:
    """Another client of the same server, who knows nothing of the older dialect."""
    async with connect(server) as other:
        with trio.fail_after(PATIENCE):
            await other.initialize()
            yield other


@pytest.fixture
def other_watch(watch: SchemaWatch) -> SchemaWatch:
    return type(watch)()


async def refusal(client: WireClient, method: str, params: Any = None) -> tuple[int, str]:
    with pytest.raises(RpcError) as caught:
        await client.call(method, params)
    return caught.value.code, caught.value.message


def heard(client: WireClient) -> list[tuple[str, Any]]:
    """Take what a client has been told so far."""
    messages = client._notifications._messages
    told = [(message["method"], message["params"]) for message in messages]
    messages.clear()
    return told


async def settle(*clients: WireClient) -> None:
    """Let everything arrive that has been said."""
    for client in clients:
        await client.call("account/read", {})


def said(watch: SchemaWatch) -> list[Any]:
    """What the server has said, without the times at which it was."""
    messages = [message for arrow, message in watch.seen if arrow == "<--"]
    del watch.seen[:]
    return [
        {name: value for name, value in message.items() if name != "emittedAtMs"}
        for message in messages
    ]


# --- alone ---


async def test_an_api_key(client: WireClient, watch: SchemaWatch, home: Path) -> None:
    del watch.seen[:]
    assert await client.call("loginApiKey", KEY) == {}
    await client.next_notification()
    answer, news = said(watch)
    assert answer["result"] == {}
    assert news == {"method": "authStatusChange", "params": {"authMethod": "apikey"}}
    assert json.loads((home / "auth.json").read_bytes())["OPENAI_API_KEY"] == "sk-secret"
    status = await client.call("getAuthStatus", {"includeToken": True})
    assert (status["authMethod"], status["authToken"]) == ("apikey", "sk-secret")
    await settle(client)
    assert heard(client) == []


@pytest.mark.parametrize("params", [None, {}])
async def test_signing_out(client: WireClient, watch: SchemaWatch, params: Any) -> None:
    await client.call("loginApiKey", KEY)
    await client.next_notification()
    del watch.seen[:]
    assert await client.call("logoutChatGpt", params) == {}
    await client.next_notification()
    answer, news = said(watch)
    assert answer["result"] == {}
    assert news == {"method": "authStatusChange", "params": {"authMethod": None}}


async def test_signing_out_revokes_tokens(
    client: WireClient, stand_in: StandIn, home: Path
) -> None:
    login = await client.call("loginChatGpt")
    await stand_in.visit(login["authUrl"])
    await client.next_notification("authStatusChange")
    stand_in.faults.add("/oauth/revoke", Fault.status(500))
    assert await client.call("logoutChatGpt") == {}
    await settle(client)
    assert heard(client)[-1:] == [("authStatusChange", {"authMethod": None})]
    assert of_issuer(stand_in)[-1].path == "/oauth/revoke"
    assert left_in(home) == []


async def test_through_a_browser(
    client: WireClient, watch: SchemaWatch, stand_in: StandIn
) -> None:
    login = await client.call("loginChatGpt")
    assert login.keys() == {"loginId", "authUrl"}
    assert login["authUrl"].startswith(f"{stand_in.url}/oauth/authorize?response_type=code&")
    del watch.seen[:]
    await stand_in.visit(login["authUrl"])
    await client.next_notification("authStatusChange")
    assert said(watch) == [
        {
            "method": "loginChatGptComplete",
            "params": {"loginId": login["loginId"], "success": True, "error": None},
        },
        {"method": "authStatusChange", "params": {"authMethod": "chatgpt"}},
    ]


async def test_a_browser_that_brings_no_code(client: WireClient, stand_in: StandIn) -> None:
    stand_in.user = "deny"
    login = await client.call("loginChatGpt", {})
    await stand_in.visit(login["authUrl"])
    await client.next_notification("loginChatGptComplete")
    await settle(client)
    assert heard(client) == []


async def test_giving_up(client: WireClient, watch: SchemaWatch) -> None:
    login = await client.call("loginChatGpt")
    del watch.seen[:]
    assert await client.call("cancelLoginChatGpt", {"loginId": login["loginId"]}) == {}
    await client.next_notification()
    answer, news = said(watch)
    assert answer["result"] == {}
    assert news == {
        "method": "loginChatGptComplete",
        "params": {"loginId": login["loginId"], "success": False, "error": CANCELLED},
    }
    text = f"login id not found: {login['loginId']}"
    assert await refusal(client, "cancelLoginChatGpt", {"loginId": login["loginId"]}) == (
        -32600,
        text,
    )


@pytest.mark.parametrize(
    ("login_id", "text"),
    [
        (UNKNOWN, f"login id not found: {UNKNOWN}"),
        (f"{{{UNKNOWN}}}", f"login id not found: {UNKNOWN}"),
        ("x", "Invalid request: UUID parsing failed"),
        ("", "Invalid request: UUID parsing failed"),
    ],
)
async def test_giving_up_what_is_not_there(
    client: WireClient, login_id: str, text: str
) -> None:
    params = {"loginId": login_id}
    assert await refusal(client, "cancelLoginChatGpt", params) == (-32600, text)


async def test_an_api_key_ends_what_is_under_way(client: WireClient) -> None:
    login = await client.call("loginChatGpt")
    await client.call("loginApiKey", KEY)
    await settle(client)
    ended = {"loginId": login["loginId"], "success": False, "error": CANCELLED}
    assert heard(client) == [
        ("loginChatGptComplete", ended),
        ("authStatusChange", {"authMethod": "apikey"}),
    ]


# --- what is refused ---


@pytest.mark.parametrize(
    ("forced", "method", "params", "text"),
    [
        (
            "chatgpt",
            "loginApiKey",
            KEY,
            "API key login is disabled. Use ChatGPT login instead.",
        ),
        ("api", "loginChatGpt", None, "ChatGPT login is disabled. Use API key login instead."),
    ],
)
async def test_another_way_can_be_forced(
    home: Path, stand_in: StandIn, forced: Any, method: str, params: Any, text: str
) -> None:
    settings = stand_in.settings(home, forced_login_method=forced)
    async with open_memory_client(settings) as client:
        await client.initialize()
        assert await refusal(client, method, params) == (-32600, text)
        await settle(client)
        assert heard(client) == []


async def test_what_cannot_be_stored_or_removed(client: WireClient, home: Path) -> None:
    (home / "auth.json").mkdir()
    text = "Is a directory (os error 21)"
    assert await refusal(client, "loginApiKey", KEY) == (
        -32603,
        f"failed to save api key: {text}",
    )
    assert await refusal(client, "logoutChatGpt") == (-32603, f"logout failed: {text}")
    await settle(client)
    assert heard(client) == []


@pytest.mark.parametrize(
    ("method", "params", "fault"),
    [
        ("loginApiKey", None, "missing field `params`"),
        ("loginApiKey", {}, "missing field `apiKey`"),
        ("loginApiKey", {"apiKey": 1}, "invalid type: integer `1`, expected a string"),
        ("cancelLoginChatGpt", {}, "missing field `loginId`"),
    ],
)
async def test_wrong_words(client: WireClient, method: str, params: Any, fault: str) -> None:
    assert await refusal(client, method, params) == (-32600, f"Invalid request: {fault}")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("loginApiKey", KEY),
        ("loginChatGpt", None),
        ("cancelLoginChatGpt", {"loginId": UNKNOWN}),
        ("logoutChatGpt", None),
    ],
)
async def test_nothing_is_answered_before_initialize(
    raw_client: WireClient, method: str, params: Any, home: Path
) -> None:
    assert await refusal(raw_client, method, params) == (-32600, "Not initialized")
    assert left_in(home) == []


async def test_it_is_not_named_where_we_say_what_we_know(client: WireClient) -> None:
    _, text = await refusal(client, "nonsense")
    assert "`account/login/start`" in text
    for name in ("loginApiKey", "loginChatGpt", "cancelLoginChatGpt", "logoutChatGpt"):
        assert f"`{name}`" not in text


def test_no_secret_is_in_a_repr() -> None:
    params = legacy.LoginApiKeyParams(api_key="s3cret")
    answer = legacy.LoginChatGptResponse(login_id="1", auth_url="s3cret")
    assert "s3cret" not in repr((params, answer))


# --- beside the present dialect ---


async def test_others_hear_of_it_in_theirs(client: WireClient, other: WireClient) -> None:
    await client.call("loginApiKey", KEY)
    await settle(client, other)
    assert heard(client) == [("authStatusChange", {"authMethod": "apikey"})]
    assert heard(other) == [("account/updated", {"authMode": "apikey", "planType": None})]
    await other.call("account/logout")
    await settle(client, other)
    nobody = [("account/updated", {"authMode": None, "planType": None})]
    assert heard(client) == nobody
    assert heard(other) == nobody


async def test_a_sign_in_is_told_to_others_when_it_has_succeeded(
    client: WireClient, other: WireClient, stand_in: StandIn
) -> None:
    login = await client.call("loginChatGpt")
    await stand_in.visit(login["authUrl"])
    await other.next_notification("account/updated")
    await settle(client, other)
    assert heard(other) == []
    assert [method for method, _ in heard(client)] == [
        "loginChatGptComplete",
        "authStatusChange",
    ]


async def test_two_who_speak_it_hear_the_same(client: WireClient, other: WireClient) -> None:
    await refusal(other, "cancelLoginChatGpt", {"loginId": UNKNOWN})
    await client.call("loginApiKey", KEY)
    await settle(client, other)
    news = [("authStatusChange", {"authMethod": "apikey"})]
    assert heard(client) == heard(other) == news


async def test_who_has_opted_out_hears_nothing(server: Server) -> None:
    async with connect(server) as client:
        await client.initialize(optOutNotificationMethods=["authStatusChange"])
        await client.call("loginApiKey", KEY)
        await settle(client)
        assert heard(client) == []


async def test_begun_in_the_older_and_given_up_in_the_present(
    client: WireClient, other: WireClient
) -> None:
    login = await client.call("loginChatGpt")
    login_id = login["loginId"]
    assert await other.call("account/login/cancel", {"loginId": login_id}) == {
        "status": "canceled"
    }
    await settle(client, other)
    ended = {"loginId": login_id, "success": False, "error": CANCELLED}
    assert heard(client) == [("loginChatGptComplete", ended)]
    assert heard(other) == []


async def test_begun_in_the_present_and_given_up_in_the_older(
    client: WireClient, other: WireClient
) -> None:
    login = await other.call("account/login/start", {"type": "chatgpt"})
    assert await client.call("cancelLoginChatGpt", {"loginId": login["loginId"]}) == {}
    await settle(client, other)
    ended = {
        "loginId": login["loginId"],
        "success": False,
        "error": CANCELLED,
        "onboardingEntrypoint": None,
    }
    assert heard(client) == heard(other) == [("account/login/completed", ended)]


@pytest.mark.parametrize("first", ["loginChatGpt", "account/login/start"])
async def test_one_takes_the_other_s_place(client: WireClient, first: str) -> None:
    ways: dict[str, Any] = {"loginChatGpt": None, "account/login/start": {"type": "chatgpt"}}
    former = await client.call(first, ways.pop(first))
    ((second, params),) = ways.items()
    later = await client.call(second, params)
    await settle(client)
    ((method, ended),) = heard(client)
    assert method == (
        "loginChatGptComplete" if first == "loginChatGpt" else "account/login/completed"
    )
    assert (ended["loginId"], ended["success"]) == (former["loginId"], False)
    answer = await client.call("account/login/cancel", {"loginId": later["loginId"]})
    assert answer == {"status": "canceled"}


async def test_signing_out_in_the_older_ends_what_began_in_the_present(
    client: WireClient, other: WireClient
) -> None:
    login = await other.call("account/login/start", {"type": "chatgptDeviceCode"})
    await client.call("logoutChatGpt")
    await settle(client, other)
    (completed, updated) = heard(other)
    assert completed[0] == "account/login/completed"
    assert completed[1]["loginId"] == login["loginId"]
    assert updated == ("account/updated", {"authMode": None, "planType": None})
    assert [method for method, _ in heard(client)] == [
        "account/login/completed",
        "authStatusChange",
    ]


async def test_a_client_that_leaves_keeps_its_sign_in_for_the_others(
    server: Server, other: WireClient, stand_in: StandIn
) -> None:
    async with connect(server) as client:
        await client.initialize()
        login = await client.call("loginChatGpt")
    await stand_in.visit(login["authUrl"])
    assert (await other.next_notification())["params"]["authMode"] == "chatgpt"
