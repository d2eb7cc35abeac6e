"""A host that signs in while others do: what is refused ends nothing, and all else does."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from codex_trio.errors import RpcError
from codex_trio.protocol import methods
from codex_trio.protocol.account import ChatgptAuthTokensLoginAccountParams
from codex_trio.rpc.calls import Call
from codex_trio.rpc.client import Client, Unsaid
from codex_trio.server import open_server
from codex_trio.testing import Account, StandIn, WireClient, make_jwt
from tests.account.conftest import (
    BROWSER,
    DEVICE,
    NOT_COMPLETED,
    SlowStore,
    Witness,
    account,
    completed,
    is_quiet,
    jump,
    left_in,
    open_witness,
    start,
)
from tests.account.hosts import (
    GRACE,
    HOST,
    UPDATED,
    bring,
    brought,
    refusal,
    token_in_force,
    updated,
)
from tests.cancellation import cancel_at_step
from tests.checked import connect

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.server import Server
    from codex_trio.settings import Settings

# --- what is refused ends nothing ---

NOT_TOKENS = {
    "": "invalid ID token format",
    "opaque": "invalid ID token format",
    "a.b": "invalid ID token format",
    "a.!.c": "invalid ID token payload",
    make_jwt({"https://api.openai.com/auth": 5}): (
        "invalid type of claim https://api.openai.com/auth"
    ),
}


@pytest.mark.parametrize("token", NOT_TOKENS)
async def test_what_is_no_token_changes_nothing(
    login_client: WireClient, stand_in: StandIn, token: str
) -> None:
    first = brought(stand_in)
    await bring(login_client, first)
    params = {"type": HOST, **first, "accessToken": token}
    reason = NOT_TOKENS[token]
    assert await refusal(login_client, params) == (
        -32603,
        f"failed to set external auth: {reason}",
    )
    assert await token_in_force(login_client) == first["accessToken"]


REFUSED: list[tuple[dict[str, Any], dict[str, Any], int, str]] = [
    (
        {},
        {"accessToken": "opaque"},
        -32603,
        "failed to set external auth: invalid ID token format",
    ),
    (
        {"forced_workspaces": ("ws1",)},
        {},
        -32600,
        'External auth must use one of workspace(s) ["ws1"], but received "ws-grace".',
    ),
    (
        {"forced_workspaces": ("ws1", "ws2")},
        {},
        -32600,
        'External auth must use one of workspace(s) ["ws1", "ws2"], but received "ws-grace".',
    ),
]


@pytest.mark.parametrize("way", [BROWSER, DEVICE], ids=["browser", "device"])
@pytest.mark.parametrize(("forced", "changed", "code", "message"), REFUSED)
async def test_what_is_refused_leaves_a_pending_login_alone(
    still_clock: MockClock,
    login_settings: Settings,
    stand_in: StandIn,
    witness: Witness,
    way: dict[str, str],
    forced: dict[str, Any],
    changed: dict[str, Any],
    code: int,
    message: str,
) -> None:
    stand_in.account.account_id = "ws1"
    settings = attrs.evolve(login_settings, **forced)
    async with open_server(settings) as server, open_witness(server, witness) as client:
        login = await start(client, way)
        tokens = brought(stand_in, **changed)
        assert await refusal(client, {"type": HOST, **tokens}) == (code, message)
        assert await account(client) is None
        if way is BROWSER:
            await stand_in.visit(login["authUrl"])
        else:
            stand_in.approve_device(login["userCode"])
            jump(still_clock)
        assert await completed(client) == (login["loginId"], None)
        assert await updated(client) == {"authMode": "chatgpt", "planType": "plus"}


async def test_they_may_be_forbidden_altogether(
    login_settings: Settings, stand_in: StandIn, witness: Witness
) -> None:
    settings = attrs.evolve(login_settings, forced_login_method="api")
    async with open_server(settings) as server, open_witness(server, witness) as client:
        assert await refusal(client, {"type": HOST, **brought(stand_in)}) == (
            -32600,
            "External ChatGPT auth is disabled. Use API key login instead.",
        )
        assert await account(client) is None


@pytest.mark.parametrize("workspaces", [("ws-grace",), ("ws1", "ws-grace")])
async def test_a_workspace_that_is_allowed_is_taken_whatever_the_token_says(
    login_settings: Settings, stand_in: StandIn, witness: Witness, workspaces: tuple[str, ...]
) -> None:
    settings = attrs.evolve(login_settings, forced_workspaces=workspaces)
    stranger = Account(account_id="ws-other")
    async with open_server(settings) as server, open_witness(server, witness) as client:
        await bring(client, brought(stand_in, stranger, chatgptAccountId="ws-grace"))
        assert await account(client) == "chatgpt"


# --- what is accepted ends what is under way ---


@pytest.mark.parametrize("way", [BROWSER, DEVICE], ids=["browser", "device"])
async def test_a_pending_login_ends_before_they_are_in_force(
    login_server: Server,
    login_client: WireClient,
    stand_in: StandIn,
    witness: Witness,
    way: dict[str, str],
) -> None:
    login = await start(login_client, way)
    witness.forget()
    await bring(login_client, brought(stand_in))
    assert await updated(login_client) == UPDATED
    reason = NOT_COMPLETED[way["type"]]
    assert witness.story == [
        (f"{login['loginId']}: {reason}", True),
        ("done", True),
        ("None: None", True),
        (f"now {HOST}", True),
    ]


async def test_a_login_that_is_just_being_stored_is_first_and_then_hidden(
    still_clock: MockClock,
    login_server: Server,
    login_client: WireClient,
    stand_in: StandIn,
    home: Path,
    witness: Witness,
) -> None:
    slow = SlowStore.of(login_server)
    login = await start(login_client, DEVICE)
    jump(still_clock)
    witness.forget()
    tokens = brought(stand_in)
    async with slow.freed():
        stand_in.approve_device(login["userCode"])
        await slow.storing.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bring, login_client, tokens)
            await wait_all_tasks_blocked()
            slow.go_on.set()
        while await updated(login_client) != UPDATED:
            pass
    assert witness.told == [
        f"{login['loginId']}: None",
        "now chatgpt",
        "done",
        "None: None",
        f"now {HOST}",
    ]
    assert await token_in_force(login_client) == tokens["accessToken"]
    assert left_in(home) == ["auth.json"]
    assert is_quiet(login_server)


async def test_a_client_that_leaves_has_signed_in_all_the_same(
    login_server: Server, login_client: WireClient, stand_in: StandIn
) -> None:
    async with open_witness(login_server, Witness()) as host:
        await bring(host, brought(stand_in))
    assert await updated(login_client) == UPDATED
    assert await account(login_client) == "chatgpt"


# --- what is strange ---


@pytest.mark.parametrize("header", ["h\r\nx-more: 1", "h\x00"])
async def test_a_token_that_fits_in_no_header_is_never_sent(
    login_client: WireClient, stand_in: StandIn, header: str
) -> None:
    _, payload, signature = stand_in.issue_access_token(GRACE).split(".")
    params = {"accessToken": f"{header}.{payload}.{signature}", "chatgptAccountId": "ws"}
    await bring(login_client, params)
    with pytest.raises(RpcError) as caught:
        await login_client.call("account/rateLimits/read")
    assert caught.value.message.startswith("failed to fetch codex rate limits: error sending")
    assert stand_in.requests == []
    assert payload not in caught.value.message


# --- cancellation ---


async def test_a_host_login_that_is_cancelled_is_whole_or_has_not_been(
    tmp_path: Path, stand_in: StandIn
) -> None:
    """The handler is cut at every step, with a login under way; what is so and told agrees."""
    step = 1
    while True:
        settings = stand_in.settings(tmp_path / str(step), watch_interval=math.inf)
        async with open_server(settings) as server, connect(server) as other:
            await other.initialize(experimental=True)
            pending = await start(other, DEVICE)
            board, auth = server.account.board, server.account.auth
            outbox, outgoing = trio.open_memory_channel[bytes | Unsaid](math.inf)
            params = ChatgptAuthTokensLoginAccountParams(
                access_token=stand_in.issue_access_token(GRACE), chatgpt_account_id="ws-grace"
            )
            owner = Client(outbox, trio.CancelScope())
            call = Call(1, methods.LOGIN_START, params, owner)
            work: Any = partial(board.handlers["account/login/start"], call)
            reached = await cancel_at_step(work, step)
            in_force = auth.hosted
            assert call.replied == in_force
            assert outgoing.statistics().current_buffer_used == int(in_force)
            assert (await account(other) == "chatgpt") == in_force
            if in_force:
                assert await completed(other) == (
                    pending["loginId"],
                    NOT_COMPLETED[DEVICE["type"]],
                )
                assert await completed(other) == (None, None)
        if not reached:
            break
        step += 1
    assert in_force
    assert step > 1
