"""A stand-in at which the servers of clients find their models, and where these work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from openai_codex import CodexConfig

from codex_trio.testing import StandIn, StandInProcess, open_stand_in, spawn_stand_in
from tests.clients.servers import SERVER, furnish

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder in which the model is asked to work."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    async with open_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def furnished(home: Path, stand_in: StandIn) -> Path:
    """A home whose server is signed in, and asks the stand-in."""
    furnish(home, stand_in.config)
    return home


@pytest.fixture
def stand_in_process() -> Generator[StandInProcess]:
    """A stand-in for tests that know nothing of Trio."""
    with spawn_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def sdk_config(home: Path, work: Path, stand_in_process: StandInProcess) -> CodexConfig:
    """Let the official SDK start a server that is signed in, and asks the stand-in."""
    furnish(home, stand_in_process.config)
    environ = {"CODEX_HOME": str(home), **stand_in_process.environ}
    return CodexConfig(codex_bin=SERVER, cwd=str(work), env=environ)
