"""Accounts of one server, each with a client."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import trio

from codex_trio import testing
from tests.account.conftest import Witness, in_short, patience

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.scope import AccountScope
    from codex_trio.server import Server
    from codex_trio.testing import WireClient


@attrs.define(eq=False)
class Party:
    """An account, a client of it, and what that has heard."""

    scope: AccountScope
    client: WireClient
    heard: Witness

    @property
    def told(self) -> list[str]:
        return [in_short(message) for arrow, message in self.heard.seen[3:] if arrow == "<--"]

    @property
    def quiet(self) -> bool:
        return not self.scope.desk._attempts and not self.scope.desk._nursery.child_tasks


@asynccontextmanager
async def joined(server: Server, scope: AccountScope) -> AsyncGenerator[Party]:
    """Connect to one of a server's accounts."""
    heard = Witness()
    async with testing.connect(server, heard, account=scope) as client:
        with trio.fail_after(patience()):  # noqa: ASYNC100 - the body waits
            await client.initialize(experimental=True)
            yield Party(scope, client, heard)
