"""Log lines say on whose behalf something was done."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.logs import configure_logging
from tests.rpc.conftest import SECRET, Dial, Family, Named, board, dial, family, opened
from tests.rpc.test_cancel import ask, hear

if TYPE_CHECKING:
    from collections.abc import Generator

    from codex_trio.rpc.calls import Call
    from codex_trio.rpc.switchboard import Switchboard

__all__ = ["board", "dial", "family"]  # fixtures

log = logging.getLogger("codex_trio.test")


@pytest.fixture(params=["text", "json"])
def lines(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Generator[io.StringIO]:
    """What is logged, in either form."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    configure_logging({"LOG_FORMAT": request.param})
    yield written
    root.handlers[:] = before
    root.setLevel(level)


def names_in(lines: io.StringIO) -> list[dict[str, Any] | None]:
    """Read who was named, line by line."""
    found: list[dict[str, Any] | None] = []
    for line in lines.getvalue().splitlines():
        if line.startswith("{"):
            found.append(json.loads(line).get("span"))
        elif "client{" in line:
            inside = line.partition("client{")[2].partition("}: ")[0]
            pairs = (pair.split("=", 1) for pair in inside.split(" "))
            found.append({name: json.loads(value) for name, value in pairs})
        else:
            found.append(None)
    return found


async def test_a_request_is_named_also_in_worker_threads_and_what_it_begins(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO
) -> None:
    async def work(call: Call[Named]) -> Named:
        log.error("in the handler")
        await trio.to_thread.run_sync(log.error, "in a worker thread")
        async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - a task of its own
            nursery.start_soon(begun)
        return call.params

    async def begun() -> None:
        log.error("in a task")
        await trio.lowlevel.checkpoint()

    monkeypatch.setitem(board.handlers, "wait", work)
    async with opened(board) as wire:
        await hear(wire)
        await ask(wire, "7" * 100, "wait")
        await hear(wire)
        (client,) = board.router.clients
        log.error("outside")
        wire.hang_up()
    expected = {"connection": client.id, "request": "7" * 40, "method": "wait"}
    assert names_in(lines) == [expected] * 3 + [None]


async def test_what_is_answered_on_the_spot_has_its_connection(
    board: Switchboard, lines: io.StringIO
) -> None:
    async with opened(board) as wire, opened(board) as other:
        await hear(wire)
        await hear(other)
        await wire.send(b"garbage")
        await ask(wire, 1, "echo")
        await hear(wire)
        await other.send(b"garbage")
        await ask(other, 1, "fail")
        await hear(other)
        first, second = (client.id for client in board.router.clients)
        wire.hang_up()
        other.hang_up()
    assert first != second
    failing = {"connection": second, "request": 1, "method": "fail"}
    told = [names for names in names_in(lines) if names is not None]
    assert told == [{"connection": first}, {"connection": second}, failing]
    assert SECRET not in lines.getvalue()


async def test_nobody_is_named_behind_a_connection(
    dial: Dial, family: Family, lines: io.StringIO
) -> None:
    async with dial() as client:
        await client.call("open")
        log.error("of the test")
    log.error("of the test")
    assert names_in(lines) == [None, None]
