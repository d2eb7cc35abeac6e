"""Signing out of a ChatGPT account: its tokens are revoked, and nobody is kept signed in."""

from __future__ import annotations

import inspect
import json
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from codex_trio.errors import RpcError
from codex_trio.protocol import methods
from codex_trio.protocol.account import GetAccountParams
from codex_trio.rpc.calls import Call
from codex_trio.rpc.client import Client, Unsaid
from codex_trio.server import Server, open_server
from codex_trio.settings import CaBundle, Settings, load_settings
from codex_trio.testing import Fault, StandIn, Tokens, WireClient
from tests.account.conftest import left_in, of_issuer
from tests.cancellation import cancel_at_step
from tests.checked import connect, open_memory_client
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.schema import SchemaWatch

REVOKE = "/oauth/revoke"
NOBODY = {"authMode": None, "planType": None}
KEY = {"type": "apiKey", "apiKey": "sk-other"}


def store(home: Path, tokens: Tokens, **changed: str) -> None:
    """Be signed in already, as a server that starts finds it."""
    home.mkdir(exist_ok=True)
    stored = {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": tokens.id_token,
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "account_id": "fake-account",
            **changed,
        },
        "last_refresh": "2026-11-20T00:00:00.000000000Z",
    }
    (home / "auth.json").write_text(json.dumps(stored), encoding="utf-8")


@pytest.fixture
def tokens(stand_in: StandIn) -> Tokens:
    return stand_in.issue_tokens()


@pytest.fixture
def settings(home: Path, stand_in: StandIn, tokens: Tokens) -> Settings:
    store(home, tokens)
    return stand_in.settings(home)


@pytest.fixture
def clock() -> MockClock:
    """A clock that stands still until a test says ``jump``."""
    return MockClock()


def jump(clock: MockClock) -> None:
    """Skip the time in which nobody does anything; sockets and threads have time to."""
    clock.autojump_threshold = 0.05


@pytest.fixture
async def patient(clock: MockClock, server: Server) -> AsyncGenerator[WireClient]:
    """A client that waits for ever."""
    async with connect(server) as client:
        await client.initialize()
        yield client


async def updated(client: WireClient) -> Any:
    return (await client.next_notification("account/updated"))["params"]


async def sign_out(client: WireClient) -> None:
    assert await client.call("account/logout") == {}


# --- what is asked ---


async def test_the_refresh_token_is_revoked_before_the_answer(
    server: Server, watch: SchemaWatch, stand_in: StandIn, settings: Settings, tokens: Tokens
) -> None:
    async with connect(server) as client:
        agent = (await client.initialize("my_editor"))["userAgent"]
        with trio.fail_after(PATIENCE):
            await sign_out(client)
            assert await updated(client) == NOBODY
    (request,) = of_issuer(stand_in)
    assert (request.method, request.path) == ("POST", REVOKE)
    assert request.json == {
        "token": tokens.refresh_token,
        "token_type_hint": "refresh_token",
        "client_id": settings.client_id,
    }
    assert request.headers["originator"] == "my_editor"
    assert request.headers["user-agent"] == agent
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert left_in(settings.codex_home) == []


async def test_without_a_refresh_token_it_is_the_access_token(
    home: Path, stand_in: StandIn, tokens: Tokens
) -> None:
    store(home, tokens, refresh_token="")
    async with open_memory_client(stand_in.settings(home)) as client:
        await client.initialize()
        await sign_out(client)
    (request,) = of_issuer(stand_in)
    assert request.json == {"token": tokens.access_token, "token_type_hint": "access_token"}


async def test_the_answer_waits_for_it(
    patient: WireClient, stand_in: StandIn, clock: MockClock
) -> None:
    stand_in.faults.add(REVOKE, Fault.delay(7))
    begin = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sign_out, patient)
        await stand_in.wait_request(REVOKE)
        assert not patient._notifications._messages
        jump(clock)
    assert trio.current_time() - begin == pytest.approx(7, abs=0.2)


async def test_without_a_place_of_its_own_it_is_the_issuer_s(
    home: Path, stand_in: StandIn, tokens: Tokens
) -> None:
    store(home, tokens)
    async with open_memory_client(stand_in.settings(home, revoke_url=None)) as client:
        await client.initialize()
        await sign_out(client)
    assert [request.path for request in of_issuer(stand_in)] == [REVOKE]


