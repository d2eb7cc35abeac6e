"""The stand-in as a program, and pytest with our fixtures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from socket import create_connection
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

import pytest
import trio

from codex_trio.testing import spawn_stand_in
from tests.processes import OURS
from tests.testing.conftest import port_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from codex_trio.testing import StandIn

# Pytest in a process of its own, which must not find our conftest.
PYTEST = (sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider")


@contextmanager
def running(*flags: str, **options: Any) -> Generator[tuple[subprocess.Popen[bytes], Any]]:
    """Start the command; yields it and what it says, and leaves it to the block to end it."""
    command = [*OURS, "stand-in", *flags]
    options = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, **options}
    with subprocess.Popen(command, stdout=subprocess.PIPE, **options) as child:
        try:
            assert child.stdout is not None
            yield child, json.loads(child.stdout.readline())
            child.wait(20)
        finally:
            child.kill()
        assert child.stdout.read() == b""
        assert child.stderr is not None
        assert child.stderr.read() == b""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_says_in_one_line_where_it_is_and_ends_with_a_signal(signum: int) -> None:
    with running("--port", "0") as (child, place):
        url = place["url"]
        assert place["environ"]["CODEX_APP_SERVER_LOGIN_ISSUER"] == url
        assert f'chatgpt_base_url = "{url}/backend-api"\n' in place["config"]
        assert f'.base_url = "{url}/v1"\n' in place["config"]
        with build_opener(ProxyHandler({})).open(f"{url}/codex/device") as page:
            assert b"Enter the code" in page.read()
        child.send_signal(signum)
    assert child.returncode == 0


def test_it_ends_with_its_input_if_it_shall() -> None:
    with running("--until-eof", stdin=subprocess.PIPE) as (child, _):
        assert child.stdin is not None
        child.stdin.write(b"not yet\n")
        child.stdin.close()
    assert child.returncode == 0


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [*OURS, "stand-in", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


async def test_a_port_that_is_taken_is_not_to_be_had(stand_in: StandIn) -> None:
    port = port_of(stand_in.url)
    done = await trio.to_thread.run_sync(run, "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: the stand-in cannot run: ")
    assert "in use" in done.stderr


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_there_is_no_such_port(port: str) -> None:
    done = run(f"--port={port}")
    assert done.returncode == 2
    assert f"argument --port: `{port}` is no port" in done.stderr


# --- in a process of its own ---


def test_a_test_in_any_style_has_it_as_a_child() -> None:
    with spawn_stand_in() as stand_in:
        assert stand_in.environ["CODEX_REVOKE_TOKEN_URL_OVERRIDE"].startswith(stand_in.url)
        stand_in.script({"faults": [{"path": "/a", "status": 204}]})
        opener = build_opener(ProxyHandler({}))
        with opener.open(f"{stand_in.url}/a", b"{}") as response:
            assert response.status == 204
        (request,) = stand_in.requests()
        assert (request["method"], request["path"], request["body"]) == ("POST", "/a", "{}")
        with pytest.raises(ValueError, match="'user' must be in"):
            stand_in.script({"user": "nobody"})
        with pytest.raises(ValueError, match="NONE-SUCH"):
            stand_in.approve_device("NONE-SUCH")
        stand_in.reset()
        assert stand_in.requests() == []
    with pytest.raises(OSError, match="refused"):
        stand_in.requests()


def test_a_test_in_any_style_has_tokens_of_it() -> None:
    with spawn_stand_in() as stand_in:
        tokens = stand_in.issue_tokens()
        other = stand_in.issue_tokens(account_id="an other")
        assert "fake" in stand_in.issue_access_token(plan="pro")
        assert stand_in.live_refresh_tokens() == [tokens.refresh_token]
        assert stand_in.live_refresh_tokens("an other") == [other.refresh_token]
        with pytest.raises(ValueError, match="none of expired"):
            stand_in.end_refresh_tokens("lost")  # type: ignore[arg-type]  # that is the point
        stand_in.expire_access_tokens()
        stand_in.end_refresh_tokens("expired")
        assert stand_in.live_refresh_tokens() == []
        stand_in.revoke_all()
        stand_in.hold("/a")
        stand_in.release("/a")
        assert stand_in.exchanges() == []


def test_a_test_in_any_style_has_models_of_it() -> None:
    opener = build_opener(ProxyHandler({}))

    def ask(path: str) -> bytes:
        with opener.open(url + path, b"{}") as response:
            body: bytes = response.read()
            return body

    with spawn_stand_in() as stand_in:
        url = stand_in.url
        stand_in.answer("Hi", {"parts": ["A", {"hold": "b"}, "B"]}, {"parts": [{"hold": "c"}]})
        stand_in.script({"respond": {"text": "ever", "model": "m"}})
        assert b'"delta":"Hi"' in ask("/v1/responses")
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(ask, "/v1/responses")
            stand_in.wait_held("b")
            assert stand_in.open_responses() == 1
            stand_in.release("b")
            assert b'"delta":"B"' in asked.result()
        with create_connection(("127.0.0.1", port_of(url))) as wire:
            wire.sendall(b"POST /responses HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            stand_in.wait_held("c")
        assert stand_in.wait_closed()["path"] == "/responses"
        assert [ask("/responses").count(b'"delta":"ever"') for _ in range(2)] == [1, 1]
        requests = stand_in.response_requests()
        courses = [one["course"] for one in requests]
        assert courses == ["complete", "complete", "closed", "complete", "complete"]
        assert stand_in.wait_response_request(3) == requests[2]
        assert stand_in.wait_request("/responses") == requests[2]
        assert "course" not in stand_in.wait_request("/responses")["headers"]
        with pytest.raises(ValueError, match="a part is one of"):
            stand_in.answer({"txt": "Hi"})


KILLED = """
import os, signal
from codex_trio.testing import spawn_stand_in

