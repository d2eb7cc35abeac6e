"""The port of the login callback: which one is free, and who has those that are not."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.errors import CodexTrioError, os_error_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codex_trio.account.attempt import GiveWay

_LOOPBACK: Final = "127.0.0.1"
_ANSWER_PATIENCE: Final = 0.3  # seconds; who signs people in answers at once
_LEAVE_PATIENCE: Final = 2.0  # seconds that who has said so has to free its port
_RETRY: Final = 0.01

# As the tables of Linux write them.
_LISTEN: Final = "0A"
_ANY_IPV6: Final = "0" * 32
_MAPPED_IPV6: Final = "0000000000000000FFFF00000100007F"
_REACHED: Final = {"0100007F", "00000000", _ANY_IPV6, _MAPPED_IPV6}


@attrs.frozen(kw_only=True)
class Holder:
    """A process that listens on a port."""

    pid: int
    name: str


@attrs.frozen(kw_only=True)
class TakenPort:
    """A port that could not be had, and whose it is if that can be known."""

    port: int
    reason: str
    holder: Holder | None = None

    def __str__(self) -> str:
        if self.holder is None:
            return self.reason
        return f"{self.reason} by {self.holder.name} (process {self.holder.pid})"


class PortsTakenError(CodexTrioError):
    """None of the ports of the login callback could be had."""

    def __init__(self, taken: Sequence[TakenPort]) -> None:
        super().__init__(str(taken[-1]))
        self.taken = tuple(taken)


async def open_callback_listener(
    ports: Sequence[int], give_way: GiveWay, *, cancel_other_login: bool, held: set[int]
) -> trio.SocketListener:
    """Listen on the first of some ports on 127.0.0.1 that is free or can be made so.

    Whoever of the same account has one gives way. Another Codex process is asked to, with the
    original's ``GET /cancel``, if ``cancel_other_login`` says so. Whoever else has one keeps
    it, and is not waited for. A cancelled call holds no port.

    Args:
        ports: which to try; 0 is any that is free.
        give_way: ends what listens on a port for the same account.
        cancel_other_login: whether other processes are asked.
        held: the ports of all accounts of this server, which are not asked; ours is added, and
            to be taken out again when it is free.

    Raises:
        PortsTakenError: none of them could be had.
    """
    taken = []
    for port in ports:
        if port in held:
            await give_way(port)
        failure = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        if port not in held:
            try:
                return await _hold(port, held, cancel_other_login=cancel_other_login)
            except OSError as error:
                failure = error
        taken.append(await _describe(port, failure))
    raise PortsTakenError(taken)


async def _hold(port: int, held: set[int], *, cancel_other_login: bool) -> trio.SocketListener:
    """Listen on a port that no account of this server has, and let none try meanwhile."""
    if port:
        held.add(port)
    try:
        listener = await _take(port, cancel_other_login=cancel_other_login)
    except BaseException:
        held.discard(port)
        raise
    held.add(listener.socket.getsockname()[1])
    return listener


async def _take(port: int, *, cancel_other_login: bool) -> trio.SocketListener:
    try:
        return await _listen(port)
    except OSError as error:
        failure = error
    asks = failure.errno == errno.EADDRINUSE and cancel_other_login
    if asks and await _make_free(port):
        return await _listen(port)
    raise failure


async def _listen(port: int) -> trio.SocketListener:
    (listener,) = await trio.open_tcp_listeners(port, host=_LOOPBACK)
    return listener


async def _make_free(port: int) -> bool:
    """Have another process that signs in on a port give up; true when it is free now."""
    if not await _ask_to_cancel(port):
        return False
    with trio.move_on_after(_LEAVE_PATIENCE):
        while not await _is_free(port):  # noqa: ASYNC110 - it says nothing when it leaves
            await trio.sleep(_RETRY)
        return True
    return False


async def _is_free(port: int) -> bool:
    try:
        listener = await _listen(port)
    except OSError:
        return False
    await listener.aclose()
    return True


async def _ask_to_cancel(port: int) -> bool:
    """Ask another Codex process to give up its login; true when it says that it has."""
    answer = await _ask(port, "/cancel")
    return answer.startswith(b"HTTP/1.1 200") and b"Login cancelled" in answer


async def is_login(port: int) -> bool:
    """Say whether it is a Codex process that signs somebody in on a port; nobody is disturbed.

    A redirect with a state that is not theirs is refused, by the original as by us, and changes
    nothing (observed on 0.163.0).
    """
    answer = await _ask(port, "/auth/callback?state=")
    return answer.startswith(b"HTTP/1.1 400") and b"State mismatch" in answer


async def _ask(port: int, target: str) -> bytes:
    """Ask whoever listens on a port; empty when there is no answer at once."""
    request = f"GET {target} HTTP/1.1\r\nHost: {_LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"
    answer = b""
    with trio.move_on_after(_ANSWER_PATIENCE):  # noqa: ASYNC912 - to listen is to wait
        try:
            async with await trio.open_tcp_stream(_LOOPBACK, port) as stream:
                await stream.send_all(request.encode("ascii"))
                while len(answer) < 4096 and (chunk := await stream.receive_some(4096)):
                    answer += chunk
        except (OSError, trio.BrokenResourceError):
            pass
    return answer


async def _describe(port: int, error: OSError) -> TakenPort:
    if error.errno != errno.EADDRINUSE:
        reason = f"Port {_LOOPBACK}:{port} cannot be used: {os_error_text(error)}"
        return TakenPort(port=port, reason=reason)
    return TakenPort(
        port=port,
        reason=f"Port {_LOOPBACK}:{port} is already in use",
        holder=await trio.to_thread.run_sync(find_holder, port),
    )


def find_holder(port: int) -> Holder | None:
    """Find who listens on a port of 127.0.0.1; None when the system does not say. Blocks.

    Linux says it of one's own processes, and of everybody's to root.
    """
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*") if wanted else ():
        if any(link in wanted for link in _links(process / "fd")):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                name = (process / "comm").read_text(encoding="utf-8", errors="replace")
                return Holder(pid=int(process.name), name=name.strip())
    return None


def _links(folder: Path) -> Iterator[str]:
    """Say where the links of a folder lead, of those that are ours to see and still there."""
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder):
            with contextlib.suppress(OSError):
                yield os.readlink(folder / entry)


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                _, local, _, state, *rest = line.split()
                address, _, number = local.partition(":")
                if int(number, 16) == port and state == _LISTEN and address in _REACHED:
                    yield rest[5]
