"""Clients in memory, each with a server of its own, whose every message is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.server import Server, open_server
from codex_trio.settings import Settings
from codex_trio.testing import StandIn, WireClient, connect, open_stand_in
from tests.schema import SchemaWatch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

PATIENCE = 20.0
"""Seconds after which a test that waits for something is told that it will not come."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(codex_home=home)


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    """A stand-in for OpenAI, whose user types device codes at once."""
    async with open_stand_in() as stand_in:
        stand_in.device.approve_after = 0
        yield stand_in


@pytest.fixture
def watch() -> SchemaWatch:
    return SchemaWatch()


@pytest.fixture
async def server(settings: Settings) -> AsyncGenerator[Server]:
    async with open_server(settings) as server:
        yield server


@pytest.fixture
async def raw_client(server: Server, watch: SchemaWatch) -> AsyncGenerator[WireClient]:
    """A client that has not said initialize yet."""
    async with connect(server, watch) as client:
        with trio.fail_after(PATIENCE):
            yield client


@pytest.fixture
async def client(raw_client: WireClient) -> WireClient:
    await raw_client.initialize()
    return raw_client