with spawn_stand_in():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_child_does_not_outlive_us_even_if_we_are_killed() -> None:
    # Standard error is the child's as well, and ends with the last of the two.
    done = subprocess.run(
        [sys.executable, "-c", KILLED], capture_output=True, check=False, timeout=20
    )
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")


def test_a_child_that_does_not_start_is_no_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(ChildProcessError, match="does not start"):
        with spawn_stand_in():
            pytest.fail("there is none")


# --- the fixtures ---


def run_pytest(folder: Path, test: str, *flags: str, conftest: str = "") -> list[str]:
    """Run a test with the plugin, and return the last words."""
    plugins = 'pytest_plugins = ["codex_trio.testing"]\n'
    (folder / "conftest.py").write_text(conftest + plugins, encoding="utf-8")
    (folder / "test_it.py").write_text(test, encoding="utf-8")
    # What warns is an error here too, and what was covered counts.
    config = "[pytest]\nfilterwarnings = error\n"
    (folder / "pytest.ini").write_text(config, encoding="utf-8")
    command: Sequence[str] = [*PYTEST, *flags]
    environ = {**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


IN_TRIO = """
import attrs, pytest

@pytest.fixture
def codex_settings(codex_settings):
    return attrs.evolve(codex_settings, originator="me")

async def test_a_client_is_signed_in(codex_client, codex_server, stand_in):
    assert codex_server.settings.issuer == stand_in.url
    assert codex_server.settings.originator == "me"
    await codex_client.call("account/login/start", {"type": "apiKey", "apiKey": "sk-x"})
    await codex_client.next_notification("account/updated")

async def test_it_has_a_home_of_its_own(codex_client, nothing_left):
    assert (await codex_client.call("account/read", {}))["account"] is None
"""


def test_pytest_has_a_client_and_a_stand_in_whatever_was_imported_before(
    tmp_path: Path,
) -> None:
    before = "from codex_trio.testing import connect, fixtures\n"
    flags = ("-p", "pytest_trio.plugin", "-o", "trio_mode=true")
    said = run_pytest(tmp_path, IN_TRIO, *flags, conftest=before)
    assert said[-1].startswith("2 passed"), said


SYNCHRONOUS = """
import sys

def test_the_stand_in_is_a_process(stand_in_process):
    assert stand_in_process.requests() == []
    assert "pytest_trio" not in sys.modules
"""


def test_a_test_without_trio_needs_no_pytest_trio(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, SYNCHRONOUS)
    assert said[-1].startswith("1 passed"), said


LEAVING = """
import os

def test_that_leaves_a_pipe(nothing_left):
    os.pipe()
"""


def test_a_test_that_leaves_something_fails(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, LEAVING)
    assert said[-1].startswith("1 passed, 1 error"), said
    assert sum(": pipe:" in line for line in said) >= 2


def test_who_only_wants_a_client_loads_neither_pytest_nor_httpx() -> None:
    script = "import sys, codex_trio.testing; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert not {"pytest", "httpx"} & set(done.stdout.decode().split())
