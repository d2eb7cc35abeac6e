"""What an embedder imports, and that the documentation's examples run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

import codex_trio
from codex_trio import testing
from codex_trio.testing import StandInProcess, spawn_stand_in
from tests.checked import connect, open_memory_client
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent  # where codex-trio is
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples() -> list[tuple[str, str]]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [
        (f"{page.name}-{number}", code)
        for page in pages
        for number, code in enumerate(EXAMPLE.findall(page.read_text(encoding="utf-8")))
        if "def test_" not in code and "@serves" not in code and "ClientRequest(" not in code
    ]


@pytest.fixture(scope="module")
def model() -> Generator[StandInProcess]:
    """What plays OpenAI's part for those whose account is at home."""
    with spawn_stand_in() as stand_in:
        yield stand_in


@pytest.mark.parametrize(
    "code", [code for _, code in examples()], ids=[name for name, _ in examples()]
)
def test_an_example_runs_as_it_stands(code: str, home: Path, model: StandInProcess) -> None:
    (home / "config.toml").write_text(model.config, encoding="utf-8")
    (home / "auth.json").write_text('{"OPENAI_API_KEY": "sk-test"}', encoding="utf-8")
    (home / "auth.json").chmod(0o600)
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input=b"",
        capture_output=True,
        check=False,
        cwd=home,  # where it may leave what it likes
        env={**genuine_environment(home), **model.environ, **path},
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_there_are_examples() -> None:
    assert len(examples()) >= 2


def test_the_door_has_what_it_promises() -> None:
    for name in codex_trio.__all__:
        assert getattr(codex_trio, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        codex_trio.nonsense  # noqa: B018 - the look-up is what is tested


async def test_a_server_in_the_process_serves_several_clients(home: Path) -> None:
    async with codex_trio.open_server(codex_trio.Settings(codex_home=home)) as server:
        async with connect(server) as one, connect(server) as other:
            await one.initialize()
            await other.initialize()
            await one.call("account/login/start", {"type": "apiKey", "apiKey": "k"})
            assert (await other.call("account/read", {}))["account"] == {"type": "apiKey"}


async def test_two_servers_in_one_process_do_not_meet() -> None:
    async with open_memory_client() as one, open_memory_client() as other:
        await one.initialize()
        await other.initialize()
        await one.call("account/login/start", {"type": "apiKey", "apiKey": "k"})
        assert (await other.call("account/read", {}))["account"] is None


async def test_a_server_reads_the_environment_by_default(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(home))
    (home / "config.toml").write_text('forced_login_method = "api"', encoding="utf-8")
    async with codex_trio.open_server() as server:
        assert server.settings.codex_home == home
        assert server.settings.forced_login_method == "api"


async def test_an_error_of_the_body_leaves_the_blocks_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_memory_client():
            raise KeyError("mine")


async def test_a_group_of_the_body_stays_a_group() -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(KeyError, match="mine")):
        async with open_memory_client():
            raise ExceptionGroup("mine", [KeyError("mine")])


async def test_a_watcher_that_fails_ends_the_block(home: Path) -> None:
    def watch(arrow: str, data: bytes) -> None:
        if arrow == "<--":
            raise ValueError("watcher")

    settings = codex_trio.Settings(codex_home=home)
    with pytest.raises(ValueError, match="watcher"):
        async with testing.open_memory_client(settings, watch) as client:
            await client.initialize()


async def test_a_wait_that_is_given_up_takes_no_message_with_it() -> None:
    async with open_memory_client() as client:
        await client.initialize()
        await client.call("account/logout")
        await client.call("account/read", {})
        with trio.move_on_after(0) as scope:
            await client.next_notification()
        assert scope.cancelled_caught
        assert (await client.next_notification())["method"] == "account/updated"


async def test_a_call_can_be_given_up() -> None:
    async with open_memory_client() as client:
        await client.initialize()
        with trio.move_on_after(0) as scope:
            await client.call("account/read", {})
        assert scope.cancelled_caught
        assert await client.call("account/read", {})
        with trio.move_on_after(0) as scope:
            await client.next_question()
        assert scope.cancelled_caught
