"""AGENTS.md: which files count, in which order, and how much of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from codex_trio.threads.agents_md import ProjectInstructions, read_instructions
from tests.threads.conversing import connect, converse

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.testing import StandIn

NOTHING = ProjectInstructions(None, ())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder below a folder below the root of a project."""
    folder = tmp_path / "project" / "sub" / "deep"
    folder.mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    return folder


def put(folder: Path, text: str, name: str = "AGENTS.md") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def inner(found: ProjectInstructions) -> str:
    assert found.text is not None
    _, _, text = found.text.partition("<INSTRUCTIONS>\n")
    text, end, rest = text.rpartition("\n</INSTRUCTIONS>")
    assert end
    assert not rest
    return text


def test_without_files_nothing_is_said(home: Path, project: Path) -> None:
    assert read_instructions(home, str(project)) == NOTHING


def test_files_count_from_the_outside_to_the_inside(home: Path, project: Path) -> None:
    put(project.parents[2], "not of the project")
    sources = [
        put(home, "\nmine\n\n"),
        put(project.parents[1], "root"),
        put(project, "deep\n"),
    ]
    found = read_instructions(home, str(project))
    assert found.sources == tuple(sources)
    assert inner(found) == "mine\n\n--- project-doc ---\n\nroot\n\ndeep\n"
    assert found.text is not None
    assert found.text.startswith(f"# AGENTS.md instructions for {project}\n\n")


def test_mine_alone_are_for_no_project(home: Path, project: Path) -> None:
    put(home, "mine")
    found = read_instructions(home, str(project))
    assert found.text == ("# AGENTS.md instructions\n\n<INSTRUCTIONS>\nmine\n</INSTRUCTIONS>")


def test_without_a_repository_only_the_folder_itself_counts(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    put(folder.parent, "above")
    put(folder, "here")
    assert inner(read_instructions(home, str(folder))) == "here"


def test_an_override_wins_and_other_names_are_asked_for(home: Path, project: Path) -> None:
    put(project, "usual")
    put(project, "override", "AGENTS.override.md")
    put(home, "usual")
    put(home, "mine", "AGENTS.override.md")
    put(project.parent, "other", "OTHER.md")
    found = read_instructions(home, str(project), fallbacks=["OTHER.md"])
    assert inner(found) == "mine\n\n--- project-doc ---\n\nother\n\noverride"
    put(project, "  \n", "AGENTS.override.md")
    assert inner(read_instructions(home, str(project))).endswith("usual")


@pytest.mark.parametrize(
    ("limit", "text"), [(10, "ROOT567\n\nSUB"), (7, "ROOT567"), (3, "ROO")]
)
def test_what_is_too_long_is_cut(home: Path, project: Path, limit: int, text: str) -> None:
    put(project.parents[1], "ROOT567")
    put(project, "SUBSUB")
    assert inner(read_instructions(home, str(project), limit)) == text


def test_none_of_the_project_is_taken_where_nothing_may_be(home: Path, project: Path) -> None:
    put(project, "text")
    assert read_instructions(home, str(project), 0) == NOTHING
    put(home, "x" * 100_000)
    assert len(inner(read_instructions(home, str(project), 0))) == 100_000


def test_a_character_is_not_cut_in_two(home: Path, project: Path) -> None:
    put(project, "aé")
    assert inner(read_instructions(home, str(project), 2)) == "a"


def test_what_cannot_be_read_is_passed_over(home: Path, project: Path) -> None:
    os.mkfifo(project / "AGENTS.override.md")
    (project / "AGENTS.md").write_bytes(b"caf\xe9")
    (project.parent / "AGENTS.md").mkdir()
    assert inner(read_instructions(home, str(project))) == "caf"
    assert read_instructions(home, "nul\0") == NOTHING


async def test_the_model_is_told_and_so_is_the_client(
    home: Path, project: Path, server: Server, stand_in: StandIn
) -> None:
    source = put(project, "be brief")
    async with connect(server) as client:
        answer = await client.call("thread/start", {"cwd": str(project)})
        assert answer["instructionSources"] == [source]
        talk = await converse(client, cwd=str(project))
        await talk.run()
        put(project, "be long")
        await talk.run()
    told = [
        text
        for text in stand_in.response_requests[-1].input_texts("user")
        if text.startswith("# AGENTS.md")
    ]
    assert "be brief" in told[0]


def test_what_the_root_of_a_project_has_may_be_said(home: Path, project: Path) -> None:
    (project.parent / ".hg").mkdir()
    for folder, text in ((project.parent.parent, "root"), (project.parent, "sub")):
        put(folder, text)
    put(project, "deep")
    for markers, said in (((".git",), "root\n\nsub\n\ndeep"), ((".hg",), "sub\n\ndeep")):
        assert inner(read_instructions(home, str(project), markers=markers)) == said
    assert inner(read_instructions(home, str(project), markers=())) == "deep"
