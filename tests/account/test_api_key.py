"""Signing in with an API key, signing out, and what everybody hears of it."""

from __future__ import annotations

import inspect
import json
import math
import resource
import stat
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.errors import ClientGoneError, RpcError
from codex_trio.protocol import methods
from codex_trio.protocol.account import ApiKeyLoginAccountParams, GetAccountParams
from codex_trio.rpc.calls import Call
from codex_trio.rpc.client import Client, Unsaid
from codex_trio.server import Server, open_server
from codex_trio.settings import Settings
from codex_trio.transport.lines import LineWire
from tests.account.conftest import left_in
from tests.cancellation import cancel_at_step
from tests.checked import connect, open_memory_client
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import WireClient
    from tests.schema import SchemaWatch

KEY = "sk-secret"
LOGIN = {"type": "apiKey", "apiKey": KEY}
COMPLETED = {"loginId": None, "success": True, "error": None, "onboardingEntrypoint": None}
SIGNED_IN = {
    "account": {"type": "apiKey"},
    "requiresOpenaiAuth": True,
    "workspaceRouting": None,
}
SIGNED_OUT = {**SIGNED_IN, "account": None}
NOBODY = {"authMode": None, "planType": None}


async def test_the_whole_story_in_order(
    client: WireClient, watch: SchemaWatch, home: Path
) -> None:
    assert await client.call("account/read", {}) == SIGNED_OUT
    del watch.seen[:]
    assert await client.call("account/login/start", LOGIN) == {"type": "apiKey"}
    await client.next_notification("account/updated")
    said = [message for arrow, message in watch.seen if arrow == "<--"]
    assert [message.get("method", "the answer") for message in said] == [
        "the answer",
        "account/login/completed",
        "account/updated",
    ]
    assert said[1]["params"] == COMPLETED
    assert said[2]["params"] == {"authMode": "apikey", "planType": None}
    assert await client.call("account/read", {"refreshToken": True}) == SIGNED_IN

    del watch.seen[:]
    assert await client.call("account/logout") == {}
    await client.next_notification("account/updated")
    said = [message for arrow, message in watch.seen if arrow == "<--"]
    assert [message.get("method", "the answer") for message in said] == [
        "the answer",
        "account/updated",
    ]
    assert said[1]["params"] == NOBODY
    assert await client.call("account/read", {}) == SIGNED_OUT
    assert left_in(home) == []


async def test_signing_out_when_nobody_is_signed_in_is_news_too(client: WireClient) -> None:
    assert await client.call("account/logout", {}) == {}
    assert (await client.next_notification())["params"] == NOBODY


@pytest.mark.parametrize("key", ["", " spaced ", "ключ", "x" * 100_000])
async def test_a_key_is_stored_as_it_is(client: WireClient, home: Path, key: str) -> None:
    await client.call("account/login/start", {"type": "apiKey", "apiKey": key})
    stored = (home / "auth.json").read_text(encoding="utf-8")
    assert json.loads(stored) == {"auth_mode": "apikey", "OPENAI_API_KEY": key}
    assert await client.call("account/read", {}) == SIGNED_IN
    status = await client.call("getAuthStatus", {"includeToken": True})
    assert status["authToken"] == (key or None)


async def test_the_file_is_the_original_s(client: WireClient, home: Path) -> None:
    await client.call("account/login/start", LOGIN)
    file = home / "auth.json"
    assert (
        file.read_bytes() == b'{\n  "auth_mode": "apikey",\n  "OPENAI_API_KEY": "sk-secret"\n}'
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, ("apikey", None)),
        ({"includeToken": None, "refreshToken": None}, ("apikey", None)),
        ({"includeToken": True}, ("apikey", KEY)),
        ({"includeToken": True, "refreshToken": True}, ("apikey", KEY)),
        ({"refreshToken": True}, ("apikey", None)),
    ],
)
async def test_the_older_status(
    client: WireClient, params: dict[str, Any], status: tuple[str, str | None]
) -> None:
    nobody = {"authMethod": None, "authToken": None, "requiresOpenaiAuth": True}
    assert await client.call("getAuthStatus", params) == nobody
    await client.call("account/login/start", LOGIN)
    method, token = status
    assert await client.call("getAuthStatus", params) == {
        "authMethod": method,
        "authToken": token,
        "requiresOpenaiAuth": True,
    }


