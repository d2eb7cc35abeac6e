"""What clients spawn, and what people type."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import codex_trio
from codex_trio.arguments import parse_arguments
from codex_trio.logs import configure_logging
from codex_trio.testing import open_stand_in
from tests.processes import INITIALIZE, OURS, start, wire_of
from tests.schema import genuine_environment
from tests.terminals import CTRL_C, on_terminal


def run(
    *arguments: str,
    home: Path | None = None,
    given: bytes = b"",
    environ: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*OURS, *arguments],
        input=given,
        capture_output=True,
        check=False,
        timeout=60,
        env={**genuine_environment(home or Path.home()), **(environ or {})},
    )


def test_the_version_is_readable_to_the_original_s_clients() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.decode() == f"codex-cli 0.163.0 (codex-trio {codex_trio.__version__})\n"


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (["app-server"], []),
        (["app-server", "--listen", "stdio://"], []),
        (["app-server", "--stdio"], []),
        (["app-server", "--request-deadline", "2.5"], []),
        (
            ["-c", "a=1", "--config", "b=2", "app-server", "-c", "c=3", "--config=d=4"],
            ["a=1", "b=2", "c=3", "d=4"],
        ),
        (["--enable", "x", "app-server", "--disable", "y", "--analytics-default-enabled"], []),
        (
            [
                "app-server",
                "--strict-config",
                "--ws-auth",
                "capability-token",
                "--ws-token-file",
                "f",
            ],
            [],
        ),
    ],
)
def test_what_clients_say_is_understood(arguments: list[str], config: list[str]) -> None:
    known = parse_arguments(arguments)
    assert (known.command, known.config) == ("app-server", config)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "error: the following arguments are required: COMMAND"),
        (["app-server", "--nope"], "error: unrecognized arguments: --nope"),
        (["app-server", "--request-deadline", "x"], "`x` is no number of seconds"),
        (["app-server", "--request-deadline", "0"], "`0` is no number of seconds"),
        (["app-server", "--request-deadline", "inf"], "`inf` is no number of seconds"),
        (["nope"], "invalid choice: 'nope'"),
        (
            ["app-server", "--listen", "foo"],
            (
                "unsupported --listen URL `foo`; expected `stdio://`, `unix://`, `unix://PATH`,"
                " `ws://IP:PORT`, or `off`"
            ),
        ),
        (
            ["app-server", "--listen", "ws://localhost:0"],
            "invalid websocket --listen URL `ws://localhost:0`; expected `ws://IP:PORT`",
        ),
        (["app-server", "--stdio", "--listen", "stdio://"], "not allowed with argument"),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(arguments: list[str], text: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert text in done.stderr.decode()
    assert "For more information, try '--help'." in done.stderr.decode()


def test_help_says_what_has_no_effect_and_how_it_exits() -> None:
    done = run("app-server", "--help")
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "without effect" in text
    assert "Exit codes: 0" in text


@pytest.mark.parametrize(
    ("arguments", "environ", "text"),
    [
        (
            ["-c", "foo"],
            {},
            "Error: error parsing -c overrides: Invalid override (missing '='): foo\n",
        ),
        (
            [],
            {"CODEX_HOME": "/nonexistent/x"},
            'Error: CODEX_HOME points to "/nonexistent/x", but that path does not exist\n',
        ),
    ],
)
def test_a_server_that_cannot_start_says_why(
    arguments: list[str], environ: dict[str, str], text: str
) -> None:
    done = run("app-server", *arguments, environ=environ)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (1, b"", text)


def test_the_console_script_is_the_same(home: Path) -> None:
    script = Path(sys.executable).with_name("codex-trio")
    done = subprocess.run(
        [script, "app-server"],
        input=INITIALIZE,
        capture_output=True,
        check=True,
        env=genuine_environment(home),
    )
    assert json.loads(done.stdout)["id"] == "i"
    assert done.stderr == b""


# --- logs ---


def test_only_errors_are_logged_and_only_on_standard_error(home: Path) -> None:
    done = run("app-server", home=home, given=b"garbage\n" + INITIALIZE)
    assert json.loads(done.stdout)["id"] == "i"
    (line,) = done.stderr.decode().splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ERROR client\{connection=1\}: "
        r"codex_trio\.rpc\.reader: Failed to deserialize JSONRPCMessage: .*",
        line,
    )


def test_logs_can_be_json(home: Path) -> None:
    done = run("app-server", home=home, given=b"garbage\n", environ={"LOG_FORMAT": " JSON "})
    (line,) = done.stderr.splitlines()
    entry = json.loads(line)
    assert entry["level"] == "ERROR"
    assert entry["target"] == "codex_trio.rpc.reader"
    assert entry["fields"]["message"].startswith("Failed to deserialize")


@pytest.mark.parametrize(
    ("directives", "root", "rpc"),
    [
        ("", logging.ERROR, logging.NOTSET),
        ("debug", logging.DEBUG, logging.NOTSET),
        ("warn,codex_trio.rpc=TRACE", logging.WARNING, logging.DEBUG),
        ("off", logging.CRITICAL + 1, logging.NOTSET),
        ("loud", logging.ERROR, logging.NOTSET),
    ],
)
def test_the_level_is_configured_as_in_the_original(
    directives: str, root: int, rpc: int, capsys: pytest.CaptureFixture[str]
) -> None:
    loggers = [logging.getLogger(), logging.getLogger("codex_trio.rpc")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    try:
        configure_logging({"CODEX_TRIO_LOG": directives})
        assert [logger.level for logger in loggers] == [root, rpc]
        assert logging.getLogger("httpx").level == logging.WARNING  # it logs whole URLs
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers = handlers
    said = capsys.readouterr().err
    assert said == ("ignoring `loud`: invalid log directive\n" if directives == "loud" else "")


# --- demo ---


def test_the_demo_shows_every_way_to_sign_in_and_leaves_nothing(
    home: Path, tmp_path: Path
) -> None:
    nobody = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = run("demo", home=home, environ={"TMPDIR": str(tmp_path), **nobody})
    text = done.stdout.decode("ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\x1b" not in text
    place = 0
    for part in (
        'client --> {"id":0,"method":"initialize"',
        'server <-- {"id":1,"result":{"type":"apiKey"}}',
        'browser <-- 200 "Sign in?"',
        "/oauth/consent  decision=approve\n",
        "/auth/callback?...\n",
        'browser <-- 200 "Sign into Codex"',
        "/oauth/consent  decision=deny\n",
        'browser <-- 200 "Codex Sign-in Error"',
        '"result":{"status":"canceled"}',
        "was free: it has just been bound.",
        '"type":"chatgptDeviceCode"',
        "  user_code=",
        '"success":true',
        "was asked for new tokens: 1 time(s)",
        '"standing":"verified"',
        "POST /oauth/revoke (refresh_token)",
        '"result":{"account":null',
        '"result":{"type":"chatgptAuthTokens"}',
        '"method":"account/chatgptAuthTokens/refresh"',
        '"rateLimits"',
        "Done: exit code 0.",
    ):
        place = text.index(part, place)
    assert max(map(len, text.splitlines())) <= 1500  # a token is not folded
    assert list(tmp_path.iterdir()) == [home]
    assert list(home.iterdir()) == []


def test_the_demo_can_be_cut_short() -> None:
    with subprocess.Popen(
        [*OURS, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        demo.stdout.readline()
        demo.stdout.close()
        assert demo.stderr.read() == b""


@pytest.mark.parametrize(
    ("flags", "environ", "coloured"),
    [((), {}, True), (("--no-colour",), {}, False), ((), {"NO_COLOR": "1"}, False)],
)
async def test_the_demo_is_in_colour_on_a_terminal_until_ctrl_c(
    home: Path, flags: tuple[str, ...], environ: dict[str, str], coloured: bool
) -> None:
    async with on_terminal(home, "demo", *flags, environ=environ) as terminal:
        await terminal.wait_output("platformOs")
        terminal.press(CTRL_C)
        assert await terminal.wait_end() == 130
    assert ("\x1b[36m" in terminal.output) == coloured
    assert "Traceback" not in terminal.output


async def test_a_request_that_takes_longer_than_its_deadline_is_cancelled(home: Path) -> None:
    """Here it is the first code of a sign-in that nobody gives."""
    request = {
        "id": 1,
        "method": "account/login/start",
        "params": {"type": "chatgptDeviceCode"},
    }
    flags = ("app-server", "--request-deadline", "0.2")
    async with open_stand_in() as stand_in:
        stand_in.hold("/api/accounts/deviceauth/usercode")
        async with start(home, *flags, environ=stand_in.environ) as process:
            wire = wire_of(process)
            await wire.send(INITIALIZE)
            await wire.send(json.dumps(request).encode())
            while (message := json.loads(await wire.receive())).get("id") != 1:
                pass
    assert message["error"] == {
        "code": -32802,
        "message": "Request cancelled: no answer within 0.2 s",
    }


# --- what is loaded ---


def loaded_by(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return set(done.stdout.decode().split())


LATER: list[Any] = [
    "h11",
    "httpx",
    "trio_websocket",
    "tomlkit",
    "keyring",
    "opentelemetry",
    "asyncio",
    "webbrowser",
    "codex_trio.demo",
    "codex_trio.sign_in",
    "codex_trio.testing",
]


def test_a_server_loads_only_what_its_first_lines_need() -> None:
    assert not loaded_by("import codex_trio.__main__") & set(LATER)


def test_the_package_loads_nothing_of_itself_before_it_is_asked() -> None:
    ours = {name for name in loaded_by("import codex_trio") if name.startswith("codex_trio")}
    assert ours == {"codex_trio"}


INTERRUPTED = """
import signal, sys, types
import codex_trio.__main__
commands = types.ModuleType("codex_trio.commands")
commands.run = lambda parent: print(signal.getsignal(signal.SIGINT).name)
sys.modules["codex_trio.commands"] = commands
codex_trio.__main__.main()
signal.signal(signal.SIGINT, signal.SIG_IGN)
codex_trio.__main__.main()
"""


def test_ctrl_c_is_no_exception_while_modules_are_imported() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], check=True, capture_output=True)
    assert done.stdout.split() == [b"SIG_DFL", b"SIG_IGN"]  # the latter as nohup wishes
