"""A server of lists alone: the handlers, some threads that are loaded, and a client."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from codex_trio.configuration.reading import Configuration
from codex_trio.errors import RpcError
from codex_trio.handshake import Handshake
from codex_trio.protocol import methods, thread_news, threads
from codex_trio.protocol import thread_rows as rows
from codex_trio.rpc.calls import handlers_of
from codex_trio.rpc.connection import serve_connection
from codex_trio.rpc.switchboard import Switchboard
from codex_trio.settings import Settings
from codex_trio.testing import WireClient, open_client
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.fold import Fold
from codex_trio.threads.listing_methods import ListingMethods
from codex_trio.threads.shelf import Shelf
from codex_trio.threads.upkeep_methods import UpkeepMethods
from codex_trio.transport.memory import memory_wire_pair
from tests.conftest import PATIENCE
from tests.schema import SchemaWatch
from tests.threads import records

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from codex_trio.protocol.rows import ServerNotification
    from codex_trio.protocol.thread_news import ThreadReadState
    from codex_trio.protocol.turns import Turn
    from codex_trio.rpc.router import Router
    from codex_trio.threads.line import Line


@attrs.define(eq=False)
class FakeThread:
    """A thread that is loaded, of which something has happened."""

    id: str
    path: str | None
    fold: Fold
    name: str | None = None
    daybreak_enabled: bool | None = None
    read_state: ThreadReadState | None = None
    flushed: int = 0

    def thread(self, turns: Sequence[Turn] = ()) -> threads.Thread:
        return threads.Thread(
            id=self.id,
            session_id=self.id,
            preview=self.fold.preview,
            ephemeral=self.path is None,
            project_id=None,
            history_mode="paginated",
            model_provider="mock",
            created_at=records.SECONDS,
            updated_at=records.SECONDS,
            status=threads.IdleThreadStatus(),
            path=self.path,
            cwd="/srv/place",
            cli_version="0.163.0",
            source="vscode",
            can_accept_direct_input=True,
            thread_source="user",
            name=self.name,
            turns=list(turns),
        )

    async def flush(self) -> None:
        self.flushed += 1


@attrs.define(eq=False)
class FakeThreads:
    """Those that are loaded; unloading them is told to all."""

    router: Router
    loaded: dict[str, FakeThread] = attrs.field(factory=dict)

    def load(
        self, path: Path | None, *happened: Line, thread_id: str = records.T1
    ) -> FakeThread:
        fold = Fold()
        beginning = [lines.session_meta(records.meta(thread_id))] if happened else []
        for line in (*beginning, *happened):
            fold.take(line)
        thread = FakeThread(thread_id, None if path is None else str(path), fold)
        self.loaded[thread_id] = thread
        return thread

    async def unload(self, thread_id: str, *, lossy: bool = False) -> None:
        await trio.lowlevel.checkpoint()
        if self.loaded.pop(thread_id, None) is not None:
            status = threads.NotLoadedThreadStatus()
            self.tell(
                None,
                rows.THREAD_STATUS_CHANGED,
                thread_news.ThreadStatusChangedNotification(thread_id=thread_id, status=status),
            )

    def tell(self, thread_id: str | None, row: ServerNotification[Any], params: Any) -> None:
        assert thread_id is None
        self.router.broadcast(row, params)


@attrs.define
class Listing:
    """The server, seen from both sides."""

    client: WireClient
    threads: FakeThreads
    shelf: Shelf
    watch: SchemaWatch

    def heard(self) -> list[str]:
        """What the client has been sent, in order: answers, errors and notifications."""
        return [
            message.get("method") or ("error" if "error" in message else "answer")
            for arrow, message in self.watch.seen
            if arrow != "-->"
        ]

    async def refusal(self, method: str, params: Any) -> tuple[int, str]:
        try:
            answer = await self.client.call(method, params)
        except RpcError as error:
            return error.code, error.message
        raise AssertionError(answer)


@asynccontextmanager
async def open_listing(home: Path, *, experimental: bool = True) -> AsyncGenerator[Listing]:
    table = {row.name: row for row in (*methods.CLIENT_REQUESTS, *methods.SERVED_BESIDE)}
    board = Switchboard(table, {}, grace=5.0)
    shelf, loaded = Shelf(home), FakeThreads(board.router)
    config = {"model_provider": "mock", "model_providers": {"mock": {"name": "mock"}}}
    configuration = Configuration(Settings(codex_home=home, config=config))
    board.handlers = handlers_of(
        [
            Handshake(Settings(codex_home=home)),
            ListingMethods(shelf, loaded, configuration),
            UpkeepMethods(shelf, loaded, configuration),
        ]
    )
    watch = SchemaWatch()
    ours, theirs = memory_wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, board)
        async with open_client(ours, watch) as client:
            with trio.fail_after(PATIENCE):
                await client.initialize(experimental=experimental)
                watch.seen.clear()
                yield Listing(client, loaded, shelf, watch)
