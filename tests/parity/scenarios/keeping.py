"""What scripts are made of in which conversations are kept, and other servers come to them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any, Final

import attrs

from tests.parity.conversation import Conversation, HungUpError
from tests.parity.names import Names
from tests.parity.run import GENUINE
from tests.parity.scenarios.asking import ask
from tests.parity.scenarios.conversing import converses
from tests.parity.scenarios.standing import OPEN_ABLE
from tests.parity.steps import Act, HangUp, Hear, Send, Step
from tests.parity.world import World
from tests.processes import OURS, start, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

    from tests.parity.run import Scenario

STARTED: Final = Hear("thread/started")
STATUS: Final = Hear("thread/status/changed")

NOBODY: Final = "00000000-0000-7000-8000-000000000000"
"""The id of no conversation."""

IDS: Final = (NOBODY, "zzz", "")
"""Ids that no conversation can be found by."""

MODEL: Final = "/v1/responses"


def keeps(name: str, *steps: Step, **more: Any) -> Scenario:
    """A script about conversations; see ``converses``."""
    return attrs.evolve(converses(name, *steps, **more), name=f"thread: {name}")


def nth(number: int) -> Callable[[World], str]:
    """The id of one of the conversations that there have been, the first is 0."""

    def of(world: World) -> str:
        ids = dict.fromkeys(one["thread"]["id"] for one in world.results if "thread" in one)
        return str(list(ids)[number])

    return of


def nth_turn(number: int) -> Callable[[World], str]:
    """The id of one of the turns that were begun."""
    return lambda world: str(
        [one["turn"]["id"] for one in world.results if "turn" in one][number]
    )


def last(*names: str) -> Callable[[World], Any]:
    """What the last answer that has it says under these names."""

    def of(world: World) -> Any:
        found: Any = next(one for one in reversed(world.results) if names[0] in one)
        for name in names:
            found = found[name]
        return found

    return of


def made(world: World, value: Any) -> Any:
    """A value in which all that can be called has been, with the world."""
    if callable(value):
        return made(world, value(world))
    if isinstance(value, dict):
        return {name: made(world, one) for name, one in value.items()}
    return [made(world, one) for one in value] if isinstance(value, list) else value


def request(method: str, params: Any = ..., *, message_id: int = 3) -> Send:
    """Ask something, and see what it causes; what can be called is given the world."""
    if params is ...:
        return Send(lambda _: ask(method, message_id=message_id))
    return Send(lambda world: ask(method, made(world, params), message_id))


def of(number: int, method: str, **params: Any) -> Send:
    """Ask something of one of the conversations."""
    return request(method, {"threadId": nth(number), **params})


def project(world: World) -> str:
    """The folder in which work is done."""
    return str(world.home / "project")


def start_thread(*, heard: bool = True, **params: Any) -> tuple[Step, ...]:
    """Begin a conversation in the folder of the home."""
    asked = request("thread/start", {"cwd": project, **params})
    return (asked, STARTED) if heard else (asked,)


# --- files ---


def write(name: str, content: str | bytes, modified: float | None = None) -> Act:
    """Write a file into the home; its folders are made."""

    async def do(world: World) -> None:  # noqa: ASYNC124 - an Act awaits it
        file = world.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        file.write_bytes(data.replace(b"<home>", str(world.home).encode()))
        if modified is not None:
            os.utime(file, (modified, modified))

    return Act(f"somebody writes {name}", do)


def read(name: str) -> Act:
    """Look at a file of the home; None if there is none."""

    async def do(world: World) -> str | None:  # noqa: ASYNC124 - an Act awaits it
        file = world.home / name
        return file.read_text(encoding="utf-8") if file.is_file() else None

    return Act(name, do)


def files(folder: str) -> Act:
    """Look which files there are below a folder of the home."""

    async def do(world: World) -> list[str]:  # noqa: ASYNC124 - an Act awaits it
        found = (world.home / folder).rglob("*")
        return sorted(f"/{one.relative_to(world.home)}" for one in found if one.is_file())

    return Act(f"files in {folder}", do)


# --- other servers ---


@attrs.define(eq=False)
class Unnamed(Names):
    """Leaves everything as it is, since whoever compares it names it."""

    def apply(self, value: Any) -> Any:
        return value


def beside(*steps: Step, other: bool = False, kill: bool = False, stay: bool = False) -> Act:
    """Let a second server with the same home do something, and end.

    What it says is not compared, but that it answers is.

    Args:
        steps: what happens there; what it answers can be referred to later.
        other: it is the genuine one beside ours, and ours beside the genuine one; what it asks
            the stand-in is not compared then.
        kill: it is killed in the end, with whatever it is at.
        stay: it stays until the end of the script.
    """

    async def do(world: World) -> Any:
        asked = len(world.stand_in.requests)
        command = world.command
        if other:
            command = OURS if command == GENUINE else GENUINE
        process: trio.Process = await world.nursery.start(_keep, world, command)
        there = World(
            command=command,
            home=world.home,
            process=process,
            stand_in=world.stand_in,
            nursery=world.nursery,
            environ=world.environ,
        )
        there.results = world.results
        talk = Conversation(
            world=there,
            wire=wire_of(process),
            names=Unnamed({}),
            watch=None,
        )
        for step in (OPEN_ABLE, *steps):
            await talk.take(step)
        if kill:
            process.kill()
            await process.wait()
        elif not stay:
            try:
                await talk.take(HangUp())
            except HungUpError:
                await process.wait()
        if other:
            del world.stand_in.requests[asked:]
        return [one for one in talk.transcript if "unheard" in one or "unanswered" in one]

    what = "the other kind" if other else "the same kind"
    return Act(f"a server of {what}{', which is killed' if kill else ''}", do)


async def _keep(world: World, command: tuple[str, ...], *, task_status: Any) -> None:
    async with start(
        world.home, command=command, environ=world.environ, stderr=subprocess.DEVNULL
    ) as process:
        task_status.started(process)
        await process.wait()
