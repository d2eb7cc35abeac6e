"""A server that signs in at a stand-in, its clients, and a look at what is left of a login."""

from __future__ import annotations

import math
import random
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
import trio
from trio.testing import MockClock

from codex_trio import testing
from codex_trio.account.routing import Routing
from codex_trio.account.storage import Store
from codex_trio.account.workspace import WorkspacePolicy
from codex_trio.errors import StoreError
from codex_trio.server import Server, open_server
from codex_trio.testing import Recorded, StandIn, WireClient, open_stand_in
from tests.conftest import PATIENCE
from tests.schema import SchemaWatch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from codex_trio.account.credentials import Credentials
    from codex_trio.settings import Settings

BROWSER = {"type": "chatgpt"}
DEVICE = {"type": "chatgptDeviceCode"}
KEY = {"type": "apiKey", "apiKey": "sk-secret"}

NOT_COMPLETED = {"chatgpt": "Login server error: Login was not completed"}
NOT_COMPLETED["chatgptDeviceCode"] = "Login was not completed"


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    """A stand-in for OpenAI, whose user approves until it is told otherwise."""
    async with open_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def login_settings(home: Path, stand_in: StandIn) -> Settings:
    """Settings of a server that signs in at ``stand_in``.

    It looks at its store when it is asked, not by the clock, which jumps in many a test.
    """
    return stand_in.settings(home, watch_interval=math.inf)


@pytest.fixture
async def login_server(login_settings: Settings) -> AsyncGenerator[Server]:
    """A server that signs in at ``stand_in``."""
    async with open_server(login_settings) as server:
        yield server


@pytest.fixture
def witness() -> Witness:
    """What ``login_client`` hears, and how things stood when it did."""
    return Witness()


@pytest.fixture
async def login_client(login_server: Server, witness: Witness) -> AsyncGenerator[WireClient]:
    """A client of ``login_server``, initialized; a test that hangs ends with it."""
    async with open_witness(login_server, witness) as client:
        yield client


@pytest.fixture
def patient_clock() -> MockClock:
    """A clock that jumps when nothing has happened for a moment: threads need theirs."""
    return MockClock(autojump_threshold=0.05)


@pytest.fixture
def still_clock() -> MockClock:
    """A clock that stands still until a test says ``jump``: what is loaded first takes longer."""
    return MockClock()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks the backend in the background, at any time, with any token."""

    async def do_nothing(errand: object) -> None:
        await trio.sleep_forever()

    for errand in (Routing, WorkspacePolicy):
        monkeypatch.setattr(errand, "watch", do_nothing)


def jump(clock: MockClock) -> None:
    """Skip the time in which nobody does anything; sockets and threads have time to."""
    clock.autojump_threshold = 0.05


def patience() -> float:
    """Seconds after which nothing will come any more; under a clock that jumps, many."""
    jumps = isinstance(trio.lowlevel.current_clock(), MockClock)
    return 5_000.0 if jumps else PATIENCE


class Witness(SchemaWatch):
    """Looks around at the very moment in which a client sees a message."""

    def __init__(self) -> None:
        super().__init__()
        self.server: Server | None = None
        self.port: int | None = None
        """The port of which is noted whether it is free."""
        self.story: list[tuple[str, bool]] = []
        """What was said, in short, and whether nothing was left of any login then."""

    def __call__(self, arrow: str, data: bytes) -> None:
        super().__call__(arrow, data)
        if arrow == "<--" and self.server is not None:
            free = self.port is None or is_free(self.port)
            self.story.append((in_short(self.seen[-1][1]), free and is_quiet(self.server)))

    @property
    def told(self) -> list[str]:
        """What was said, in short."""
        return [short for short, _ in self.story]

    def forget(self) -> None:
        """Begin a new story."""
        self.story.clear()


@asynccontextmanager
async def open_witness(server: Server, witness: Witness) -> AsyncGenerator[WireClient]:
    """Connect to a server, with a witness."""
    witness.server = server
    async with testing.connect(server, witness) as client:
        await client.initialize(experimental=True)
        witness.forget()
        with trio.fail_after(patience()):  # noqa: ASYNC100 - the body waits
            yield client


@asynccontextmanager
async def open_login_client(settings: Settings, witness: Witness) -> AsyncGenerator[WireClient]:
    """Run a server and connect to it, with a witness."""
    async with open_server(settings) as server, open_witness(server, witness) as client:
        yield client


def in_short(message: Any) -> str:
    """``loginId: error`` of an outcome, and of all else what tells it from others."""
    params = message.get("params", {})
    match message:
        case {"method": "account/login/completed"}:
            return f"{params['loginId']}: {params['error']}"
        case {"method": "account/updated"}:
            return f"now {params['authMode']}"
        case {"method": method}:
            return str(method)
        case {"error": error}:
            return f"{error['code']} {error['message']}"
        case {"result": {"status": status}}:
            return str(status)
        case {"result": {"loginId": login_id}}:
            return f"{login_id} has begun"
        case _:
            return "done"


def is_free(port: int) -> bool:
    """Whether a port of 127.0.0.1 can be bound at this moment, as servers do."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
            one.listen()
        except OSError:
            return False
    return True


