"""Somebody who asks models, and a host that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
import trio
from trio.testing import MockClock

from codex_trio.responses.sampling import Responses
from codex_trio.upstream import open_upstream
from tests.conftest import PATIENCE
from tests.responses.hosts import HELLO, ModelHost, open_model_host

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.settings import Settings


@pytest.fixture
async def host() -> AsyncGenerator[ModelHost]:
    """A host that says hello until it is told otherwise."""
    async with open_model_host(HELLO) as host:
        yield host


@pytest.fixture
async def responses(settings: Settings) -> AsyncGenerator[Responses]:
    """Somebody who asks in nobody's name, and whose pauses are as long as they are said to be."""
    async with open_upstream(settings) as upstream:
        await upstream._open()  # which takes its time once
        with trio.fail_after(5_000 if _jumps() else PATIENCE):
            yield Responses(settings, upstream, NOBODY, NOBODY, chance=lambda: 0.5)


@pytest.fixture
def patient_clock() -> MockClock:
    """A clock that jumps when nobody does anything, and gives sockets and threads time to."""
    return MockClock(autojump_threshold=0.02)


NOBODY = cast("Any", None)  # no provider of these tests wants an account


def _jumps() -> bool:
    return isinstance(trio.lowlevel.current_clock(), MockClock)
