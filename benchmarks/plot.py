"""The ratios as bars; every colour can be read on white and on black."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.report import number

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.figures import Results, Row

_TEXT: Final = "#808890"
_BETTER: Final = "#2f8f9d"
_WORSE: Final = "#d07a3a"
_TARGET: Final = "#b8509c"


def write_plot(results: Results, path: Path) -> None:
    """Draw a bar from 1 to the ratio for each line of the table that has a ratio."""
    rows = [(row, row.ratio) for row in reversed(results.rows()) if row.ratio]
    mpl.rcParams.update(
        {
            "svg.hashsalt": "codex-trio",  # the same results, the same file
            "svg.fonttype": "none",
            "text.color": _TEXT,
            "axes.edgecolor": _TEXT,
            "xtick.color": _TEXT,
            "ytick.color": _TEXT,
            "axes.labelcolor": _TEXT,
        }
    )
    figure = Figure(figsize=(9, 1.2 + 0.42 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    for place, (row, ratio) in enumerate(rows):
        better = ratio > 1 if row.figure.more_is_better else ratio < 1
        axes.barh(place, ratio - 1, left=1, height=0.6, color=_BETTER if better else _WORSE)
        # On the other side of the middle, where there is neither a bar nor a target.
        axes.annotate(
            number(ratio),
            (1, place),
            xytext=(-5 if ratio > 1 else 5, 0),
            textcoords="offset points",
            ha="right" if ratio > 1 else "left",
            va="center",
        )
        if row.figure.target is not None:
            axes.plot([row.figure.target] * 2, [place - 0.4, place + 0.4], color=_TARGET, lw=2)
    axes.axvline(1, color=_TEXT, lw=1)
    axes.set_yticks(range(len(rows)), [_label(row) for row, _ in rows])
    axes.margins(x=0.05)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(axis="x", color=_TEXT, alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("ours / genuine, logarithmic; the upright strokes are the targets")
    figure.savefig(path, transparent=True, metadata={"Date": None})


def _label(row: Row) -> str:
    return f"{row.figure.title} ({'more' if row.figure.more_is_better else 'less'} is better)"
