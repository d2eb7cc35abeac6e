"""Cancelling a request just before one of the steps that it takes, as its client could."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Generator

    from codex_trio.testing import WireClient

CANCELLED = "-32800 Request cancelled"


@attrs.define(eq=False)
class _CancelRequest(trio.abc.Instrument):
    _method: str
    _left: int
    reached: bool = False

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.reached or task.name != self._method:
            return
        self._left -= 1
        if self._left == 0:
            self.reached = True
            frame = task.coro.cr_frame
            assert frame is not None
            frame.f_locals["call"].cancel()


@contextmanager
def cancelled_at(method: str, step: int) -> Generator[_CancelRequest]:
    """Cancel the next request of a method before its n-th step."""
    instrument = _CancelRequest(method, step)
    trio.lowlevel.add_instrument(instrument)
    try:
        yield instrument
    finally:
        trio.lowlevel.remove_instrument(instrument)


async def answer_of(client: WireClient, method: str, params: Any) -> Any:
    """Ask, and return the result, or the error in short."""
    from codex_trio.errors import RpcError

    try:
        return await client.call(method, params)
    except RpcError as error:
        return f"{error.code} {error.message}"
