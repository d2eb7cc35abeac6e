"""Homes as they should not be."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.doctor import disk
from codex_trio.doctor.case import Case
from codex_trio.doctor.home import look_at_home, look_at_threads
from codex_trio.settings import Settings
from codex_trio.threads.rollout_files import rollout_path
from tests.account.test_refresh_disk import Disk
from tests.doctor.conftest import alone, told

if TYPE_CHECKING:
    from codex_trio.doctor import Finding


def home_of(path: Path | str) -> list[Finding]:
    return look_at_home(Case(Settings(codex_home=path), {}))


def threads_of(home: Path) -> list[Finding]:
    return look_at_threads(Case(Settings(codex_home=home), {}))


@pytest.fixture
def faulty(home: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    faulty = Disk(str(home))
    monkeypatch.setattr(os, "open", faulty.open)
    monkeypatch.setattr(fcntl, "flock", faulty.flock)
    return faulty


def test_a_good_home_is_left_as_it_was(home: Path) -> None:
    before = home.stat().st_mtime_ns
    one = alone(home_of(home))
    assert one.status == "ok"
    assert one.summary.startswith(f"{home}, ")
    assert list(home.iterdir()) == []
    assert before <= home.stat().st_mtime_ns  # a file has come and gone


def test_a_home_may_be_yet_to_come(home: Path) -> None:
    assert told(home_of(home / "a" / "b")) == [
        ("ok", f"{home / 'a' / 'b'} is not there yet; the first sign-in makes it")
    ]


def test_a_home_that_a_variable_names_must_be_there(home: Path) -> None:
    path = home / "missing"
    one = alone(look_at_home(Case(Settings(codex_home=path), {"CODEX_HOME": str(path)})))
    assert one.status == "error"
    assert one.summary.endswith("cannot be used: CODEX_HOME names it, and it is not there")


@pytest.mark.parametrize("below", ["", "below"])
def test_a_home_that_is_a_file_cannot_be_used(home: Path, below: str) -> None:
    file = home / "file"
    file.write_bytes(b"")
    one = alone(home_of(file / below))
    assert one.status == "error"
    assert "cannot be used: " in one.summary
    assert "set CODEX_HOME" in one.advice


def test_a_home_that_nobody_can_make_is_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    one = alone(home_of(home / "below"))
    assert one.status == "error"
    assert f"nothing can be made in {home}" in one.summary


@pytest.mark.parametrize(
    ("trouble", "text", "advice"),
    [
        ("the disk is full", "No space left on device", "Make room"),
        ("the disk is read-only", "Read-only file system", "the right to write"),
    ],
)
def test_a_home_that_cannot_be_written_is_an_error(
    home: Path, faulty: Disk, trouble: str, text: str, advice: str
) -> None:
    faulty.trouble = trouble
    one = alone(home_of(home))
    assert one.status == "error"
    assert text in one.summary
    assert advice in one.advice
    assert list(home.iterdir()) == []


def test_a_home_without_locks_is_for_one_program(home: Path, faulty: Disk) -> None:
    faulty.trouble = "nothing can be locked"
    one = alone(home_of(home))
    assert (one.status, one.summary) == ("warning", f"{home} lies where there are no locks")
    assert "one program at a time" in one.advice


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these tables")
def test_a_home_on_a_network_is_told_of(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = disk.file_system_of(os.path.realpath(home), Path("/proc/self/mountinfo").read_text())
    monkeypatch.setattr(disk, "NETWORKED", {kind})
    assert told(home_of(home)) == [("warning", f"{home} lies on a network ({kind})")]


def test_others_that_may_write_are_a_danger(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    home.mkdir()
    home.chmod(0o777)
    one = alone(home_of(home))
    assert one.status == "warning"
    assert "(mode 777)" in one.summary
    assert one.advice == f"chmod go-w '{home}'"


def test_somebody_else_s_home_is_told_of(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: home.stat().st_uid + 1)
    one = alone(home_of(home))
    assert one.status == "warning"
    assert "without sudo" in one.advice


@pytest.mark.parametrize(("free", "status"), [(10**9, "ok"), (10**8, "warning"), (10, "error")])
def test_there_must_be_some_room(
    home: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str
) -> None:
    usage: Any = shutil._ntuple_diskusage(free, 0, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert alone(home_of(home)).status == status


# --- threads ---


def test_no_thread_needs_no_folder(home: Path) -> None:
    assert told(threads_of(home)) == [("ok", "none has been recorded yet")]
    assert told(threads_of(home / "missing")) == [("ok", "none has been recorded yet")]
    (home / "archived_sessions").mkdir()
    assert told(threads_of(home)) == [("ok", "none has been recorded yet")]


@pytest.mark.parametrize("whole", [True, False])
def test_records_are_looked_at_where_they_are_written(home: Path, whole: bool) -> None:
    day = rollout_path(home, "any").parent
    (day if whole else home / "sessions").mkdir(parents=True)
    assert told(threads_of(home)) == [("ok", str(home / "sessions"))]
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_a_record_that_could_not_be_written_is_told_of(home: Path, faulty: Disk) -> None:
    (home / "archived_sessions").mkdir()
    (home / "sessions").mkdir()
    faulty.home, faulty.trouble = str(home / "archived"), "the disk is read-only"
    one = alone(threads_of(home))
    assert (one.check, one.status) == ("threads", "error")
    assert str(home / "archived_sessions") in one.summary


# --- disks ---

MOUNTS = r"""
22 27 0:21 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:30 / /mnt/with\040blank rw - cifs //host/share rw
24 22 0:31 / /mnt/a rw - ext4 /dev/vdb rw
25 22 0:32 / /mnt/a rw,relatime shared:2 master:1 - nfs4 host:/a rw
nonsense
26 short - nfs4
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ada", "ext4"),
        ("/", "ext4"),
        ("/mnt/a", "nfs4"),
        ("/mnt/a/b", "nfs4"),
        ("/mnt/ab", "ext4"),
        ("/mnt/with blank/c", "cifs"),
    ],
)
def test_a_path_lies_on_the_last_file_system_that_reaches_furthest(
    path: str, kind: str
) -> None:
    assert disk.file_system_of(path, MOUNTS) == kind


