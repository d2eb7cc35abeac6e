"""Logins, and what ends them, cancelled at every step: nothing is torn, nothing is left."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
import trio

from codex_trio.account.claims import read_claims
from codex_trio.account.credentials import Credentials, Tokens
from codex_trio.errors import RpcError
from codex_trio.protocol import account as words
from codex_trio.protocol import methods
from codex_trio.rpc.calls import Call
from codex_trio.rpc.client import Client
from codex_trio.server import Server, open_server
from tests.account.conftest import (
    BROWSER,
    DEVICE,
    NOT_COMPLETED,
    SlowStore,
    in_short,
    is_free,
    is_quiet,
    patience,
    port_of,
    until,
)
from tests.cancellation import cancel_at_step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from codex_trio.account.attempt import Attempt
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn

PARAMS: dict[str, Any] = {
    "chatgpt": words.ChatgptLoginAccountParams(),
    "chatgptDeviceCode": words.ChatgptDeviceCodeLoginAccountParams(),
}

either = pytest.mark.parametrize("way", [BROWSER, DEVICE], ids=["browser", "device"])


@attrs.define(eq=False)
class Ear:
    """A client of which there is only what it is told, and how things stood when it was."""

    server: Server
    port: int | None = None
    client: Client = attrs.field(init=False)
    told: list[tuple[str, bool]] = attrs.field(factory=list, init=False)
    messages: list[Any] = attrs.field(factory=list, init=False)
    heard: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when something has been said since ``take``."""

    def __attrs_post_init__(self) -> None:
        outbox: Any = self
        self.client = Client(outbox, trio.CancelScope())
        self.client.initialized = self.client.experimental = True

    def send_nowait(self, message: bytes) -> None:
        """Be an outbox."""
        free = self.port is None or is_free(self.port)
        self.messages.append(json.loads(message))
        # Who says it may be the last task of the login, at its very end.
        tasks = len(self.server.account.desk._nursery.child_tasks)
        quiet = free and tasks <= 1 and not self.server.account.desk._attempts
        self.told.append((in_short(self.messages[-1]), quiet))
        self.heard.set()

    def take(self) -> list[tuple[str, bool]]:
        """Take what has been said."""
        told, self.told, self.heard = self.told, [], trio.Event()
        return told

    async def ask(self, row: Any, params: Any) -> bool:
        """Have a request handled as a connection does; say whether it has been answered."""
        call = Call(1, row, params, self.client)
        answer: Any = self.server.account.board.handlers[row.name](call)
        if isinstance(answer, Awaitable):
            answer = await answer
        if not call.replied:
            call.reply(answer)
        return True


@pytest.fixture
async def server(login_settings: Settings) -> AsyncGenerator[Server]:
    async with open_server(login_settings) as server:
        yield server


@pytest.fixture
async def ear(server: Server) -> AsyncGenerator[Ear]:
    ear = Ear(server)
    with server.account.board.router.joined(ear.client), trio.fail_after(patience()):
        yield ear


async def begin(ear: Ear, way: dict[str, str]) -> str:
    """Begin to sign in; returns the id."""
    ear.port = None
    assert await ear.ask(methods.LOGIN_START, PARAMS[way["type"]])
    login = ear.messages[-1]["result"]
    ear.port = port_of(login["authUrl"]) if way is BROWSER else None
    ear.take()
    return str(login["loginId"])


class _AtStep(trio.abc.Instrument):
    """Does something just before the n-th step that anybody takes."""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        self._left, self._act = step, act

    @property
    def done(self) -> bool:
        return self._left <= 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._act()

    def __enter__(self) -> None:
        trio.lowlevel.add_instrument(self)

    def __exit__(self, *_: object) -> None:
        trio.lowlevel.remove_instrument(self)


@either
@pytest.mark.parametrize("how", ["cancelled", "hung up"])
@pytest.mark.parametrize("former", [None, BROWSER, DEVICE], ids=["no", "browser", "device"])
async def test_a_start_is_answered_and_goes_on_or_has_not_been(
    server: Server, ear: Ear, way: dict[str, str], former: dict[str, str] | None, how: str
) -> None:
    """Its request is cancelled, or its client hangs up, at every step that anybody takes."""
    step, reached = 1, True
    while reached:
        owner = Ear(server)
        begun = {await begin(ear, former)} if former is not None else set()
        with trio.CancelScope() as scope, suppress(RpcError):
            act = owner.client.hang_up if how == "hung up" else scope.cancel
            with (at := _AtStep(step, act)):
                await owner.ask(methods.LOGIN_START, PARAMS[way["type"]])
        reached = at.done
        begun |= {short.removesuffix(" has begun") for short, _ in owner.take()}
        await server.account.desk.clear()
        assert is_quiet(server)
        ended = [short.split(":")[0] for short, _ in ear.take()]
        assert sorted(ended) == sorted(begun)
        step += 1
    assert step > 5


