"""initialize: what it says of us, and what it makes of the client's name."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio import user_agent
from codex_trio.errors import RpcError
from codex_trio.server import Server, open_server
from codex_trio.settings import Settings
from tests.checked import connect

if TYPE_CHECKING:
    from codex_trio.testing import WireClient


async def agent_of(settings: Settings, name: str, version: str = "1.0") -> str:
    async with open_server(settings) as server, connect(server) as client:
        info = {"name": name, "version": version, "title": None}
        answer = await client.call("initialize", {"clientInfo": info, "capabilities": None})
        return str(answer["userAgent"])


async def test_the_answer_says_who_we_are(raw_client: WireClient, home: Path) -> None:
    answer = await raw_client.initialize("probe")
    assert answer["codexHome"] == str(home)
    assert answer["platformFamily"] == ("windows" if sys.platform == "win32" else "unix")
    assert re.fullmatch(r"probe/0\.163\.0 \(.+; \w+\) \S+ \(probe; 1\.0\)", answer["userAgent"])


@pytest.mark.parametrize(
    ("name", "version", "start", "end"),
    [
        ("né/ x", "1\n2é", "n_/ x/0.163.0 ", " (n_/ x; 1_2_)"),
        ("", "", "/0.163.0 ", " (;)"),
        ("a\tb", "", "a\tb/0.163.0 ", " (a\tb;)"),
    ],
)
async def test_odd_names_are_made_printable(
    settings: Settings, name: str, version: str, start: str, end: str
) -> None:
    agent = await agent_of(settings, name, version)
    assert agent.startswith(start)
    assert agent.endswith(end)
    assert agent.isascii()


@pytest.mark.parametrize("name", ["a\x01b", "a\nb", "\x7f", "a\0"])
async def test_a_name_that_fits_in_no_header_is_refused_and_can_be_mended(
    raw_client: WireClient, name: str
) -> None:
    with pytest.raises(RpcError) as caught:
        await raw_client.initialize(name)
    assert caught.value.code == -32600
    text = f"Invalid clientInfo.name: '{name}'. Must be a valid HTTP header value."
    assert caught.value.message == text
    with pytest.raises(RpcError, match="Not initialized"):
        await raw_client.call("account/read", {})
    await raw_client.initialize("b")


async def test_the_originator_can_be_overridden(home: Path) -> None:
    settings = Settings(codex_home=home, originator="over_ride", version="0.9.9")
    assert (await agent_of(settings, "probe")).startswith("over_ride/0.9.9 (")
    settings = Settings(codex_home=home, originator="over\nride")
    assert (await agent_of(settings, "probe")).startswith("codex_cli_rs/0.163.0 (")


async def test_every_connection_has_a_name_of_its_own(server: Server) -> None:
    async with connect(server) as one, connect(server) as other:
        assert (await one.initialize("one"))["userAgent"].startswith("one/")
        assert (await other.initialize("other"))["userAgent"].startswith("other/")


async def test_a_connection_cannot_be_opened_twice(client: WireClient) -> None:
    with pytest.raises(RpcError, match="Already initialized"):
        await client.initialize()


async def test_requests_behind_the_handshake_need_not_wait_for_its_answer(
    raw_client: WireClient,
) -> None:
    answers = []

    async def call() -> None:
        answers.append(await raw_client.call("account/read", {}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(raw_client.initialize)
        await trio.lowlevel.checkpoint()
        nursery.start_soon(call)
    assert len(answers) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems insist on Unicode names")
async def test_a_home_whose_name_is_no_text_can_be_said(tmp_path: Path) -> None:
    home = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    home.mkdir()
    async with open_server(Settings(codex_home=home)) as server, connect(server) as client:
        assert (await client.initialize())[
            "codexHome"
        ] == f"{tmp_path}/\N{REPLACEMENT CHARACTER}"


# --- the user agent's parts ---


@pytest.mark.parametrize(
    ("environ", "terminal"),
    [
        ({}, "unknown"),
        ({"TERM": "xterm-256color"}, "xterm-256color"),
        ({"TERM": "a b"}, "a_b"),
        ({"TERM_PROGRAM": "vscode", "TERM": "xterm"}, "vscode"),
        ({"TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.5"}, "iTerm.app/3.5"),
        ({"KITTY_WINDOW_ID": "1", "TERM": "xterm"}, "kitty"),
    ],
)
def test_the_terminal_makes_itself_known(environ: dict[str, str], terminal: str) -> None:
    agent = user_agent.user_agent("o", "1", "c; 2", environ)
    assert agent.endswith(f") {terminal} (c; 2)")


@pytest.mark.parametrize(
    ("release", "system"),
    [
        ('ID=debian\nVERSION_ID="12"\n', ("Debian", "12.0.0")),
        ("ID=ubuntu\nVERSION_ID='22.04'\n", ("Ubuntu", "22.4.0")),
        ("ID=arch\n", ("Arch Linux", "Unknown")),
        ("ID=mine\nVERSION_ID=rolling\n", ("Linux", "rolling")),
        (None, ("Linux", "Unknown")),
    ],
)
def test_the_system_is_named_as_the_original_names_it(
    tmp_path: Path, release: str | None, system: tuple[str, str]
) -> None:
    file = tmp_path / "os-release"
    if release is not None:
        file.write_text(release, encoding="utf-8")
    assert user_agent.read_distribution(file) == system


async def test_what_fits_in_a_header_is_kept(raw_client: WireClient) -> None:
    answer = await raw_client.initialize("a\té")
    assert answer["userAgent"].startswith("a\té/0.163.0 ")
    assert answer["userAgent"].endswith(" (a\té; 1.0)")
