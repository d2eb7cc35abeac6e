"""Signing in with the typed client: to its end, given up, cut at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.errors import LoginError, RpcError
from codex_trio.protocol import account as words
from codex_trio.protocol import methods
from codex_trio.testing import Fault
from tests.cancellation import cancel_at_step
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.client import Client
    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn

READ = words.GetAccountParams()


@pytest.fixture
def settings(home: Path, stand_in: StandIn) -> Settings:
    return stand_in.settings(home)


async def email_of(client: Client) -> str | None:
    account = (await client.call(methods.ACCOUNT_READ, READ)).account
    return account.email if isinstance(account, words.ChatgptAccount) else None


async def test_one_signs_in_with_a_key_and_out_again(typed: Client) -> None:
    await typed.login_with_api_key("sk-mine")
    assert (await typed.call(methods.ACCOUNT_READ, READ)).account == words.ApiKeyAccount()
    await typed.logout()
    assert (await typed.call(methods.ACCOUNT_READ, READ)).account is None


async def test_one_signs_in_through_a_browser(typed: Client, stand_in: StandIn) -> None:
    async with typed.login_with_browser() as login:
        assert "sk-" not in repr(login)
        assert login.auth_url not in repr(login)
        await stand_in.visit(login.auth_url)
        await login.wait_completed()
        await login.wait_completed()
    assert await email_of(typed) == stand_in.account.email


async def test_one_signs_in_with_a_code(typed: Client, stand_in: StandIn) -> None:
    async with typed.login_with_device_code() as login:
        assert login.user_code not in repr(login)
        assert login.verification_url.startswith(stand_in.url)
        stand_in.approve_device(login.user_code)
        await login.wait_completed()
    assert await email_of(typed) == stand_in.account.email


async def test_a_denial_is_an_error(typed: Client, stand_in: StandIn) -> None:
    stand_in.user = "deny"
    async with typed.login_with_browser() as login:
        await stand_in.visit(login.auth_url)
        with pytest.raises(LoginError, match="denied"):
            await login.wait_completed()


async def test_leaving_the_block_gives_the_sign_in_up(typed: Client, stand_in: StandIn) -> None:
    async with typed.notifications(methods.LOGIN_COMPLETED) as news:
        async with typed.login_with_browser() as login:
            pass
        told = await anext(news)
        assert (told.login_id, told.success) == (login.id, False)
    with pytest.raises(OSError, match=r"."):
        await stand_in.visit(login.auth_url)


async def test_a_sign_in_that_another_one_ends_is_an_error(typed: Client) -> None:
    async with typed.login_with_browser() as login, typed.login_with_browser() as other:
        with pytest.raises(LoginError):
            await login.wait_completed()
        assert other.id != login.id


async def test_a_refused_sign_in_is_an_error(typed: Client, stand_in: StandIn) -> None:
    stand_in.faults.add("/api/accounts/deviceauth/usercode", Fault.status(503))
    with pytest.raises(RpcError):
        async with typed.login_with_device_code():
            pytest.fail("there is no code")
    await typed.login_with_api_key("k")


async def test_a_sign_in_is_cut_at_every_step(server: Server, stand_in: StandIn) -> None:
    """What is left of it is nothing, or an account."""
    step = 0
    async with server.connect() as client:

        async def sign_in() -> None:
            async with client.login_with_browser() as login:
                await stand_in.visit(login.auth_url)
                await login.wait_completed()

        with trio.fail_after(PATIENCE):
            while await cancel_at_step(sign_in, step := step + 1):
                assert not client._link._calls
                await client.logout()
    assert step > 10