async def test_a_start_that_was_given_up_does_not_begin_at_the_former_s_end(
    server: Server, ear: Ear, stand_in: StandIn
) -> None:
    disk = SlowStore.of(server)
    disk.full = True
    former = await begin(ear, DEVICE)
    stand_in.approve_device(ear.messages[-1]["result"]["userCode"])
    await disk.storing.wait()
    (one,) = server.account.desk._attempts
    owner = Ear(server)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_in_vain, owner)
        await until(lambda: one._first)  # it waits for the end of the former
        owner.client.hang_up()
    disk.go_on.set()
    await server.account.desk.clear()
    assert owner.messages == []
    assert [short.split(":")[0] for short, _ in ear.take()] == [former]


async def ask_in_vain(owner: Ear) -> None:
    with pytest.raises(RpcError, match=r"^Login was not completed$"):
        await owner.ask(methods.LOGIN_START, PARAMS["chatgptDeviceCode"])


@either
async def test_a_cancel_ends_a_login_even_if_it_is_cancelled_itself(
    server: Server, ear: Ear, way: dict[str, str]
) -> None:
    step, reached = 1, True
    while reached:
        login = await begin(ear, way)
        params = words.CancelLoginAccountParams(login_id=login)
        reached = await cancel_at_step(partial(ear.ask, methods.LOGIN_CANCEL, params), step)
        await until(lambda: is_quiet(server))
        assert ear.take() == [
            ("canceled", True),
            (f"{login}: {NOT_COMPLETED[way['type']]}", True),
        ]
        step += 1
    assert step > 2


async def test_a_redirect_that_is_handed_in_counts_even_if_its_request_is_cancelled(
    server: Server, ear: Ear, stand_in: StandIn
) -> None:
    step, reached = 1, True
    while reached:
        login = await begin(ear, BROWSER)
        page = await stand_in.visit(ear.messages[-1]["result"]["authUrl"], follow=False)
        url = page.headers["location"]
        params = words.CompleteLoginAccountParams(login_id=login, redirect_url=url)
        reached = await cancel_at_step(partial(ear.ask, methods.LOGIN_COMPLETE, params), step)
        await until(lambda: len(ear.told) >= 3)
        assert [short for short, _ in ear.take()] == ["done", f"{login}: None", "now chatgpt"]
        assert server.account.desk._auth.current is not None
        await server.account.desk.clear()
        await server.account.desk._auth.sign_out()
        step += 1
    assert step > 2


async def test_a_redirect_may_be_handed_in_at_any_moment_of_the_end(
    server: Server, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    for moment in range(120):
        login = await begin(ear, BROWSER)
        (state,) = parse_qs(urlsplit(ear.messages[-1]["result"]["authUrl"]).query)["state"]
        url = f"http://127.0.0.1:{ear.port}/auth/callback?state={state}&code=c0de"
        params = words.CompleteLoginAccountParams(login_id=login, redirect_url=url)
        (attempt,), now = server.account.desk._attempts, trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_with_cancel, ear, login)
            with _AtStep(1 + moment % 12, now.set):
                await until(partial(either_is_set, now, attempt.ended))
            with suppress(RpcError):
                await ear.ask(methods.LOGIN_COMPLETE, params)
        told = [short for short, _ in ear.take() if not short.startswith("-32600 ")]
        assert told == ["canceled", f"{login}: {NOT_COMPLETED['chatgpt']}"]
    assert not caplog.records


def either_is_set(one: trio.Event, other: trio.Event) -> bool:
    return one.is_set() or other.is_set()


async def test_who_is_cancelled_in_the_step_before_storing_stores_nothing(
    server: Server, ear: Ear, stand_in: StandIn
) -> None:
    login = await begin(ear, DEVICE)
    attempt = server.account.desk.find(login)
    assert attempt is not None
    with attempt_scope(attempt), pytest.raises(trio.Cancelled):
        await attempt.keep(credentials_of(stand_in))
    await attempt.ended.wait()
    assert server.account.desk._auth.current is None
    assert [short for short, _ in ear.take()] == [f"{login}: Login was not completed"]


