"""A real keyring: GNOME's, on a bus of its own, shared with the genuine server."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import keyring as package
import pytest
import trio

from codex_trio.account.credentials import Credentials
from codex_trio.account.keyring_store import SERVICE, account_of
from codex_trio.account.storage import open_store
from codex_trio.settings import Settings
from codex_trio.testing import WireClient, open_client
from tests.account.keyrings import in_use
from tests.account.test_keyring_store import DELETE, LOAD, SAVE, run_program
from tests.conftest import PATIENCE
from tests.parity.run import GENUINE
from tests.processes import start, wire_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    from codex_trio.account.storage import Store

PROGRAMS = ("dbus-daemon", "gnome-keyring-daemon")

pytestmark = [
    pytest.mark.keyring,
    pytest.mark.skipif(sys.platform != "linux", reason="other systems have other keyrings"),
    pytest.mark.skipif(
        not all(map(shutil.which, PROGRAMS)), reason=f"needs {' and '.join(PROGRAMS)}"
    ),
]

OURS, THEIRS = Credentials.of_api_key("sk-ours"), Credentials.of_api_key("sk-theirs")


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """A session bus on which there is nobody yet; every process of the test is on it."""
    for name in ("DATA", "CONFIG", "CACHE", "RUNTIME"):
        folder = tmp_path / name
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(f"XDG_{name}_{'DIR' if name == 'RUNTIME' else 'HOME'}", str(folder))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "PYTHON_KEYRING_BACKEND"):
        monkeypatch.delenv(name, raising=False)  # nobody is there to be asked
    command = [shutil.which("dbus-daemon") or "", "--session", "--nofork", "--print-address"]
    with running(command, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        monkeypatch.setenv(
            "DBUS_SESSION_BUS_ADDRESS", daemon.stdout.readline().decode().strip()
        )
        yield


@contextmanager
def keyring(*, unlocked: bool = True) -> Generator[None]:
    """Run the keyring of a bus, which is found anew by whoever looks for one."""
    command = ["gnome-keyring-daemon", "--foreground", "--components=secrets"]
    with ExitStack() as stack:
        daemon = stack.enter_context(
            running([*command, *(["--unlock"] if unlocked else [])], stdin=subprocess.PIPE)
        )
        assert daemon.stdin is not None
        daemon.stdin.write(b"password")
        daemon.stdin.close()
        wait_for_service(daemon.pid)
        stack.enter_context(in_use(None))  # type: ignore[type-var]  # none has been looked for
        yield


@contextmanager
def running(command: list[str], **options: Any) -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


def wait_for_service(pid: int) -> None:
    """Wait until the keyring has its name: who asks sooner would have another one started."""
    jeepney, blocking = (
        importlib.import_module(f"jeepney{room}") for room in ("", ".io.blocking")
    )
    bus = jeepney.DBusAddress("/", "org.freedesktop.DBus", "org.freedesktop.DBus")
    ask = jeepney.new_method_call(
        bus, "GetConnectionUnixProcessID", "s", ("org.freedesktop.secrets",)
    )
    end = time.monotonic() + PATIENCE
    with blocking.open_dbus_connection() as connection:
        while connection.send_and_get_reply(ask).body != (pid,):
            assert time.monotonic() < end, "the keyring does not start"


@pytest.fixture
def store(home: Path) -> Store:
    return open_store(Settings(codex_home=home, credentials_store="keyring"))


@asynccontextmanager
async def open_genuine(home: Path) -> AsyncGenerator[WireClient]:
    """The genuine server, which keeps its credentials in the keyring."""
    choice = ("-c", 'cli_auth_credentials_store="keyring"', "app-server")
    async with start(home, *choice, command=GENUINE, stderr=subprocess.DEVNULL) as process:
        async with open_client(wire_of(process)) as client:
            await client.initialize()
            yield client


async def key_in_force(client: WireClient) -> str | None:
    status = await client.call("getAuthStatus", {"includeToken": True})
    token: str | None = status["authToken"]
    return token


@pytest.mark.usefixtures("bus")
async def test_a_real_keyring_keeps_credentials(home: Path, store: Store) -> None:
    with keyring():
        assert await store.load() is None
        for credentials in (OURS, Credentials.of_api_key("k" * 100_000)):
            await store.save(credentials)
            assert await store.load() == credentials
        await store.delete()
        await store.delete()
        assert await store.load() is None
    assert list(home.iterdir()) == []


@pytest.mark.usefixtures("bus")
def test_a_real_keyring_that_nobody_unlocks_is_locked(home: Path, store: Store) -> None:
    """In a process of its own: the package leaves sockets behind then."""
    with keyring():
        trio.run(store.save, OURS)
    with keyring(unlocked=False):
        locked = [f"{what}: the keyring is locked" for what in (LOAD, SAVE, DELETE)]
        assert run_program(home, {}) == locked


@pytest.mark.usefixtures("bus")
async def test_one_home_is_one_account_for_the_genuine_server_and_for_ours(
    home: Path, store: Store
) -> None:
    """There is one entry, whoever writes first, and whoever writes last."""
    login = {"type": "apiKey", "apiKey": "sk-theirs"}
    with keyring():
        for _ in range(2):
            async with open_genuine(home) as genuine:
                await genuine.call("account/login/start", login)
            assert await store.load() == THEIRS
            await store.save(OURS)
            async with open_genuine(home) as genuine:
                assert await key_in_force(genuine) == "sk-ours"
        await store.delete()
        async with open_genuine(home) as genuine:
            assert await key_in_force(genuine) is None
        await store.save(OURS)
        async with open_genuine(home) as genuine:
            await genuine.call("account/logout")
        assert await store.load() is None
        assert package.get_password(SERVICE, account_of(home)) is None
