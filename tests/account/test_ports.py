"""The port of the login callback: which one it is, and whose those are that it cannot be."""

from __future__ import annotations

import errno
import os
import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from codex_trio.account.ports import (
    PortsTakenError,
    TakenPort,
    find_holder,
    open_callback_listener,
)
from tests.account.conftest import find_free_port
from tests.account.neighbours import CANCELLED, US, in_use, open_neighbour
from tests.cancellation import cancel_at_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


async def nobody_gives_way(port: int) -> bool:  # noqa: ASYNC124 - a GiveWay
    return False


async def listen(
    *ports: int,
    give_way: Any = nobody_gives_way,
    cancel_other_login: bool = True,
    held: set[int] | None = None,
) -> int:
    """Listen as a login does, for a moment; says on which port."""
    held = set() if held is None else held
    others = held.copy()
    try:
        listener = await open_callback_listener(
            ports, give_way, cancel_other_login=cancel_other_login, held=held
        )
    except BaseException:
        assert held <= others
        raise
    async with listener:
        assert listener.socket.getsockname()[0] == "127.0.0.1"
        assert port_of(listener) in held
        return port_of(listener)


async def taken(*ports: int, **more: Any) -> Sequence[TakenPort]:
    """Find that no port is to be had; returns why not."""
    with trio.fail_after(2), pytest.raises(PortsTakenError) as caught:
        await listen(*ports, **more)
    assert str(caught.value) == str(caught.value.taken[-1])
    return caught.value.taken


def port_of(listener: trio.SocketListener) -> int:
    port: int = listener.socket.getsockname()[1]
    return port


@pytest.fixture
def free_port() -> int:
    return find_free_port()


# --- free ports ---


async def test_the_first_port_that_is_free_is_taken(free_port: int) -> None:
    async with open_neighbour() as neighbour:
        assert await listen(free_port, neighbour.port) == free_port
        assert await listen(neighbour.port, free_port) == free_port
        assert neighbour.asked != []


async def test_any_port_is_one_that_is_free() -> None:
    assert await listen(0) > 0


# --- ports of others ---


@pytest.mark.parametrize(
    ("answer", "closes"),
    [
        (None, True),
        (b"", True),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", False),
        (b"Login cancelled", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nHi", True),
        (b"HTTP/1.1 409 Conflict\r\n\r\nLogin cancelled, it was not", True),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000 + b"Login cancelled", True),
    ],
)
async def test_who_does_not_sign_in_keeps_the_port(answer: bytes | None, closes: bool) -> None:
    async with open_neighbour(answer, closes=closes) as one:
        async with open_neighbour(answer, closes=closes) as two:
            assert await taken(one.port, two.port) == (in_use(one.port), in_use(two.port))
            assert one.asked == [
                b"GET /cancel HTTP/1.1\r\n"
                b"Host: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % one.port
            ]


async def test_who_does_not_even_take_calls_is_not_waited_for() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        callers = [socket.socket() for _ in range(3)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", port))
        assert await taken(port) == (in_use(port),)
        for caller in callers:
            caller.close()


@pytest.mark.parametrize("listens", [True, False])
async def test_who_hangs_up_at_once_keeps_the_port(listens: bool) -> None:
    """Or takes no calls at all, and is then not found: it is not said who does not listen."""
    with socket.socket() as rude:
        rude.bind(("127.0.0.1", 0))
        port = rude.getsockname()[1]
        if not listens:
            assert await taken(port) == (in_use(port, None),)
            return
        rude.listen()
        rude.settimeout(5)

        def hang_up() -> None:
            rude.accept()[0].close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, hang_up)
            assert await taken(port) == (in_use(port),)


async def test_nobody_is_asked_to_leave_unless_that_is_allowed() -> None:
    async with open_neighbour(CANCELLED, leaves_after=0) as neighbour:
        assert await taken(neighbour.port, cancel_other_login=False) == (
            in_use(neighbour.port),
        )
        assert neighbour.asked == []


@pytest.mark.parametrize("leaves_after", [0, 0.1])
@pytest.mark.parametrize("more", [b"", b" " * 10_000])
async def test_who_gives_up_a_login_leaves_the_port(leaves_after: float, more: bytes) -> None:
    async with open_neighbour(CANCELLED + more, leaves_after=leaves_after) as neighbour:
        assert await listen(neighbour.port) == neighbour.port
        assert len(neighbour.asked) == 1


async def test_who_only_says_so_is_not_waited_for_for_ever(
    free_port: int, quick_clock: MockClock
) -> None:
    async with open_neighbour(CANCELLED) as neighbour:
        assert await listen(neighbour.port, free_port) == free_port
        assert trio.current_time() == pytest.approx(2, abs=0.2)


@pytest.fixture
def quick_clock() -> MockClock:
    """A clock that jumps as soon as no byte is under way."""
    return MockClock(autojump_threshold=0.002)


# --- ports of the same server ---


async def test_the_former_login_gives_way_without_being_asked_over_http(
    free_port: int,
) -> None:
    held = {free_port}
    async with open_neighbour(CANCELLED) as neighbour:

        async def give_way(port: int) -> bool:  # noqa: ASYNC124 - a GiveWay
            held.remove(port)
            return True

        assert (
            await listen(free_port, neighbour.port, give_way=give_way, held=held) == free_port
        )
        assert neighbour.asked == []


