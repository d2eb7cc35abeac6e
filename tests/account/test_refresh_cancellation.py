"""Refreshes that are cancelled, at every step of theirs, and servers that end in the middle."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.errors import RefreshError
from codex_trio.server import Server, open_server
from codex_trio.testing import Fault, StandIn, Tokens
from tests.account.conftest import until
from tests.account.renewals import (
    AGENT,
    REVOKE,
    SOMEBODY,
    TOKEN,
    asked,
    failure,
    open_slow_issuer,
    outcomes,
    renewed,
    sign_in_for,
    thread_clock,
)
from tests.account.signed_in import sign_in, stored_tokens
from tests.cancellation import cancel_at_step
from tests.checked import open_memory_client

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.account.credentials import Credentials
    from codex_trio.account.refresh import Refresher
    from codex_trio.settings import Settings

pytestmark = pytest.mark.usefixtures("alone")

UNKNOWN = "it is not known whether an earlier attempt has succeeded"
ENDED = "the server has ended before the tokens were renewed"


@pytest.fixture
def patient_clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    return thread_clock(monkeypatch)


def refresher_of(server: Server) -> Refresher:
    return server.account.backend._refresher


async def begin(server: Server, home: Path, stand_in: StandIn) -> Credentials:
    """Be signed in anew, with nothing that was before; returns what is in force."""
    stand_in.reset()
    (home / "auth.json.renewal").unlink(missing_ok=True)
    sign_in(home, stand_in.issue_tokens())
    await server.account.auth.look()
    current = server.account.auth.current
    assert current is not None
    return current


def check_agreement(server: Server, home: Path, stand_in: StandIn) -> None:
    """See to it that memory, disk and issuer know the same tokens, and no other ones live."""
    current = server.account.auth.current
    assert current is not None
    assert current.tokens is not None
    stored = stored_tokens(home)
    assert current.tokens.refresh_token == stored["refresh_token"]
    assert current.tokens.access_token == stored["access_token"]
    assert stand_in.live_refresh_tokens() == [stored["refresh_token"]]


# --- at every step ---


async def test_whoever_waits_may_be_cancelled_at_every_step(
    login_server: Server, home: Path, stand_in: StandIn
) -> None:
    step, refresher = 1, refresher_of(login_server)
    while True:
        former = await begin(login_server, home, stand_in)
        reached = await cancel_at_step(partial(refresher.refresh, former, AGENT), step)
        await until(lambda: not refresher._flights._flying)
        assert outcomes(stand_in) == ["rotated"]
        check_agreement(login_server, home, stand_in)
        if not reached:
            break
        step += 1
    assert step >= 2


@pytest.mark.parametrize("needed", [False, True])
async def test_a_refresh_may_be_cancelled_at_every_step(
    login_server: Server, home: Path, stand_in: StandIn, needed: bool
) -> None:
    """It is not asked for, or has been stored: with an issuer that answers there is no other."""
    step, refresher, asked_for = 1, refresher_of(login_server), []
    while True:
        former = await begin(login_server, home, stand_in)
        work = partial(refresher._refresh, former, AGENT, needed=needed)
        reached = await cancel_at_step(work, step)
        assert outcomes(stand_in) in ([], ["rotated"])
        asked_for.append(asked(stand_in))
        check_agreement(login_server, home, stand_in)
        assert (home / "auth.json.renewal").read_bytes() == b""
        # And nothing is left that would keep others from it.
        await refresher.refresh(login_server.account.auth.current or former, AGENT)
        check_agreement(login_server, home, stand_in)
        if not reached:
            break
        step += 1
    assert asked_for == sorted(asked_for)
    assert set(asked_for) == {0, 1}
    assert step > 10


async def test_of_an_issuer_that_is_silent_a_cut_refresh_leaves_a_note(
    patient_clock: MockClock, login_server: Server, home: Path, stand_in: StandIn
) -> None:
    step, refresher, asked_for = 1, refresher_of(login_server), 0
    while not asked_for or step < asked_for + 3:
        former = await begin(login_server, home, stand_in)
        stand_in.faults.add(TOKEN, Fault.hang())
        start = trio.current_time()
        work = partial(refresher._refresh, former, AGENT, needed=False)
        assert await cancel_at_step(work, step)
        assert trio.current_time() - start <= 2.1
        check_agreement(login_server, home, stand_in)
        if asked(stand_in):
            asked_for = asked_for or step
            with pytest.raises(RefreshError, match=UNKNOWN):
                await refresher.refresh(former, AGENT)
            assert asked(stand_in) == 1
        step += 1


async def test_what_comes_too_late_is_revoked_or_not_if_that_is_cut(
    login_settings: Settings, home: Path, stand_in: StandIn
) -> None:
    """Somebody signs out while the issuer thinks; whatever is cut, they stay signed out."""
    step = 1
    while True:
        async with open_slow_issuer(stand_in) as issuer:
            settings = stand_in.settings(home, refresh_url=issuer.url)
            async with open_server(settings) as server:
                former = await begin(server, home, stand_in)
                refresher = refresher_of(server)

                async def sign_out(server: Server = server, issuer: Any = issuer) -> None:
                    await issuer.asked.wait()
                    await server.account.auth.sign_out()
                    issuer.answers.set()

                work = partial(refresher._refresh, former, AGENT, needed=False)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(sign_out)
                    reached = await cancel_at_step(work, step)
                    issuer.asked.set()
                assert server.account.auth.current is None
                assert not (home / "auth.json").exists()
        if not reached:
            break
        step += 1
    assert asked(stand_in, REVOKE) == 1
    assert stand_in.live_refresh_tokens() == []


# --- the server ends ---


@pytest.fixture
def tokens(home: Path, stand_in: StandIn) -> Tokens:
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    return tokens


class Leaver:
    """A server whose block is left while the issuer is asked."""

    def __init__(self, settings: Settings, stand_in: StandIn) -> None:
        self._settings, self._stand_in = settings, stand_in
        self.seconds = 0.0
        """How long leaving has taken."""
        self.heard: list[str] = []
        """What those were told who waited."""

    async def leave(self, how: str) -> None:
        """Leave it, in some way."""
        begin = 0.0
        async with trio.open_nursery() as waiting:
            with trio.CancelScope() as scope:
                async with open_server(self._settings) as server:
                    await server.account.auth.look()
                    former = server.account.auth.current
                    assert former is not None
                    refresher = refresher_of(server)
                    waiting.start_soon(self._wait, refresher, former)  # noqa: ASYNC111 - it outlives the server, which is the point
                    await self._stand_in.wait_request(TOKEN)
                    begin = trio.current_time()
                    if how == "cancelled":
                        scope.cancel(reason="the server is ended")
            self.seconds = trio.current_time() - begin

    async def _wait(self, refresher: Refresher, former: Credentials) -> None:
        try:
            await refresher.refresh(former, AGENT)
            self.heard.append("done")
        except RefreshError as error:
            self.heard.append(str(error))


@pytest.fixture
def leaver(login_settings: Settings, stand_in: StandIn) -> Leaver:
    return Leaver(login_settings, stand_in)


@pytest.mark.parametrize("how", ["left", "cancelled"])
async def test_a_reply_within_two_seconds_is_stored(
    patient_clock: MockClock,
    home: Path,
    stand_in: StandIn,
    tokens: Tokens,
    leaver: Leaver,
    how: str,
) -> None:
    stand_in.faults.add(TOKEN, Fault.delay(1.5))
    await leaver.leave(how)
    assert leaver.seconds == pytest.approx(1.5, abs=0.1)
    stored = stored_tokens(home)
    assert stored["refresh_token"] != tokens.refresh_token
    assert stand_in.live_refresh_tokens() == [stored["refresh_token"]]
    assert (home / "auth.json.renewal").read_bytes() == b""


@pytest.mark.parametrize("how", ["left", "cancelled"])
async def test_a_reply_that_does_not_come_leaves_a_note(
    patient_clock: MockClock,
    home: Path,
    stand_in: StandIn,
    tokens: Tokens,
    leaver: Leaver,
    login_settings: Settings,
    how: str,
) -> None:
    stand_in.faults.add(TOKEN, Fault.lose(wait=20))
    await leaver.leave(how)
    assert leaver.seconds == pytest.approx(2, abs=0.1)
    assert leaver.heard == [ENDED]
    assert stored_tokens(home)["refresh_token"] == tokens.refresh_token
    async with open_memory_client(login_settings) as client:
        await client.initialize(experimental=True)
        assert await renewed(client) == SOMEBODY
        assert UNKNOWN in (await failure(client))["message"]
    assert outcomes(stand_in) == ["rotated"]


async def test_a_refresh_that_waits_for_others_ends_with_its_server(
    patient_clock: MockClock,
    login_settings: Settings,
    home: Path,
    stand_in: StandIn,
    tokens: Tokens,
) -> None:
    async with open_server(login_settings) as other:
        async with other.account.auth.renewal_lock.held(1):
            begin = trio.current_time()
            async with trio.open_nursery() as nursery, open_server(login_settings) as server:
                await server.account.auth.look()
                former = server.account.auth.current
                assert former is not None
                refresher = refresher_of(server)
                nursery.start_soon(expect_end, refresher, former)  # noqa: ASYNC111 - as above
                await until(lambda: refresher_of(server)._alone.locked())
            assert trio.current_time() - begin < 1
    assert asked(stand_in) == 0
    assert stored_tokens(home)["refresh_token"] == tokens.refresh_token


async def expect_end(refresher: Refresher, former: Credentials) -> None:
    with pytest.raises(RefreshError, match=ENDED):
        await refresher.refresh(former, AGENT)


async def test_a_client_that_hangs_up_leaves_its_server_in_time(
    patient_clock: MockClock, home: Path, stand_in: StandIn
) -> None:
    """As a program does when its input ends: requests have their time, then two seconds more."""
    sign_in_for(home, stand_in, 0)
    stand_in.faults.add(TOKEN, Fault.hang())
    begin = trio.current_time()
    async with trio.open_nursery() as nursery:
        async with open_memory_client(stand_in.settings(home, grace=1.0)) as client:
            await client.initialize()
            await client.send({"id": 9, "method": "getAuthStatus", "params": {}})
            await stand_in.wait_request(TOKEN)
        nursery.cancel_scope.cancel(reason="the client has hung up")
    assert trio.current_time() - begin == pytest.approx(3, abs=0.2)
