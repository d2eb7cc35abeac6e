"""What is under way in a server, as its embedder and its clients see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.occasion import CURRENT
from codex_trio.protocol import methods
from codex_trio.server import Server, open_server
from codex_trio.testing import Fault, Hold, ModelResponse, StandIn, connect, open_stand_in
from tests.account.conftest import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.settings import Settings
    from codex_trio.testing import WireClient

USAGE = "/backend-api/wham/usage"
WATCHERS = ["watch the policy", "watch the routing", "watch the store"]


@pytest.fixture
def settings(home: Path, stand_in: StandIn) -> Settings:
    return stand_in.settings(home)


@pytest.fixture
async def client(server: Server) -> AsyncGenerator[WireClient]:
    async with connect(server) as client:
        await client.initialize("first", experimental=True)
        yield client


async def sign_in(client: WireClient) -> None:
    await client.call("account/login/start", {"type": "chatgptDeviceCode"})
    await client.next_notification("account/login/completed")


async def test_a_server_that_does_nothing_has_its_watchers(server: Server) -> None:  # noqa: ASYNC124 - it runs in Trio
    (account,) = server.tasks().accounts
    assert account.background == WATCHERS
    assert str(server.tasks()).splitlines() == [
        "server",
        "└─ account",
        "   ├─ watch the policy",
        "   ├─ watch the routing",
        "   └─ watch the store",
    ]


async def test_requests_are_seen_with_their_states(
    server: Server, client: WireClient, stand_in: StandIn
) -> None:
    await sign_in(client)
    stand_in.faults.add(USAGE, Fault.hang())
    stand_in.hold("/oauth/revoke")
    await client.send({"id": "limits", "method": "account/rateLimits/read"})
    await until(lambda: len(server.tasks().accounts[0].connections[0].requests or ()) == 1)
    await client.send({"id": 8, "method": "account/login/start", "params": {"type": "chatgpt"}})
    await until(lambda: server.tasks().accounts[0].logins)
    (connection,) = server.tasks().accounts[0].connections
    assert (connection.client, connection.wire) == ("first", "memory")
    assert connection.requests is not None
    limits = connection.requests[0]
    assert (limits.id, limits.method, limits.state) == (
        "limits",
        "account/rateLimits/read",
        "running",
    )
    (login,) = server.tasks().accounts[0].logins
    assert login.state in ("beginning", "open")
    await until(lambda: server.tasks().accounts[0].logins[0].state == "open")
    assert server.tasks().accounts[0].logins[0].type == "browser"
    tree = str(server.tasks())
    assert f"connection {connection.id} (first, memory): " in tree
    assert "request 'limits' account/rateLimits/read: running, " in tree
    assert "login (browser): open, " in tree


async def test_what_waits_for_its_lane_and_what_has_replied_is_said_to(
    server: Server, client: WireClient
) -> None:
    def states() -> list[str]:
        (one,) = server.tasks().accounts[0].connections
        return [request.state for request in one.requests or ()]

    assert methods.LOGOUT.lane is not None
    before = server.account.board.lanes.join(methods.LOGOUT.lane.key(None))
    await client.send({"id": 1, "method": "account/logout"})
    await until(lambda: states() == ["waiting"])
    before.leave()
    assert states() == ["running"]
    (theirs,) = server.account.board.router.clients
    (call,) = theirs.calls
    call.reply(None)
    assert states() == ["answered"]


async def test_turns_are_seen(server: Server, client: WireClient, stand_in: StandIn) -> None:
    await sign_in(client)
    stand_in.answer(ModelResponse.of("x", wait=Hold("stuck")))
    thread = (await client.call("thread/start", {"cwd": "/"}))["thread"]["id"]
    said = [{"type": "text", "text": "hi"}]
    turn = (await client.call("turn/start", {"threadId": thread, "input": said}))["turn"]["id"]
    await stand_in.wait_held("stuck")
    answer = await client.call("server/tasks/read")
    (told,) = answer["turns"]
    assert (told["threadId"], told["turnId"]) == (thread, turn)
    assert (told["kind"], told["state"]) == ("answer", "running")
    assert "unload idle threads" in answer["background"]
    assert f"turn {turn} of thread {thread} (answer): running, " in str(server.tasks())
    stand_in.release("stuck")
    await client.next_notification("turn/completed")
    await until(lambda: not server.tasks().accounts[0].turns)


async def test_renewals_are_seen(server: Server, client: WireClient, stand_in: StandIn) -> None:
    await sign_in(client)
    stand_in.hold("/oauth/token")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "account/read", {"refreshToken": True})
        await stand_in.wait_held("/oauth/token")
        (renewal,) = server.tasks().accounts[0].renewals
        assert renewal.by == "issuer"
        assert "renewal of tokens by the issuer, " in str(server.tasks())
        assert server.tasks().accounts[0].background == WATCHERS
        stand_in.release("/oauth/token")


async def test_hosts_that_are_asked_for_tokens_are_seen(
    server: Server, client: WireClient, stand_in: StandIn
) -> None:
    token = stand_in.issue_access_token(stand_in.account)
    await client.call(
        "account/login/start",
        {
            "type": "chatgptAuthTokens",
            "accessToken": token,
            "chatgptAccountId": stand_in.account.account_id,
        },
    )
    stand_in.expire_access_tokens()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ignoring, client.call, "account/rateLimits/read")
        question = await client.next_question()
        assert [one.by for one in server.tasks().accounts[0].renewals] == ["host"]
        await client.refuse(question, 1, "no")


async def ignoring(call: object, method: str) -> None:
    with pytest.raises(RpcError):
        await call(method)  # type: ignore[operator]


async def test_clients_are_told_of_others_only_that_they_are_there(
    server: Server, client: WireClient, home: Path
) -> None:
    settings = attrs.evolve(server.settings, codex_home=home / "other")
    async with connect(server) as other, server.open_account(settings) as scope:
        await other.initialize("second", experimental=True)
        async with connect(server, account=scope) as stranger:
            await stranger.initialize("third", experimental=True)
            answer = await other.call("server/tasks/read")
            first, second = answer["connections"]
            assert first == first | {"client": None, "requests": None, "inFlight": 0}
            assert (second["client"], second["wire"]) == ("second", "memory")
            assert second["requests"] == []
            (alone,) = (await stranger.call("server/tasks/read"))["connections"]
            assert alone["client"] == "third"
            assert len(server.tasks().accounts) == 2


async def test_it_is_experimental(server: Server) -> None:
    async with connect(server) as client:
        await client.initialize()
        with pytest.raises(RpcError, match="requires experimentalApi"):
            await client.call("server/tasks/read")


async def test_ages_are_in_seconds(home: Path, autojump_clock: MockClock) -> None:
    async with open_stand_in() as stand_in:
        async with open_server(stand_in.settings(home)) as server, connect(server) as client:
            await client.initialize("aged", experimental=True)
            await trio.sleep(12.5)
            (one,) = (await client.call("server/tasks/read"))["connections"]
            assert one["age"] == pytest.approx(12.5)
            assert "12.5 s" in str(server.tasks())


async def test_what_runs_on_nobody_s_behalf_names_nobody(
    server: Server, client: WireClient
) -> None:
    await client.call("thread/start", {"cwd": "/"})
    (sweep,) = [
        task
        for task in server.account.nurseries.conversations.child_tasks
        if task.name == "unload idle threads"
    ]
    assert sweep.context.get(CURRENT) is None
