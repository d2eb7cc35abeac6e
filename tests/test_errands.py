"""What a person wants of the account, and signals that come at the wrong moment."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from codex_trio.account.storage import FileStore
from codex_trio.errands import Errand
from codex_trio.terminal import Screen
from codex_trio.testing import (
    Page,
    StandIn,
    WireClient,
    connect,
    open_memory_client,
    open_stand_in,
)
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.account.credentials import Credentials
    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from tests.schema import SchemaWatch


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    async with open_stand_in() as stand_in:
        with trio.fail_after(PATIENCE):
            yield stand_in


@pytest.fixture
def settings(home: Path, stand_in: StandIn) -> Settings:
    return stand_in.settings(home)


async def test_cancelling_waits_until_the_server_has_cancelled(
    server: Server, watch: SchemaWatch
) -> None:
    work = trio.CancelScope()
    async with connect(server, watch) as client:
        await client.initialize(experimental=True)
        errand = Errand(client, Screen.of(None, {}), work)
        codes: list[int | None] = []
        async with trio.open_nursery() as nursery:

            async def log_in() -> None:
                codes.append(await errand.log_in_through_browser(browse=False))

            nursery.start_soon(log_in)
            await trio.testing.wait_all_tasks_blocked(0.05)
            work.cancel()
    assert codes == [None]
    said = [message for _, message in watch.seen]
    (asked,) = (one for one in said if one.get("method") == "account/login/cancel")
    assert {"id": asked["id"], "result": {"status": "canceled"}} in said


async def test_a_signal_that_comes_too_late_does_not_hide_the_success(
    server: Server, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.device.approve_after = 0
    work = trio.CancelScope()
    save = FileStore.save

    async def save_interrupted(store: FileStore, credentials: Credentials) -> None:
        work.cancel()
        await save(store, credentials)

    monkeypatch.setattr(FileStore, "save", save_interrupted)
    async with connect(server) as client:
        await client.initialize(experimental=True)
        errand = Errand(client, Screen.of(None, {}), work)
        assert await errand.log_in_with_device_code() == 0
    assert work.cancelled_caught


@pytest.mark.parametrize(
    ("api_key", "shown"), [("1234567890123", "***"), ("12345678901234", "12345678***01234")]
)
async def test_of_a_short_key_nothing_is_shown(
    client: WireClient, api_key: str, shown: str
) -> None:
    await client.call("account/login/start", {"type": "apiKey", "apiKey": api_key})
    lines = io.StringIO()
    errand = Errand(client, Screen.of(lines, {}), trio.CancelScope())
    assert await errand.show_status() == 0
    assert lines.getvalue() == f"Logged in using an API key - {shown}\n"


async def test_a_client_that_leaves_with_the_success_leaves_the_browser_its_page(
    settings: Settings, stand_in: StandIn
) -> None:
    pages: list[Page] = []

    async def browse(url: str) -> None:
        await trio.testing.wait_all_tasks_blocked(0.05)  # it takes its time
        pages.append(await stand_in.visit(url))

    async with trio.open_nursery() as nursery:
        async with open_memory_client(settings) as client:
            await client.initialize()
            login = await client.call("account/login/start", {"type": "chatgpt"})
            page = await stand_in.visit(login["authUrl"], follow=False)
            page = await stand_in.visit(page.headers["location"], follow=False)
            await client.next_notification("account/login/completed")
            nursery.start_soon(browse, page.headers["location"])
    assert [page.status for page in pages] == [200]