async def test_everybody_hears_of_it_but_who_has_opted_out(server: Server) -> None:
    async with connect(server) as one, connect(server) as other, connect(server) as deaf:
        await one.initialize()
        await other.initialize()
        await deaf.initialize(optOutNotificationMethods=["account/updated", "unknown"])
        await one.call("account/login/start", LOGIN)
        with trio.fail_after(PATIENCE):
            assert (await other.next_notification())["method"] == "account/login/completed"
            assert (await other.next_notification())["method"] == "account/updated"
            assert (await deaf.next_notification())["method"] == "account/login/completed"
        assert await other.call("account/read", {}) == SIGNED_IN
        await other.call("account/logout")
        with trio.fail_after(PATIENCE):
            await one.next_notification("account/updated")
            assert (await one.next_notification("account/updated"))["params"] == NOBODY
        await deaf.call("account/read", {})
        assert not deaf._notifications._messages


async def test_it_is_still_there_for_the_next_server(settings: Settings) -> None:
    async with open_memory_client(settings) as client:
        await client.initialize()
        await client.call("account/login/start", LOGIN)
    async with open_memory_client(settings) as client:
        await client.initialize()
        assert await client.call("account/read", {}) == SIGNED_IN


async def test_credentials_can_be_kept_in_memory(home: Path) -> None:
    settings = Settings(codex_home=home, credentials_store="ephemeral")
    async with open_memory_client(settings) as client:
        await client.initialize()
        await client.call("account/login/start", LOGIN)
        assert await client.call("account/read", {}) == SIGNED_IN
        await client.call("account/logout")
        assert await client.call("account/read", {}) == SIGNED_OUT
    assert left_in(home) == []


async def test_a_provider_may_need_no_account(home: Path) -> None:
    settings = Settings(codex_home=home, requires_openai_auth=False)
    async with open_memory_client(settings) as client:
        await client.initialize()
        await client.call("account/login/start", LOGIN)
        assert await client.call("account/read", {}) == {
            **SIGNED_OUT,
            "requiresOpenaiAuth": False,
        }
        assert await client.call("getAuthStatus", {"includeToken": True}) == {
            "authMethod": None,
            "authToken": None,
            "requiresOpenaiAuth": False,
        }


# --- what is refused ---


async def refusal(client: WireClient, method: str, params: Any) -> tuple[int, str]:
    with pytest.raises(RpcError) as caught:
        await client.call(method, params)
    return caught.value.code, caught.value.message


async def test_another_way_can_be_forced(home: Path) -> None:
    settings = Settings(codex_home=home, forced_login_method="chatgpt")
    async with open_memory_client(settings) as client:
        await client.initialize()
        text = "API key login is disabled. Use ChatGPT login instead."
        assert await refusal(client, "account/login/start", LOGIN) == (-32600, text)
        assert await client.call("account/read", {}) == SIGNED_OUT


@pytest.mark.parametrize("method", ["account/read", "account/login/start", "getAuthStatus"])
async def test_params_are_not_optional(client: WireClient, method: str) -> None:
    text = "Invalid request: missing field `params`"
    assert await refusal(client, method, None) == (-32600, text)


@pytest.mark.parametrize("way", ["amazonBedrock"])
async def test_ways_that_are_not_there_yet(client: WireClient, way: str) -> None:
    params = {"type": way, "apiKey": "k", "region": "r"}
    text = f"`account/login/start.{way}` is not served by codex-trio yet"
    assert await refusal(client, "account/login/start", params) == (-32601, text)


async def test_tokens_of_the_host_are_experimental(client: WireClient) -> None:
    params = {"type": "chatgptAuthTokens", "accessToken": "a", "chatgptAccountId": "b"}
    text = "account/login/start.chatgptAuthTokens requires experimentalApi capability"
    assert await refusal(client, "account/login/start", params) == (-32600, text)


async def test_a_missing_keyring_is_said_and_nothing_is_stored_elsewhere(home: Path) -> None:
    settings = Settings(codex_home=home, credentials_store="keyring")
    async with open_memory_client(settings) as client:
        await client.initialize()
        reason = "keyring: there is no keyring on this host"
        assert await refusal(client, "account/login/start", LOGIN) == (
            -32603,
            f"failed to save api key: failed to write OAuth tokens to {reason}",
        )
        assert await refusal(client, "account/logout", None) == (
            -32603,
            f"logout failed: failed to delete auth from {reason}",
        )
    assert left_in(home) == []


