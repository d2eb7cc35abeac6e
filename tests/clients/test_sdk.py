"""The official Python SDK, as its users have it, starts our server and works with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from openai_codex import AsyncCodex, Codex, CodexConfig
from openai_codex.client import CodexClient
from openai_codex.errors import InvalidRequestError, MethodNotFoundError
from openai_codex.models import InitializeResponse

from tests.clients.servers import SDK_MARKS, SERVER, only_ours

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = SDK_MARKS


@pytest.fixture
def configure(home: Path) -> Callable[..., CodexConfig]:
    def configure(**options: Any) -> CodexConfig:
        return CodexConfig(codex_bin=SERVER, env={"CODEX_HOME": str(home)}, **options)

    return configure


def test_the_sdk_signs_in_reads_the_account_and_signs_out(
    configure: Callable[..., CodexConfig], home: Path
) -> None:
    with Codex(config=configure()) as codex:
        assert codex.metadata.serverInfo is not None
        assert str(codex.metadata.serverInfo.version).startswith("0.163.0 ")
        assert codex.account().account is None
        assert codex.account().requires_openai_auth is True
        codex.login_api_key("sk-test")
        account = codex.account(refresh_token=True).account
        assert account is not None
        assert account.root.type == "apiKey"
        assert (home / "auth.json").exists()
        codex.logout()
        assert codex.account().account is None
        assert not (home / "auth.json").exists()


def test_the_async_sdk_does_the_same(configure: Callable[..., CodexConfig]) -> None:
    async def work() -> None:
        async with AsyncCodex(config=configure()) as codex:
            assert (await codex.account()).account is None
            await codex.login_api_key("sk-test")
            account = (await codex.account()).account
            assert account is not None
            assert account.root.type == "apiKey"
            await codex.logout()
            assert (await codex.account()).account is None

    asyncio.run(work())


def test_the_sdk_s_overrides_reach_the_server(configure: Callable[..., CodexConfig]) -> None:
    options = configure(config_overrides=('forced_login_method="chatgpt"',))
    with (
        Codex(config=options) as codex,
        pytest.raises(InvalidRequestError, match="API key login is disabled"),
    ):
        codex.login_api_key("sk-test")


@only_ours
def test_the_sdk_understands_what_is_not_there_yet(
    configure: Callable[..., CodexConfig],
) -> None:
    with CodexClient(configure()) as client:
        client.initialize()
        with pytest.raises(
            MethodNotFoundError, match="`marketplace/upgrade` is not served by codex-trio yet"
        ):
            client.request("marketplace/upgrade", {}, response_model=InitializeResponse)


@only_ours
def test_starting_and_closing_all_the_time_leaves_nothing(
    configure: Callable[..., CodexConfig], home: Path
) -> None:
    for number in range(5):
        with Codex(config=configure()) as codex:
            codex.login_api_key(f"sk-{number}")
    with Codex(config=configure()) as codex:
        assert codex.account().account is not None
    assert sorted(path.name for path in home.iterdir()) == ["auth.json", "auth.json.lock"]
