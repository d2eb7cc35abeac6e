"""Credentials in a place of the embedder's that is reached by functions which block."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import attrs

from codex_trio.account.credentials import Credentials
from codex_trio.account.lock import StoreLocks
from codex_trio.account.worker import PATIENCE, Worker
from codex_trio.errors import StoreError, os_error_text
from codex_trio.groups import describe_ways

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

T = TypeVar("T")


@attrs.define(eq=False)
class CallableStore:
    """A store made of three plain functions, which are given and return an auth.json.

    They are called in worker threads, one at a time and under a deadline, as ``Worker`` says;
    beside a call that was late and still goes on, only ``load`` is called. What has been saved
    or deleted is looked at with ``load`` before it is called so.

    A ``StoreError`` that they raise is passed on, an ``OSError`` is told by its number, and of
    all else the type, since the text might quote a secret.

    Args:
        load: returns what was saved, byte by byte, or None.
        save: replaces it, as a whole or not at all.
        delete: removes it; that there is nothing is no error.
        kind: what clients are told of the store.
        patience: seconds that a call may take.
    """

    _load: Callable[[], bytes | None]
    _save: Callable[[bytes], object]
    _delete: Callable[[], object]
    kind: str = "own"
    _patience: float = PATIENCE
    locks: StoreLocks = attrs.field(factory=StoreLocks, init=False)
    _worker: Worker = attrs.field(init=False)

    @_worker.default
    def _make_worker(self) -> Worker:
        return Worker("the store", self._patience)

    async def load(self) -> Credentials | None:
        """Read what is stored. See ``Store.load``."""
        content = await self._worker.ask(partial(_call, self._load))
        return None if content is None else Credentials.decode(content)

    async def save(self, credentials: Credentials) -> None:
        """Replace what is stored. See ``Store.save``."""
        await self._worker.change(partial(_call, partial(self._write, credentials.encode())))

    async def delete(self) -> None:
        """Remove what is stored. See ``Store.delete``."""
        await self._worker.change(partial(_call, self._remove))

    def stamp(self) -> object:
        """Say that it cannot be known."""
        return None

    def _write(self, content: bytes) -> None:
        self._save(content)
        if self._load() != content:
            raise StoreError("what has been stored does not read back")

    def _remove(self) -> None:
        self._delete()
        if self._load() is not None:
            raise StoreError("what has been removed is still there")


def _call(step: Callable[[], T]) -> T:
    try:
        return step()
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(os_error_text(error)) from None
    except Exception as error:
        log.error("a store of the embedder's failed: %s", describe_ways(error))  # noqa: TRY400 - not its text
        raise StoreError(type(error).__name__) from None
