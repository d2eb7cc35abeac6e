"""Clients whose block is left while somebody else still waits."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from codex_trio.errors import ClientGoneError
from codex_trio.testing import open_client
from codex_trio.transport.memory import memory_wire_pair
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.testing import WireClient

NOTIFICATION = b'{"method":"news","params":{}}'


@asynccontextmanager
async def silent_server(*says: bytes) -> AsyncGenerator[WireClient]:
    """A client of a server that reads all, and answers nothing."""

    async def read() -> None:
        async with theirs:
            for message in says:
                await theirs.send(message)
            async for _ in theirs:
                pass

    ours, theirs = memory_wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        with trio.fail_after(PATIENCE):
            async with open_client(ours) as client:
                yield client


async def fails(error: type[Exception], wait: Any) -> None:
    with pytest.raises(error) as caught:
        await wait()
    if error is ClientGoneError:
        assert str(caught.value) == "the client hung up"


async def test_whoever_waits_is_woken_when_the_block_is_left() -> None:
    async with trio.open_nursery() as nursery:
        async with silent_server() as client:
            waits = [partial(client.call, "wait")] * 3
            for wait in waits:
                nursery.start_soon(fails, ClientGoneError, wait)
            for take in (client.next_notification, client.next_question):
                nursery.start_soon(fails, trio.EndOfChannel, take)
            await trio.testing.wait_all_tasks_blocked()


async def test_even_who_has_not_been_able_to_say_it_is_woken(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ours, theirs = memory_wire_pair()
    async with theirs, trio.open_nursery() as nursery:
        async with open_client(ours) as client:
            call = partial(client.call, "wait")
            nursery.start_soon(fails, ClientGoneError, call)
            await trio.testing.wait_all_tasks_blocked()  # until it is stuck in the wire
            for say in (call, partial(client.notify, "wait"), call):
                nursery.start_soon(fails, ClientGoneError, say)
            await trio.testing.wait_all_tasks_blocked()


async def test_a_client_that_has_hung_up_is_gone_but_what_it_has_heard_is_there() -> None:
    async with silent_server(NOTIFICATION) as client:
        await trio.testing.wait_all_tasks_blocked()
    for wait in (partial(client.call, "wait"), partial(client.notify, "wait")):
        await fails(ClientGoneError, wait)
    assert (await client.next_notification())["method"] == "news"
    await fails(trio.EndOfChannel, client.next_notification)


async def test_to_an_error_within_the_block_nothing_is_added() -> None:
    with pytest.RaisesGroup(KeyError, flatten_subgroups=True):
        async with silent_server() as client, trio.open_nursery() as nursery:
            nursery.start_soon(client.call, "wait")
            await trio.testing.wait_all_tasks_blocked()
            raise KeyError
