"""Whatever clients, users and browsers do, in whatever order: what is told is true."""

from __future__ import annotations

import collections
import logging
import tempfile
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import attrs
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from codex_trio.account.attempt import Attempt
from codex_trio.account.storage import Store
from codex_trio.errors import ClientGoneError, RpcError
from codex_trio.server import Server, open_server
from codex_trio.testing import connect, open_stand_in
from tests.account.conftest import (
    BROWSER,
    DEVICE,
    KEY,
    find_free_port,
    is_free,
    is_quiet,
    port_of,
    until,
)
from tests.schema import SchemaWatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from random import Random

    from codex_trio.account.credentials import Credentials
    from codex_trio.testing import StandIn, WireClient

PACE = 20
"""How much faster time passes: a second between two questions is a long time for a test."""


@attrs.define(eq=False)
class CountingStore(Store):
    """Keeps what it is given, and counts how often that is of a ChatGPT account."""

    _store: Store
    sign_ins: int = 0

    async def load(self) -> Credentials | None:
        return await self._store.load()

    async def save(self, credentials: Credentials) -> None:
        await trio.lowlevel.checkpoint()  # a moment in which it is being stored
        await trio.lowlevel.cancel_shielded_checkpoint()
        await self._store.save(credentials)
        self.sign_ins += credentials.mode == "chatgpt"

    async def delete(self) -> None:
        await trio.lowlevel.checkpoint()
        await self._store.delete()


