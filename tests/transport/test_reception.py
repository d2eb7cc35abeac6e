"""Servers that others connect to."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
import trio_websocket

from codex_trio.errors import SettingsError
from codex_trio.server import Server, open_server
from codex_trio.settings import Settings
from codex_trio.transport.listening import TcpAddress
from codex_trio.transport.reception import Reception
from tests import conftest
from tests.checked import connect
from tests.websockets import (
    TEXT,
    UPGRADE,
    dial,
    frame,
    open_client,
    read_close,
    read_frame,
    read_rest,
    request,
    upgrade,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from trio.testing import MockClock

    from codex_trio.wire import Wire

LOGIN = {"type": "apiKey", "apiKey": "sk-test"}


@asynccontextmanager
async def open_url(
    server: Server, url: str = "ws://127.0.0.1:0", **options: Any
) -> AsyncGenerator[str]:
    with trio.fail_after(conftest.PATIENCE):
        async with trio.open_nursery() as nursery:
            yield await nursery.start(partial(server.listen, url, **options))
            nursery.cancel_scope.cancel()


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder whose name is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="ct") as folder:
        yield Path(folder)


@pytest.mark.parametrize("kind", ["ws://127.0.0.1:0", "ws://[::1]:0", "unix://"])
async def test_a_client_is_served(kind: str, server: Server, home: Path) -> None:
    async with open_url(server, kind) as url, open_client(url) as client:
        assert (await client.initialize())["codexHome"] == str(home)
        await client.call("account/login/start", LOGIN)
        assert (await client.call("account/read", {}))["account"] == {"type": "apiKey"}
    if kind == "unix://":
        assert url == f"unix://{home}/app-server-control/app-server-control.sock"


async def test_a_unix_socket_names_the_limit_of_frames(server: Server) -> None:
    async with open_url(server, "unix://") as url:
        async with await dial(url) as stream:
            await stream.send_all(request("GET /", UPGRADE))
            assert b"\r\nx-codex-websocket-max-unfragmented-message-bytes: 16777216\r\n" in (
                await stream.receive_some()
            )


async def test_clients_of_all_wires_share_the_account(server: Server) -> None:
    async with (
        open_url(server) as url,
        open_url(server, "unix://") as path,
        open_client(url) as one,
        open_client(path) as other,
        connect(server) as memory,
    ):
        for client in (one, other):
            await client.initialize()
        await memory.initialize()
        await one.call("account/login/start", LOGIN)
        assert (await other.news("account/updated"))["authMode"] == "apikey"
        assert (await memory.next_notification())["method"] == "account/login/completed"
        await other.call("account/logout")
        assert (await one.news("account/updated"))["authMode"] == "apikey"
        assert (await one.news("account/updated"))["authMode"] is None


async def test_an_address_may_have_an_account_of_its_own(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    async with server.open_account(Settings(codex_home=tmp_path / "other")) as account:
        async with (
            open_url(server, account=account) as url,
            open_client(url) as client,
            connect(server) as memory,
        ):
            await client.initialize()
            await memory.initialize()
            await client.call("account/login/start", LOGIN)
            assert (await memory.call("account/read", {}))["account"] is None


async def test_a_client_that_vanishes_is_no_other_s_business(server: Server) -> None:
    async with open_url(server) as url, open_client(url) as witness:
        await witness.initialize()
        for data in (b"", b"\xff" * 100, frame(TEXT, b"{"), frame(TEXT, b"nonsense"), frame(8)):
            stream = await upgrade(url)
            await stream.send_all(data)
            await stream.aclose()
            assert await witness.call("account/read", {})
        assert len(server.account.board.router.clients) >= 1
        while len(server.account.board.router.clients) > 1:
            await witness.call("account/read", {})


async def test_a_failure_of_one_connection_reaches_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def welcome(wire: Wire) -> None:
        if (said := await wire.receive()) != b"go on":
            raise RuntimeError(said.decode())
        await wire.send(b"served")
        await wire.aclose()

    server = Reception(TcpAddress("127.0.0.1", 0), tmp_path, None, 100, welcome)
    async with trio.open_nursery() as nursery:
        with trio.fail_after(conftest.PATIENCE):
            url = await nursery.start(server.serve)
            async with await upgrade(url) as bad, await upgrade(url) as good:
                await bad.send_all(frame(TEXT, b"a secret"))
                await read_rest(bad)
                await good.send_all(frame(TEXT, b"go on"))
                assert await read_frame(good) == (TEXT, b"served")
        nursery.cancel_scope.cancel()
    assert "RuntimeError" in caplog.text
    assert "a secret" not in caplog.text


async def test_a_server_that_hangs_up_lets_nobody_in_and_sends_everybody_away(
    server: Server, tmp_path: Path
) -> None:
    with trio.fail_after(conftest.PATIENCE):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(server.listen, "ws://127.0.0.1:0")
            path = await nursery.start(server.listen, f"unix://{tmp_path}/s")
            half = await dial(url)
            await half.send_all(b"GET / HT")
            async with await upgrade(url) as client, await upgrade(path) as other:
                await trio.testing.wait_all_tasks_blocked()
                server.hang_up()
                for peer in (client, other):
                    assert (await read_close(peer))[0] in (1000, 1001)
                    assert await read_rest(peer) == b""
                    await peer.aclose()
            assert await read_rest(half) == b""
            await half.aclose()
        assert not (tmp_path / "s").exists()
        with pytest.raises(OSError, match="all attempts to connect"):
            await dial(url)
        async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - start() is what is tested; one that comes too late ends at once
            await nursery.start(server.listen, "ws://127.0.0.1:0")


async def test_those_who_are_in_stay_when_nobody_is_let_in_any_more(server: Server) -> None:
    with trio.fail_after(conftest.PATIENCE):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(server.listen, "ws://127.0.0.1:0")
            async with open_client(url) as client:
                server.stop_listening()
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(OSError, match="all attempts to connect"):
                    await dial(url)
                assert await client.initialize()


async def test_a_cancelled_call_cuts_everybody_off(server: Server) -> None:
    async with open_url(server) as url:
        stream = await upgrade(url)
    assert (await read_close(stream))[0] in (1000, 1001)
    assert await read_rest(stream) == b""
    await stream.aclose()


async def test_without_descriptors_it_waits_and_says_so_once(
    server: Server,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real, failures = trio.SocketListener.accept, 20

    async def accept(listener: trio.SocketListener) -> trio.SocketStream:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return await real(listener)

    monkeypatch.setattr(trio.SocketListener, "accept", accept)
    async with open_url(server) as url, open_client(url) as client:
        await client.initialize()
    assert failures == 0
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "a connection cannot be taken in: Too many open files")
    ]


async def test_an_address_that_cannot_be_had_is_said_without_groups(server: Server) -> None:
    async with open_url(server) as url:
        with pytest.raises(SettingsError, match="Address in use"):
            await server.listen(url)
    with pytest.raises(SettingsError, match="refusing to start non-loopback"):
        await server.listen("ws://0.0.0.0:0")
    async with open_url(server, "ws://0.0.0.0:0", allow_unauthenticated=True) as url:
        assert url.startswith("ws://0.0.0.0:")


async def test_a_message_that_is_too_long_is_answered_and_the_connection_goes_on(
    home: Path,
) -> None:
    async with open_server(Settings(codex_home=home, max_message=1000)) as server:
        async with open_url(server) as url, open_client(url) as client:
            await client.initialize()
            await client.send("account/read", {"x": "y" * 1000}, 7)
            answer = await client.read()
            assert (answer["id"], answer["error"]["code"]) == (7, -32600)
            assert await client.call("account/read", {})


async def test_many_clients_come_and_go(server: Server) -> None:
    async with open_url(server) as url:

        async def visit(number: int) -> None:
            async with open_client(url) as client:
                await client.initialize()
                for _ in range(number % 3):
                    await client.call("account/read", {})

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(visit, number)
        while server.account.board.router.clients:  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.01)


async def test_a_real_client_is_told_that_the_server_goes(server: Server) -> None:
    async with open_url(server) as url, open_client(url) as client:
        await client.initialize()
        server.hang_up()
        with pytest.raises(trio_websocket.ConnectionClosed) as caught:
            await client.read()
        assert caught.value.reason is not None
        assert caught.value.reason.code in (1000, 1001)
