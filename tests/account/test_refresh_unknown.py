"""Refresh tokens of which it is not known whether they have been used."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.server import open_server
from codex_trio.testing import Fault, StandIn, WireClient
from tests.account.conftest import find_free_port
from tests.account.renewals import (
    AGENT,
    SOMEBODY,
    TOKEN,
    account,
    asked,
    failure,
    outcomes,
    renewed,
    sign_in_for,
    status,
    thread_clock,
    token,
)
from tests.account.signed_in import sign_in, stored_tokens
from tests.checked import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.server import Server
    from codex_trio.settings import Settings

pytestmark = pytest.mark.usefixtures("alone")

UNKNOWN = (
    "Failed to refresh token: it is not known whether an earlier attempt has succeeded, and the"
    " present token is still good"
)

NOT_DONE = [
    Fault.drop(),
    Fault.hang(),
    Fault.garbage(),
    Fault.status(502),
    Fault.status(504, "<html>", "text/html"),
    Fault.status(200),
    Fault.status(200, "<html>", "text/html"),
    Fault.status(200, []),
    Fault.status(200, {}),
    Fault.status(204),
    Fault.status(200, b"x" * 5 * 2**20),
]
DONE = [Fault.lose(), Fault.cut(), Fault.trickle()]


@pytest.fixture
def patient_clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    return thread_clock(monkeypatch)


@asynccontextmanager
async def another_process(settings: Settings) -> AsyncGenerator[WireClient]:
    """A client of another server with the same home."""
    async with open_server(settings) as server, connect(server) as client:
        await client.initialize(experimental=True)
        yield client


@pytest.mark.parametrize("fault", [*NOT_DONE, *DONE])
async def test_it_is_not_used_again_while_there_is_something_to_lose(
    patient_clock: MockClock,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    login_settings: Settings,
    fault: Fault,
) -> None:
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    stand_in.faults.add(TOKEN, fault)
    begin = trio.current_time()
    assert await renewed(login_client) == SOMEBODY
    assert trio.current_time() - begin <= 31
    first = await failure(login_client)
    assert first["message"].startswith("Failed to refresh token: ")
    assert first["permanent"] is False
    assert tokens.refresh_token not in first["message"]
    assert await renewed(login_client) == SOMEBODY
    assert await failure(login_client) == first
    await trio.sleep(60)
    async with another_process(login_settings) as other:
        for client in (login_client, other, login_client):
            assert await renewed(client) == SOMEBODY
            assert await token(client) == tokens.access_token
            assert await failure(client) == {"message": UNKNOWN, "permanent": False}
    assert asked(stand_in) == 1
    assert stored_tokens(home)["refresh_token"] == tokens.refresh_token
    assert (await status(login_client))["saved"] is True


@pytest.mark.parametrize("how", ["it has expired", "it was refused"])
@pytest.mark.parametrize("spent", [False, True])
@pytest.mark.parametrize("who", ["we", "another process"])
async def test_it_is_used_again_when_there_is_nothing_to_lose(
    patient_clock: MockClock,
    login_server: Server,
    home: Path,
    stand_in: StandIn,
    login_settings: Settings,
    how: str,
    spent: bool,
    who: str,
) -> None:
    tokens = sign_in_for(home, stand_in, 0 if how == "it has expired" else 3600)
    stand_in.expire_access_tokens()
    stand_in.faults.add(TOKEN, Fault.lose() if spent else Fault.drop())
    await login_server.account.backend.get("wham/usage", AGENT)
    assert asked(stand_in) == 1
    async with open_server(login_settings) as other:
        server = other
        if who == "we":
            server = login_server
            assert (await server.account.backend.get("wham/usage", AGENT)).status == 401
            assert asked(stand_in) == 1
            await trio.sleep(60)
        reply = await server.account.backend.get("wham/usage", AGENT)
        assert reply.status == (401 if spent else 200)
        current = server.account.auth.current
    if spent:
        assert outcomes(stand_in)[:2] == ["rotated", "reused"]
        assert stored_tokens(home)["refresh_token"] == tokens.refresh_token
    else:
        assert outcomes(stand_in) == ["rotated"]
        stored = stored_tokens(home)
        assert stand_in.live_refresh_tokens() == [stored["refresh_token"]]
        assert current is not None
        assert current.bearer == stored["access_token"]


async def test_once_it_has_been_replaced_nothing_is_remembered(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(TOKEN, Fault.drop())
    for _ in range(2):
        await renewed(login_client)
    assert asked(stand_in) == 1
    sign_in(home, stand_in.issue_tokens())
    assert await renewed(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated"]
    assert await failure(login_client) is None
    assert await renewed(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated", "rotated"]


@pytest.mark.parametrize(
    "fault", [Fault.status(status) for status in (302, 400, 403, 408, 429, 500, 503)]
)
async def test_what_the_issuer_has_refused_may_be_asked_again(
    login_client: WireClient, home: Path, stand_in: StandIn, fault: Fault
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(TOKEN, fault)
    assert await renewed(login_client) == SOMEBODY
    assert await failure(login_client) is not None
    assert await renewed(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated"]
    assert await failure(login_client) is None


async def test_what_has_not_been_sent_may_be_sent_later(home: Path, stand_in: StandIn) -> None:
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    port = find_free_port()
    url = f"http://127.0.0.1:{port}{TOKEN}"
    settings = stand_in.settings(home, refresh_url=url)
    async with another_process(settings) as client:
        assert await renewed(client) == SOMEBODY
        text = (await failure(client))["message"]
        assert text.startswith(
            f"Failed to refresh token: error sending request for url ({url})"
        )
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, stand_in._serve, listeners)
            assert await renewed(client) == SOMEBODY
            nursery.cancel_scope.cancel(reason="the issuer closes")
        assert outcomes(stand_in) == ["rotated"]
        assert await failure(client) is None
        assert await account(client) == SOMEBODY


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "no URL", "http://[::1"])
async def test_what_cannot_be_sent_is_told(home: Path, stand_in: StandIn, url: str) -> None:
    sign_in(home, stand_in.issue_tokens())
    async with another_process(stand_in.settings(home, refresh_url=url)) as client:
        for _ in range(2):
            assert await renewed(client) == SOMEBODY
            text = (await failure(client))["message"]
            assert text.startswith("Failed to refresh token: error sending request for url")


async def test_a_refusal_for_the_moment_says_nothing_of_the_attempt_before(
    patient_clock: MockClock,
    login_server: Server,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.expire_access_tokens()
    stand_in.faults.add(TOKEN, Fault.lose(), Fault.status(503))
    for times in (1, 2):
        assert (await login_server.account.backend.get("wham/usage", AGENT)).status == 401
        assert asked(stand_in) == times
        await trio.sleep(60)
    # Whoever says that it shall be does not know that there is nothing to lose any more.
    assert await renewed(login_client) == SOMEBODY
    assert asked(stand_in) == 2
    assert await failure(login_client) == {"message": UNKNOWN, "permanent": False}