async def test_a_directory_in_the_file_s_place(home: Path) -> None:
    (home / "auth.json").mkdir()
    async with open_memory_client(Settings(codex_home=home)) as client:
        await client.initialize()
        text = "Is a directory (os error 21)"
        assert await client.call("account/read", {}) == SIGNED_OUT
        assert await refusal(client, "account/login/start", LOGIN) == (
            -32603,
            f"failed to save api key: {text}",
        )
        assert await refusal(client, "account/logout", {}) == (-32603, f"logout failed: {text}")
        assert not client._notifications._messages
    assert left_in(home) == ["auth.json"]


async def test_a_disk_that_takes_no_more_leaves_the_old_account(
    client: WireClient, home: Path
) -> None:
    await client.call("account/login/start", LOGIN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        other = {"type": "apiKey", "apiKey": "sk-other"}
        assert await refusal(client, "account/login/start", other) == (
            -32603,
            "failed to save api key: File too large (os error 27)",
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    status = await client.call("getAuthStatus", {"includeToken": True})
    assert status["authToken"] == KEY
    assert json.loads((home / "auth.json").read_bytes())["OPENAI_API_KEY"] == KEY
    assert left_in(home) == ["auth.json"]


async def test_no_secret_reaches_a_log_or_a_repr(
    client: WireClient, caplog: pytest.LogCaptureFixture, server: Server
) -> None:
    caplog.set_level("DEBUG")
    await client.call("account/login/start", LOGIN)
    await client.send(b'{"id":1,"method":"account/login/start","params":{"apiKey":"sk-secret"')
    await refusal(client, "account/login/start", {"type": "apiKey", "apiKey": [KEY]})
    assert KEY not in caplog.text
    assert KEY not in repr(server)


async def test_what_is_queued_and_buffered_is_in_no_repr(server: Server) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    wire = LineWire(theirs)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, wire)
        lines = [
            {
                "id": 0,
                "method": "initialize",
                "params": {"clientInfo": {"name": "a", "version": "1"}},
            },
            {"id": 1, "method": "account/login/start", "params": LOGIN},
            {"id": 2, "method": "getAuthStatus", "params": {"includeToken": True}},
        ]
        await ours.send_all(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        assert KEY not in repr(wire)
        while KEY.encode() not in await ours.receive_some():
            assert KEY not in repr(server)
        assert KEY not in repr(wire)
        await ours.aclose()


# --- cancellation ---


async def _settled(answer: Any) -> Any:
    """What a handler answers, at once or later."""
    return await answer if inspect.isawaitable(answer) else answer


async def test_a_login_that_is_cancelled_is_whole_or_has_not_been(tmp_path: Path) -> None:
    """The handler is cut at every step; what is stored, in force and told agrees."""
    step = 1
    while True:
        settings = Settings(codex_home=tmp_path / str(step))
        async with open_server(settings) as server:
            board = server.account.board
            outboxes = [trio.open_memory_channel[bytes | Unsaid](math.inf) for _ in range(2)]
            owner, other = (Client(outbox, trio.CancelScope()) for outbox, _ in outboxes)
            other.initialized = owner.initialized = True
            params = ApiKeyLoginAccountParams(api_key=KEY)
            call = Call(1, methods.LOGIN_START, params, owner)
            with board.router.joined(other):
                sign_in: Any = partial(board.handlers["account/login/start"], call)
                reached = await cancel_at_step(sign_in, step)
            status = Call(2, methods.ACCOUNT_READ, GetAccountParams(), owner)
            answer: Any = await _settled(board.handlers["account/read"](status))
        stored = (settings.codex_home / "auth.json").exists()
        assert (answer.account is not None) == stored
        assert call.replied == stored
        told = [outgoing.statistics().current_buffer_used for _, outgoing in outboxes]
        assert told == ([1, 2] if stored else [0, 0])
        if not reached:
            break
        step += 1
    assert stored
    assert step > 1


@pytest.mark.parametrize("grace", [0, None])
async def test_a_call_to_a_server_that_ends_is_not_left_waiting(
    settings: Settings, grace: float | None
) -> None:
    async with open_server(settings) as server, connect(server) as client:
        await client.initialize()
        server.hang_up(grace)
        assert server.hung_up
        with pytest.raises(ClientGoneError):
            await client.call("account/read", {})
        with pytest.raises(trio.EndOfChannel):
            await client.next_notification()
