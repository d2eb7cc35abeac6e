"""A server whose models are a stand-in's, and a client of it that hears everything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from trio.testing import MockClock

from codex_trio.server import Server, open_server
from codex_trio.testing import StandIn, WireClient, open_stand_in
from tests.threads.conversing import Conversation, Ear, connect, converse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    from codex_trio.settings import Settings


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    """A stand-in for OpenAI, whose models say a friendly text."""
    async with open_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def config() -> dict[str, Any]:
    """What is configured besides; a test may override it."""
    return {}


@pytest.fixture
def settings(home: Path, stand_in: StandIn, config: dict[str, Any]) -> Settings:
    return stand_in.settings(home, watch_interval=math.inf, config=config)


@pytest.fixture
async def server(settings: Settings) -> AsyncGenerator[Server]:
    async with open_server(settings) as server:
        yield server


@pytest.fixture
def ear() -> Generator[Ear]:
    """What ``client`` hears; it must make sense in the end."""
    ear = Ear()
    yield ear
    ear.check()


@pytest.fixture
async def client(server: Server, ear: Ear) -> AsyncGenerator[WireClient]:
    """A client that wants to hear what is experimental, too."""
    async with connect(server, ear) as client:
        yield client


@pytest.fixture
async def talk(client: WireClient) -> Conversation:
    """A conversation in which nothing has been said yet."""
    return await converse(client)


@pytest.fixture
def patient_clock() -> MockClock:
    """A clock that jumps when nothing has happened for a moment: threads need theirs."""
    return MockClock(autojump_threshold=0.05)
