"""The typed client of a server in the same process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

import codex_trio
from codex_trio.errors import AnswerError, RpcError, ServerGoneError
from codex_trio.protocol import account as words
from codex_trio.protocol import methods
from codex_trio.protocol.rows import ClientRequest

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server

READ = words.GetAccountParams()


async def test_a_server_and_its_client_take_one_line(home: Path) -> None:
    settings = codex_trio.Settings(codex_home=home)
    async with codex_trio.open_server(settings) as server, server.connect() as client:
        assert client.server.codex_home == str(home)
        account = await client.call(methods.ACCOUNT_READ, READ)
        assert account == words.GetAccountResponse(account=None, requires_openai_auth=True)


async def test_calls_and_news_are_in_words(server: Server) -> None:
    async with server.connect() as client:
        async with client.notifications(methods.ACCOUNT_UPDATED) as news:
            key = words.ApiKeyLoginAccountParams(api_key="k")
            assert await client.call(methods.LOGIN_START, key) == (
                words.ApiKeyLoginAccountResponse()
            )
            told = words.AccountUpdatedNotification(auth_mode="apikey", plan_type=None)
            assert await anext(news) == told
        assert await client.call(methods.LOGOUT) == words.LogoutAccountResponse()


async def test_a_method_can_be_named_and_called_in_json(server: Server) -> None:
    async with server.connect() as client:
        answer = await client.call("account/read", {"refreshToken": False})
        assert answer["account"] is None


async def test_an_error_of_the_server_is_raised(server: Server) -> None:
    async with server.connect() as client:
        with pytest.raises(RpcError, match="account/status/read requires experimentalApi"):
            await client.call(methods.STATUS_READ)
    async with server.connect(experimental=True) as client:
        assert (await client.call(methods.STATUS_READ)).source is None


async def test_who_connects_is_said(server: Server) -> None:
    async with server.connect(name="me", version="7", opt_out=["account/updated"]) as client:
        assert client.server.user_agent.startswith("me/")
        assert "(me; 7)" in client.server.user_agent
        async with client.notifications(
            methods.ACCOUNT_UPDATED, methods.LOGIN_COMPLETED
        ) as news:
            key = words.ApiKeyLoginAccountParams(api_key="k")
            await client.call(methods.LOGIN_START, key)
            assert isinstance(await anext(news), words.AccountLoginCompletedNotification)
            await client.call(methods.ACCOUNT_READ, READ)
            with trio.move_on_after(0) as scope:
                await anext(news)
            assert scope.cancelled_caught


async def test_leaving_the_block_ends_the_client(server: Server) -> None:
    async with server.connect() as client:
        pass
    with pytest.raises(ServerGoneError, match="the client hung up"):
        await client.call(methods.ACCOUNT_READ, READ)


async def test_a_server_that_hangs_up_is_noticed(server: Server) -> None:
    async with server.connect() as client:
        async with client.notifications(methods.ACCOUNT_UPDATED) as news:
            server.hang_up()
            with pytest.raises(ServerGoneError, match="the server hung up"):
                await anext(news)
        with pytest.raises(ServerGoneError, match="the server hung up"):
            await client.call(methods.ACCOUNT_READ, READ)
        async with client.notifications(methods.ACCOUNT_UPDATED) as news:
            with pytest.raises(ServerGoneError):
                await anext(news)


async def test_an_error_of_the_body_leaves_the_blocks_as_it_is(server: Server) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with server.connect():
            raise KeyError("mine")


async def test_several_servers_in_one_process_do_not_meet(tmp_path: Path) -> None:
    one, other = (codex_trio.Settings(codex_home=tmp_path / name) for name in "ab")
    async with (
        codex_trio.open_server(one) as first,
        codex_trio.open_server(other) as second,
        first.connect() as ours,
        second.connect() as theirs,
    ):
        key = words.ApiKeyLoginAccountParams(api_key="k")
        async with theirs.notifications(methods.ACCOUNT_UPDATED) as news:
            await ours.call(methods.LOGIN_START, key)
            assert (await theirs.call(methods.ACCOUNT_READ, READ)).account is None
            with trio.move_on_after(0) as scope:
                await anext(news)
            assert scope.cancelled_caught


async def test_what_cannot_be_read_is_an_error_of_its_own(server: Server) -> None:
    row = ClientRequest(
        "account/read", words.GetAccountParams, words.CancelLoginAccountResponse
    )
    async with server.connect() as client:
        with pytest.raises(AnswerError, match="the server's answer cannot be read") as caught:
            await client.call(row, READ)
        assert "missing field `status`" in str(caught.value.error)


async def test_a_server_that_has_ended_lets_nobody_in(home: Path) -> None:
    async with codex_trio.open_server(codex_trio.Settings(codex_home=home)) as server:
        other = codex_trio.Settings(codex_home=home / "other")
        async with server.open_account(other) as account:
            assert not server.hung_up
        with pytest.raises(ServerGoneError):
            async with server.connect(account=account):
                pytest.fail("this account is closed")
    assert server.hung_up
    with pytest.raises(ServerGoneError):
        async with server.connect():
            pytest.fail("it has ended")
