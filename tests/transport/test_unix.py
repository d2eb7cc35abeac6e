"""A socket in the file system."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from codex_trio.errors import SettingsError
from codex_trio.transport import unix
from codex_trio.transport.unix import open_unix_listener
from tests import conftest
from tests.cancellation import cancel_at_step

if TYPE_CHECKING:
    from pathlib import Path


async def greet(path: Path) -> None:
    """Connect, and see that somebody takes it."""
    async with await trio.open_unix_socket(str(path)):
        pass


async def test_only_its_owner_may_connect_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "s"
    umask = os.umask(0)
    try:
        async with open_unix_listener(path) as listener:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert os.listdir(tmp_path) == ["s"]
            await greet(path)
            await (await listener.accept()).aclose()
    finally:
        os.umask(umask)
    assert os.listdir(tmp_path) == []


async def test_its_folder_is_made_private_if_only_that_is_missing(tmp_path: Path) -> None:
    async with open_unix_listener(tmp_path / "new" / "s"):
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    with pytest.raises(SettingsError, match=r"No such file or directory \(os error 2\)"):
        async with open_unix_listener(tmp_path / "no" / "where" / "s"):
            pass


async def test_one_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with open_unix_listener(path):
        await greet(path)
    assert not path.exists()


async def test_one_that_is_served_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with open_unix_listener(path):
        with pytest.raises(SettingsError, match=f"socket is already in use at {path}"):
            async with open_unix_listener(path):
                pass
        await greet(path)


async def test_one_whose_server_is_too_busy_to_answer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))
        with pytest.raises(SettingsError, match="already in use"):
            async with open_unix_listener(path):
                pass


async def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(SettingsError, match=f"exists and is not a socket: {path}"):
        async with open_unix_listener(path):
            pass
    assert path.read_text(encoding="utf-8") == "mine"


async def test_what_is_another_s_by_then_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with open_unix_listener(path):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as theirs:
            theirs.bind(str(path))
    assert path.exists()


async def test_of_two_that_start_at_once_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    outcomes = []

    async def serve() -> None:
        try:
            async with open_unix_listener(path):
                outcomes.append("serves")
                await trio.testing.wait_all_tasks_blocked()
        except SettingsError:
            outcomes.append("refused")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        nursery.start_soon(serve)
    assert sorted(outcomes) == ["refused", "serves"]


async def test_a_folder_that_others_hold_is_waited_for_a_while(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with unix._lock(tmp_path):
        with trio.fail_after(conftest.PATIENCE):
            with pytest.raises(SettingsError, match="is locked by another process"):
                async with open_unix_listener(tmp_path / "s"):
                    pass
    async with open_unix_listener(tmp_path / "s"):
        pass


async def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    fits = 107 - len(str(tmp_path)) - 1
    async with open_unix_listener(tmp_path / ("x" * fits)) as listener:
        await greet(tmp_path / ("x" * fits))
        assert listener.socket.fileno() >= 0
    with pytest.raises(SettingsError, match="has 107 bytes at most"):
        async with open_unix_listener(tmp_path / ("x" * (fits + 1))):
            pass


async def test_cut_anywhere_it_leaves_nothing(tmp_path: Path) -> None:
    async def serve() -> None:
        async with open_unix_listener(tmp_path / "s"):
            await trio.lowlevel.checkpoint()

    step = 1
    while await cancel_at_step(serve, step):
        assert os.listdir(tmp_path) == []
        step += 1
    assert step > 2


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
async def test_a_socket_of_another_kind_is_in_use(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, kind) as other:
        other.bind(str(path))
        if kind == socket.SOCK_SEQPACKET:
            other.listen()
        with pytest.raises(SettingsError, match="already in use"):
            async with open_unix_listener(path):
                pass
        assert stat.S_ISSOCK(path.stat().st_mode)
