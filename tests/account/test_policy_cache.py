"""The last known policy, on disk."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from codex_trio.account.policy import Member, Policy
from codex_trio.account.policy_cache import Known, PolicyCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEMBER = Member("u", "acc")
KNOWN = Known(
    Policy(forced_login_method="chatgpt", forced_workspaces=("a",), residency="us"), 5.5
)


@pytest.fixture
def cache(home: Path) -> PolicyCache:
    return PolicyCache(home)


async def test_what_was_saved_is_loaded(cache: PolicyCache, home: Path) -> None:
    assert await cache.load(MEMBER) is None
    for known in (KNOWN, Known(Policy(), 6.0)):
        await cache.save(MEMBER, known)
        assert await cache.load(MEMBER) == known
    (file,) = home.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_everybody_has_their_own(cache: PolicyCache) -> None:
    others = [
        Member("u", "other"),
        Member("other", "acc"),
        Member("u", None),
        Member(None, None),
    ]
    await cache.save(MEMBER, KNOWN)
    for member in others:
        assert await cache.load(member) is None
        await cache.save(member, Known(Policy(), 6.0))
    assert await cache.load(MEMBER) == KNOWN


async def test_a_file_of_somebody_else_s_is_none(cache: PolicyCache, home: Path) -> None:
    await cache.save(MEMBER, KNOWN)
    (file,) = home.iterdir()
    file.write_bytes(file.read_bytes().replace(b'"acc"', b'"other"'))
    assert await cache.load(MEMBER) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{",
        '{"user_id": "u", "account_id": "acc"}',
        '{"user_id": "u", "account_id": "acc", "told_at": "soon"}',
        '{"user_id": "u", "account_id": "acc", "told_at": 5, "forced_login_method": 5}',
        "\udcff",
    ],
)
async def test_what_cannot_be_read_is_not_there(
    cache: PolicyCache, home: Path, content: str
) -> None:
    await cache.save(MEMBER, KNOWN)
    (file,) = home.iterdir()
    file.write_text(content, encoding="utf-8", errors="surrogateescape")
    assert await cache.load(MEMBER) is None


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
async def test_what_is_no_file_holds_up_nobody(
    cache: PolicyCache, home: Path, make: Callable[[Path], None]
) -> None:
    await cache.save(MEMBER, KNOWN)
    (file,) = home.iterdir()
    file.unlink()
    make(file)
    assert await cache.load(MEMBER) is None


async def test_what_cannot_be_saved_leaves_what_was(cache: PolicyCache, home: Path) -> None:
    await cache.save(MEMBER, KNOWN)
    (file,) = home.iterdir()
    file.unlink()
    file.mkdir()
    with pytest.raises(IsADirectoryError):
        await cache.save(MEMBER, KNOWN)
    assert list(home.iterdir()) == [file]


async def test_without_a_folder_nothing_is_kept() -> None:
    cache = PolicyCache(None)
    await cache.save(MEMBER, KNOWN)
    assert await cache.load(MEMBER) is None
