"""Fixtures of pytest, for those who say ``pytest_plugins = ["codex_trio.testing"]``.

``stand_in``, ``codex_settings``, ``codex_server`` and ``codex_client`` are for tests in Trio and
need pytest-trio; ``stand_in_process`` and ``nothing_left`` are for any test. (PYTEST_DONT_REWRITE)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.leaks import no_leaks
from codex_trio.server import Server, open_server
from codex_trio.testing.client import WireClient, connect
from codex_trio.testing.process import StandInProcess, spawn_stand_in
from codex_trio.testing.stand_in import StandIn, open_stand_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    from codex_trio.settings import Settings


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    """A stand-in for OpenAI, whose user approves until it is told otherwise."""
    async with open_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def codex_settings(stand_in: StandIn, tmp_path: Path) -> Settings:
    """Settings of a server with an empty home, which signs in at ``stand_in``."""
    home = tmp_path / "codex-home"
    home.mkdir()
    return stand_in.settings(home)


@pytest.fixture
async def codex_server(codex_settings: Settings) -> AsyncGenerator[Server]:
    """A server with ``codex_settings``, which a test may override."""
    async with open_server(codex_settings) as server:
        yield server


@pytest.fixture
async def codex_client(codex_server: Server) -> AsyncGenerator[WireClient]:
    """A client in memory of ``codex_server``, initialized."""
    async with connect(codex_server) as client:
        await client.initialize()
        yield client


@pytest.fixture
def stand_in_process() -> Generator[StandInProcess]:
    """A stand-in for OpenAI in a process of its own, for servers that are processes too."""
    with spawn_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def nothing_left() -> Generator[None]:
    """Fail a test that leaves a worker thread, file, socket, lock or child process behind.

    It looks when the other fixtures of Trio are done; tasks never outlive a test in Trio.
    """
    with no_leaks():
        yield
