"""Words that are fetched on first use: who needs none of them pays for none of them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from codex_trio import protocol
from codex_trio.protocol import methods
from codex_trio.protocol.rows import ClientRequest, ServerNotification

ACCOUNT_READ = """
import sys, tempfile
from pathlib import Path
import trio
import codex_trio
from codex_trio.protocol import LATE
from codex_trio.server import open_server
from codex_trio.settings import Settings
from codex_trio.transport.memory import memory_wire_pair

async def main(home):
    ours, theirs = memory_wire_pair(16)
    async with open_server(Settings(codex_home=home)) as server, trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, theirs)
        await ours.send(
            b'{"id":1,"method":"initialize","params":{"clientInfo":{"name":"a","version":"1"}}}'
        )
        await ours.send(b'{"id":2,"method":"account/read","params":{}}')
        while b'"account":' not in await ours.receive():
            pass
        await ours.aclose()

with tempfile.TemporaryDirectory() as home:
    trio.run(main, Path(home))
print(*sorted(name for name in LATE if f"codex_trio.protocol.{name}" in sys.modules))
"""


def test_reading_the_account_imports_no_words_of_threads() -> None:
    run = subprocess.run(
        [sys.executable, "-c", ACCOUNT_READ], check=True, capture_output=True, timeout=60
    )
    assert run.stdout.decode().split() == []


def test_what_is_late_is_there_when_it_is_asked_for() -> None:
    for name in protocol.LATE:
        assert getattr(protocol, name).__name__ == f"codex_trio.protocol.{name}"


def test_what_is_not_late_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        protocol.nothing  # noqa: B018 - looking is the test


def test_words_are_fetched_once() -> None:
    fetched: list[str] = []

    def words() -> tuple[type[int], type[str]]:
        fetched.append("words")
        return int, str

    row = ClientRequest("a", words=words)
    assert fetched == []
    assert (row.params, row.params, row.params) == (int, int, int)
    assert fetched == ["words"]
    news = ServerNotification("b", words=lambda: words()[1])
    assert (news.params, news.params) == (str, str)
    assert fetched == ["words", "words"]


def test_a_row_has_words_for_both_sides_or_for_none() -> None:
    rows: list[Any] = [
        *methods.CLIENT_REQUESTS,
        *methods.SERVED_BESIDE,
        *methods.SERVER_REQUESTS,
    ]
    assert all((row.params is None) == (row.result is None) for row in rows)
