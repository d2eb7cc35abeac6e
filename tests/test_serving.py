"""The wires that the program serves: which, to whom, and until when."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from codex_trio.arguments import parse_arguments
from codex_trio.serving import banner
from tests.processes import INITIALIZE, start, wire_of
from tests.schema import genuine_environment
from tests.test_command_line import run
from tests.websockets import dial, open_client


async def test_several_wires_are_served_at_once(home: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ct") as folder:
        flags = ["--listen", "stdio://", "--listen", "off", "--listen", f"unix://{folder}/s"]
        flags += ["--listen", "ws://127.0.0.1:0"]
        async with start(home, "app-server", *flags, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            banner = await process.stderr.receive_some()
            url = banner.decode().split("listening on: ")[1].split("\n")[0]
            async with wire_of(process) as streams:
                async with (
                    open_client(url) as one,
                    open_client(f"unix://{folder}/s") as other,
                ):
                    await one.initialize()
                    await other.initialize()
                    await streams.send(INITIALIZE)
                    assert json.loads(await streams.receive())["id"] == "i"
                    login = {"type": "apiKey", "apiKey": "sk-test"}
                    await one.call("account/login/start", login)
                    assert (await other.news("account/updated"))["authMode"] == "apikey"
                    while json.loads(await streams.receive())["method"] != "account/updated":
                        pass
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
        assert not Path(folder, "s").exists()


async def test_a_signal_ends_a_server_at_whose_door_somebody_dawdles(home: Path) -> None:
    async with start(
        home, "app-server", "--listen", "ws://127.0.0.1:0", stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        banner = await process.stderr.receive_some()
        url = banner.decode().split("listening on: ")[1].split("\n")[0]
        async with await dial(url) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nHo")
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--listen", "off"], "no transport configured; use --listen"),
        (["--ws-auth", "capability-token"], "`--ws-token-file` or `--ws-token-sha256` is"),
        (["--listen", "ws://0.0.0.0:0"], "refusing to start non-loopback websocket listener"),
        (
            ["--listen", "ws://192.0.2.1:0", "--ws-allow-unauthenticated"],
            "Address not available",
        ),
    ],
)
def test_wires_that_cannot_be_served_are_refused(
    flags: list[str], text: str, home: Path
) -> None:
    done = run("app-server", *flags, home=home)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"Error: {text}")


def test_secrets_are_not_read_for_standard_input_and_output(home: Path) -> None:
    done = run(
        "app-server", "--ws-auth", "capability-token", "--ws-token-file", "no", home=home
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("url", "is_guarded", "note"),
    [
        ("ws://127.0.0.1:1", False, "binds localhost only"),
        ("ws://0.0.0.0:1", True, "websocket auth is required for non-localhost listeners"),
        ("ws://[::]:1", False, "everybody who can connect is let in"),
    ],
)
def test_the_banner_says_who_can_connect(url: str, is_guarded: bool, note: str) -> None:
    first, where, ready, health, last = banner(url, is_guarded).splitlines()
    assert first == "codex app-server (WebSockets)"
    assert where == f"  listening on: {url}"
    assert ready == f"  readyz: http{url[2:]}/readyz"
    assert health == f"  healthz: http{url[2:]}/healthz"
    assert last.startswith(f"  note: {note}")


def test_a_skew_is_a_number_of_seconds() -> None:
    flag = "--ws-max-clock-skew-seconds"
    assert parse_arguments(["app-server", flag, "5"]).ws_max_clock_skew_seconds == 5
    assert "`x` is no number of seconds" in run("app-server", flag, "x").stderr.decode()


def test_websockets_are_not_loaded_for_standard_input_and_output(home: Path) -> None:
    code = (
        "import sys; sys.argv = ['x', 'app-server', '--listen', 'stdio://'];"
        "from codex_trio.__main__ import main; main();"
        "late = 'wsproto', 'jwt', 'trio_websocket', 'codex_trio.transport.admission',"
        "'codex_trio.transport.listening';"
        "print([name for name in late if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
        env=genuine_environment(home),
    )
    assert done.stdout == b"[]\n"
