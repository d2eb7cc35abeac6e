"""The results as text for a terminal and as JSON."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.peers import IMPORTS, LOOP
from benchmarks.within import OVER_STDIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import Figure, Results, Row

HEADINGS: Final = ("", "ours", "genuine", "ours/genuine", "range", "target")


def as_text(results: Results) -> str:
    """Lay the table out in columns, with what puts it into proportion."""
    lines = [HEADINGS, *map(cells, results.rows())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [_line(line, widths) for line in lines]
    text.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    text += ["", *proportions(results)]
    text += [f"Not measured: {reason}." for reason in results.skipped]
    text += [", ".join(machine())]
    return "\n".join(text)


def as_json(results: Results) -> str:
    """Write down everything, every sample too."""
    table = [
        {
            "key": row.figure.key,
            "title": row.figure.title,
            "unit": row.figure.unit,
            "ours": row.ours,
            "genuine": row.genuine,
            "ratio": row.ratio,
            "target": row.figure.target,
            "limit": row.figure.limit,
            "more_is_better": row.figure.more_is_better,
        }
        for row in results.rows()
    ]
    everything = {
        "machine": machine(),
        "table": table,
        "samples": results.samples,
        "skipped": results.skipped,
    }
    return json.dumps(everything, indent=2, ensure_ascii=False) + "\n"


def machine() -> list[str]:
    """Say what this was measured on, without giving the machine away."""
    return [
        f"{os.cpu_count()} processors ({platform.machine()})",
        _system(),
        f"Python {platform.python_version()}",
        f"codex-trio {version('codex-trio')}",
        f"genuine server {version('openai-codex-cli-bin')}",
    ]


def proportions(results: Results) -> list[str]:
    """Compare us with bare loops that do nothing of what we do."""
    lines = []
    if ratios := results.ratios("flight_256", LOOP.name, "ours"):
        loop = results.median("flight_256", LOOP.name)
        assert loop is not None  # there are ratios
        lines.append(
            f"A bare Trio and orjson loop gives {number(loop)} answers/s with 256 in flight; "
            f"ours is within {median(ratios):.1f} times of it."
        )
    over_socket = results.median("websocket_256", "ours")
    if over_socket and (over_stdio := results.median("flight_256", "ours")):
        lines.append(
            f"Over a websocket, ours gives {number(over_socket / over_stdio)} times the answers/s "
            "with 256 in flight that it gives over standard streams."
        )
    if ratios := results.ratios("inside_raw", "ours", OVER_STDIO):
        lines.append(
            "Within the process, an account/read of ours takes "
            f"{number(median(ratios))} times what it takes over standard streams."
        )
    if (imports := results.median("spawn", IMPORTS.name)) is not None:
        lines.append(
            f"A bare Python that imports Trio and cattrs is ready after {number(imports)} ms."
        )
    return lines


def cells(row: Row) -> tuple[str, ...]:
    """Write one line of the table."""
    ratio = spread = ""
    if row.ratio is not None:
        ratio = number(row.ratio)
        spread = f"{number(min(row.ratios))} to {number(max(row.ratios))}"
    values = (_value(row.figure, value) for value in (row.ours, row.genuine))
    return (row.figure.title, *values, ratio, spread, _target(row.figure))


def _value(figure: Figure, value: float | None) -> str:
    return "" if value is None else f"{number(value)} {figure.unit}".rstrip()


def _target(figure: Figure) -> str:
    if figure.limit is not None:
        return f"ours ≤ {figure.limit:g} {figure.unit}".rstrip()
    if figure.target is None:
        return ""
    return f"{'≥' if figure.more_is_better else '≤'} {figure.target:g}"


def number(value: float) -> str:
    """Three digits are more than a noisy machine can vouch for."""
    size = abs(value)
    if not value or size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.3f}"


def _line(line: Sequence[str], widths: Sequence[int]) -> str:
    title, *others = line
    columns = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
    return "  ".join((title.ljust(widths[0]), *columns)).rstrip()


def _system() -> str:
    if platform.system() != "Linux":
        return f"{platform.system()} {platform.release()}"
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "Linux"