class Alarm(logging.Handler):
    """Keeps what is logged: nothing should be."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def no_errors() -> Generator[None]:
    """See that no handler fails in a way that nobody foresaw."""
    alarm, log = Alarm(), logging.getLogger("codex_trio")
    log.addHandler(alarm)
    try:
        yield
    finally:
        log.removeHandler(alarm)
    assert alarm.messages == []


@contextmanager
def overheard(server: Server) -> Generator[None]:
    """See that who ends a login is answered when nothing is left of it, and not before."""
    settle = Attempt._settle

    def look(attempt: Attempt, outcome: str | None) -> None:
        if not attempt.settled and attempt._cut is not None and outcome is not None:
            assert attempt not in server.account.desk._attempts
            port = None if attempt.login is None else attempt.login.port
            assert port is None or is_free(port)
        settle(attempt, outcome)

    with patch.object(Attempt, "_settle", look):
        yield


@attrs.define(eq=False)
class Person:
    """A client, which goes when it is told to."""

    watch: SchemaWatch = attrs.field(factory=SchemaWatch)
    leave: trio.Event = attrs.field(factory=trio.Event)
    client: WireClient | None = None
    asking: set[trio.CancelScope] = attrs.field(factory=set)

    async def live(self, server: Server, *, task_status: trio.TaskStatus[None]) -> None:
        async with connect(server, self.watch) as client:
            await client.initialize(experimental=True)
            self.client = client
            task_status.started()
            await self.leave.wait()

    async def ask(self, method: str, params: Any) -> Any:
        """Ask the server; what is refused, or not waited for, is None."""
        assert self.client is not None
        with trio.CancelScope() as scope, suppress(RpcError, ClientGoneError):
            self.asking.add(scope)
            return await self.client.call(method, params)

    def go(self) -> None:
        """Hang up, and wait for nothing any more."""
        self.leave.set()
        for scope in self.asking:
            scope.cancel()

    def answers(self) -> dict[Any, list[Any]]:
        """What its requests were answered, by their ids."""
        answers: dict[Any, list[Any]] = {}
        for arrow, message in self.watch.seen:
            if "id" in message:
                answers.setdefault(message["id"], [])
                if arrow == "<--":
                    answers[message["id"]].append(message)
        return answers


@attrs.define(eq=False)
class World:
    """A server, a stand-in, and those who use them."""

    server: Server
    stand_in: StandIn
    nursery: trio.Nursery
    observer: Person = attrs.field(factory=Person)
    people: list[Person] = attrs.field(factory=list)
    gone: list[Person] = attrs.field(factory=list)
    begun: list[Any] = attrs.field(factory=list)
    """What starts were answered, in order."""
    canceled: set[str] = attrs.field(factory=set)

    async def call(self, who: int, method: str, params: Any = None) -> Any:
        """Have somebody ask."""
        return await self.people[who % len(self.people)].ask(method, params)

    async def start(self, way: dict[str, str], who: int) -> None:
        answer = await self.call(who, "account/login/start", way)
        if answer is not None and "loginId" in answer:
            self.begun.append(answer)

    async def cancel(self, which: int, who: int) -> None:
        if self.begun:
            login = self.begun[which]["loginId"]
            answer = await self.call(who, "account/login/cancel", {"loginId": login})
            if answer is not None and answer["status"] == "canceled":
                self.canceled.add(login)

    async def sign_out(self, who: int) -> None:
        await self.call(who, "account/logout")

    async def visit(self, where: str, who: int) -> None:
        """Do something with the browser of the last login that has one."""
        urls = [one["authUrl"] for one in self.begun if "authUrl" in one]
        if not urls:
            return
        with suppress(OSError):
            if where.startswith("/"):
                await self.stand_in.visit(f"http://127.0.0.1:{port_of(urls[-1])}{where}")
            else:
                page = await self.stand_in.visit(urls[-1], follow=False)
                await self.stand_in.visit(page.headers["location"].replace(*REDIRECTS[where]))

    async def hand_in(self, who: int) -> None:
        logins = [one for one in self.begun if "authUrl" in one]
        if logins:
            page = await self.stand_in.visit(logins[-1]["authUrl"], follow=False)
            params = {
                "loginId": logins[-1]["loginId"],
                "redirectUrl": page.headers["location"],
            }
            await self.call(who, "account/login/complete", params)

    async def type_code(self, who: int) -> None:
        codes = [one["userCode"] for one in self.begun if "userCode" in one]
        if codes:
            with suppress(KeyError):
                self.stand_in.approve_device(codes[-1])

    async def come(self, who: int) -> None:
        person = Person()
        await self.nursery.start(person.live, self.server)
        self.people.append(person)

    async def go(self, who: int) -> None:
        if len(self.people) > 1:
            self.gone.append(self.people.pop(who % len(self.people)))
            self.gone[-1].go()


REDIRECTS = {
    "approve": ("code=", "code="),
    "deny": ("code=", "error="),
    "wrong state": ("state=", "state=x"),
    "wrong code": ("code=", "code=x"),
}

ACTS: dict[str, Callable[[World, int], Awaitable[None]]] = {
    "start browser": lambda world, who: world.start(BROWSER, who),
    "start device": lambda world, who: world.start(DEVICE, who),
    "cancel the last": lambda world, who: world.cancel(-1, who),
    "cancel the first": lambda world, who: world.cancel(0, who),
    "api key": lambda world, who: world.start(KEY, who),
    "sign out": World.sign_out,
    "approve": lambda world, who: world.visit("approve", who),
    "deny": lambda world, who: world.visit("deny", who),
    "wrong state": lambda world, who: world.visit("wrong state", who),
    "wrong code": lambda world, who: world.visit("wrong code", who),
    "GET /cancel": lambda world, who: world.visit("/cancel", who),
    "GET /success": lambda world, who: world.visit("/success", who),
    "hand in": World.hand_in,
    "type the code": World.type_code,
    "come": World.come,
    "go": World.go,
}


@given(
    plan=st.lists(
        st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 2), st.integers(0, 40)),
        max_size=12,
    ),
    hangs_up=st.booleans(),
    one_port=st.booleans(),
    schedule=st.random_module(),
)
@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
def test_what_is_told_is_true(
    plan: list[tuple[str, int, int]], hangs_up: bool, one_port: bool, schedule: Random
) -> None:
    """``schedule`` seeds the order in which Trio runs tasks as well."""
    run = partial(live, plan, hangs_up=hangs_up, one_port=one_port)
    trio.run(run, clock=MockClock(rate=PACE))


async def live(plan: list[tuple[str, int, int]], *, hangs_up: bool, one_port: bool) -> None:
    with trio.fail_after(10 * PACE), tempfile.TemporaryDirectory() as home, no_errors():
        async with open_stand_in() as stand_in:
            settings = stand_in.settings(home, credentials_store="ephemeral")
            if one_port:
                settings = attrs.evolve(settings, login_callback_ports=(find_free_port(),))
            async with open_server(settings) as server:
                auth = server.account.desk._auth
                auth._store = store = CountingStore(auth._store)
                async with trio.open_nursery() as people:
                    world = World(server, stand_in, people)
                    await people.start(world.observer.live, server)
                    await world.come(0)
                    with overheard(server):
                        await play(world, plan)
                        await end(world, hangs_up=hangs_up)
                assert is_quiet(server)
                assert len(server.account.board.lanes) == 0
            check(world, store)


async def play(world: World, plan: list[tuple[str, int, int]]) -> None:
    """Do what is planned; a pause is a number of rounds that the others have."""
    async with trio.open_nursery() as acts:
        for act, who, pause in plan:
            acts.start_soon(ACTS[act], world, who)
            for _ in range(pause):
                await trio.lowlevel.checkpoint()


async def end(world: World, *, hangs_up: bool) -> None:
    """See that everybody knows who is signed in, and end everything."""
    client = world.observer.client
    assert client is not None
    account = (await client.call("account/read", {}))["account"]
    news = [
        message["params"]["authMode"]
        for _, message in world.observer.watch.seen
        if message.get("method") == "account/updated"
    ]
    assert (news or [None])[-1] == {None: None, "apiKey": "apikey", "chatgpt": "chatgpt"}[
        account and account["type"]
    ]
    if hangs_up:
        world.server.hang_up(PACE)
        with suppress(trio.EndOfChannel):
            while True:
                await client.next_notification()
    else:
        await client.call("account/logout")
        assert (await client.call("account/read", {}))["account"] is None
    await until(lambda: is_quiet(world.server))
    for person in (world.observer, *world.people):
        person.go()


def check(world: World, store: CountingStore) -> None:
    outcomes = collections.defaultdict(list)
    for arrow, message in world.observer.watch.seen:
        if arrow == "<--" and message.get("method") == "account/login/completed":
            outcomes[message["params"]["loginId"]].append(message["params"]["success"])
    outcomes.pop(None, None)  # of API keys
    begun = set()
    staying = [world.observer, *world.people]
    for person in (*staying, *world.gone):
        for answers in person.answers().values():
            assert len(answers) <= 1
            begun |= {
                one["result"]["loginId"]
                for one in answers
                if "loginId" in one.get("result", {})
            }
        if person in staying:
            assert all(person.answers().values())
    assert all(len(told) == 1 for told in outcomes.values())
    assert begun <= outcomes.keys()
    assert all(outcomes[login] == [False] for login in world.canceled)
    assert sum(told == [True] for told in outcomes.values()) == store.sign_ins
    ports = [port_of(one["authUrl"]) for one in world.begun if "authUrl" in one]
    assert all(is_free(port) for port in ports)