@contextmanager
def attempt_scope(attempt: Attempt) -> Generator[None]:
    """Be as a task of an attempt that is cut in this very step."""
    with trio.CancelScope() as scope:
        attempt.cut()
        scope.cancel()
        yield


@either
async def test_a_sign_out_that_is_cancelled_has_ended_the_login(
    server: Server, ear: Ear, stand_in: StandIn, way: dict[str, str]
) -> None:
    """Tokens of before are revoked meanwhile; who is signed in is what was told last."""
    step, reached = 1, True
    auth = server.account.desk._auth
    while reached:
        await auth.sign_in(credentials_of(stand_in))
        login = await begin(ear, way)
        reached = await cancel_at_step(partial(ear.ask, methods.LOGOUT, None), step)
        await until(lambda: is_quiet(server))
        told = ear.take()
        assert told[0] == (f"{login}: {NOT_COMPLETED[way['type']]}", True)
        if auth.current is None:
            assert told[1:] == [("done", True), ("now None", True)]
        else:
            assert told[1:] == []
        step += 1
    assert auth.current is None
    assert step > 10  # it has asked for the revocation


def credentials_of(stand_in: StandIn) -> Credentials:
    tokens = stand_in.issue_tokens()
    return Credentials(
        mode="chatgpt",
        tokens=Tokens(
            id_token=tokens.id_token,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            claims=read_claims(tokens.id_token),
        ),
    )


# --- somebody else comes at any moment ---


@pytest.mark.parametrize("end", ["cancel", "api key", "sign out", "newer"])
@either
async def test_a_login_may_be_ended_at_any_moment_of_its_life(
    server: Server, ear: Ear, stand_in: StandIn, way: dict[str, str], end: str
) -> None:
    """Every few steps of a login that succeeds, from its first to its last."""
    stand_in.device.approve_after = 0
    step, met = 1, True
    outcomes = set()
    while met:
        login = await begin(ear, way)
        met = await live(ear, stand_in, login, step, ENDS[end])
        await server.account.desk.clear()
        told = [short for short, _ in ear.take()]
        (outcome,) = [short for short in told if short.startswith(f"{login}: ")]
        outcomes.add(outcome.removeprefix(f"{login}: "))
        if "canceled" in told:
            assert told.index("canceled") == told.index(outcome) - 1
            assert not outcome.endswith(": None")
        if end in ("cancel", "newer"):
            assert (server.account.desk._auth.current is not None) == outcome.endswith(": None")
        news = [short for short in told if short.startswith("now ")]
        current = server.account.desk._auth.current
        assert (news or ["now None"])[-1] == f"now {current.mode if current else None}"
        await server.account.desk._auth.sign_out()
        step += 7  # a number that divides nothing
    assert len(outcomes) > 1
    assert "None" in outcomes  # the last of them


async def live(
    ear: Ear,
    stand_in: StandIn,
    login: str,
    step: int,
    end: Callable[[Ear, str], Awaitable[object]],
) -> bool:
    """Sign in, and have somebody end it at a step; say whether it came that far."""
    alarm, url = trio.Event(), ear.messages[-1]["result"].get("authUrl")
    async with trio.open_nursery() as nursery:
        if url is not None:
            nursery.start_soon(browse, stand_in, url)
        with _AtStep(step, alarm.set):
            # Nobody looks again and again whether it is over: that would be steps as well.
            async with trio.open_nursery() as either:
                for event in (ear.heard, alarm):
                    either.start_soon(when, event, either.cancel_scope.cancel)
        if not alarm.is_set():
            nursery.cancel_scope.cancel()
        else:
            await end(ear, login)
    return alarm.is_set()


async def when(event: trio.Event, act: Callable[[], object]) -> None:
    await event.wait()
    act()


async def browse(stand_in: StandIn, url: str) -> None:
    with suppress(OSError):
        await stand_in.visit(url)


async def end_with_cancel(ear: Ear, login: str) -> None:
    await ear.ask(methods.LOGIN_CANCEL, words.CancelLoginAccountParams(login_id=login))


async def end_with_key(ear: Ear, login: str) -> None:
    await ear.ask(methods.LOGIN_START, words.ApiKeyLoginAccountParams(api_key="sk-secret"))


async def end_with_logout(ear: Ear, login: str) -> None:
    await ear.ask(methods.LOGOUT, None)


async def end_with_newer(ear: Ear, login: str) -> None:
    await ear.ask(methods.LOGIN_START, words.ChatgptLoginAccountParams())


ENDS = {
    "cancel": end_with_cancel,
    "api key": end_with_key,
    "sign out": end_with_logout,
    "newer": end_with_newer,
}
