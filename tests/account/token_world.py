"""Two servers with one home, their hosts, an issuer that fails, and others who edit the file."""

from __future__ import annotations

import logging
import random
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from codex_trio.account.claims import read_claims
from codex_trio.account.credentials import Credentials, Tokens
from codex_trio.account.oauth import now
from codex_trio.errors import ClientGoneError, RpcError, StoreError
from codex_trio.protocol import methods
from codex_trio.server import open_server
from codex_trio.testing import Account, Fault, connect
from tests.account.conftest import KEY, is_quiet
from tests.account.hosts import HOST, TOKEN, brought
from tests.account.signed_in import sign_in
from tests.account.token_model import NAMES, Act, Name, State, Stored, outcomes
from tests.schema import SchemaWatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient

ACCOUNTS: dict[Name, Account] = {
    name: Account(email=f"{name}@example.com", account_id=f"ws-{name}", user_id=f"user-{name}")
    for name in NAMES
}
GARBAGE = b"{"
PATIENCE = 20.0  # seconds on Trio's clock, which is faster

FLAG = {"refreshToken": True}

FAULTS = {
    "refresh: 500": Fault.status(500),
    "refresh: dropped": Fault.drop(),
    "refresh: lost": Fault.lose(),
    "refresh: cut": Fault.cut(),
    "refresh: refused": Fault.status(401, {"error": {"code": "refresh_token_expired"}}),
}
DOUBTFUL = ("refresh: lost", "refresh: cut", "refresh: refused", "crash", "garbage")
"""What may cost somebody their session: tokens do not arrive, or cannot be stored."""

REFUSED = (RpcError, ClientGoneError, StoreError, trio.ClosedResourceError)

FORESEEN = ("stored credentials cannot be used", "renewed tokens cannot be stored")


class Alarm(logging.Handler):
    """Keeps errors that nobody has foreseen."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.getMessage().startswith(FORESEEN):
            self.messages.append(record.getMessage())


@attrs.define(eq=False)
class Room:
    """A server and its client, which crash together; others take their place."""

    settings: Settings
    stand_in: StandIn
    nursery: trio.Nursery
    server: Server = attrs.field(init=False)
    client: WireClient = attrs.field(init=False)
    _life: trio.CancelScope = attrs.field(init=False)
    _ended: trio.Event = attrs.field(init=False)
    _asking: set[trio.CancelScope] = attrs.field(factory=set, init=False)
    _crashing: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    async def open(self) -> None:
        await self.nursery.start(self._live)

    async def _live(self, *, task_status: trio.TaskStatus[None]) -> None:
        self._ended = trio.Event()
        try:
            with trio.CancelScope() as self._life:
                async with (
                    open_server(self.settings) as self.server,
                    connect(self.server, SchemaWatch()) as self.client,
                    trio.open_nursery() as host,
                ):
                    await self.client.initialize(experimental=True)
                    host.start_soon(self._answer)
                    task_status.started()
                    await trio.sleep_forever()
            assert is_quiet(self.server)
            assert self.server.account.board.router.questions == 0
        finally:
            self.client._give_up("the server hung up")  # others may be calling it
            self._ended.set()

    async def _answer(self) -> None:
        """Be a host that has new tokens, at once or after a while."""
        while True:
            question = await self.client.next_question()
            for _ in range(random.choice((0, 30, 300))):
                await trio.lowlevel.checkpoint()
            await self.client.answer(question, brought(self.stand_in))

    async def crash(self, pause: int) -> None:
        """Cut everything when tokens have been renewed for a moment, and begin anew."""
        async with self._crashing, trio.open_nursery() as nursery:
            nursery.start_soon(self.ask, "account/read", FLAG)
            for _ in range(pause):
                await trio.lowlevel.checkpoint()
            self._life.cancel(reason="it crashes")
            for scope in self._asking:
                scope.cancel(reason="it crashes")
            await self._ended.wait()
            await self.open()

    async def do(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Do something until it is done, refused, or cut by a crash."""
        with trio.CancelScope() as scope, suppress(*REFUSED):
            self._asking.add(scope)
            try:
                return await work()
            finally:
                self._asking.discard(scope)

    async def who(self) -> str | None:
        """Ask who is signed in."""
        account = (await self.client.call("account/read", {}))["account"]
        if account is None:
            return None
        return "key" if account["type"] == "apiKey" else account["email"].partition("@")[0]

    async def ask(self, method: str, params: Any = None) -> Any:
        return await self.do(partial(self.client.call, method, params))


