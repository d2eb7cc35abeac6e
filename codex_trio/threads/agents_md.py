"""AGENTS.md: what a user and a project want every model to know."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from codex_trio.plain_files import open_plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMES: Final = ("AGENTS.override.md", "AGENTS.md")
"""The names of such files; of one folder, the first that is there."""

MAX_BYTES: Final = 32 * 2**10
"""Bytes that are taken of a project's files, all together, unless the configuration says so."""

_MAX_OWN: Final = 2**20  # bytes of the user's own file

_JOINT: Final = "\n\n--- project-doc ---\n\n"


@frozen
class ProjectInstructions:
    """What was found.

    Args:
        text: what they say, in the original's tags; None when they say nothing.
        sources: the files, outermost first.
    """

    text: str | None
    sources: tuple[str, ...]


NO_INSTRUCTIONS: Final = ProjectInstructions(None, ())
"""What is found where there is nothing."""


def read_instructions(
    home: Path,
    cwd: str,
    max_bytes: int = MAX_BYTES,
    fallbacks: Sequence[str] = (),
    markers: Sequence[str] = (".git",),
) -> ProjectInstructions:
    """Read the user's file, and those from the root of the project down to ``cwd``.

    The root is the nearest folder above with one of ``markers``; without one, only ``cwd``
    counts. What cannot be read is passed over; what exceeds ``max_bytes`` is cut. Blocks. (As the original
    documents it.)
    """
    sources, parts = [], []
    if (found := _first(home, NAMES, _MAX_OWN)) is not None:
        path, text = found
        sources.append(str(path))
        parts.append(text.strip())
    left, inner = max_bytes, []
    for folder in _folders(Path(cwd), markers):
        if left > 0 and (found := _first(folder, (*NAMES, *fallbacks), left)) is not None:
            path, text = found
            left -= len(text.encode())
            sources.append(str(path))
            inner.append(text)
    if inner:
        parts.append("\n\n".join(inner))
    if not parts:
        return NO_INSTRUCTIONS
    joined = _JOINT.join(parts)
    whose = f" for {cwd}" if inner else ""
    return ProjectInstructions(
        f"# AGENTS.md instructions{whose}\n\n<INSTRUCTIONS>\n{joined}\n</INSTRUCTIONS>",
        tuple(sources),
    )


def _folders(cwd: Path, markers: Sequence[str]) -> Iterator[Path]:
    """Go from the root of the project down to where the user works."""
    above = [cwd, *cwd.parents]
    for index, folder in enumerate(above):
        if any(os.path.lexists(folder / marker) for marker in markers):
            yield from reversed(above[: index + 1])
            return
    yield cwd


def _first(
    folder: Path, names: Sequence[str], max_bytes: int | None = None
) -> tuple[Path, str] | None:
    """Read the first of these files that is there and says something."""
    for name in names:
        path = folder / name
        try:
            with open_plain(path) as file:
                text = file.read(-1 if max_bytes is None else max_bytes).decode(errors="ignore")
        except (OSError, ValueError):
            continue
        if text.strip():
            return path, text
    return None
