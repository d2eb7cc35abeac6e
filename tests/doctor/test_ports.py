"""Ports of the login callback, and who has them."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.doctor.ports import check_ports
from codex_trio.server import open_server
from codex_trio.settings import Settings
from codex_trio.testing import connect
from tests.account.conftest import find_free_port
from tests.doctor.conftest import alone, look, told

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.doctor import Finding
    from codex_trio.testing import StandIn


async def ports_of(home: Path, *ports: int, **more: Any) -> list[Finding]:
    return await look(
        check_ports, Settings(codex_home=home, login_callback_ports=ports, **more)
    )


@pytest.fixture
def taken() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_free_ports_are_free_afterwards(home: Path) -> None:
    port = find_free_port()
    for _ in range(2):
        assert told(await ports_of(home, port, 0)) == [
            ("ok", f"free for the login callback: {port}, any")
        ]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these tables")
async def test_who_has_a_port_is_named(home: Path, taken: int) -> None:
    for more, status in (((0,), "warning"), ((), "error")):
        one = alone(await ports_of(home, taken, *more))
        assert one.status == status
        assert one.summary.startswith(f"Port 127.0.0.1:{taken} is already in use by ")
        assert one.summary.endswith(f" (process {os.getpid()})")
        assert "login_callback_ports" in one.advice


async def test_a_port_of_nobody_known_is_told_of(
    home: Path, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_trio.doctor.ports.find_holder", lambda _: None)
    one = alone(await ports_of(home, taken))
    assert (one.status, one.summary) == ("error", f"Port 127.0.0.1:{taken} is already in use")


async def test_a_port_that_may_not_be_used_says_why(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:  # noqa: ASYNC124 - trio is awaited
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(trio, "open_tcp_listeners", refuse)
    one = alone(await ports_of(home, 80))
    assert one.status == "error"
    assert one.summary.startswith("Port 127.0.0.1:80 cannot be used: Permission denied")


async def test_a_login_that_is_under_way_is_named_and_not_ended(
    home: Path, stand_in: StandIn
) -> None:
    port = find_free_port()
    settings = stand_in.settings(home, login_callback_ports=(port,))
    async with open_server(settings) as server, connect(server) as client:
        await client.initialize()
        login = await client.call("account/login/start", {"type": "chatgpt"})
        one = alone(await ports_of(home, port))
        assert one.status == "warning"
        assert one.summary.endswith(": a Codex login")
        assert "it is asked to give way" in one.advice
        for more, status in (((), "error"), ((0,), "warning")):
            one = alone(await ports_of(home, port, *more, cancel_other_login=False))
            assert (one.status, one.advice.split(",")[0]) == (status, "Finish that login")
        await stand_in.visit(login["authUrl"])
        done = await client.next_notification("account/login/completed")
    assert done["params"]["success"]
