"""auth.json: whole after every way to be interrupted, whatever lies in its place."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

from codex_trio.account.credentials import Credentials
from codex_trio.account.file_store import MAX_SIZE, FileStore
from codex_trio.errors import StoreError


async def test_the_mode_is_mended_and_the_home_is_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "home" / "auth.json"
    store = FileStore(file)
    assert await store.load() is None
    await store.delete()
    await store.save(Credentials.of_api_key("a"))
    file.chmod(0o644)
    await store.save(Credentials.of_api_key("b"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await store.load() == Credentials.of_api_key("b")


async def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "auth.json"
    target.parent.mkdir()
    target.write_text("old", encoding="utf-8")
    link.symlink_to(target)
    store = FileStore(link)
    await store.save(Credentials.of_api_key("k"))
    assert link.is_symlink()
    assert json.loads(target.read_bytes())["OPENAI_API_KEY"] == "k"
    await store.delete()
    assert (link.is_symlink(), target.exists()) == (False, True)


@pytest.mark.parametrize("linked", [False, True])
async def test_drafts_of_killed_writers_are_swept_and_nothing_else_is(
    tmp_path: Path, linked: bool
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    file = target / "auth.json"
    kept = ["auth.json.0123456789abcdef.tmp", "auth.json.before-migration.tmp", "other"]
    for name in [*kept, "auth.json.fedcba9876543210.tmp"]:
        (target / name).write_text("secret", encoding="utf-8")
        if name != kept[0]:  # that one is being written
            os.utime(target / name, (time.time() - 3600,) * 2)
    if linked:
        link = tmp_path / "auth.json"
        link.symlink_to(file)
        file = link
    await FileStore(file).delete()
    assert sorted(path.name for path in target.iterdir()) == sorted(kept)


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has a folder that takes no files"
)
async def test_a_home_that_takes_no_files_is_a_typed_error() -> None:
    with pytest.raises(StoreError, match=r"No such file or directory \(os error 2\)"):
        await FileStore(Path("/proc/auth.json")).save(Credentials.of_api_key("k"))


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
async def test_a_read_only_home_is_a_typed_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"Permission denied \(os error 13\)"):
        await FileStore(tmp_path / "auth.json").save(Credentials.of_api_key("k"))


async def test_a_file_that_cannot_be_removed_is_a_typed_error(tmp_path: Path) -> None:
    """Some systems say of a directory that it is not permitted, and mean that it is one."""

    class Unpermitted(type(tmp_path)):  # type: ignore[misc]  # the class depends on the system
        def unlink(self, missing_ok: bool = False) -> None:
            raise PermissionError(1, "Operation not permitted")

    for place, text in (
        ("folder", r"Is a directory \(os error 21\)"),
        ("file", r"\(os error 1\)"),
    ):
        path = Unpermitted(tmp_path / place)
        if place == "folder":
            path.mkdir()
        with pytest.raises(StoreError, match=text):
            await FileStore(path).delete()


async def test_a_home_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"\(os error (17|20)\)"):
        await FileStore(tmp_path / "file" / "auth.json").save(Credentials.of_api_key("k"))


async def test_two_stores_on_one_home_never_tear_the_file(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    stores = [FileStore(file), FileStore(file)]
    keys = [f"key-{number}" * 500 for number in range(20)]

    async def write(store: FileStore, key: str) -> None:
        await store.save(Credentials.of_api_key(key))
        loaded = await store.load()
        assert loaded is not None
        assert loaded.api_key in keys

    async with trio.open_nursery() as nursery:
        for number, key in enumerate(keys):
            nursery.start_soon(write, stores[number % 2], key)
    assert [path.name for path in tmp_path.iterdir()] == ["auth.json"]


WRITER = """
import sys, trio
from pathlib import Path
from codex_trio.account.credentials import Credentials
from codex_trio.account.storage import FileStore
async def main():
    store = FileStore(Path(sys.argv[1]))
    await store.save(Credentials.of_api_key("0" * 1000))
    print("ready", flush=True)
    for number in range(1, 10**6):
        await store.save(Credentials.of_api_key(str(number % 10) * 1000))
trio.run(main)
"""


@pytest.mark.parametrize("attempt", range(5))
def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path, attempt: int) -> None:
    file = tmp_path / "auth.json"
    command = [sys.executable, "-c", WRITER, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        for _ in range(attempt * 20):
            trio.run(FileStore(file).load)
        writer.send_signal(signal.SIGKILL)
    loaded = trio.run(FileStore(file).load)
    assert loaded is not None
    assert loaded.api_key is not None
    assert len(loaded.api_key) == 1000


# --- what may lie in its place ---


async def test_a_pipe_in_the_file_s_place_holds_up_nobody(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    os.mkfifo(file)
    store = FileStore(file)
    with pytest.raises(StoreError, match=r"^not a file$"):
        await store.load()
    await store.save(Credentials.of_api_key("k"))
    assert await store.load() == Credentials.of_api_key("k")


async def test_a_link_to_a_device_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    file.symlink_to("/dev/zero")
    with pytest.raises(StoreError, match=r"^not a file$"):
        await FileStore(file).load()


async def test_a_loop_of_links_is_a_typed_error(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    file.symlink_to(file)
    with pytest.raises(StoreError, match=r"symbolic links \(os error \d+\)"):
        await FileStore(file).load()


async def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    with file.open("wb") as hole:
        hole.truncate(2**40)
    with pytest.raises(StoreError, match="longer than 1048576 bytes"):
        await FileStore(file).load()
    assert file.stat().st_size == 2**40


async def test_what_could_not_be_read_again_is_not_stored(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "auth.json")
    longest = MAX_SIZE - len(Credentials.of_api_key("").encode())
    await store.save(Credentials.of_api_key("x" * longest))
    with pytest.raises(StoreError, match="longer than"):
        await store.save(Credentials.of_api_key("y" * (longest + 1)))
    assert await store.load() == Credentials.of_api_key("x" * longest)


# --- its stamp ---


async def test_the_stamp_differs_whenever_something_else_may_be_stored(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    store = FileStore(file)
    seen = [store.stamp()]
    assert not store.is_there()
    for key in ("a", "b"):  # of one length
        await store.save(Credentials.of_api_key(key))
        seen += [store.stamp()]
    await store.delete()
    seen += [store.stamp()]
    assert seen[0] == seen[-1]
    assert len(set(seen)) == 3
    file.write_text("{}", encoding="utf-8")
    there = store.stamp()
    file.write_text("[]", encoding="utf-8")  # by another program, in place
    os.utime(file, ns=(1, 1))
    assert store.stamp() not in (there, seen[0])


def test_the_stamp_of_a_place_that_cannot_be_looked_at_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FileStore(tmp_path / "file" / "auth.json")
    assert store.stamp() == store.stamp() != FileStore(tmp_path / "auth.json").stamp()
    assert store.is_there()


async def test_reading_leaves_the_stamp_as_it_is(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "auth.json")
    await store.save(Credentials.of_api_key("a"))
    before = store.stamp()
    await store.load()
    assert store.stamp() == before
