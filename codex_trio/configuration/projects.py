"""Which folders belong to a project, and whether their configuration is trusted.

All of it blocks. Observed on 0.163.0.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from codex_trio.plain_files import open_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Trust: TypeAlias = Literal["trusted", "untrusted"]


@attrs.frozen
class Project:
    """A folder that somebody works in, and what it belongs to.

    Args:
        cwd: the folder.
        root: the nearest folder upwards that has one of the markers, or the folder itself.
        repository: the main folder of the Git repository that it is in, if it is in one.
    """

    cwd: str
    root: str
    repository: str | None

    @classmethod
    def of(cls, cwd: str, markers: Sequence[str]) -> Project:
        """Look where a folder belongs; ``cwd`` is absolute, and need not exist."""
        upwards = list(_upwards(cwd))
        root = next(
            (folder for folder in upwards if any(_marks(folder, one) for one in markers)), cwd
        )
        git = next((folder for folder in upwards if _marks(folder, ".git")), None)
        return cls(cwd, root, None if git is None else _main_folder(git))

    @property
    def folders(self) -> list[str]:
        """The folders from where somebody works up to the root."""
        folders = list(_upwards(self.cwd))
        return folders[: folders.index(self.root) + 1]

    def trust(self, folder: str, projects: Mapping[str, Any]) -> tuple[Trust | None, str]:
        """Say whether a folder is trusted, and which folder that was said of.

        ``projects`` is that table of the configuration. Nothing said: None, and the folder of
        which it would have to be said.
        """
        for candidate in (folder, self.root, self.repository):
            if candidate is not None:
                for name in (candidate, os.path.realpath(candidate)):
                    level: Trust | None = projects.get(name, {}).get("trust_level")
                    if level is not None:
                        return level, candidate
        return None, self.root


def _upwards(folder: str) -> list[str]:
    folders = [folder]
    while (parent := os.path.dirname(folder)) != folder:
        folders.append(folder := parent)
    return folders


def _marks(folder: str, marker: str) -> bool:
    path = os.path.join(folder, marker)
    if marker == ".git" and os.path.isdir(path):
        return os.path.isfile(os.path.join(path, "HEAD"))  # an empty one is no repository
    return os.path.exists(path)


def _main_folder(folder: str) -> str:
    """Find the folder of a repository of which this may be another working tree."""
    try:
        with open_plain(os.path.join(folder, ".git")) as file:
            said = os.fsdecode(file.read(4096).partition(b"\n")[0])
    except OSError:  # a directory, as usual
        return folder
    path = os.path.join(folder, said.removeprefix("gitdir:").strip())
    trees = os.path.dirname(path)
    git = os.path.dirname(trees)
    if os.path.basename(trees) == "worktrees" and os.path.basename(git) == ".git":
        return os.path.dirname(git)
    return folder
