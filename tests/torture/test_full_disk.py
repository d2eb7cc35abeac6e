"""A disk that is full: what cannot be stored is refused, and what was stored stays whole."""

from __future__ import annotations

import errno
import resource
import shutil
import subprocess
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import attrs
import pytest
import trio

from tests.torture.doings import Doer
from tests.torture.harness import check_home

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from codex_trio.testing import StandIn
    from tests.torture.harness import Ordeal, Victim

SIZE = 2**20  # bytes of the little disk

ENTER = ("nsenter", "--preserve-credentials", "--user", "--mount")

MOUNT = 'mount -t tmpfs -o size=%d,mode=700 torture "$0" && echo mounted && exec cat'


class Disk(Protocol):
    """Where the home is."""

    home: Path
    """The home, as we see it."""
    prefix: tuple[str, ...]
    """What is put before the command line of who is to see it so, too."""
    fault: int
    """What is said by the system where there is no room."""

    def fill(self, victim: Victim) -> None:
        """Let there be no room for another byte."""

    def clear(self, victim: Victim) -> None:
        """Let there be room again."""


@attrs.define(eq=False)
class LittleDisk:
    """A file system in memory, in a namespace of its own."""

    home: Path
    prefix: tuple[str, ...]
    fault: int = errno.ENOSPC

    def fill(self, victim: Victim) -> None:
        del victim
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(2**12))
            except OSError as error:
                assert error.errno == self.fault

    def clear(self, victim: Victim) -> None:
        del victim
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self.home / "ballast"


@attrs.define(eq=False)
class Limit:
    """The usual disk, on which the server may not write a file: it fails in the same places."""

    home: Path
    prefix: tuple[str, ...] = ()
    fault: int = errno.EFBIG

    def fill(self, victim: Victim) -> None:
        self._allow(victim, 0)

    def clear(self, victim: Victim) -> None:
        self._allow(victim, resource.RLIM_INFINITY)

    def _allow(self, victim: Victim, size: int) -> None:
        resource.prlimit(
            victim.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)
        )


@contextmanager
def mount_disk(home: Path) -> Generator[LittleDisk]:
    """Have a little disk mounted at a home; skips the test where that is not allowed."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("there is no unshare or nsenter to mount a little disk with")
    keeper = subprocess.Popen(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", MOUNT % SIZE, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with keeper:
        assert keeper.stdout is not None
        if not keeper.stdout.readline():
            pytest.skip("nobody but root may mount a little disk here")
        # It keeps the disk until its standard input ends, which is at the end of the block.
        there = Path(f"/proc/{keeper.pid}/root{home}")
        yield LittleDisk(there, (*ENTER, f"--target={keeper.pid}"))


@asynccontextmanager
async def open_disk(kind: str, home: Path) -> AsyncGenerator[Disk]:
    if kind == "limit":
        yield Limit(home)
    else:
        with mount_disk(home) as disk:
            yield disk


@pytest.mark.parametrize("kind", ["tmpfs", "limit"])
async def test_a_full_disk(ordeal: Ordeal, stand_in: StandIn, kind: str) -> None:
    """It is full again and again; meanwhile, all that needs no disk goes on."""
    async with open_disk(kind, ordeal.home) as disk:
        async with ordeal.open_victim(
            home=disk.home,
            environ={**stand_in.environ, "CODEX_HOME": str(ordeal.home)},
            prefix=disk.prefix,
            config=stand_in.config,
        ) as victim:
            async with victim.open_client() as client:
                doer = Doer(client, ordeal.random)
                assert await doer.sign_in_with_key()
                assert await doer.run_turn() == "completed"
                for number in ordeal.rounds(1, 60):
                    stored = (disk.home / "auth.json").read_bytes()
                    disk.fill(victim)
                    assert not await doer.sign_in_with_key()
                    assert f"os error {disk.fault}" in str(doer.refusals[-1])
                    assert (disk.home / "auth.json").read_bytes() == stored
                    with trio.fail_after(120):
                        await doer.do(ordeal.of(3, 8))
                    disk.clear(victim)
                    assert await doer.sign_in_with_key()
                    assert (disk.home / "auth.json").read_bytes() != stored
                    await doer.write_config()
                    assert await doer.run_turn() == "completed"
                    await doer.put_away()
                    check_home(disk.home)
                    if number == ordeal.of(0, 10):
                        ordeal.note_before(victim)
                await ordeal.settle(victim, client)
                await victim.end()
