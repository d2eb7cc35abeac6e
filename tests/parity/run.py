"""Runs one scenario on one server and writes down what happened."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import trio
from codex_cli_bin import bundled_codex_path  # type: ignore[import-untyped]  # it has no types

from codex_trio.errors import MessageError
from codex_trio.protocol import codec
from tests.processes import INITIALIZE, start, wire_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from codex_trio.testing import Watcher
    from codex_trio.transport.lines import LineWire

Json: TypeAlias = Any
Step: TypeAlias = str | bytes | dict[str, Json]

GENUINE = (str(bundled_codex_path()),)

OPEN: Step = INITIALIZE

SILENCE = 2.0
"""Seconds after which a request is taken to be left unanswered."""


@attrs.frozen(kw_only=True)
class Scenario:
    """What is sent, to a server that is started how.

    Args:
        name: what it is about.
        steps: lines; after each one, everything that it causes is waited for.
        files: what is in the home: text, or None for a directory.
        before: flags before ``app-server``.
        after: flags behind it.
        environ: what the environment has besides.
        starts: false when the server is to fail at its start.
    """

    name: str
    steps: Sequence[Step] = ()
    files: dict[str, str | None] = attrs.field(factory=dict)
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    environ: dict[str, str] = attrs.field(factory=dict)
    starts: bool = True


async def run(
    scenario: Scenario, command: Sequence[str], home: Path, watch: Watcher | None = None
) -> list[Json]:
    """Return a transcript: what was sent and said in turn, then the files that are left."""
    for name, content in scenario.files.items():
        if content is None:
            (home / name).mkdir()
        else:
            (home / name).write_text(content, encoding="utf-8")
    arguments = [*scenario.before, "app-server", *scenario.after]
    environ = {
        "TERM": "dumb",
        "CODEX_APP_SERVER_DISABLE_MANAGED_CONFIG": "1",
        **scenario.environ,
    }
    async with start(
        home, *arguments, command=command, environ=environ, stderr=subprocess.PIPE
    ) as process:
        if not scenario.starts:
            return await _failure(process, home)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, process.stderr)
            transcript = await _converse(scenario.steps, wire_of(process), home, watch)
            nursery.cancel_scope.cancel()
    return [*transcript, *_left_behind(home)]


async def _failure(process: trio.Process, home: Path) -> list[Json]:
    """How a server fails at its start: its exit code and the first line of its complaint."""
    assert process.stderr is not None
    said = b"".join([bytes(chunk) async for chunk in process.stderr]).decode()
    lines = [line for line in said.splitlines() if not line.startswith("WARNING: proceeding")]
    return [{"exit": await process.wait()}, {"said": lines[0].replace(str(home), "<home>")}]


async def _drain(stream: trio.abc.ReceiveStream | None) -> None:
    assert stream is not None
    async for _ in stream:
        pass


async def _converse(
    steps: Sequence[Step], wire: LineWire, home: Path, watch: Watcher | None
) -> list[Json]:
    """Send every step, and a question behind it whose answer shows that all has been said.

    The question is in the lane of the account, so that it is not answered before news of the
    account is out. Before the connection is open it is refused, which serves as well.
    """
    transcript: list[Json] = []
    for number, step in enumerate(steps):
        line = step if isinstance(step, bytes) else _line(step)
        transcript.append({"-->": line.decode(errors="replace")})
        marker = f"marker-{number}"
        question = _line({"id": marker, "method": "getAuthStatus", "params": {}})
        if watch is not None:
            watch("-->", line)
            watch("-->", question)
        await wire.send_batch([line, question])
        missing = _ids(line) | {json.dumps(marker)}
        with trio.CancelScope() as scope:  # noqa: ASYNC912 - the marker is always waited for
            while missing:
                try:
                    answer = await wire.receive()
                except trio.EndOfChannel:
                    return [*transcript, "hung up"]
                if watch is not None:
                    watch("<--", answer)
                message = json.loads(answer)
                if "method" not in message:
                    missing.discard(json.dumps(message["id"]))
                if message.get("id") == marker:
                    # What is not answered now most probably never will be.
                    scope.deadline = trio.current_time() + SILENCE
                else:
                    transcript.append({"<--": normalise(message, home)})
        if missing:
            transcript.append({"unanswered": sorted(missing)})
    return transcript


def _line(step: Step) -> bytes:
    return step.encode() if isinstance(step, str) else json.dumps(step).encode()


def _ids(line: bytes) -> set[str]:
    """The id of a request, whose answer has to be waited for."""
    try:
        message = codec.decode(line)
    except MessageError:
        return set()
    return {json.dumps(message.id)} if isinstance(message, codec.Request) else set()


def normalise(message: Json, home: Path) -> Json:
    """Put names in the place of what differs from run to run."""
    text = json.dumps(message).replace(str(home), "<home>")
    return json.loads(re.sub(r'"emittedAtMs": \d+', '"emittedAtMs": "<time>"', text))


def _left_behind(home: Path) -> Iterator[Json]:
    """What is stored of the account."""
    file = home / "auth.json"
    if file.is_file():
        mode = oct(stat.S_IMODE(file.stat().st_mode))
        yield {"auth.json": file.read_text(encoding="utf-8"), "mode": mode}
    elif file.is_dir():
        yield {"auth.json": "a directory"}
