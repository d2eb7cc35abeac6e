"""What the stories come to: a table, for people and for the manual."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import attrs
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_MIB: Final = 2**20

_HEADINGS: Final = (
    "story", "rounds", "seconds", "requests", "answered", "refused", "memory", "files", "threads",
)  # fmt: skip

_NUMERIC: Final = slice(1, None)

PAGE: Final = """\
% Written by `nox -s torture -- --write-docs`; changes made here will be lost.

# Torture

`nox -s torture` is unkind to a server for some minutes: a real process, with the stand-in in the
place of OpenAI. Every row is a story of `tests/torture/`. At the end of each of them the server answers,
ends at SIGTERM with exit code 0, and has said nothing of a traceback; every request was answered exactly
once, if its client was there to hear it; `auth.json`, `config.toml` and all records of threads are whole.

% figures

{table}

*Refused* are requests that were answered with `-32001`; where fewer were answered than asked, the client or
the server had left before. *Memory* is the resident size, *files* are open descriptors (without connections to
the stand-in that are kept for what is asked next), *threads* those of the system: when everything in the story has
happened once, and at its end. No descriptor and no thread may stay, and of memory 4 MiB, because a heap has
holes; with a thousand clients 16 KiB for each of them. Where there are no such figures, every round has a server
of its own.

{fuzz}

Measured on {machine}. The seed was {seed}: `CODEX_TRIO_SEED={seed} nox -s torture` repeats what was random.
"""


FUZZED: Final = """\
What reads bytes of others was fuzzed with Atheris, under an assertion of what has to be so of anything
that is read:"""


@attrs.frozen
class Vitals:
    """What a process costs."""

    memory: int
    """Bytes that are resident."""
    files: list[str] = attrs.field(repr=False)
    """What its descriptors lead to."""
    threads: int

    @property
    def fds(self) -> int:
        """How many descriptors are open."""
        return len(self.files)

    def within(self, before: Vitals, growth: int, threads: int) -> bool:
        """Say whether there is nothing here that was not there before, but for the slack."""
        return (
            self.memory <= before.memory + growth
            and self.fds <= before.fds
            and self.threads <= before.threads + threads
        )


@attrs.define
class Counts:
    """Requests of one story, and what came of them."""

    requests: int = 0
    answered: int = 0
    refused: int = 0


@attrs.define(eq=False)
class Figures:
    """One row of the table."""

    story: str
    rounds: int = 0
    seconds: float = 0.0
    counts: Counts = attrs.field(factory=Counts)
    before: Vitals | None = None
    after: Vitals | None = None

    def cells(self) -> list[str]:
        """Say it in words."""
        cells = [self.story, f"{self.rounds:,}", f"{self.seconds:.1f}"]
        cells += [
            f"{number:,}" if self.counts.requests else ""
            for number in attrs.astuple(self.counts)
        ]
        if self.before is None or self.after is None:
            return [*cells, "", "", ""]
        before, after = self.before, self.after
        return [
            *cells,
            f"{before.memory / _MIB:.1f} → {after.memory / _MIB:.1f} MiB",
            f"{before.fds} → {after.fds}",
            f"{before.threads} → {after.threads}",
        ]


@attrs.frozen
class Fuzzed:
    """What came of fuzzing one target."""

    target: str
    seconds: float
    runs: int
    edges: int
    """Branches of the code that were reached."""

    def cells(self) -> list[str]:
        """Say it in words."""
        return [self.target, f"{self.seconds:.0f}", f"{self.runs:,}", f"{self.edges:,}"]


@attrs.define(eq=False)
class Results:
    """All rows of a session."""

    seed: int
    ends: float
    """When it is to be over, by the monotonic clock."""
    rows: list[Figures] = attrs.field(factory=list)
    fuzzed: list[Fuzzed] = attrs.field(factory=list)
    skipped: list[str] = attrs.field(factory=list)

    def time_left(self) -> float:
        """Say how many seconds are left; skips what is to begin when there are none."""
        left = self.ends - time.monotonic()
        if left <= 0:
            self.skipped.append("what would have begun after ten minutes")
            pytest.skip("the time for all stories is over")
        return left

    def as_text(self) -> Iterable[str]:
        """Lay the table out in columns."""
        lines: list[Sequence[str]] = [_HEADINGS, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for name, *numbers in lines:
            cells = [cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True)]
            yield "  ".join([name.ljust(widths[0]), *cells])
        for one in self.fuzzed:
            yield "fuzzed {}: {} s, {} runs, {} edges".format(*one.cells())
        for reason in self.skipped:
            yield f"left out: {reason}"

    def write(self, path: Path) -> None:
        """Write the page of the manual."""
        text = PAGE.format(
            table=_table(_HEADINGS, [row.cells() for row in self.rows]),
            fuzz=self._fuzz(),
            machine=", ".join(_machine()),
            seed=self.seed,
        )
        path.write_text(text, encoding="utf-8")

    def _fuzz(self) -> str:
        lines = []
        if self.fuzzed:
            cells = [one.cells() for one in self.fuzzed]
            lines += [
                f"{FUZZED}\n",
                _table(("target", "seconds", "runs", "edges"), cells),
            ]
        lines += [f"Left out: {reason}." for reason in self.skipped]
        return "\n".join(lines)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    ruler = [":--", *("--:" for _ in headings[_NUMERIC])]
    lines = [headings, ruler, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine() -> list[str]:
    return [
        f"{platform.system()} on {platform.machine()} with {os.cpu_count()} processors",
        f"Python {platform.python_version()}",
        f"Trio {version('trio')}",
    ]
