"""A server that is tortured, and what has to be so of it whatever is done to it.

It is a real process, and what it costs is read where the kernel tells of it. So some waits here
look again and again: there is nothing that would wake us when another process gives something
back.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import tomllib
from collections import Counter
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
import orjson
import trio

from codex_trio.testing import WireClient, open_client
from codex_trio.transport.lines import LineWire
from tests.processes import OURS
from tests.schema import genuine_environment
from tests.torture.figures import Counts, Figures, Vitals
from tests.torture.sockets import open_wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
    from random import Random

    from codex_trio.wire import Wire

KIB: Final = 2**10
MIB: Final = 2**20

BANNER: Final = b"listening on: "

START: Final = 30.0  # seconds in which a server has to say where it listens
END: Final = 15.0  # … and in which it has to be gone after SIGTERM
CALM: Final = 20.0
"""Seconds in which everything has to be given back: Trio keeps idle worker threads for 10."""

_LOOK: Final = 0.02


@attrs.define(eq=False)
class Tally:
    """Watches a connection: counts what is asked there, and that no answer comes twice."""

    counts: Counts
    open: set[str | int] = attrs.field(factory=set, init=False)
    """The ids of what has not been answered yet."""
    answers: dict[str | int, int] = attrs.field(factory=dict, init=False)
    """The code of the error that a request was answered with, by its id; 0 for a result."""

    def __call__(self, arrow: str, data: bytes) -> None:
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError:
            assert arrow == "-->", "the server says what is no JSON"
            return
        if not isinstance(message, dict) or "id" not in message:
            return
        if arrow == "-->" and "method" in message:
            self.ask(message["id"])
        elif arrow == "<--" and "method" not in message:
            self.hear(message["id"], message.get("error", {}).get("code", 0))

    def ask(self, request_id: str | int) -> None:
        """Note that something is asked."""
        self.open.add(request_id)
        self.counts.requests += 1

    def hear(self, request_id: str | int, code: int) -> None:
        """Note an answer, which must be the only one to something that was asked."""
        assert request_id not in self.answers, f"{request_id!r} is answered twice"
        assert request_id in self.open, f"{request_id!r} was never asked"
        self.open.discard(request_id)
        self.answers[request_id] = code
        if code == -32001:
            self.counts.refused += 1
        else:
            self.counts.answered += 1


@attrs.define(eq=False)
class Victim:
    """A server that is running; made by ``Ordeal.open_victim``."""

    process: trio.Process
    home: Path
    counts: Counts
    _host_port: int
    """The port of the stand-in, or 0."""
    url: str = attrs.field(default="", init=False)
    """Where it listens; empty if that is at its standard input."""
    log: bytearray = attrs.field(factory=bytearray, init=False)
    """What it has said on standard error."""
    killed: bool = attrs.field(default=False, init=False)
    """Set by a story that kills it without mercy."""
    _piped: bool = attrs.field(default=False, init=False)
    _said: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def open_wire(self) -> Wire:
        """Connect to it; over its standard input and output if it listens nowhere else."""
        if self.url:
            return await open_wire(self.url)
        assert self.process.stdio is not None
        self._piped = True
        return LineWire(self.process.stdio)

    @asynccontextmanager
    async def open_client(self) -> AsyncGenerator[WireClient]:
        """Be a client that behaves well, and is answered whatever it asks."""
        tally = Tally(self.counts)
        async with open_client(await self.open_wire(), tally) as client:
            await client.initialize("torture", experimental=True)
            yield client
        assert not tally.open, f"{len(tally.open)} requests are not answered"

    def vitals(self) -> Vitals:
        """Look what it costs now."""
        here = Path(f"/proc/{self.process.pid}")
        # All that is resident: also what is shared, but that does not grow.
        pages = int((here / "statm").read_text(encoding="ascii").split()[1])
        return Vitals(
            memory=pages * os.sysconf("SC_PAGE_SIZE"),
            files=sorted(_targets(here, self._host_port)),
            threads=len(list((here / "task").iterdir())),
        )

    async def wait_calm(
        self, before: Vitals, *, growth: int = 4 * MIB, threads: int = 0
    ) -> Vitals:
        """Wait until everything is given back that was not there before.

        Args:
            before: what there was.
            growth: the bytes that it may have more, because a heap has holes.
            threads: how many more there may be, for stories too short to see idle ones end.
        """
        with trio.move_on_after(CALM):  # noqa: ASYNC912 - it may be so already
            while not self.vitals().within(before, growth, threads):  # noqa: ASYNC110 - see above
                await trio.sleep(_LOOK)
        now = self.vitals()
        new = list((Counter(now.files) - Counter(before.files)).elements())
        assert now.within(before, growth, threads), f"{now}, and before {before}; new: {new}"
        return now

    async def wait_said(self, text: bytes, seconds: float = START) -> None:
        """Wait until it has said something on standard error."""
        with trio.fail_after(seconds):  # noqa: ASYNC912 - it may be so already
            while text not in self.log:
                await self._said.wait()

    async def wait_listening(self, url: str) -> None:
        """Wait until it has said where it listens, or until its socket is there."""
        if url.startswith("unix://"):
            self.url, path = url, Path(url.removeprefix("unix://"))
            with trio.fail_after(START):  # noqa: ASYNC912 - it may be so already
                while not path.exists():  # noqa: ASYNC110 - see above
                    await trio.sleep(_LOOK)
            return
        await self.wait_said(BANNER)
        while not (line := bytes(self.log).partition(BANNER)[2]).count(b"\n"):
            await self._said.wait()
        self.url = line.partition(b"\n")[0].strip().decode()

    async def listen_to_log(self) -> None:
        """Take what it says on standard error, until it is gone."""
        assert self.process.stderr is not None
        async for chunk in self.process.stderr:
            self.log += chunk
            self._said.set()
            self._said = trio.Event()

    async def end(self) -> None:
        """Ask it to end, and fail unless it does so in good order."""
        self.process.send_signal(signal.SIGTERM)
        await self.wait_ended()

    async def wait_ended(self) -> None:
        """Wait until it has ended, and fail unless that was in good order."""
        with trio.fail_after(END):
            status = await self.process.wait()
        log = self.log.decode(errors="replace")
        assert status == (-signal.SIGKILL if self.killed else 0), f"exit code {status}\n{log}"
        # Of what nobody has foreseen, the log has the way to it alone.
        assert "Traceback" not in log, log
        assert '  File "' not in log, log
        check_home(self.home, killed=self.killed)


@attrs.define(eq=False)
class Ordeal:
    """One story of the suite, while it is told; a fixture of that name makes it."""

    home: Path
    random: Random
    """Whatever happens at random happens by this; its seed is shown when a story fails."""
    full: bool
    """Whether this is the real thing, or the short version that the usual tests run."""
    figures: Figures

    @property
    def counts(self) -> Counts:
        """What was asked, and what came of it."""
        return self.figures.counts

    def of(self, few: int, many: int) -> int:
        """Say how many: few in the usual tests."""
        return many if self.full else few

    def rounds(self, few: int, many: int) -> Iterator[int]:
        """Count rounds: few in the usual tests; the first is there to make everything happen once."""
        for number in range(self.of(few, many)):
            self.figures.rounds += 1
            yield number

    async def settle(
        self, victim: Victim, witness: WireClient | None = None, *, growth: int = 4 * MIB
    ) -> Vitals:
        """Wait until a server is as it was before, and note that.

        With a witness, its one client by now, there must be nothing under way either.
        """
        if witness is not None:
            await wait_idle(witness)
        assert self.figures.before is not None
        if self.full:
            after = await victim.wait_calm(self.figures.before, growth=growth)
        else:  # too short for idle threads to end, and for everything to be imported before it
            after = await victim.wait_calm(self.figures.before, growth=16 * MIB, threads=40)
        self.figures.after = after
        return after

    def note_before(self, victim: Victim) -> None:
        """Note what a server is before the story begins, but after everything has happened once."""
        self.figures.before = victim.vitals()

    @asynccontextmanager
    async def open_victim(
        self,
        *arguments: str,
        home: Path | None = None,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        config: str = "",
    ) -> AsyncGenerator[Victim]:
        """Run a server within the block; it has to end well, unless the block fails.

        Args:
            arguments: what follows ``app-server``; without any, it serves a pipe.
            home: its home, if not the one of the story.
            environ: what its environment has besides.
            prefix: what is put before its command line.
            config: what its ``config.toml`` says.
        """
        home = home or self.home
        if config:
            (home / "config.toml").write_text(config, encoding="utf-8")
        process = await trio.lowlevel.open_process(
            [*prefix, *OURS, "app-server", *arguments],
            stdin=subprocess.DEVNULL if arguments else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**genuine_environment(home), **(environ or {})},
        )
        host = urlsplit((environ or {}).get("CODEX_REFRESH_TOKEN_URL_OVERRIDE", ""))
        victim = Victim(process, home, self.counts, host.port or 0)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(victim.listen_to_log)
                if arguments:
                    await victim.wait_listening(arguments[-1])
                yield victim
                if process.returncode is None and not victim._piped:
                    await victim.end()
                await victim.wait_ended()  # without its only client it ends by itself
                nursery.cancel_scope.cancel(reason="the story is over")
        except BaseException:
            print(victim.log.decode(errors="replace")[-5000:])
            raise
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                for stream in (process.stdin, process.stdout, process.stderr):
                    if stream is not None:
                        await stream.aclose()


def _targets(process: Path, host_port: int) -> Iterator[str]:
    """Name what the descriptors of a process lead to, but for connections to a host.

    Of these a few are kept for what is asked next, and closed when that shows them to be old.
    """
    sockets = [line.split() for line in (process / "net" / "tcp").read_text().splitlines()[1:]]
    kept = {
        f"socket:[{fields[9]}]"
        for fields in sockets
        if int(fields[2].rpartition(":")[2], 16) == host_port
    }
    for link in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # it has been closed
            target = str(link.readlink())
            if target not in kept:
                yield re.sub(r"\d+", "…", target)


async def wait_idle(witness: WireClient) -> None:
    """Wait until a server is about nothing any more, but for a client who asks for that."""
    with trio.move_on_after(CALM):
        while not is_idle(await witness.call("server/tasks/read")):  # noqa: ASYNC110 - see above
            await trio.sleep(_LOOK)
    tasks = await witness.call("server/tasks/read")
    assert is_idle(tasks), tasks


def is_idle(tasks: Any) -> bool:
    """Say whether there is one connection, and nobody else is about anything."""
    return len(tasks["connections"]) == 1 and not (
        tasks["logins"] or tasks["renewals"] or tasks["turns"]
    )


def check_home(home: Path, *, killed: bool = False) -> None:
    """Fail unless everything that is stored in a home is whole.

    Where somebody was killed, lines that he was writing may be torn, and his drafts left behind.
    """
    auth = home / "auth.json"
    if auth.exists():
        assert isinstance(orjson.loads(auth.read_bytes()), dict)
        assert stat.S_IMODE(auth.stat().st_mode) == 0o600
    config = home / "config.toml"
    if config.exists():
        tomllib.loads(config.read_text(encoding="utf-8"))
    for rollout in rollouts_of(home):
        check_rollout(rollout, killed=killed)
    drafts = [path.name for path in home.rglob("*.tmp")]
    assert killed or not drafts, drafts


def check_rollout(path: Path, *, killed: bool = False) -> None:
    """Fail unless every line of a thread's record is there once, and whole.

    A line that did not find enough room is closed, and written again behind that.
    """
    lines = path.read_bytes().split(b"\n")
    assert killed or not lines[-1], f"{path.name} is torn"
    ordinals, torn = [], b""
    for line in lines[:-1]:
        assert killed or line.startswith(torn), f"{path.name} has lost a line"
        try:
            ordinals.append(orjson.loads(line)["ordinal"])
            torn = b""
        except orjson.JSONDecodeError:
            torn = line
    assert ordinals == list(range(len(ordinals))), path.name


def rollouts_of(home: Path) -> list[Path]:
    """List the records of all threads, also of archived ones."""
    return sorted(home.glob("*sessions/**/*.jsonl"))
