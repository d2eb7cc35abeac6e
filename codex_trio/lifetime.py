"""How long a server that is a process lives: signals, and the process that has started it."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Final

import attrs
import trio

if TYPE_CHECKING:
    from codex_trio.server import Server

STOP_GRACE: Final = 0.25
"""Seconds that requests in flight have for their answers after a signal."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_LOOK: Final = 1.0  # seconds between two looks for the parent, where nobody tells of its end


async def watch_signals(
    server: Server,
    everything: trio.CancelScope,
    drain: float,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """First SIGTERM or SIGINT: shut down in good order. Second: end at once.

    From its end on signals are ignored: it is for processes that end with it.

    Args:
        server: what shuts down.
        everything: what the second signal cancels.
        drain: seconds that turns have to end by themselves; see ``Server.drain``.
        task_status: started when signals are taken.
    """
    outside = _Outside()
    for number in _SIGNALS:
        signal.signal(number, outside)
    try:
        with trio.open_signal_receiver(*_SIGNALS) as signals:
            try:
                async with trio.open_nursery() as nursery:
                    task_status.started()
                    is_second = False  # the server may be shutting down without any
                    async for _ in signals:
                        if is_second:
                            server.hang_up(0)  # or some would still be given their time
                            everything.cancel(reason="second signal")
                        else:
                            is_second = True
                            nursery.start_soon(shut_down, server, drain)
            finally:
                outside.ending = True
    finally:
        for number in _SIGNALS:
            # The interpreter takes what is written in Python away before it ends.
            signal.signal(number, signal.SIG_IGN)


@attrs.define(eq=False)
class _Outside:
    """What a signal does while nobody takes it.

    Until somebody does, it ends the process, as it would without us. Later the process is at
    its end anyway, and its exit code shall say how that went, and not that it was killed while
    the interpreter was tidying up.
    """

    ending: bool = False

    def __call__(self, number: int, _: object) -> None:
        if not self.ending:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


async def shut_down(server: Server, drain: float) -> None:
    """Let turns end, answer what is in flight, and hang up on everybody."""
    await server.drain(drain)
    server.hang_up(STOP_GRACE)


async def wait_parent_gone(parent: int) -> None:
    """Return when the process that has started this one is gone.

    A pipe from it need not end then: a sibling may have inherited its other end. Where the
    system tells of the end of a process (Linux, with pidfds) nothing is asked in between.

    Args:
        parent: the id of that process, as ``os.getppid`` returned it at the start. Of one
            that cannot be seen (0, outside of a container) no end is known.
    """
    if parent == 0:
        await trio.sleep_forever()
    if sys.platform == "linux":
        try:
            handle = os.pidfd_open(parent)
        except ProcessLookupError:
            return
        except (OSError, AttributeError):
            pass  # a kernel or a Python without them, or a sandbox that forbids them
        else:
            try:
                if os.getppid() == parent:  # else it was gone before, and this is another one
                    await trio.lowlevel.wait_readable(handle)
            finally:
                os.close(handle)
            return
    while os.getppid() == parent:  # noqa: ASYNC110 - nobody tells
        await trio.sleep(_LOOK)
