"""Where a folder stands in a git repository, as git itself has written it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from codex_trio.threads.git import read_git
from tests.threads.conversing import connect

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server


def git(folder: Path, *arguments: str) -> str:
    mine = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=trunk")
    command = ["git", *mine, *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "sub").mkdir(parents=True)
    git(folder, "init")
    git(folder, "commit", "--allow-empty", "-m", "first")
    git(folder, "remote", "add", "origin", "https://me:secret@example.com/a.git")
    return folder


def test_outside_of_a_repository_there_is_nothing(tmp_path: Path) -> None:
    assert read_git(tmp_path) is None


def test_the_commit_the_branch_and_the_origin_are_told(repository: Path) -> None:
    for folder in (repository, repository / "sub"):
        found = read_git(folder)
        assert found is not None
        assert found.sha == git(repository, "rev-parse", "HEAD")
        assert found.branch == "trunk"
        assert found.origin_url == "https://example.com/a.git"


def test_a_branch_may_have_a_path_and_be_packed(repository: Path) -> None:
    git(repository, "checkout", "-b", "feature/one")
    git(repository, "pack-refs", "--all")
    found = read_git(repository)
    assert found is not None
    assert (found.sha, found.branch) == (git(repository, "rev-parse", "HEAD"), "feature/one")


def test_no_branch_may_be_checked_out(repository: Path) -> None:
    git(repository, "checkout", "--detach")
    found = read_git(repository)
    assert found is not None
    assert (found.sha, found.branch) == (git(repository, "rev-parse", "HEAD"), None)


def test_a_work_tree_beside_it_is_of_the_same_repository(
    repository: Path, tmp_path: Path
) -> None:
    git(repository, "worktree", "add", "-b", "beside", str(tmp_path / "beside"))
    found = read_git(tmp_path / "beside")
    assert found is not None
    assert (found.sha, found.branch) == (git(repository, "rev-parse", "HEAD"), "beside")
    assert found.origin_url == "https://example.com/a.git"


def test_nothing_may_be_committed_yet(tmp_path: Path) -> None:
    git(tmp_path, "init")
    found = read_git(tmp_path)
    assert found is not None
    assert (found.sha, found.branch, found.origin_url) == (None, "trunk", None)


@pytest.mark.parametrize("head", [b"", b"\xff\xfe", b"ref: refs/heads/../../../etc/passwd"])
def test_what_makes_no_sense_is_not_known(repository: Path, head: bytes) -> None:
    (repository / ".git" / "HEAD").write_bytes(head)
    found = read_git(repository)
    assert found is not None
    assert found.sha is None


@pytest.mark.parametrize("text", ["", "gitdir: nowhere", "gitdir: nul\0"])
def test_a_pointer_to_nowhere_is_no_repository(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".git").write_text(text, encoding="utf-8")
    assert read_git(folder) is None


async def test_a_thread_says_it_once_it_is_recorded(server: Server, repository: Path) -> None:
    async with connect(server) as client:
        answer = await client.call("thread/start", {"cwd": str(repository)})
        thread = answer["thread"]["id"]
        said = [{"type": "text", "text": "hi"}]
        await client.call("turn/start", {"threadId": thread, "input": said})
        await client.next_notification("turn/completed")
        answer = await client.call("thread/resume", {"threadId": thread})
        assert answer["thread"]["gitInfo"]["branch"] == "trunk"