def test_a_system_without_such_tables_is_believed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError(errno.ENOENT, "")

    monkeypatch.setattr(Path, "read_text", refuse)
    assert disk.networked(home) is None
    assert disk.lock_holder(home) is None
    assert disk.file_system_of("/", "") is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these tables")
def test_the_holder_of_a_lock_is_found(home: Path) -> None:
    path = home / "lock"
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        assert disk.lock_holder(path) is None
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert disk.lock_holder(path) == os.getpid()
    finally:
        os.close(fd)
    assert disk.lock_holder(path) is None
    assert disk.lock_holder(home / "missing") is None


def test_who_waits_for_a_lock_does_not_hold_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = home.stat()
    place = f"{os.major(seen.st_dev):02x}:{os.minor(seen.st_dev):02x}:{seen.st_ino}"
    table = (
        "1: POSIX  ADVISORY  WRITE 5 00:01:2 0 EOF\n"
        f"2: -> FLOCK  ADVISORY  WRITE 6 {place} 0 EOF\n"
        f"2: FLOCK  ADVISORY  WRITE 7 {place} 0 EOF\n"
    )
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: table)
    assert disk.lock_holder(home) == 7


def test_a_probe_that_cannot_be_unlinked_while_it_is_open_is_removed_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink, refusals = os.unlink, [PermissionError]

    def unlink_later(path: Any) -> None:
        if refusals:
            raise refusals.pop()
        unlink(path)

    monkeypatch.setattr(os, "unlink", unlink_later)
    assert disk.probe(home)
    assert list(home.iterdir()) == []
