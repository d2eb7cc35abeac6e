"""Skills: folders with a SKILL.md, of a user and of the project that somebody works in.

Where they are, and in which order they are told, is as in 0.163.0 (observed); there are none
that come with the program.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from codex_trio.catalogue.front_matter import FrontMatterError, parse_front_matter
from codex_trio.configuration.projects import Project
from codex_trio.errors import os_error_text
from codex_trio.plain_files import open_plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DEPTH: Final = 6  # folders below that in which skills are kept
_FOLDERS: Final = 2000  # that are looked into, of each of those
_MAX_SIZE: Final = 2**20  # bytes that are read of a SKILL.md


@attrs.frozen(kw_only=True)
class Skill:
    """A skill.

    Args:
        path: its SKILL.md, links resolved.
        scope: of whom it is.
    """

    name: str
    description: str
    short_description: str | None
    path: str
    scope: Literal["repo", "user"]
    enabled: bool


@attrs.frozen
class Fault:
    """A SKILL.md that cannot be used, and why."""

    path: str
    message: str


def find_skills(
    cwd: str, home: Path, table: Mapping[str, Any]
) -> tuple[list[Skill], list[Fault]]:
    """Find the skills that there are for somebody who works in a folder; blocks.

    Args:
        cwd: the folder; one that is relative is seen from ours, and it need not exist.
        home: where state is kept; skills of the user, too.
        table: the configuration in force there, which may disable some.
    """
    project = Project.of(os.path.abspath(cwd), table.get("project_root_markers", (".git",)))
    roots: list[tuple[Literal["repo", "user"], Path]] = [
        ("repo", Path(folder, name, "skills"))
        for folder in project.folders
        for name in (".codex", ".agents")
        if Path(folder, name).resolve() != home.resolve()
    ]
    others = os.path.expanduser("~/.agents/skills")  # which other programs share
    roots += [("user", home / "skills"), ("user", Path(others))]
    skills: dict[str, Skill] = {}
    faults: dict[str, Fault] = {}
    disabled = list(_disabled(table))
    for scope, root in roots:
        for path in _files(root):
            if path in skills or path in faults:
                continue  # the same one by another way
            found = _read(path, scope, disabled)
            if isinstance(found, Skill):
                skills[path] = found
            else:
                faults[path] = found
    order = ("repo", "user")
    return (
        sorted(skills.values(), key=lambda one: (order.index(one.scope), one.name, one.path)),
        sorted(faults.values(), key=lambda one: one.path),
    )


def _disabled(table: Mapping[str, Any]) -> Iterator[str]:
    """Name the paths and the names of skills that are not to be used."""
    for entry in table.get("skills", {}).get("config", ()):
        if entry.get("enabled", True):
            continue
        if "path" in entry:
            path = os.path.realpath(os.path.expanduser(entry["path"]))
            yield os.path.join(path, "SKILL.md") if os.path.isdir(path) else path
        elif "name" in entry:
            yield entry["name"]


def _files(root: Path) -> Iterator[str]:
    """Find every SKILL.md below a folder, links followed, hidden folders left out."""
    seen: set[str] = set()
    waiting = [(os.path.realpath(root), 0)]
    while waiting and len(seen) < _FOLDERS:
        folder, depth = waiting.pop(0)
        if folder in seen:
            continue
        seen.add(folder)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:  # there is none, or it is not for us
            continue
        for entry in entries:
            if entry.name == "SKILL.md" and os.path.isfile(entry):
                yield os.path.realpath(entry)
            elif depth < _DEPTH and not entry.name.startswith(".") and os.path.isdir(entry):
                waiting.append((os.path.realpath(entry.path), depth + 1))


def _read(path: str, scope: Literal["repo", "user"], disabled: Sequence[str]) -> Skill | Fault:
    try:
        with open_plain(path) as file:
            front = parse_front_matter(file.read(_MAX_SIZE).decode())
    except OSError as error:
        return Fault(path, f"failed to read file: {os_error_text(error)}")
    except UnicodeDecodeError:
        return Fault(path, "failed to read file: stream did not contain valid UTF-8")
    except FrontMatterError as error:
        return Fault(path, str(error))
    name = front.name or os.path.basename(os.path.dirname(path))
    return Skill(
        name=name,
        description=front.description,
        short_description=front.short_description,
        path=path,
        scope=scope,
        enabled=path not in disabled and name not in disabled,
    )
