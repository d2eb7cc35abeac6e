"""The official Python SDK signs in through a browser and with a device code."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import TYPE_CHECKING

import pytest
from openai_codex import AsyncCodex, Codex, CodexConfig

from codex_trio.testing import spawn_stand_in
from tests.clients.sdk import body_of
from tests.clients.servers import SDK_MARKS, SERVER

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from codex_trio.testing import StandInProcess

pytestmark = SDK_MARKS


@pytest.fixture
def issuer() -> Generator[StandInProcess]:
    with spawn_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def config(home: Path, issuer: StandInProcess) -> CodexConfig:
    (home / "config.toml").write_text(issuer.config, encoding="utf-8")
    return CodexConfig(
        codex_bin=SERVER,
        env={"CODEX_HOME": str(home), **issuer.environ},
        config_overrides=("login_callback_ports=[0]",),
    )


def browse(url: str) -> str:
    """Do what a person's browser does, with the stand-in's user who approves."""
    with urllib.request.urlopen(url) as page:
        return str(page.read().decode())


def test_the_sdk_signs_in_through_a_browser(config: CodexConfig) -> None:
    with Codex(config=config) as codex:
        login = codex.login_chatgpt()
        assert "Signed in to Codex" in browse(login.auth_url)
        done = login.wait()
        assert (done.login_id, done.success, done.error) == (login.login_id, True, None)
        account = codex.account().account
        assert account is not None
        assert account.root.model_dump()["email"] == "ada@example.com"
        codex.logout()
        assert codex.account().account is None


def test_the_sdk_signs_in_with_a_device_code(
    config: CodexConfig, issuer: StandInProcess
) -> None:
    with Codex(config=config) as codex:
        login = codex.login_chatgpt_device_code()
        assert login.verification_url == f"{issuer.url}/codex/device"
        issuer.approve_device(login.user_code)
        assert login.wait().success
        account = codex.account().account
        assert account is not None
        assert account.root.type == "chatgpt"


def test_a_turn_outlives_its_access_token(config: CodexConfig, issuer: StandInProcess) -> None:
    issuer.answer("Hello.", "Hello again.")
    with Codex(config=config) as codex:
        login = codex.login_chatgpt()
        browse(login.auth_url)
        assert login.wait().success
        thread = codex.thread_start()
        assert thread.run("Hello").final_response == "Hello."
        issuer.expire_access_tokens()
        assert thread.run("Hello?").final_response == "Hello again."
    first, *refused, healed = issuer.response_requests()
    stale = first["headers"]["authorization"]
    assert [one["headers"]["authorization"] for one in refused] == [stale] * len(refused) != []
    assert healed["headers"]["authorization"] != stale
    assert body_of(healed)["input"] == body_of(refused[-1])["input"]
    assert [one["outcome"] for one in issuer.exchanges()] == ["rotated"]


@pytest.mark.parametrize("way", ["login_chatgpt", "login_chatgpt_device_code"])
def test_the_sdk_cancels(config: CodexConfig, way: str, home: Path) -> None:
    with Codex(config=config) as codex:
        login = getattr(codex, way)()
        assert login.cancel().status.value == "canceled"
        done = login.wait()
        assert not done.success
        assert str(done.error).endswith("Login was not completed")
        assert login.cancel().status.value == "notFound"
        assert codex.account().account is None
    assert not (home / "auth.json").exists()


def test_the_sdk_learns_why_a_login_failed(config: CodexConfig, issuer: StandInProcess) -> None:
    issuer.script({"user": "deny"})
    with Codex(config=config) as codex:
        login = codex.login_chatgpt()
        assert "Sign-in could not be completed" in browse(login.auth_url)
        done = login.wait()
        assert not done.success
        assert str(done.error).startswith("Login server error: Sign-in failed: ")


def test_the_async_sdk_does_the_same(config: CodexConfig, issuer: StandInProcess) -> None:
    async def work() -> None:
        async with AsyncCodex(config=config) as codex:
            first = await codex.login_chatgpt()
            second = await codex.login_chatgpt_device_code()
            assert not (await first.wait()).success
            issuer.approve_device(second.user_code)
            assert (await second.wait()).success
            account = (await codex.account()).account
            assert account is not None

    asyncio.run(work())
