"""Homes and hosts to be examined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.doctor.case import Case
from codex_trio.testing import StandIn, open_stand_in
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from codex_trio.doctor import Finding
    from codex_trio.settings import Settings

SECRET = "s3cret"


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    async with open_stand_in() as stand_in:
        with trio.fail_after(PATIENCE):
            yield stand_in


async def look(
    check: Callable[[Case], Awaitable[Sequence[Finding]]],
    settings: Settings,
    environ: dict[str, str] | None = None,
) -> list[Finding]:
    """Do one check, and nothing else."""
    case = Case(settings, environ or {})
    try:
        found = await check(case)
    finally:
        await case.aclose()
    assert SECRET not in repr(found)
    return list(found)


def told(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(one.status, one.summary) for one in findings]


def alone(findings: Sequence[Finding]) -> Any:
    (one,) = findings
    return one
