"""``codex-trio login``, ``login status`` and ``logout``, as people type them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import trio

from codex_trio.testing import (
    Fault,
    StandIn,
    open_stand_in,
)
from tests.conftest import PATIENCE
from tests.processes import OURS, read_rest, start
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


ANY_PORT = ("-c", "login_callback_ports=[0]")
NO_SCREEN = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}

# A browser that keeps what it shows beside itself.
VISIT = """
import pathlib, re, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with opener.open(sys.argv[1]) as page:
    (heading,) = re.findall("<h1[^>]*>(.*?)</h1>", page.read().decode())
pathlib.Path(__file__).with_name("seen").write_text(heading)
"""


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    async with open_stand_in() as stand_in:
        with trio.fail_after(PATIENCE):
            yield stand_in


async def run(
    home: Path, *arguments: str, given: bytes = b"", environ: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run the command; returns its exit code, and what it has said."""
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(
            [*OURS, *arguments],
            stdin=given,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env={**genuine_environment(home), **(environ or {})},
        )
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


class Pipe:
    """What a command says into a pipe."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.said = ""

    async def wait_said(self, pattern: str) -> str:
        """Wait for what a pattern has in its group."""
        assert self.process.stderr is not None
        while (found := re.search(pattern, self.said)) is None:
            data = await self.process.stderr.receive_some()
            assert data, f"it has only said: {self.said}"
            self.said += data.decode()
        return found[1]

    async def wait_end(self) -> int:
        self.said += (await read_rest(self.process.stderr)).decode()
        return await self.process.wait()


@asynccontextmanager
async def log_in(
    home: Path, stand_in: StandIn, *flags: str, environ: dict[str, str] | None = None
) -> AsyncGenerator[Pipe]:
    """Start to sign in, over pipes."""
    async with start(
        home,
        "login",
        *ANY_PORT,
        *flags,
        environ={**stand_in.environ, **(environ or {})},
        stderr=subprocess.PIPE,
    ) as process:
        yield Pipe(process)


async def assert_free(auth_url: str) -> None:
    """Listen where a sign-in has listened."""
    (redirect_uri,) = parse_qs(urlsplit(auth_url).query)["redirect_uri"]
    port = urlsplit(redirect_uri).port
    assert port is not None
    (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
    await listener.aclose()


def stored_mode(home: Path) -> str:
    mode: str = json.loads((home / "auth.json").read_text())["auth_mode"]
    return mode


# --- with an API key, status, logout ---


async def test_an_api_key_is_stored_shown_in_part_and_removed(home: Path) -> None:
    key = b"  sk-1234567890abcdef\n"
    code, said = await run(home, "login", "--with-api-key", given=key)
    assert (code, said.splitlines()[-1]) == (0, "Successfully logged in")
    assert (
        json.loads((home / "auth.json").read_text())["OPENAI_API_KEY"] == key.strip().decode()
    )
    status = await run(home, "login", "status")
    assert status == (0, "Logged in using an API key - sk-12345***bcdef\n")
    assert await run(home, "logout") == (0, "Successfully logged out\n")
    assert not (home / "auth.json").exists()
    assert await run(home, "logout") == (0, "Not logged in\n")
    assert await run(home, "login", "status") == (1, "Not logged in\n")


@pytest.mark.parametrize("given", [b"", b" \n", b"\xff"])
async def test_what_is_no_key_is_not_stored(home: Path, given: bytes) -> None:
    code, said = await run(home, "login", "--with-api-key", given=given)
    assert code == 1
    assert "API key" in said.splitlines()[-1]
    assert not (home / "auth.json").exists()


async def test_ctrl_c_while_the_key_is_read_stores_nothing(home: Path) -> None:
    flags = ("login", "--with-api-key")
    async with start(home, *flags, stderr=subprocess.PIPE) as process:
        pipe = Pipe(process)
        await pipe.wait_said("(Reading)")
        process.send_signal(signal.SIGINT)
        assert await pipe.wait_end() == 130
    assert pipe.said.splitlines()[-1] == "Login canceled"
    assert not (home / "auth.json").exists()


async def test_the_server_says_what_is_not_allowed(home: Path) -> None:
    (home / "config.toml").write_text('forced_login_method = "chatgpt"')
    code, said = await run(home, "login", "--with-api-key", given=b"sk-x")
    assert code == 1
    assert said.splitlines()[-1] == "API key login is disabled. Use ChatGPT login instead."


async def test_overrides_count_wherever_they_stand(home: Path) -> None:
    await run(home, "login", "--with-api-key", given=b"sk-1234567890abcdef")
    # What the provider needs says nothing of who is signed in.
    arguments = ["-c", "model_provider=ollama", "login", "-c", "a=1", "status"]
    code, _ = await run(home, *arguments)
    assert code == 0
    forced = "forced_login_method=chatgpt"
    assert await run(home, *arguments, "-c", forced) == (1, "Not logged in\n")


async def test_without_its_configuration_it_does_nothing(home: Path) -> None:
    (home / "config.toml").write_text("model_provider = 3")
    reason = f"{home}/config.toml:1:18: invalid type: integer `3`, expected a string"
    said = f"Error loading configuration: {reason}\n"
    assert await run(home, "logout") == (1, said)


async def test_signing_out_removes_what_could_not_be_used(home: Path) -> None:
    (home / "auth.json").write_text("garbage")
    code, said = await run(home, "logout", environ={"CODEX_TRIO_LOG": "off"})
    assert (code, said) == (0, "Successfully logged out\n")
    assert not (home / "auth.json").exists()


def test_signing_out_without_anywhere_to_say_so_is_no_failure(home: Path) -> None:
    script = ["sh", "-c", 'exec "$@" 2>&-', "sh", *OURS, "logout"]
    environ = genuine_environment(home)
    done = subprocess.run(script, env=environ, check=False, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"")


# --- through a browser ---


async def test_a_browser_is_opened_and_signs_in(
    home: Path, stand_in: StandIn, tmp_path: Path
) -> None:
    script = tmp_path / "browser.py"
    script.write_text(VISIT)
    environ = {"BROWSER": f"{sys.executable} {script} %s"}
    async with log_in(home, stand_in, environ=environ) as pipe:
        assert await pipe.wait_end() == 0
    assert pipe.said.splitlines()[0].startswith("Your browser is being opened.")
    assert pipe.said.splitlines()[-1] == "Successfully logged in"
    assert "\x1b" not in pipe.said
    assert "originator=codex_cli_rs" in pipe.said
    assert stored_mode(home) == "chatgpt"
    assert await run(home, "login", "status") == (0, "Logged in using ChatGPT\n")
    out = await run(home, "logout", environ=stand_in.environ)
    assert out == (0, "Successfully logged out\n")
    assert stand_in.requests[-1].path == "/oauth/revoke"
    assert (tmp_path / "seen").read_text() == "Signed in to Codex"


async def test_a_browser_that_stays_is_not_waited_for(
    home: Path, stand_in: StandIn, tmp_path: Path
) -> None:
    fifo, browser = tmp_path / "fifo", tmp_path / "browser"
    os.mkfifo(fifo)
    browser.write_text(f"#!/bin/sh\nexec >&- 2>&-\nread line < {fifo}\n")
    browser.chmod(0o700)
    async with log_in(home, stand_in, environ={"BROWSER": f"{browser} %s"}) as pipe:
        url = await pipe.wait_said(r"(http://\S+)\n")
        # It is there when the pipe can be opened, and until something is said into it.
        to_browser = await trio.to_thread.run_sync(partial(os.open, fifo, os.O_WRONLY))
        await stand_in.visit(url)
        assert await pipe.process.wait() == 0
        os.write(to_browser, b"\n")
        os.close(to_browser)


@pytest.mark.parametrize(
    ("flags", "environ"),
    [((), NO_SCREEN), (("--no-browser",), {"BROWSER": "/bin/false"}), ((), {"BROWSER": "'"})],
)
async def test_the_url_can_be_opened_by_hand(
    home: Path, stand_in: StandIn, flags: tuple[str, ...], environ: dict[str, str]
) -> None:
    async with log_in(home, stand_in, *flags, environ=environ) as pipe:
        page = await stand_in.visit(await pipe.wait_said(r"(http://\S+)\n"))
        assert page.status == 200
        assert await pipe.wait_end() == 0
    assert pipe.said.startswith("Your browser") == (environ.get("BROWSER") == "'")
    assert stored_mode(home) == "chatgpt"


async def test_a_denial_is_said_and_nothing_else_comes_through(
    home: Path, stand_in: StandIn
) -> None:
    stand_in.user = "deny"
    stand_in.denial.description = "not \x1b[2Jyou"
    async with log_in(home, stand_in, "--no-browser") as pipe:
        await stand_in.visit(await pipe.wait_said(r"(http://\S+)\n"))
        assert await pipe.wait_end() == 1
    assert pipe.said.splitlines()[-1] == r"Error logging in: Sign-in failed: not \x1b[2Jyou"
    assert not (home / "auth.json").exists()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_cancels_and_leaves_nothing(
    home: Path, stand_in: StandIn, signum: int, code: int
) -> None:
    async with log_in(home, stand_in, "--no-browser") as pipe:
        url = await pipe.wait_said(r"(http://\S+)\n")
        pipe.process.send_signal(signum)
        assert await pipe.wait_end() == code
    assert pipe.said.splitlines()[-1] == "Login canceled"
    await assert_free(url)
    assert not (home / "auth.json").exists()


# --- with a device code ---


async def test_a_device_code_signs_in(home: Path, stand_in: StandIn) -> None:
    async with log_in(home, stand_in, "--device-auth") as pipe:
        stand_in.approve_device(await pipe.wait_said(r"\n +(\w{4}-\w{4})\n"))
        assert await pipe.wait_end() == 0
    assert f"{stand_in.url}/codex/device\n" in pipe.said
    assert "wants to get in to your account" in pipe.said
    assert pipe.said.splitlines()[-1] == "Successfully logged in"
    assert "\x1b" not in pipe.said
    assert stored_mode(home) == "chatgpt"


async def test_a_device_code_that_is_refused_is_a_failure(
    home: Path, stand_in: StandIn
) -> None:
    stand_in.device.refuse = 429
    code, said = await run(home, "login", "--device-auth", environ=stand_in.environ)
    assert code == 1
    reason = "device auth failed with status 429 Too Many Requests"
    assert said.splitlines()[-1] == f"Error logging in: {reason}"


async def test_a_signal_before_there_is_a_code_cancels_as_well(
    home: Path, stand_in: StandIn
) -> None:
    path = "/api/accounts/deviceauth/usercode"
    stand_in.faults.add(path, Fault.hang())
    async with log_in(home, stand_in, "--device-auth") as pipe:
        await stand_in.wait_request(path)
        pipe.process.send_signal(signal.SIGINT)
        assert await pipe.wait_end() == 130
    assert pipe.said == "Login canceled\n"


# --- what signals find ---


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGINT, signal.SIGTERM]])
async def test_a_signal_does_not_wait_for_a_revocation(
    home: Path, stand_in: StandIn, signals: list[int]
) -> None:
    stand_in.device.approve_after = 0
    async with log_in(home, stand_in, "--device-auth") as pipe:
        assert await pipe.wait_end() == 0
    stand_in.faults.add("/oauth/revoke", Fault.hang())
    environ = stand_in.environ
    async with start(home, "logout", environ=environ, stderr=subprocess.PIPE) as process:
        await stand_in.wait_request("/oauth/revoke")
        for signum in signals:
            process.send_signal(signum)
        code = await process.wait()
        said = (await read_rest(process.stderr)).decode()
    assert code in {128 + signum for signum in signals}
    assert said.startswith("Interrupted.")
    assert not (home / "auth.json").exists()


def test_ctrl_c_before_anything_has_begun_is_quiet(home: Path) -> None:
    script = (
        "import sys, codex_trio.__main__, codex_trio.commands as program\n"
        "def interrupt(_): raise KeyboardInterrupt\n"
        "program.load_settings = interrupt\n"
        "sys.argv = ['codex-trio', 'logout']\n"
        "codex_trio.__main__.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        env=genuine_environment(home),
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (130, b"")
