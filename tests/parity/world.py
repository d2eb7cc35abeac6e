"""What a script can do besides sending lines: be the user, the network, other programs."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

import attrs
import trio

from tests.parity import browsing
from tests.parity.steps import Act
from tests.processes import INITIALIZE, start, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codex_trio.testing import StandIn
    from codex_trio.transport.lines import LineWire
    from tests.parity.stored import Content

Json: TypeAlias = Any

BEGIN: Final = b'{"id":2,"method":"account/login/start","params":{"type":"chatgpt"}}'
POLL: Final = "/api/accounts/deviceauth/token"


@attrs.define(eq=False, kw_only=True)
class World:
    """What is around a server that is being tried.

    Args:
        command: how it was started, so that another can be.
        home: where it keeps what it keeps.
        process: the server itself.
        stand_in: what it takes for OpenAI.
        nursery: for what has to run until the script is at its end.
        environ: what its environment has besides.
        logins: what it has answered to ``account/login/start``, in that order.
        questions: what it has asked its client, in that order.
        results: what requests have come to, in that order.
        neighbour: the wire of another server, if there is one.
        browsed: what ``browse_meanwhile`` has come to, when ``has_browsed``.
    """

    command: tuple[str, ...]
    home: Path
    process: trio.Process
    stand_in: StandIn
    nursery: trio.Nursery
    environ: dict[str, str]
    logins: list[Json] = attrs.field(factory=list, init=False)
    questions: list[Json] = attrs.field(factory=list, init=False)
    results: list[Json] = attrs.field(factory=list, init=False)
    neighbour: LineWire | None = attrs.field(default=None, init=False)
    browsed: Json = attrs.field(default=None, init=False)
    has_browsed: trio.Event = attrs.field(factory=trio.Event, init=False)

    @property
    def auth(self) -> dict[str, str]:
        """The parameters of the last URL at which a browser was to begin."""
        urls = [login["authUrl"] for login in self.logins if "authUrl" in login]
        return {name: values[-1] for name, values in parse_qs(urlsplit(urls[-1]).query).items()}

    @property
    def callback(self) -> str:
        """Where the last callback listens: host and port."""
        return urlsplit(self.auth["redirect_uri"]).netloc


def _at_once(name: str, do: Callable[[World], Json]) -> Act:
    async def act(world: World) -> Json:  # noqa: ASYNC124 - others of its kind wait
        return do(world)

    return Act(name, act)


# --- the user ---


def browse(hops: int = 5) -> Act:
    """Open the last URL that the server gave, as its user does; and follow where it leads."""

    async def do(world: World) -> Json:
        return await browsing.browse(world.logins[-1]["authUrl"], hops)

    return Act("the user signs in", do)


def browse_meanwhile() -> Act:
    """Let the user begin, and do not wait until it is done."""

    async def run(world: World, url: str) -> None:
        world.browsed = await browsing.browse(url, 5)
        world.has_browsed.set()

    def do(world: World) -> Json:
        world.nursery.start_soon(run, world, world.logins[-1]["authUrl"])

    return _at_once("the user begins", do)


def browsed() -> Act:
    """Wait until the user is done."""

    async def do(world: World) -> Json:
        with trio.move_on_after(3):
            await world.has_browsed.wait()
            return world.browsed
        return "still waiting"

    return Act("the user is done", do)


def get(target: str, method: str = "GET", **headers: str) -> Act:
    """Ask for a path of the callback; ``{state}`` is the right one."""

    async def do(world: World) -> Json:
        path = target.replace("{state}", world.auth["state"])
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await browsing.fetch(world.callback, path, method, named)

    return Act(f"{method} {target} {headers or ''}".strip(), do)


def approve() -> Act:
    """Type the code of the last device."""

    def do(world: World) -> Json:
        world.stand_in.approve_device(world.logins[-1]["userCode"])

    return _at_once("the user types the code", do)


def polled() -> Act:
    """Wait until the server has asked whether the last code has been typed."""

    async def do(world: World) -> Json:
        code, number = world.logins[-1]["userCode"], 0
        while True:
            number += 1
            request = await world.stand_in.wait_request(POLL, number)
            if request.fields.get("user_code") == code:
                return

    return Act("the server has asked about the code", do)


# --- other programs ---


def occupy(port: int, answer: bytes = b"") -> Act:
    """Listen on a port of the callback until the end, and give everybody the same answer."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            if answer:
                await stream.receive_some()
                await stream.send_all(answer)
            else:
                await trio.sleep_forever()

    async def do(world: World) -> Json:
        (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
        world.nursery.start_soon(trio.serve_listeners, serve, [listener])

    return Act(f"somebody else listens on {port}, and says {answer.decode()!r}", do)


def another(command: tuple[str, ...] | None = None) -> Act:
    """Let another server begin to sign in, of the same kind or of one that is given."""

    async def do(world: World) -> Json:
        world.neighbour = await world.nursery.start(_keep_neighbour, world, command)
        await world.neighbour.send_batch([INITIALIZE, BEGIN])
        return await _hear_neighbour(world, 2)

    return Act(f"another server ({'of its kind' if command is None else 'given'}) begins", do)


def neighbour_hears() -> Act:
    """Wait for the outcome of the other server's login."""

    async def do(world: World) -> Json:
        return await _hear_neighbour(world, "account/login/completed")

    return Act("the other server tells", do)


async def _keep_neighbour(
    world: World,
    command: tuple[str, ...] | None,
    *,
    task_status: trio.TaskStatus[LineWire],
) -> None:
    home = world.home.with_name("neighbour")
    home.mkdir()
    (home / "config.toml").write_text(world.stand_in.config, encoding="utf-8")
    environ = {**world.environ, **world.stand_in.environ}
    async with start(
        home, command=command or world.command, environ=environ, stderr=subprocess.DEVNULL
    ) as process:
        task_status.started(wire_of(process))
        await process.wait()


async def _hear_neighbour(world: World, wanted: Json) -> Json:
    assert world.neighbour is not None
    while True:
        message = json.loads(await world.neighbour.receive())
        if wanted in (message.get("method"), message.get("id")):
            return message


# --- the network ---


def tell(name: str, what: Callable[[StandIn], object]) -> Act:
    """Give the stand-in another script."""

    def do(world: World) -> Json:
        what(world.stand_in)

    return _at_once(name, do)


def pause(seconds: float) -> Act:
    """Let time pass that nothing tells the end of."""

    async def do(_: World) -> Json:
        await trio.sleep(seconds)

    return Act(f"{seconds:g} seconds later", do)


def asked(path: str, number: int = 1) -> Act:
    """Wait until the server has asked for something."""

    async def do(world: World) -> Json:
        await world.stand_in.wait_request(path, number)

    return Act(f"{path} is asked for", do)


# --- the home ---


def store(name: str, content: Content) -> Act:
    """Let another program store something else, or remove what is stored."""

    def do(world: World) -> Json:
        file = world.home / "auth.json"
        if content is None:
            file.unlink()
        else:
            text = content if isinstance(content, str) else content(world.stand_in)
            file.write_text(text, encoding="utf-8")

    return _at_once(f"another program stores {name}", do)


def stored() -> Act:
    """Look at what is stored of the account at this moment."""

    def do(world: World) -> Json:
        return (world.home / "auth.json").read_text(encoding="utf-8")

    return _at_once("auth.json", do)
