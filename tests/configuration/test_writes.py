"""Writing the file: whole or not at all, beside others who write it."""

from __future__ import annotations

import fcntl
import os
import resource
import stat
import threading
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.configuration.edits import ConfigWriteError, Edit
from codex_trio.configuration.layers import LayerError
from codex_trio.configuration.writes import write
from codex_trio.errors import ConfigError
from tests.configuration.conftest import put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODEL = Edit(("model",), "new")


@pytest.fixture
def path(home: Path) -> Path:
    return home / "config.toml"


def others(path: Path) -> list[str]:
    """What else is in the folder."""
    return sorted(one.name for one in path.parent.iterdir() if one != path)


async def test_a_file_is_made_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "new" / "home" / "config.toml"
    written = await write(path, [MODEL])
    assert path.read_text() == 'model = "new"\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert written.table == {"model": "new"}
    assert others(path) == []


async def test_a_file_keeps_its_mode_and_a_link_stays(path: Path, tmp_path: Path) -> None:
    target = put(tmp_path / "elsewhere" / "real.toml", "a = 1\n")
    target.chmod(0o640)
    path.symlink_to(target)
    await write(path, [MODEL])
    assert path.is_symlink()
    assert target.read_text() == 'a = 1\nmodel = "new"\n'
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert others(target) == others(path) == []


async def test_a_link_may_lead_to_what_is_not_there_yet(path: Path, home: Path) -> None:
    path.symlink_to(home / "real.toml")
    await write(path, [MODEL])
    assert (home / "real.toml").read_text() == 'model = "new"\n'


async def test_what_is_written_already_is_left_alone(path: Path) -> None:
    put(path, 'model = "new"\n')
    before = path.stat().st_ino
    written = await write(path, [MODEL, Edit(("gone",), None)])
    assert path.stat().st_ino == before
    assert written.table == {"model": "new"}


async def test_a_version_that_is_expected_has_to_be_there(path: Path) -> None:
    first = await write(path, [MODEL])
    second = await write(path, [Edit(("model",), "b")], first.version)
    with pytest.raises(ConfigWriteError) as caught:
        await write(path, [Edit(("model",), "c")], first.version)
    assert caught.value.code == "configVersionConflict"
    assert (await write(path, [], second.version)).version == second.version
    assert path.read_text() == 'model = "b"\n'


@pytest.mark.parametrize(
    ("before", "edits", "text"),
    [
        (
            'model = "a"\n',
            [MODEL, Edit(("sandbox_mode",), "zz")],
            (
                "Invalid configuration: unknown variant `zz`, expected one of `read-only`,"
                " `workspace-write`, `danger-full-access`\nin `sandbox_mode`\n"
            ),
        ),
        (
            "model = 5\n",
            [Edit(("personality",), "none")],
            (
                "Invalid configuration: invalid type: integer `5`, expected a string\n"
                "in `model`\n"
            ),
        ),
        (
            "",
            [Edit(("mcp_servers", "x"), {})],
            "Invalid configuration: invalid transport\nin `mcp_servers.x`\n",
        ),
    ],
)
async def test_what_would_be_no_configuration_is_not_written(
    path: Path, before: str, edits: list[Edit], text: str
) -> None:
    put(path, before)
    with pytest.raises(ConfigWriteError) as caught:
        await write(path, edits)
    assert (str(caught.value), caught.value.code) == (text, "configValidationError")
    assert path.read_text() == before
    assert others(path) == []


async def test_a_value_that_is_wrong_can_be_mended(path: Path) -> None:
    put(path, "model = 5\n")
    await write(path, [MODEL])
    assert path.read_text() == 'model = "new"\n'


async def test_what_is_no_configuration_now_is_not_touched(path: Path) -> None:
    for content, reason in {
        b"model = = 3\n": f"{path}:1:9: Invalid value",
        b"\xff": f"Failed to read config file {path}: stream did not contain valid UTF-8",
        b"a = " + b"1" * 5000: f"{path}: the file cannot be read as TOML",
    }.items():
        path.write_bytes(content)
        with pytest.raises(LayerError) as caught:
            await write(path, [MODEL])
        assert caught.value.reason == reason
        assert path.read_bytes() == content


