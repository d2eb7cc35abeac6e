"""What people see on a terminal."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.terminal import BOLD, Screen
from codex_trio.testing import StandIn, open_stand_in
from tests.conftest import PATIENCE
from tests.terminals import CTRL_C, on_terminal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

ANY_PORT = ("-c", "login_callback_ports=[0]")


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    async with open_stand_in() as stand_in:
        with trio.fail_after(PATIENCE):
            yield stand_in


def test_what_would_control_a_terminal_is_written_out() -> None:
    lines = io.StringIO()
    Screen.of(lines, {"TERM": "xterm"}).say("caf\u00e9\n\x1b[2J\u202e\x9b", BOLD)
    assert lines.getvalue() == "caf\u00e9\n\\x1b[2J\\u202e\\x9b\n"


def test_where_nobody_listens_anything_may_be_said() -> None:
    Screen.of(None, {}).say("hello")


async def test_a_key_is_not_read_from_a_terminal(home: Path) -> None:
    async with on_terminal(home, "login", "--with-api-key") as terminal:
        assert await terminal.wait_end() == 1
        assert "printenv OPENAI_API_KEY | codex-trio login --with-api-key" in terminal.output


async def test_a_terminal_shows_the_time_left_until_ctrl_c(
    home: Path, stand_in: StandIn
) -> None:
    arguments = ("login", *ANY_PORT, "--no-browser")
    async with on_terminal(home, *arguments, environ=stand_in.environ) as terminal:
        await terminal.wait_output("⠙ Waiting for the browser; Ctrl-C cancels, ")
        await terminal.wait_output(":59 left")
        assert terminal.output.count("Waiting") == terminal.output.count("\r\x1b[2K")
        terminal.press(CTRL_C)
        assert await terminal.wait_end() == 130
    _, shown, rest = terminal.output.rpartition("\x1b[?25h")
    assert shown
    assert rest == "Login canceled\r\n"
    assert not (home / "auth.json").exists()


@pytest.mark.parametrize(
    ("environ", "bold", "frame"),
    [
        ({}, True, "⠋ "),
        ({"NO_COLOR": "1"}, False, "⠋ "),
        ({"PYTHONIOENCODING": "ascii:backslashreplace"}, True, "- "),
    ],
)
async def test_a_terminal_stresses_the_code_unless_it_shall_not(
    home: Path, stand_in: StandIn, environ: dict[str, str], bold: bool, frame: str
) -> None:
    async with on_terminal(
        home, "login", "--device-auth", environ={**stand_in.environ, **environ}, columns=30
    ) as terminal:
        await terminal.wait_output("\x1b[2K")
        await terminal.wait_output("\x1b[2K")
        (code,) = re.findall(r"\w{4}-\w{4}", terminal.output)
        stand_in.approve_device(code)
        assert await terminal.wait_end() == 0
    assert ("\x1b[1m" in terminal.output) == bold
    assert terminal.output.endswith("\x1b[?25hSuccessfully logged in\r\n")
    lines = re.findall(r"\x1b\[2K([^\r\x1b]+)", terminal.output)
    assert lines[0] == f"{frame}Waiting for the code; Ctrl-"  # so that it does not wrap


async def test_a_terminal_that_cannot_redraw_is_told_in_plain_text(
    home: Path, stand_in: StandIn
) -> None:
    environ = {**stand_in.environ, "TERM": "dumb"}
    stand_in.device.approve_after = 1
    async with on_terminal(home, "login", "--device-auth", environ=environ) as terminal:
        assert await terminal.wait_end() == 0
    assert "\x1b" not in terminal.output
    assert terminal.output.endswith("\r\n\r\nSuccessfully logged in\r\n")
