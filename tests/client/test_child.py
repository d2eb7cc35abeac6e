"""Servers that a client starts: ours and the genuine one, polite ones, deaf ones, dead ones."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from codex_cli_bin import bundled_codex_path  # type: ignore[import-untyped]  # it has no types

from codex_trio.client import child, connect
from codex_trio.client.child import open_child
from codex_trio.errors import ServerGoneError
from codex_trio.protocol import account as words
from codex_trio.protocol import methods
from tests.conftest import PATIENCE
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.testing import StandInProcess

READ = words.GetAccountParams()
OURS = f"stdio:{shlex.quote(sys.executable)} -m codex_trio app-server"
GENUINE = f"stdio:{shlex.quote(str(bundled_codex_path()))} app-server"

both = pytest.mark.parametrize("url", [OURS, GENUINE], ids=["ours", "genuine"])


def python(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


@both
async def test_a_server_is_started_and_ended(url: str, home: Path) -> None:
    lines: list[str] = []
    environ = genuine_environment(home)
    with trio.fail_after(PATIENCE):
        async with connect(url, environ=environ, take_line=lines.append) as client:
            assert client.server.codex_home == str(home)
            with trio.move_on_after(0.001):  # the genuine server takes no note of that
                await client.call(methods.ACCOUNT_READ, READ)
            assert (await client.call(methods.ACCOUNT_READ, READ)).account is None
            async with client.notifications(methods.ACCOUNT_UPDATED) as news:
                await client.login_with_api_key("sk-mine")
                assert (await anext(news)).auth_mode == "apikey"
            await client.logout()
    assert not [line for line in lines if "panic" in line or "Traceback" in line]


@both
async def test_a_conversation_with_a_server_that_is_started(
    url: str, home: Path, stand_in_process: StandInProcess, tmp_path: Path
) -> None:
    (home / "config.toml").write_text(stand_in_process.config, encoding="utf-8")
    environ = {**genuine_environment(home), **stand_in_process.environ}
    slow = [{"text": "One", "deltas": ["O", "ne"]}, {"hold": "here"}]
    stand_in_process.answer({"text": "One, two.", "deltas": ["One, ", "two."]}, "Three.")
    stand_in_process.answer({"parts": slow})
    with trio.fail_after(PATIENCE):
        async with connect(url, environ=environ, take_line=lambda _: None) as client:
            await client.login_with_api_key("sk-mine")
            thread = await client.start_thread(cwd=str(tmp_path), model="gpt-5.5")
            async with thread.run("Count.") as turn:
                assert "".join([piece async for piece in turn.text()]) == "One, two."
                assert turn.answer == "One, two."
            assert await thread.ask("Go on.") == "Three."
            async with thread.run("Wait.") as turn:
                async for _ in turn.text():
                    break
            read = await client.call("thread/read", {"threadId": thread.id})
            assert read["thread"]["status"]["type"] == "idle"


@both
async def test_a_sign_in_with_a_server_that_is_started(
    url: str, home: Path, stand_in_process: StandInProcess
) -> None:
    (home / "config.toml").write_text(stand_in_process.config, encoding="utf-8")
    environ = {**genuine_environment(home), **stand_in_process.environ}
    with trio.fail_after(PATIENCE):
        async with connect(url, environ=environ, take_line=lambda _: None) as client:
            async with client.notifications(methods.LOGIN_COMPLETED) as news:
                async with client.login_with_device_code() as given_up:
                    pass
                told = await anext(news)
                assert (told.login_id, told.success) == (given_up.id, False)
            async with client.login_with_device_code() as login:
                stand_in_process.approve_device(login.user_code)
                await login.wait_completed()
            account = (await client.call(methods.ACCOUNT_READ, READ)).account
            assert isinstance(account, words.ChatgptAccount)


@both
async def test_a_cancellation_leaves_no_child(url: str, home: Path) -> None:
    pids: list[int] = []
    with trio.fail_after(PATIENCE):
        for patience in (0.0, 0.01, 0.05, 0.1, 0.2, 0.4):
            with trio.move_on_after(patience):
                command = url.removeprefix("stdio:")
                environ = genuine_environment(home)
                async with open_child(command, 1000, environ, lambda _: None):
                    pids += children()
                    await trio.sleep_forever()
            assert children() == []
    assert pids
    assert not any(map(alive, pids))


def children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True: time.sleep(60)
"""


async def test_who_does_not_hear_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "PATIENCE", 0.1)
    monkeypatch.setattr(child, "INSISTENCE", 0.1)
    with trio.fail_after(PATIENCE):
        async with open_child(python(DEAF), 1000) as wire:
            assert await wire.receive() == b"ready"
            (pid,) = children()
    assert not alive(pid)


async def test_a_cancellation_cuts_the_patience_with_a_child_short() -> None:
    code = "import time; print('ready', flush=True); time.sleep(600)"
    started = trio.current_time()
    with trio.fail_after(PATIENCE), trio.move_on_after(1) as scope:
        async with open_child(python(code), 1000) as wire:
            assert await wire.receive() == b"ready"
    assert scope.cancelled_caught
    assert trio.current_time() - started < child.PATIENCE / 2
    assert children() == []


PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
sys.stdin.read()
"""


async def test_what_a_child_leaves_behind_is_killed_with_it() -> None:
    with trio.fail_after(PATIENCE):
        async with open_child(python(PARENT), 1000) as wire:
            grandchild = int(await wire.receive())
            assert alive(grandchild)
    descriptor = os.pidfd_open(grandchild) if alive(grandchild) else None
    if descriptor is not None:
        with trio.fail_after(PATIENCE):
            await trio.lowlevel.wait_readable(descriptor)
        os.close(descriptor)
    assert not alive(grandchild)


async def test_a_child_that_ends_says_how() -> None:
    with pytest.raises(ServerGoneError, match="the server hung up") as caught:
        async with connect(f"stdio:{python('raise SystemExit(7)')}"):
            pytest.fail("there is nobody")
    assert "has ended with exit code 7" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("url", "error", "text"),
    [
        ("stdio:", ValueError, "no command"),
        ("stdio:'", ValueError, "closing quotation"),
        ("stdio:/nowhere/codex", FileNotFoundError, "nowhere"),
        ("nowhere", ValueError, "a server is at"),
        ("http://127.0.0.1", ValueError, "a server is at"),
    ],
)
async def test_what_cannot_be_started_is_an_error(
    url: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        async with connect(url):
            pytest.fail("there is nobody")


async def test_a_child_that_hangs_up_may_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "PATIENCE", 0.1)
    code = "import os, time; os.close(1); time.sleep(600)"
    with pytest.raises(ServerGoneError, match="the server hung up") as caught:
        async with connect(f"stdio:{python(code)}"):
            pytest.fail("there is nobody")
    assert not hasattr(caught.value, "__notes__")
    assert children() == []


TALKS = """
import sys
sys.stderr.write("one\\ntwo")
sys.stderr.flush()
sys.stderr.buffer.write(b"\\xff\\nthree")
"""


async def test_standard_error_comes_by_the_line() -> None:
    lines: list[str] = []
    take: Callable[[str], None] = lines.append
    with trio.fail_after(PATIENCE):
        async with open_child(python(TALKS), 1000, None, take) as wire:
            with pytest.raises(trio.EndOfChannel):
                await wire.receive()
    assert lines == ["one", "two\N{REPLACEMENT CHARACTER}", "three"]


async def test_the_body_s_error_leaves_as_it_is(home: Path) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with connect(OURS, environ=genuine_environment(home)):
            raise KeyError("mine")
    assert children() == []