async def test_a_disk_that_is_full_leaves_the_file_as_it_was(path: Path) -> None:
    put(path, "a = 1\n")
    with limited_files(10), pytest.raises(OSError, match="File too large"):
        await write(path, [MODEL])
    assert path.read_text() == "a = 1\n"
    assert others(path) == []


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Let no file become longer: what a full disk comes to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_link_that_leads_nowhere_is_an_error(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere" / "config.toml")
    with pytest.raises(FileNotFoundError):
        await write(path, [MODEL])


async def test_what_is_no_file_is_not_replaced(path: Path, home: Path) -> None:
    """/dev/null, say, by who may do that."""
    os.mkfifo(home / "pipe")
    path.symlink_to(home / "pipe")
    with pytest.raises(ConfigError, match="pipe is not a file"):
        await write(path, [MODEL])
    assert others(path) == ["pipe"]


# --- others who write ---


async def test_writers_do_not_overtake_each_other(path: Path) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(write, path, [Edit((f"key{number}",), number)])
    assert tomllib.loads(path.read_text()) == {f"key{number}": number for number in range(20)}


async def test_who_holds_the_folder_is_waited_for_but_not_for_long(
    path: Path, home: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with locked(home) as release:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, path, [MODEL])
            await trio.sleep(1)
            assert not path.exists()
            release()
    with locked(home):
        with pytest.raises(ConfigError, match="others are writing the configuration"):
            await write(path, [Edit(("model",), "b")])
        with trio.move_on_after(1) as scope:
            await write(path, [Edit(("model",), "b")])
        assert scope.cancelled_caught
    assert path.read_text() == 'model = "new"\n'


@contextmanager
def locked(folder: Path) -> Iterator[Callable[[], None]]:
    """Hold a folder as another server would; what it gives lets go of it."""
    fd = os.open(folder, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield lambda: fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def is_held(folder: Path) -> bool:
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


LONG = "".join(f"key{number} = [{number}, {number}]\n" for number in range(500))
"""A file that takes so long to be edited that somebody else has time for it, too."""


async def test_the_change_of_an_editor_is_not_written_over(path: Path, home: Path) -> None:
    put(path, LONG)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(write, path, [MODEL])
        while not is_held(home):  # noqa: ASYNC110 - a lock makes no event
            await trio.lowlevel.checkpoint()
        draft = put(home / "draft", 'from_the_editor = "kept"\n')
        draft.rename(path)
    assert tomllib.loads(path.read_text()) == {"from_the_editor": "kept", "model": "new"}


async def test_the_change_of_an_editor_is_a_conflict_if_a_version_is_expected(
    path: Path, home: Path
) -> None:
    put(path, LONG)
    version = (await write(path, [])).version
    caught: list[ConfigWriteError] = []

    async def write_what_has_changed() -> None:
        with pytest.raises(ConfigWriteError) as raised:
            await write(path, [MODEL], version)
        caught.append(raised.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_what_has_changed)
        while not is_held(home):  # noqa: ASYNC110 - a lock makes no event
            await trio.lowlevel.checkpoint()
        put(home / "draft", 'from_the_editor = "kept"\n').rename(path)
    assert [error.code for error in caught] == ["configVersionConflict"]
    assert path.read_text() == 'from_the_editor = "kept"\n'


async def test_a_file_that_never_rests_is_given_up(path: Path) -> None:
    put(path, LONG)  # so that the editor comes to its turn in every attempt
    done = threading.Event()

    def touch() -> None:
        while not done.is_set():
            os.utime(path)

    editor = threading.Thread(target=touch)
    editor.start()
    try:
        with pytest.raises(ConfigError, match="does not stay as it is"):
            await write(path, [MODEL])
    finally:
        done.set()
        editor.join()
    assert path.read_text() == LONG
    assert others(path) == []


async def test_drafts_of_writers_that_were_killed_are_removed(path: Path) -> None:
    old = put(path.with_name("config.toml.0123456789abcdef.tmp"), "")
    os.utime(old, (0, 0))
    put(path.with_name("config.toml.mine.tmp"), "")
    young = path.with_name("config.toml.fedcba9876543210.tmp")
    young.touch()
    await write(path, [MODEL])
    assert others(path) == ["config.toml.fedcba9876543210.tmp", "config.toml.mine.tmp"]


async def test_a_write_that_is_cancelled_before_it_begins_changes_nothing(path: Path) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await write(path, [MODEL])
    assert scope.cancelled_caught
    assert not path.exists()
