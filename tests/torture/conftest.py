"""Stories that are told twice: shortly among the usual tests, and at length by `nox -s torture`."""

from __future__ import annotations

import os
import random
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import trio

from codex_trio.testing.fixtures import stand_in
from tests.torture.figures import Figures, Results
from tests.torture.harness import Ordeal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["stand_in"]

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "torture.md"

SHORT: Final = 60.0  # seconds that a story may take among the usual tests

LONG: Final = 240.0  # … and in full

TIME: Final = 600.0  # … and all of them together

RESULTS: Final = pytest.StashKey[Results]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-docs", action="store_true", help="write docs/torture.md")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = Results(_seed(), ends=time.monotonic() + TIME)


def _seed() -> int:
    return int(os.environ.get("CODEX_TRIO_SEED") or secrets.randbelow(10**6))


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Results:
    return request.config.stash[RESULTS]


@pytest.fixture(
    params=[
        pytest.param(False, id="smoke"),
        pytest.param(True, id="full", marks=pytest.mark.torture),
    ]
)
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
async def ordeal(
    full: bool, home: Path, results: Results, request: pytest.FixtureRequest
) -> AsyncGenerator[Ordeal]:
    """A story: its home, its chances, its figures, and an end to it in any case."""
    if sys.platform != "linux":
        pytest.skip("looks in /proc what a server costs")
    print(f"seed: {results.seed}")
    story = ", ".join([request.node.originalname.removeprefix("test_"), *_kinds(request)])
    figures = Figures(story.replace("_", " "))
    start = time.monotonic()
    with trio.fail_after(min(LONG, results.time_left()) if full else SHORT):
        yield Ordeal(home, random.Random(f"{results.seed} {story}"), full, figures)
    figures.seconds = time.monotonic() - start
    results.rows.append(figures)


def _kinds(request: pytest.FixtureRequest) -> list[str]:
    """List what a story is told of, where it is told of several things."""
    params = request.node.callspec.params
    return [str(value).partition(":")[0] for name, value in params.items() if name != "full"]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    results = config.stash[RESULTS]
    if not results.rows and not results.fuzzed:
        return
    terminalreporter.section("torture")
    terminalreporter.line(f"seed: {results.seed}")
    for line in results.as_text():
        terminalreporter.line(line)
    if config.getoption("--write-docs", default=False) and exitstatus == pytest.ExitCode.OK:
        results.write(DOCUMENT)
        terminalreporter.line(f"written: {DOCUMENT.name}")
