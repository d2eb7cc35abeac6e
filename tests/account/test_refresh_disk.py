"""Tokens that cannot be stored: they are not spent in vain, and what has been given is kept."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from codex_trio.server import open_server
from codex_trio.testing import Fault, StandIn, WireClient
from tests.account.conftest import KEY, left_in
from tests.account.renewals import (
    AGENT,
    SOMEBODY,
    SOMEBODY_ELSE,
    TOKEN,
    account,
    asked,
    failure,
    outcomes,
    read_stored,
    renewed,
    sign_in_for,
    sign_in_other,
    status,
    thread_clock,
    token,
    told,
    updated,
)
from tests.account.signed_in import sign_in, stored_tokens
from tests.checked import connect

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.server import Server
    from codex_trio.settings import Settings

pytestmark = pytest.mark.usefixtures("alone")

WRITING = os.O_WRONLY | os.O_RDWR
OPEN, WRITE, FLOCK = os.open, os.write, fcntl.flock

UNWRITABLE = ["the disk is full", "the disk is read-only", "the home is somebody else's"]
UNLOCKABLE = [
    "the locks are somebody else's",
    "the locks may be read",
    "nothing can be locked",
]


@attrs.define(eq=False)
class Disk:
    """What is wrong with the disk on which a home is; nothing, when ``trouble`` is None."""

    home: str
    trouble: str | None = None

    def open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        """Open a file, if that can be done."""
        if os.fspath(path).startswith(self.home):
            self._check(os.fspath(path), flags)
        return OPEN(path, flags, mode, **more)

    def _check(self, path: str, flags: int) -> None:
        is_lock = path.endswith((".lock", ".renewal"))
        creates = bool(flags & os.O_CREAT) and not os.path.exists(path)
        match self.trouble:
            case "the disk is full" | "there is room for a note" if creates:
                raise oserror(errno.ENOSPC)
            case "the disk is read-only" if flags & WRITING:
                raise oserror(errno.EROFS)
            case "the home is somebody else's" if flags & WRITING:
                raise oserror(errno.EACCES)
            case "the locks are somebody else's" if is_lock:
                raise oserror(errno.EACCES)
            case "the locks may be read" if is_lock and flags & WRITING:
                raise oserror(errno.EACCES)

    def write(self, fd: int, data: bytes) -> int:
        """Write a note, or as much of it as there is room for."""
        if self.trouble is None or not stat.S_ISREG(os.fstat(fd).st_mode):
            return WRITE(fd, data)
        if self.trouble == "the disk is full":
            raise oserror(errno.ENOSPC)
        return WRITE(fd, data[: len(data) // 2] if self.trouble == "half" else data)

    def flock(self, fd: int, operation: int) -> None:
        """Lock a file, if that can be done."""
        if self.trouble == "nothing can be locked":
            raise oserror(errno.ENOLCK)
        FLOCK(fd, operation)


def oserror(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@pytest.fixture
def disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(str(home))
    monkeypatch.setattr(os, "open", disk.open)
    monkeypatch.setattr(os, "write", disk.write)
    monkeypatch.setattr(fcntl, "flock", disk.flock)
    return disk


@pytest.fixture
def patient_clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    return thread_clock(monkeypatch)


@pytest.fixture
def login_settings(home: Path, stand_in: StandIn) -> Settings:
    """A server that looks at its store every five seconds, and tries to store every fifty."""
    return stand_in.settings(home, watch_interval=5)


async def use(server: Server) -> int:
    """Ask for something with the token in force; what comes of it."""
    return (await server.account.backend.get("wham/usage", AGENT)).status


# --- while there is something to lose ---


@pytest.mark.parametrize("trouble", [*UNWRITABLE, *UNLOCKABLE, "half"])
@pytest.mark.parametrize("used", [False, True], ids=["from the beginning", "later"])
async def test_a_token_that_is_good_is_not_risked(
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    disk: Disk,
    trouble: str,
    used: bool,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    if used:
        assert await renewed(login_client) == SOMEBODY
        stand_in.exchanges.clear()
    former = read_stored(home)
    disk.trouble = trouble
    for _ in range(2):
        assert await renewed(login_client) == SOMEBODY
    failed = await failure(login_client)
    assert failed["message"].startswith(
        "Failed to refresh token: new ones could not be stored:"
    )
    assert failed["permanent"] is False
    assert outcomes(stand_in) == []
    assert read_stored(home) == former
    disk.trouble = None
    assert await renewed(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated"]
    assert await failure(login_client) is None
    assert stand_in.live_refresh_tokens() == [stored_tokens(home)["refresh_token"]]


@pytest.mark.parametrize("name", ["auth.json.renewal", "auth.json.lock"])
async def test_a_directory_in_the_place_of_a_lock_is_none(
    login_client: WireClient, home: Path, stand_in: StandIn, name: str
) -> None:
    sign_in_for(home, stand_in, 0)
    (home / name).mkdir()
    assert await renewed(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated"]
    assert (await status(login_client))["saved"] is True
    # Nothing can be noted in a directory; where only changes are locked, nothing is.
    assert await renewed(login_client) == SOMEBODY
    risked = [] if name == "auth.json.renewal" else ["rotated"]
    assert outcomes(stand_in) == ["rotated", *risked]
    await login_client.call("account/login/start", KEY)
    assert await account(login_client) == {"type": "apiKey"}
    await login_client.call("account/logout")
    assert not (home / "auth.json").exists()


async def test_locks_that_are_somebody_else_s_keep_nobody_from_signing_in(
    login_client: WireClient, home: Path, disk: Disk
) -> None:
    disk.trouble = "the locks are somebody else's"
    await login_client.call("account/login/start", KEY)
    assert await account(login_client) == {"type": "apiKey"}
    await login_client.call("account/logout")
    assert left_in(home) == []


async def test_a_lock_that_may_only_be_read_is_one_all_the_same(
    login_settings: Settings, home: Path, stand_in: StandIn, disk: Disk
) -> None:
    sign_in_for(home, stand_in, 0)
    async with open_server(login_settings) as one, open_server(login_settings) as other:
        assert await use(one) == 200  # which has made the locks
        stand_in.expire_access_tokens()
        disk.trouble = "the locks may be read"
        async with trio.open_nursery() as nursery:
            for server in (one, other, one, other):
                nursery.start_soon(use, server)
    assert outcomes(stand_in) == ["rotated", "rotated"]


# --- when there is nothing to lose ---


@pytest.mark.parametrize("trouble", UNWRITABLE)
async def test_what_cannot_be_stored_is_in_force_until_it_can_be(
    patient_clock: MockClock,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    disk: Disk,
    trouble: str,
) -> None:
    former = sign_in_for(home, stand_in, 0)
    stored = read_stored(home)
    disk.trouble = trouble
    assert await token(login_client) != former.access_token
    assert await account(login_client) == SOMEBODY
    now = await status(login_client)
    assert (now["saved"], now["standing"], now["source"]) == (False, "verified", "store")
    assert "os error" in now["failure"]["message"]
    assert now["failure"]["permanent"] is False
    await trio.sleep(10)
    assert read_stored(home) == stored
    assert (await status(login_client))["saved"] is False
    disk.trouble = None
    await trio.sleep(50)
    now = await status(login_client)
    assert (now["saved"], now["failure"]) == (True, None)
    assert stored_tokens(home)["access_token"] == await token(login_client)
    assert stand_in.live_refresh_tokens() == [stored_tokens(home)["refresh_token"]]
    assert outcomes(stand_in) == ["rotated"]
    assert told(login_client) == []


@pytest.mark.parametrize("trouble", UNLOCKABLE)
async def test_without_a_lock_what_is_needed_is_renewed_and_stored(
    login_client: WireClient, home: Path, stand_in: StandIn, disk: Disk, trouble: str
) -> None:
    former = sign_in_for(home, stand_in, 0)
    disk.trouble = trouble
    assert await token(login_client) != former.access_token
    assert outcomes(stand_in) == ["rotated"]
    assert stored_tokens(home)["access_token"] == await token(login_client)
    now = await status(login_client)
    assert (now["saved"], now["failure"]) == (True, None)


async def test_what_comes_next_takes_the_place_of_what_could_not_be_stored(
    patient_clock: MockClock,
    login_server: Server,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    disk: Disk,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stored = read_stored(home)
    assert await account(login_client) == SOMEBODY
    disk.trouble = "the disk is full"
    for times in (1, 2, 3):
        stand_in.expire_access_tokens()
        assert await use(login_server) == 200
        assert outcomes(stand_in) == ["rotated"] * times
        assert read_stored(home) == stored
    # As long as the disk is full a good token is not risked.
    assert await renewed(login_client) == SOMEBODY
    assert len(outcomes(stand_in)) == 3
    disk.trouble = None
    assert await renewed(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated"] * 4
    assert stand_in.live_refresh_tokens() == [stored_tokens(home)["refresh_token"]]
    now = await status(login_client)
    assert (now["saved"], now["failure"]) == (True, None)


async def test_another_process_does_not_use_what_is_spent_and_still_stored(
    patient_clock: MockClock,
    login_server: Server,
    login_client: WireClient,
    login_settings: Settings,
    home: Path,
    stand_in: StandIn,
    disk: Disk,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    assert await renewed(login_client) == SOMEBODY  # so that there are locks
    stand_in.exchanges.clear()
    disk.trouble = "there is room for a note"
    for times in (1, 2):
        stand_in.expire_access_tokens()
        assert await use(login_server) == 200
        assert outcomes(stand_in) == ["rotated"] * times
        async with open_server(login_settings) as other, connect(other) as client:
            await client.initialize()
            assert await renewed(client) == SOMEBODY
        assert outcomes(stand_in) == ["rotated"] * times
    # The next one is lost on its way, and nobody forgets what is still stored.
    stand_in.expire_access_tokens()
    for fault in (Fault.status(500), Fault.drop()):
        stand_in.faults.add(TOKEN, fault)
        assert await use(login_server) == 401
        async with open_server(login_settings) as other, connect(other) as client:
            await client.initialize()
            assert await renewed(client) == SOMEBODY
        assert outcomes(stand_in) == ["rotated"] * 2
    await trio.sleep(60)
    disk.trouble = None
    assert await use(login_server) == 200
    assert outcomes(stand_in) == ["rotated"] * 3
    assert stand_in.live_refresh_tokens() == [stored_tokens(home)["refresh_token"]]


# --- what others do meanwhile ---


async def test_whoever_signs_in_meanwhile_wins(
    patient_clock: MockClock,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    disk: Disk,
) -> None:
    sign_in_for(home, stand_in, 0)
    disk.trouble = "the disk is full"
    await token(login_client)
    disk.trouble = None
    sign_in_other(home, stand_in)
    assert await updated(login_client) == ("chatgpt", "pro")
    assert await account(login_client) == SOMEBODY_ELSE
    await trio.sleep(60)
    now = await status(login_client)
    assert (now["saved"], now["failure"]) == (True, None)
    assert told(login_client) == []


async def test_whoever_signs_out_is_signed_out(
    patient_clock: MockClock,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    disk: Disk,
) -> None:
    sign_in_for(home, stand_in, 0)
    disk.trouble = "the disk is full"
    await token(login_client)
    await login_client.call("account/logout")
    assert left_in(home) == []
    disk.trouble = None
    await trio.sleep(60)
    assert left_in(home) == []
    assert await account(login_client) is None
    assert stand_in.live_refresh_tokens() == []


async def test_a_home_that_is_away_renews_nothing(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    """A disk that is not mounted looks like a sign-out, and is none for long."""
    sign_in(home, stand_in.issue_tokens())
    assert await account(login_client) == SOMEBODY
    home.rename(away := home.with_name("away"))
    assert await renewed(login_client) is None
    away.rename(home)
    assert await renewed(login_client) == SOMEBODY
    assert asked(stand_in) == 1