@attrs.define(eq=False)
class World:
    """Everything, and what may be by now."""

    home: Path
    stand_in: StandIn
    rooms: tuple[Room, Room]
    states: set[State] = attrs.field(factory=lambda: {State()})
    doubted: set[Name] = attrs.field(factory=set)
    """Whose tokens may have been lost."""
    risked: bool = False
    """Whether anybody's ever may."""

    # --- acts ---

    async def act(self, act: Act) -> None:
        room = self.rooms[act.server]
        match act.kind:
            case "sign in":
                await room.do(partial(self._sign_in, room, act.name))
            case "api key":
                await room.ask("account/login/start", KEY)
            case "sign out":
                await room.ask("account/logout")
            case "host":
                params = {"type": HOST, **brought(self.stand_in)}
                await room.ask("account/login/start", params)
            case "expire":
                self.stand_in.expire_access_tokens()
                await room.ask("account/rateLimits/read")
            case "crash":
                await room.crash(act.pause)
            case "edit":
                account = ACCOUNTS[act.name]
                sign_in(
                    self.home, self.stand_in.issue_tokens(account=account), account.account_id
                )
            case "delete":
                (self.home / "auth.json").unlink(missing_ok=True)
            case "garbage":
                (self.home / "auth.json").write_bytes(GARBAGE)
            case _:
                if act.kind in FAULTS:
                    self.stand_in.faults.add(TOKEN, FAULTS[act.kind])
                await room.ask("account/read", FLAG)

    async def _sign_in(self, room: Room, name: Name) -> None:
        """Sign in as a browser would have it, in the order of all other requests."""
        lane = methods.LOGOUT.lane
        assert lane is not None
        place = room.server.account.board.lanes.join(lane.key(None))
        try:
            await place.wait_admitted()
            auth = room.server.account.auth
            await auth.ready()
            if not auth.hosted:
                await auth.sign_in(self._credentials(name))
        finally:
            place.leave()

    def _credentials(self, name: Name) -> Credentials:
        issued = self.stand_in.issue_tokens(account=ACCOUNTS[name])
        tokens = Tokens(
            **attrs.asdict(issued),
            account_id=ACCOUNTS[name].account_id,
            claims=read_claims(issued.id_token),
        )
        return Credentials(mode="chatgpt", tokens=tokens, last_refresh=now())

    # --- what must be so ---

    async def play(self, acts: list[Act]) -> None:
        """Do some things at once, and see what has come of them."""
        self.risked |= any(act.kind in DOUBTFUL for act in acts)
        async with trio.open_nursery() as nursery:
            for act in acts:
                nursery.start_soon(self.act, act)
                for _ in range(act.pause):
                    await trio.lowlevel.checkpoint()
                self.check_always()
        self.stand_in.faults.clear()
        self._note_doubts(acts)
        may_be = outcomes(self.states, acts)
        with trio.move_on_after(PATIENCE):
            while True:
                self.states = {state for state in may_be if await self._is(state)}
                if self.states:
                    return
                await trio.lowlevel.checkpoint()
        raise AssertionError(f"{[await room.who() for room in self.rooms]}: none of {may_be}")

    def _note_doubts(self, acts: list[Act]) -> None:
        if any(act.kind in DOUBTFUL for act in acts):
            self.doubted |= set(NAMES)
        elif len(acts) == 1:
            (act,) = acts
            hosted = any(state.hosted[act.server] for state in self.states)
            if act.kind == "edit" or (act.kind == "sign in" and not hosted):
                self.doubted.discard(act.name)

    def check_always(self) -> None:
        """See that nobody is mixed up with anybody, at any moment."""
        for room in self.rooms:
            for one in (room.server.account.auth._stored, room.server.account.auth._hosted):
                self._check_one(one)
        self._check_one(self._read())
        spent_twice = "reused" in [one.outcome for one in self.stand_in.exchanges]
        assert self.risked or not spent_twice

    def _check_one(self, credentials: Credentials | None) -> None:
        if credentials is None or credentials.tokens is None:
            return
        tokens = credentials.tokens
        assert tokens.account_id == read_claims(tokens.id_token).account_id
        assert tokens.account_id == read_claims(tokens.access_token).account_id
        if credentials.mode == "chatgpt":
            families = self.stand_in._families._refreshable
            assert families[tokens.refresh_token].account.account_id == tokens.account_id

    def _read(self) -> Credentials | None:
        """Read what is stored; it can always be read, if nobody else has written it."""
        try:
            content = (self.home / "auth.json").read_bytes()
        except FileNotFoundError:
            return None
        return None if content == GARBAGE else Credentials.decode(content)

    async def _is(self, state: State) -> bool:
        """Say whether everything is as it must be then."""
        self.check_always()
        stored, exists = self._read(), (self.home / "auth.json").exists()
        if name_of(stored) != (None if state.disk == "garbage" else state.disk):
            return False
        if exists != (state.disk is not None):
            return False
        for room, seen, hosted in zip(self.rooms, state.seen, state.hosted, strict=True):
            who = await room.who()
            if who != ("grace" if hosted else seen) and not (
                who is None and seen in self.doubted and not hosted
            ):
                return False
            if state.disk != "garbage" and room.server.account.auth._stored != stored:
                return False
        if state.disk in NAMES and state.disk not in self.doubted:
            assert stored is not None
            assert stored.tokens is not None
            live = self.stand_in.live_refresh_tokens(ACCOUNTS[state.disk])
            return stored.tokens.refresh_token in live
        return True


def name_of(credentials: Credentials | None) -> Stored:
    """Name whose credentials these are."""
    if credentials is None or credentials.tokens is None:
        return None if credentials is None else "key"
    email = credentials.tokens.claims.email
    return next(name for name in NAMES if ACCOUNTS[name].email == email)
