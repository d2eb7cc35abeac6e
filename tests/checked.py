"""Clients in memory whose every message is checked against the schema."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from codex_trio import testing
from tests.schema import SchemaWatch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import WireClient


@asynccontextmanager
async def connect(server: Server) -> AsyncGenerator[WireClient]:
    async with testing.connect(server, SchemaWatch()) as client:
        yield client


@asynccontextmanager
async def open_memory_client(settings: Settings | None = None) -> AsyncGenerator[WireClient]:
    async with testing.open_memory_client(settings, SchemaWatch()) as client:
        yield client
