"""Skills: where they are found, and how they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import WireClient


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of whoever runs us, where skills may be as well."""
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    return tmp_path / "person"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository."""
    (tmp_path / "work" / ".git").mkdir(parents=True)
    (tmp_path / "work" / ".git" / "HEAD").touch()
    return tmp_path / "work"


def put(folder: Path, name: str | None, description: str = "d") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    said = "" if name is None else f"name: {name}\n"
    (folder / "SKILL.md").write_text(f"---\n{said}description: {description}\n---\nDo it.\n")
    return folder / "SKILL.md"


async def skills_of(client: WireClient, cwd: Path | str) -> Any:
    answer = await client.call("skills/list", {"cwds": [str(cwd)], "forceReload": True})
    (entry,) = answer["data"]
    assert entry["cwd"] == str(cwd)
    return entry


async def names_of(client: WireClient, cwd: Path | str) -> list[str]:
    return [skill["name"] for skill in (await skills_of(client, cwd))["skills"]]


async def test_a_skill_is_told(client: WireClient, home: Path, work: Path) -> None:
    path = put(home / "skills" / "one", "one", "x\nmetadata:\n  short-description: short")
    other = put(work / ".codex" / "skills" / "two", None)
    entry = await skills_of(client, work)
    assert entry["errors"] == []
    assert entry["skills"] == [
        {
            "name": "two",
            "description": "d",
            "path": str(other),
            "scope": "repo",
            "enabled": True,
            "pluginId": None,
        },
        {
            "name": "one",
            "description": "x",
            "shortDescription": "short",
            "path": str(path),
            "scope": "user",
            "enabled": True,
            "pluginId": None,
        },
    ]


async def test_skills_are_looked_for_in_several_places(
    client: WireClient, home: Path, person: Path, work: Path
) -> None:
    put(home / "skills" / "b", "home")
    put(person / ".agents" / "skills" / "a", "person")
    put(work / ".codex" / "skills" / "a", "root")
    put(work / ".agents" / "skills" / "a", "agents")
    put(work / "sub" / ".codex" / "skills" / "a", "sub")
    put(work / "other" / ".codex" / "skills" / "a", "elsewhere")
    (work / "sub" / "deep").mkdir()
    there = ["agents", "root", "sub", "home", "person"]
    assert await names_of(client, work / "sub" / "deep") == there
    assert await names_of(client, work / "nonexistent") == ["agents", "root", "home", "person"]
    assert await names_of(client, "/nonexistent") == ["home", "person"]


async def test_without_folders_it_is_ours(
    client: WireClient, home: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(work / ".codex" / "skills" / "a", "a")
    monkeypatch.chdir(work)
    both: list[dict[str, Any]] = [{}, {"cwds": []}]
    for params in both:
        (entry,) = (await client.call("skills/list", params))["data"]
        assert (entry["cwd"], len(entry["skills"])) == (str(work), 1)
    assert await names_of(client, "") == ["a"]


async def test_folders_are_looked_into(client: WireClient, home: Path, tmp_path: Path) -> None:
    skills = home / "skills"
    put(skills / "deep" / "er", "deep")
    put(skills / "deep" / "er" / "still", "deeper")
    put(skills.joinpath(*"abcdef"), "deepest")
    put(skills.joinpath(*"abcdefg"), "too deep")
    put(skills / ".hidden", "hidden")
    put(skills / "lower", "lower").rename(skills / "lower" / "skill.md")
    (skills / "folder" / "SKILL.md").mkdir(parents=True)
    (skills / "file").touch()
    put(tmp_path / "elsewhere", "linked")
    (skills / "link").symlink_to(tmp_path / "elsewhere")
    (skills / "again").symlink_to(tmp_path / "elsewhere")
    (skills / "round").symlink_to(skills)
    (skills / "loop").symlink_to(skills / "loop")
    assert await names_of(client, tmp_path) == ["deep", "deeper", "deepest", "linked"]


async def test_skills_of_the_same_name_are_told_apart_by_their_path(
    client: WireClient, home: Path, work: Path
) -> None:
    paths = [put(home / "skills" / folder, "same") for folder in ("b", "a")]
    (work / ".codex" / "skills").mkdir(parents=True)
    (work / ".codex" / "skills" / "link").symlink_to(home / "skills" / "b")
    entry = await skills_of(client, work)
    assert [(skill["path"], skill["scope"]) for skill in entry["skills"]] == [
        (str(paths[0]), "repo"),
        (str(paths[1]), "user"),
    ]


async def test_what_cannot_be_used_is_said(client: WireClient, home: Path) -> None:
    (home / "skills" / "b").mkdir(parents=True)
    (home / "skills" / "b" / "SKILL.md").write_text("hello\n")
    (home / "skills" / "a").mkdir()
    (home / "skills" / "a" / "SKILL.md").write_bytes(b"---\nname: \xff\n---\n")
    entry = await skills_of(client, home)
    assert entry["skills"] == []
    assert entry["errors"] == [
        {
            "path": str(home / "skills" / "a" / "SKILL.md"),
            "message": "failed to read file: stream did not contain valid UTF-8",
        },
        {
            "path": str(home / "skills" / "b" / "SKILL.md"),
            "message": "missing YAML frontmatter delimited by ---",
        },
    ]


async def test_what_cannot_be_read_is_said(client: WireClient, home: Path) -> None:
    (home / "skills" / "a").mkdir(parents=True)
    (home / "skills" / "a" / "SKILL.md").symlink_to("/proc/self/mem")  # whose beginning is none
    entry = await skills_of(client, home)
    assert [error["message"] for error in entry["errors"]] == [
        "failed to read file: Input/output error (os error 5)"
    ]


async def test_skills_can_be_disabled(client: WireClient, home: Path, tmp_path: Path) -> None:
    path = put(home / "skills" / "a", "by-path")
    put(home / "skills" / "b", "by-folder")
    put(home / "skills" / "c", "by-name")
    put(home / "skills" / "d", "enabled")
    (home / "config.toml").write_text(
        f'[[skills.config]]\npath = "{path}"\nenabled = false\n'
        f'[[skills.config]]\npath = "{home}/skills/b"\nenabled = false\n'
        '[[skills.config]]\nname = "by-name"\nenabled = false\n'
        '[[skills.config]]\nname = "enabled"\nenabled = true\n'
        "[[skills.config]]\nenabled = false\n"
    )
    skills = (await skills_of(client, tmp_path))["skills"]
    assert [skill["name"] for skill in skills if skill["enabled"]] == ["enabled"]
    assert len(skills) == 4
    (home / "config.toml").write_text("model = = 3\n")
    skills = (await skills_of(client, tmp_path))["skills"]
    assert all(skill["enabled"] for skill in skills)
