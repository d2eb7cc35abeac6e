"""Nurseries that the owner of a block need not know of."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def out_of_groups(nurseries: int) -> Generator[None]:
    """Let an exception of a block leave the nurseries around it without their groups.

    The nurseries are ours, so their groups would be a surprise to the block's owner. A group
    of the owner's stays one: exactly as many are taken off as there are nurseries.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        for _ in range(nurseries):
            if not isinstance(error, BaseExceptionGroup) or len(error.exceptions) > 1:
                raise
            (error,) = error.exceptions
        raise error from error.__cause__  # noqa: ASYNC123 - the groups were ours