@pytest.mark.parametrize(
    ("variable", "path", "asked"),
    [
        ("CODEX_REVOKE_TOKEN_URL_OVERRIDE", "/my/revoke?a=b", "/my/revoke"),
        ("CODEX_REFRESH_TOKEN_URL_OVERRIDE", "/my/token?a=b", REVOKE),
    ],
)
async def test_the_environment_may_name_another_place(
    home: Path, stand_in: StandIn, tokens: Tokens, variable: str, path: str, asked: str
) -> None:
    store(home, tokens)
    environ = {
        "CODEX_HOME": str(home),
        "CODEX_APP_SERVER_LOGIN_ISSUER": "http://nobody.invalid",
        variable: f"{stand_in.url}{path}",
    }
    async with open_memory_client(load_settings(environ=environ)) as client:
        await client.initialize()
        await sign_out(client)
    assert [request.path for request in of_issuer(stand_in)] == [asked]
    assert of_issuer(stand_in)[0].query == ({"a": "b"} if "REVOKE" in variable else {})


async def test_an_api_key_is_not_revoked(client: WireClient, stand_in: StandIn) -> None:
    await client.call("account/login/start", KEY)
    await updated(client)
    await sign_out(client)
    assert await updated(client) == NOBODY
    await sign_out(client)
    assert of_issuer(stand_in) == []


@pytest.mark.parametrize("name", ["Клиент", "éditeur"])
async def test_a_client_may_have_any_name(server: Server, stand_in: StandIn, name: str) -> None:
    async with connect(server) as client:
        await client.initialize(name)
        await sign_out(client)
    (request,) = of_issuer(stand_in)
    assert request.headers["originator"].encode("latin-1").decode() == name


# --- what goes wrong keeps nobody signed in ---


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (
            Fault.status(500, "s3cret"),
            "the issuer answered with status 500 Internal Server Error",
        ),
        (
            Fault.status(400, {"error": "s3cret"}),
            "the issuer answered with status 400 Bad Request",
        ),
        (Fault.drop(), "error sending request for url"),
        (Fault.garbage(), "error sending request for url"),
    ],
)
async def test_a_refusal_is_logged(
    client: WireClient,
    stand_in: StandIn,
    home: Path,
    tokens: Tokens,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    reason: str,
) -> None:
    caplog.set_level("DEBUG")
    stand_in.faults.add(REVOKE, fault)
    await sign_out(client)
    assert await updated(client) == NOBODY
    assert (await client.call("account/read", {}))["account"] is None
    assert left_in(home) == []
    (logged,) = [one for one in caplog.records if one.name == "codex_trio.account.signing"]
    assert logged.levelname == "WARNING"
    assert logged.getMessage().startswith(f"the tokens could not be revoked: {reason}")
    for secret in (tokens.refresh_token, tokens.access_token, tokens.id_token, "s3cret"):
        assert secret not in caplog.text


async def test_certificates_may_be_wrong(home: Path, stand_in: StandIn, tokens: Tokens) -> None:
    store(home, tokens)
    bundle = CaBundle(path=home / "missing.pem")
    async with open_memory_client(stand_in.settings(home, ca_bundle=bundle)) as client:
        await client.initialize()
        await sign_out(client)
        assert await updated(client) == NOBODY


async def test_who_does_not_answer_is_given_ten_seconds(
    patient: WireClient, stand_in: StandIn, clock: MockClock, home: Path
) -> None:
    stand_in.faults.add(REVOKE, Fault.hang())
    begin = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sign_out, patient)
        await stand_in.wait_request(REVOKE)
        assert left_in(home) == []
        jump(clock)
    assert trio.current_time() - begin == pytest.approx(10, abs=0.2)
    assert await updated(patient) == NOBODY


# --- meanwhile ---


async def test_nobody_else_waits(
    patient: WireClient, stand_in: StandIn, clock: MockClock, server: Server
) -> None:
    stand_in.faults.add(REVOKE, Fault.hang())
    async with connect(server) as other, trio.open_nursery() as nursery:
        await other.initialize()
        nursery.start_soon(sign_out, patient)
        await stand_in.wait_request(REVOKE)
        for client in (patient, other):
            assert (await client.call("account/read", {}))["account"] is None
        begin = trio.current_time()
        await sign_out(other)
        assert trio.current_time() == begin
        jump(clock)
    assert len(of_issuer(stand_in)) == 1


