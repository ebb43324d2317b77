"""A picture of an evaluation: errors by horizon step, by time and by series, and what the interval covers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from data.metrics import INTERVAL
from tune.forecasts.side_by_side import SideBySide
from tune.report.charts.plot_style import (
    COLOURS,
    DASHES,
    GREY,
    INK,
    RULE,
    draw_legend,
    make_canvas,
    shortened,
    write_picture,
)

LINES = [COLOURS[name][0] for name in ("blue", "orange", "green", "violet", "rose", "gold")]
MOST_SERIES = 12  # with the largest errors, a name each
MOST_MARKS = 6  # of spans of time


def plot_evaluation(found: SideBySide, path: Path) -> None:
    """Draw it, one line a checkpoint and the naive forecast's; a link is followed."""
    figure, (steps, time, series, covered) = make_canvas((12.0, 8.4), columns=2, rows=2)
    first, colours = found.evaluations[0], [LINES[i % len(LINES)] for i in range(len(found.evaluations))]
    horizon = np.arange(1, len(first.mae_by_step) + 1)
    naive: dict[str, Any] = {"color": GREY, "ls": DASHES, "lw": 1.4}
    for evaluation, colour in zip(found.evaluations, colours, strict=True):
        line: dict[str, Any] = {"color": colour, "lw": 1.8, "marker": "o", "ms": 3.5}
        steps.plot(horizon, evaluation.mae_by_step, **line)
        time.plot(evaluation.by_time["mae"], **line)
        covered.plot(horizon, evaluation.by_step["coverage"], **line)
    steps.plot(horizon, found.baseline.mae_by_step, **naive)
    time.plot(found.baseline.mae_by_time, **naive)
    _of_series(series, found, colours)
    covered.axhline(INTERVAL, color=INK, ls=DASHES, lw=1.2)
    has_interval = any(np.isfinite(e.by_step["coverage"]).any() for e in found.evaluations)
    covered.set_visible(has_interval)
    covered.set_ylim(0, 1.02)
    _title(steps, "MAE by horizon step", "step")
    _title(time, f"MAE by the {first.spans.unit} that a forecast begins in", "")
    _title(covered, f"share of values within the {INTERVAL:.0%} interval, by horizon step", "step")
    for ax in (steps, covered):
        ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    for ax in (steps, time):
        ax.set_ylim(bottom=0)
    _mark_spans(time, first.spans.labels)
    handles = [
        Line2D([], [], color=colour, lw=1.8, label=shortened(evaluation.assignment.checkpoint.name))
        for evaluation, colour in zip(found.evaluations, colours, strict=True)
    ]
    draw_legend(
        figure.legend, [*handles, Line2D([], [], label=found.baseline.name, **naive)], loc="outside lower center"
    )
    write_picture(figure, path)


def _of_series(ax: Axes, found: SideBySide, colours: list[str]) -> None:
    """The series with the largest errors of the first checkpoint, a mark a checkpoint."""
    first = found.evaluations[0]
    known = np.flatnonzero(first.points)
    errors = np.nan_to_num(first.by_series["mae"][known], nan=np.inf)
    worst = known[np.argsort(-errors, kind="stable")[:MOST_SERIES]][::-1]
    places = np.arange(len(worst))
    for evaluation, colour in zip(found.evaluations, colours, strict=True):
        ax.plot(evaluation.by_series["mae"][worst], places, "o", color=colour, ms=6)
    ax.plot(found.baseline.mae_by_series[worst], places, "|", color=GREY, ms=11, mew=2)
    names = [shortened(first.assignment.data.panel.ids[i], 20) for i in worst]
    ax.set_yticks(places, names, parse_math=False)
    ax.set_ylim(-0.6, max(len(worst), 4) - 0.4)
    ax.set_xlim(left=0)
    ax.grid(axis="x", color=RULE, lw=0.8)
    count = (
        "series" if len(worst) == len(known) else f"the {len(worst)} series with the largest errors, of {len(known)}"
    )
    _title(ax, f"MAE of {count}", "")


def _title(ax: Axes, text: str, below: str) -> None:
    ax.set_title(text, loc="left", fontsize=11, color=INK, parse_math=False)
    ax.set_xlabel(below, fontsize=10)


def _mark_spans(ax: Axes, labels: tuple[str, ...]) -> None:
    places = np.linspace(0, len(labels) - 1, min(len(labels), MOST_MARKS))
    marked = np.unique(places.round().astype(int)).tolist()
    ax.set_xticks(marked, [labels[i] for i in marked])
    ax.tick_params(axis="x", labelsize=9)
