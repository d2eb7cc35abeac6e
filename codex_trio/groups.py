"""Exceptions that come out of nurseries in groups."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def out_of_groups(nurseries: int) -> Generator[None]:
    """Let an exception of a block leave the nurseries around it without their groups.

    The nurseries are ours, so their groups would be a surprise to the block's owner. A group
    of the owner's stays one: no more are taken off than there are nurseries. (What a task of
    ours has raised may have passed fewer of them than the block.)
    """
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        for _ in range(nurseries):
            if not isinstance(error, BaseExceptionGroup):
                break
            if len(error.exceptions) > 1:
                raise
            (error,) = error.exceptions
        # What it was raised from is the owner's, and raising it here must not change that.
        context, suppressed = error.__context__, error.__suppress_context__
        try:
            raise error  # noqa: ASYNC123 - the groups were ours
        finally:
            error.__context__, error.__suppress_context__ = context, suppressed


def describe_ways(error: BaseException) -> str:
    """Say of what type an exception is and where it came from, or all those of a group.

    Their texts are left out: what nobody has foreseen may quote a secret.
    """
    if isinstance(error, BaseExceptionGroup):
        return "\n".join(describe_ways(one) for one in error.exceptions)
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"