async def test_who_signs_in_meanwhile_stays_signed_in(
    patient: WireClient, stand_in: StandIn, clock: MockClock, server: Server, home: Path
) -> None:
    stand_in.faults.add(REVOKE, Fault.hang())
    async with connect(server) as other, trio.open_nursery() as nursery:
        await other.initialize()
        nursery.start_soon(sign_out, patient)
        await stand_in.wait_request(REVOKE)
        await other.call("account/login/start", KEY)
        assert await updated(other) == {"authMode": "apikey", "planType": None}
        jump(clock)
        assert await updated(other) == {"authMode": "apikey", "planType": None}
    assert json.loads((home / "auth.json").read_bytes())["OPENAI_API_KEY"] == "sk-other"


async def test_who_leaves_meanwhile_keeps_no_news_from_the_others(
    server: Server, stand_in: StandIn, clock: MockClock, home: Path
) -> None:
    stand_in.faults.add(REVOKE, Fault.hang())
    async with connect(server) as other:
        await other.initialize()
        async with connect(server) as client:
            await client.initialize()
            await client.send({"id": 99, "method": "account/logout"})
            await stand_in.wait_request(REVOKE)
            jump(clock)
        assert await updated(other) == NOBODY
    assert left_in(home) == []


async def test_a_server_that_ends_does_not_wait_for_it(
    settings: Settings, stand_in: StandIn, clock: MockClock, home: Path
) -> None:
    stand_in.faults.add(REVOKE, Fault.hang())
    async with open_server(settings) as server, connect(server) as client:
        await client.initialize()
        await client.send({"id": 99, "method": "account/logout"})
        await stand_in.wait_request(REVOKE)
        begin = trio.current_time()
        server.hang_up(0.5)
        jump(clock)
        news = await client.next_notification()
        assert news["method"] == "account/updated"
        assert trio.current_time() - begin == pytest.approx(0.5, abs=0.1)
    assert left_in(home) == []


async def test_what_cannot_be_removed_stays_and_is_not_revoked(
    client: WireClient, stand_in: StandIn, home: Path
) -> None:
    await client.call("account/read", {})
    (home / "auth.json").unlink()
    (home / "auth.json").mkdir()
    with pytest.raises(RpcError) as caught:
        await client.call("account/logout")
    text = "logout failed: Is a directory (os error 21)"
    assert (caught.value.code, caught.value.message) == (-32603, text)
    assert (await client.call("account/read", {}))["account"]["type"] == "chatgpt"
    assert not client._notifications._messages
    assert of_issuer(stand_in) == []


async def test_a_sign_in_that_is_under_way_ends_first(
    client: WireClient, watch: SchemaWatch, stand_in: StandIn
) -> None:
    login = await client.call("account/login/start", {"type": "chatgptDeviceCode"})
    del watch.seen[:]
    await sign_out(client)
    await updated(client)
    said = [message for arrow, message in watch.seen if arrow == "<--"]
    assert [message.get("method", "the answer") for message in said] == [
        "account/login/completed",
        "the answer",
        "account/updated",
    ]
    assert said[0]["params"]["loginId"] == login["loginId"]
    assert said[0]["params"]["error"] == "Login was not completed"


async def test_a_sign_out_that_is_cancelled_is_whole_or_has_not_been(
    tmp_path: Path, stand_in: StandIn, tokens: Tokens
) -> None:
    """The handler is cut at every step; what is stored, in force and told agrees."""
    step = 1
    while True:
        settings = stand_in.settings(tmp_path / str(step))
        store(settings.codex_home, tokens)
        async with open_server(settings) as server:
            board = server.account.board
            outboxes = [trio.open_memory_channel[bytes | Unsaid](math.inf) for _ in range(2)]
            owner, other = (Client(outbox, trio.CancelScope()) for outbox, _ in outboxes)
            other.initialized = owner.initialized = True
            call: Call[None] = Call(1, methods.LOGOUT, None, owner)
            with board.router.joined(other):
                work: Any = partial(board.handlers["account/logout"], call)
                reached = await cancel_at_step(work, step)
            status = Call(2, methods.ACCOUNT_READ, GetAccountParams(), owner)
            answer: Any = board.handlers["account/read"](status)
            left = await answer if inspect.isawaitable(answer) else answer
        removed = not (settings.codex_home / "auth.json").exists()
        assert (left.account is None) == removed
        assert call.replied == removed
        told = [outgoing.statistics().current_buffer_used for _, outgoing in outboxes]
        assert told == ([1, 1] if removed else [0, 0])
        if not reached:
            break
        step += 1
    assert removed
    assert step > 3