def find_free_port() -> int:
    """Find a port of 127.0.0.1 that nobody has, nor is given for a connection of its own."""
    return next(port for port in random.sample(range(20_000, 30_000), 1_000) if is_free(port))


def is_quiet(server: Server) -> bool:
    """Whether nothing is left of any login: no attempt, no task."""
    return not server.account.desk._attempts and not server.account.desk._nursery.child_tasks


def of_issuer(stand_in: StandIn) -> list[Recorded]:
    """What the issuer was asked; the backend is asked in the background, at any time."""
    return [one for one in stand_in.requests if not one.path.startswith("/backend-api/")]


def left_in(home: Path) -> list[str]:
    """Name what lies in a home, but for the locks, which stay when they have been used."""
    locks = ("auth.json.lock", "auth.json.renewal")
    return sorted(path.name for path in home.iterdir() if path.name not in locks)


def port_of(auth_url: str) -> int:
    """Where the browser is sent back to."""
    (redirect_uri,) = parse_qs(urlsplit(auth_url).query)["redirect_uri"]
    port = urlsplit(redirect_uri).port
    assert port is not None
    return port


async def start(client: WireClient, way: dict[str, str] = BROWSER) -> Any:
    return await client.call("account/login/start", way)


async def cancel(client: WireClient, login_id: str) -> Any:
    answer = await client.call("account/login/cancel", {"loginId": login_id})
    return answer["status"]


async def completed(client: WireClient) -> tuple[str | None, str | None]:
    """Wait for the next outcome: whose it is, and the error of it."""
    params = (await client.next_notification("account/login/completed"))["params"]
    assert params["success"] is (params["error"] is None)
    return params["loginId"], params["error"]


async def account(client: WireClient) -> str | None:
    """Ask who is signed in: the type of account."""
    answer = (await client.call("account/read", {}))["account"]
    return None if answer is None else str(answer["type"])


@attrs.define(eq=False)
class SlowStore(Store):
    """A disk that takes its time: storing waits until it is let."""

    _store: Store
    storing: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when somebody has begun to store."""
    go_on: trio.Event = attrs.field(factory=trio.Event, init=False)
    full: bool = attrs.field(default=False, init=False)
    """Whether it turns out that there is no room."""

    @classmethod
    def of(cls, server: Server) -> SlowStore:
        """Slow the disk of a server down."""
        auth = server.account.desk._auth
        auth._store = slow = cls(auth._store)
        return slow

    @asynccontextmanager
    async def freed(self) -> AsyncGenerator[None]:
        """Go on when the block is left, however it is; it may take no longer than others."""
        try:
            with trio.fail_after(patience()):  # noqa: ASYNC100 - the body waits
                yield
        finally:
            self.go_on.set()

    async def load(self) -> Credentials | None:
        return await self._store.load()

    def stamp(self) -> object:
        return self._store.stamp()

    async def save(self, credentials: Credentials) -> None:
        self.storing.set()
        await self.go_on.wait()
        if self.full:
            raise StoreError("No space left on device (os error 28)")
        await self._store.save(credentials)

    async def delete(self) -> None:
        await self._store.delete()


async def until(ready: Callable[[], object]) -> None:
    """Let everybody else run until something is so."""
    with trio.fail_after(patience()):  # noqa: ASYNC912 - it may be so already
        while not ready():  # noqa: ASYNC110 - it is what is looked at that has no event
            await trio.lowlevel.checkpoint()