async def test_another_account_keeps_its_port_and_is_not_asked(free_port: int) -> None:
    async with open_neighbour(CANCELLED) as other:
        held = {other.port}
        assert await listen(other.port, free_port, held=held) == free_port
        assert await taken(other.port, held={other.port}) == (in_use(other.port),)
        assert other.asked == []


async def test_a_port_that_another_account_is_trying_to_have_is_left_to_it(
    free_port: int,
) -> None:
    held: set[int] = set()
    async with open_neighbour() as silent, trio.open_nursery() as nursery:
        nursery.start_soon(partial(listen, silent.port, free_port, held=held))
        await wait_all_tasks_blocked()
        assert held == {silent.port}
        assert await listen(silent.port, 0, held=held) != free_port
    assert len(silent.asked) == 1


async def test_a_port_may_be_none_for_us(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As below 1024, or when there are too many open files; root may do what others may not."""

    async def refuse(*args: object, **more: object) -> None:  # noqa: ASYNC124 - a stand-in
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(trio, "open_tcp_listeners", refuse)
    (failure,) = await taken(free_port)
    assert failure == TakenPort(
        port=free_port,
        reason=f"Port 127.0.0.1:{free_port} cannot be used: Permission denied (os error 13)",
    )
    assert str(failure) == failure.reason


# --- whose they are ---


def test_the_holder_of_a_port_is_found_by_its_process(free_port: int) -> None:
    assert find_holder(free_port) is None
    for address in ("127.0.0.1", "0.0.0.0"):
        with socket.socket() as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((address, free_port))
            assert find_holder(free_port) is None  # it does not listen yet
            holder.listen()
            assert find_holder(free_port) == US
    assert find_holder(free_port) is None
    assert str(in_use(1455)).startswith("Port 127.0.0.1:1455 is already in use by ")
    assert str(in_use(1455)).endswith(f" (process {os.getpid()})")


def test_a_socket_on_its_way_to_another_process_is_nobodys(free_port: int) -> None:
    sender, receiver = socket.socketpair()
    with sender, receiver:
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", free_port))
            holder.listen()
            socket.send_fds(sender, [b"here"], [holder.fileno()])
        assert find_holder(free_port) is None
        assert str(in_use(free_port, None)) == f"Port 127.0.0.1:{free_port} is already in use"


def test_a_process_that_may_not_be_looked_into_is_passed_over(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(look: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def look_elsewhere(path: Any) -> Any:
            if os.fspath(path).startswith(f"/proc/{os.getpid()}/"):
                raise PermissionError(errno.EACCES, "Permission denied")
            return look(path)

        return look_elsewhere

    monkeypatch.setattr(os, "listdir", refusing(os.listdir))
    monkeypatch.setattr(os, "scandir", refusing(os.scandir))
    with socket.create_server(("127.0.0.1", free_port)):
        assert find_holder(free_port) is None


@pytest.mark.parametrize("unknown", ["net/tcp", "comm"])
def test_not_every_system_says_whose_a_port_is(
    free_port: int, unknown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others than Linux have no table of sockets; and a process may end while we look."""
    read_text: Callable[..., str] = Path.read_text

    def refuse(path: Path, **more: Any) -> str:
        if unknown in str(path):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return read_text(path, **more)

    monkeypatch.setattr(Path, "read_text", refuse)
    with socket.create_server(("127.0.0.1", free_port)):
        assert find_holder(free_port) is None


def test_who_listens_on_both_kinds_of_addresses_is_found() -> None:
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as holder:
        port = holder.getsockname()[1]
        with socket.socket() as ours, pytest.raises(OSError, match="in use"):
            ours.bind(("127.0.0.1", port))
        assert find_holder(port) == US


def test_descriptors_may_come_and_go_while_we_look(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    readlink: Callable[..., str] = os.readlink
    seen = 0

    def read_first_too_late(path: Any, **more: Any) -> str:
        nonlocal seen
        if os.fspath(path).startswith(f"/proc/{os.getpid()}/"):
            seen += 1
            if seen == 1:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return str(readlink(path, **more))

    monkeypatch.setattr(os, "readlink", read_first_too_late)
    with socket.create_server(("127.0.0.1", free_port)):
        assert find_holder(free_port) == US


# --- cancellation ---


@pytest.mark.parametrize("ports", ["free", "gives way", "keeps it"])
async def test_cancelled_at_any_step_nothing_is_held(ports: str, free_port: int) -> None:
    step, reached = 0, True
    while reached:
        step += 1
        if ports == "free":
            reached = await cancel_at_step(partial(listen, free_port), step)
            assert await listen(free_port, cancel_other_login=False) == free_port
        else:
            leaves_after = 0 if ports == "gives way" else None
            answer = CANCELLED if ports == "gives way" else b""
            async with open_neighbour(answer, leaves_after=leaves_after) as neighbour:
                work = partial(listen, neighbour.port, free_port)
                reached = await cancel_at_step(work, step)
            for port in (free_port, neighbour.port):
                assert await listen(port, cancel_other_login=False) == port
    assert step > 2
