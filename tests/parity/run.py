"""Runs one scenario on one server and writes down what happened."""

from __future__ import annotations

import re
import stat
import subprocess
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

import attrs
import trio
from codex_cli_bin import bundled_codex_path  # type: ignore[import-untyped]  # it has no types

from codex_trio.testing import StandIn, open_stand_in
from tests.parity.asked import question
from tests.parity.conversation import Conversation, HungUpError
from tests.parity.names import Names
from tests.parity.world import POLL, World
from tests.processes import INITIALIZE, start, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from codex_trio.testing import Recorded, Watcher
    from tests.parity.steps import Step

Json: TypeAlias = Any

GENUINE = (str(bundled_codex_path()),)

OPEN: Step = INITIALIZE

COMPARED = re.compile(
    r"/oauth/(token|revoke)|/api/accounts/.*"
    r"|/backend-api/wham/(usage|rate-limit-reset-credits)"
)
"""What a server asks for an account. The genuine one also asks, now and then, for more."""

DETAILS = "/backend-api/wham/rate-limit-reset-credits"
"""What is asked beside the limits: neither its place nor its number says anything."""

SIGNED = ("authorization", "chatgpt-account-id", "x-openai-internal-codex-residency")
"""The headers of a question that say for whom it is."""


@attrs.frozen(kw_only=True)
class Scenario:
    """What is sent, to a server that is started how.

    Args:
        name: what it is about.
        steps: lines, after each of which everything that it causes is waited for; and what a
            script can do besides, see ``world``.
        files: what is in the home: text, or None for a directory.
        before: flags before ``app-server``.
        after: flags behind it.
        environ: what the environment has besides.
        starts: false when the server is to fail at its start.
        stored: what is stored of an account, with tokens that the stand-in has issued.
        network: tells the stand-in what to do; None for a server that is not led to it.
        alone: whether it needs a port of the callback, of which this machine has one.
    """

    name: str
    steps: Sequence[Step] = ()
    files: dict[str, str | None] = attrs.field(factory=dict)
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    environ: dict[str, str] = attrs.field(factory=dict)
    starts: bool = True
    stored: Callable[[StandIn], str] | None = None
    network: Callable[[StandIn], object] | None = None
    alone: bool = False


async def run(
    scenario: Scenario, command: tuple[str, ...], home: Path, watch: Watcher | None = None
) -> list[Json]:
    """Return a transcript: what was sent and said in turn, and what is left of it."""
    async with open_stand_in() as stand_in:
        if scenario.network is None:
            return await _run(scenario, command, home, stand_in, watch)
        scenario.network(stand_in)
        files = dict(scenario.files)
        files["config.toml"] = stand_in.config + (files.get("config.toml") or "")
        if scenario.stored is not None:
            files["auth.json"] = scenario.stored(stand_in)
        led = attrs.evolve(
            scenario,
            files=files,
            environ={**stand_in.environ, **scenario.environ},
        )
        return await _run(led, command, home, stand_in, watch)


async def _run(
    scenario: Scenario,
    command: tuple[str, ...],
    home: Path,
    stand_in: StandIn,
    watch: Watcher | None,
) -> list[Json]:
    for name, content in scenario.files.items():
        if content is None:
            (home / name).mkdir()
        else:
            (home / name).write_text(content, encoding="utf-8")
            (home / name).chmod(0o600)
    arguments = [*scenario.before, "app-server", *scenario.after]
    environ = {
        "TERM": "dumb",
        "CODEX_APP_SERVER_DISABLE_MANAGED_CONFIG": "1",
        **scenario.environ,
    }
    url = stand_in.url
    names = Names(
        {str(home): "<home>", url: "<stand-in>", quote(url, safe=""): "<stand-in, quoted>"}
    )
    async with start(
        home, *arguments, command=command, environ=environ, stderr=subprocess.PIPE
    ) as process:
        if not scenario.starts:
            return await _failure(process, home)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, process.stderr)
            world = World(
                command=command,
                home=home,
                process=process,
                stand_in=stand_in,
                nursery=nursery,
                environ=environ,
            )
            transcript = await _converse(scenario.steps, world, names, watch)
            nursery.cancel_scope.cancel()
    return [
        *transcript,
        *map(names.apply, _questions(stand_in.requests)),
        *map(names.apply, _left_behind(home)),
    ]


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
    steps: Sequence[Step], world: World, names: Names, watch: Watcher | None
) -> list[Json]:
    conversation = Conversation(
        world=world, wire=wire_of(world.process), names=names, watch=watch
    )
    try:
        for step in steps:
            await conversation.take(step)
    except HungUpError:
        return [*conversation.transcript, "hung up"]
    return conversation.transcript


def _questions(requests: list[Recorded]) -> Iterator[Json]:
    """What the stand-in was asked; how often about a code is a matter of time."""
    repeated = []
    for request in sorted(requests, key=lambda one: one.path == DETAILS):
        if request.path.endswith("/responses"):
            yield question(request)
        if not COMPARED.fullmatch(request.path):
            continue
        said = {
            "asked": f"{request.method} {request.path}",
            "content-type": request.headers.get("content-type"),
            "originator": request.headers.get("originator"),
            "names itself": "user-agent" in request.headers,
            "fields": [list(field) for field in request.fields.items()],
            **{name: request.headers[name] for name in SIGNED if name in request.headers},
        }
        if request.path in (POLL, DETAILS):
            if said in repeated:
                continue
            repeated.append(said)
        yield said


def _left_behind(home: Path) -> Iterator[Json]:
    """What is stored of the account."""
    file = home / "auth.json"
    if file.is_file():
        mode = oct(stat.S_IMODE(file.stat().st_mode))
        yield {"auth.json": file.read_text(encoding="utf-8"), "mode": mode}
    elif file.is_dir():
        yield {"auth.json": "a directory"}
