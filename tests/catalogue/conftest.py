"""A client that asks what can be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.settings import Settings
from tests.configuration.boards import open_board_client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.testing import WireClient


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(codex_home=home, system_config=None)


@pytest.fixture
async def client(settings: Settings) -> AsyncGenerator[WireClient]:
    async with open_board_client(settings) as client:
        yield client
