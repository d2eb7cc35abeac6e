"""A client of what is configured and what can be had, and of nothing else."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from codex_trio.catalogue.methods import CatalogueMethods
from codex_trio.configuration.methods import ConfigMethods
from codex_trio.configuration.reading import Configuration
from codex_trio.handshake import Handshake
from codex_trio.protocol import methods
from codex_trio.rpc.calls import handlers_of
from codex_trio.rpc.connection import serve_connection
from codex_trio.rpc.switchboard import Switchboard
from codex_trio.testing.client import open_client
from codex_trio.transport.memory import memory_wire_pair
from tests.conftest import PATIENCE
from tests.schema import SchemaWatch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.settings import Settings
    from codex_trio.testing import WireClient


@asynccontextmanager
async def open_board_client(settings: Settings) -> AsyncGenerator[WireClient]:
    """A client that has said initialize, and whose every message is checked."""
    configuration = Configuration(settings)
    families = [
        Handshake(settings),
        ConfigMethods(settings, configuration),
        CatalogueMethods(settings, configuration),
    ]
    table = {row.name: row for row in methods.CLIENT_REQUESTS}
    board = Switchboard(table, handlers_of(families), grace=5.0)
    ours, theirs = memory_wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, board)
        async with open_client(ours, SchemaWatch()) as client:
            with trio.fail_after(PATIENCE):
                await client.initialize(experimental=True)
                yield client
