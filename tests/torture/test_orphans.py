"""Parents that are killed with a signal that nobody can catch: their servers end, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from codex_trio.testing import Hold
from tests.processes import OURS
from tests.schema import genuine_environment
from tests.torture.harness import check_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_trio.testing import StandIn
    from tests.torture.harness import Ordeal

STAGES = ("starting", "idle", "signing in", "in a turn", "with a sibling")

AT_ONCE = 4  # parents that are there at the same time

GONE = 15.0  # seconds in which a server has to notice, and to end in good order

PARENT = Path(__file__).with_name("parent.py")


def members_of(session: int) -> Iterator[int]:
    """List the processes of a session: those that a parent has left, and theirs."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                fields = (
                    (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                )
                if int(fields[3]) == session and fields[0] != "Z":
                    yield int(folder.name)


async def kill_a_parent(ordeal: Ordeal, stand_in: StandIn, home: Path, stage: str) -> None:
    """Start a parent and its server, kill the one, and fail unless the other ends."""
    log = home / "log"
    with log.open("wb") as stderr:
        parent = await trio.lowlevel.open_process(
            [sys.executable, "-I", "-S", str(PARENT), stage, *OURS, "app-server"],
            env={**genuine_environment(home), **stand_in.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    sibling = 0
    try:
        assert parent.stdout is not None
        async with parent.stdout:
            line = await parent.stdout.receive_some()
        assert line, log.read_text(encoding="utf-8")
        sibling = int(line)
        await trio.sleep(ordeal.random.uniform(0, 0.4 if stage == "starting" else 0.1))
        parent.kill()
        await parent.wait()
        with trio.move_on_after(GONE):  # noqa: ASYNC912 - they may be gone already
            while list(members_of(parent.pid)):  # noqa: ASYNC110 - nothing tells us of their ends
                await trio.sleep(0.02)
        assert not list(members_of(parent.pid)), f"{stage}: an orphan is left"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
        if sibling:
            os.kill(sibling, signal.SIGKILL)
    assert "Traceback" not in log.read_text(encoding="utf-8")
    check_home(home)


async def test_parents_that_are_killed(ordeal: Ordeal, stand_in: StandIn) -> None:
    """While the server starts, waits, signs somebody in, or has a turn.

    Its pipe ends with its parent, unless somebody else has that, too.
    """
    stand_in.respond = lambda _: Hold("for ever")
    stages = iter([STAGES[number % len(STAGES)] for number in ordeal.rounds(5, 200)])

    async def one_after_the_other(place: int) -> None:
        for number, stage in enumerate(stages):
            home = ordeal.home / f"{place}-{number}"
            home.mkdir()
            (home / "config.toml").write_text(stand_in.config, encoding="utf-8")
            await kill_a_parent(ordeal, stand_in, home, stage)

    async with trio.open_nursery() as nursery:
        for place in range(AT_ONCE):
            nursery.start_soon(one_after_the_other, place)
