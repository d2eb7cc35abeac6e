"""A server whose models are a stand-in's, and a typed client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.settings import Settings
from codex_trio.testing import StandIn, StandInProcess, open_stand_in, spawn_stand_in
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    from codex_trio.client import Client
    from codex_trio.server import Server


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    async with open_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
async def typed(server: Server) -> AsyncGenerator[Client]:
    async with server.connect() as client:
        with trio.fail_after(PATIENCE):
            yield client


@pytest.fixture
def stand_in_process() -> Generator[StandInProcess]:
    with spawn_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def led(home: Path, stand_in_process: StandInProcess) -> Settings:
    """Settings that lead to the stand-in."""
    provider = {
        "name": "Stand-in",
        "base_url": f"{stand_in_process.url}/v1",
        "wire_api": "responses",
        "requires_openai_auth": True,
        "supports_websockets": False,
    }
    return Settings(
        codex_home=home,
        issuer=stand_in_process.url,
        chatgpt_base_url=f"{stand_in_process.url}/backend-api",
        login_callback_ports=(0,),
        config={"model_provider": "stand_in", "model_providers": {"stand_in": provider}},
    )
