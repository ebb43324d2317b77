"""The pictures of where on the test part a model errs: by step of the horizon, and by series."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tune.records.scores_on_test import ErrorsOnTest
from tune.report.charts.plot_style import (
    COLOURS,
    DASHES,
    GREY,
    INK,
    MUTED,
    RULE,
    WIDE,
    Layout,
    Margins,
    draw_key,
    make_panels,
    shortened,
)

_WINNER = COLOURS["blue"][0]


def horizon_errors(errors: ErrorsOnTest, layout: Layout = WIDE) -> Figure:
    """Draw the error at each step of the horizon, the initial model dashed."""
    margins = Margins(top=0.45, right=0.25)
    figure, (ax,) = make_panels(layout, 2.8 if layout.is_narrow else layout.width * 0.27, margins=margins)
    steps = np.arange(1, len(next(iter(errors.by_step.values()))) + 1)
    marker = "o" if len(steps) < 2 else None
    for number, values in enumerate(errors.by_step.values()):
        colour, style = (GREY, DASHES) if number == 0 else (_WINNER, "-")
        ax.plot(steps, _floats(values), color=colour, ls=style, lw=1.8, marker=marker)
    ax.set_xlim(1, max(2, len(steps)))
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5 if layout.is_narrow else 12, integer=True))
    ax.set_xlabel("steps ahead")
    ax.set_ylabel(errors.step_measure)
    draw_key(ax, _names(errors), layout)
    return figure


def series_errors(errors: ErrorsOnTest, layout: Layout = WIDE) -> Figure:
    """Draw the error of the best series and the worst, a line each from the initial model to the winner.

    Only where there are series. A series on which the winner is worse has a triangle, and a filled circle where not.
    """
    rows = len(errors.series)
    narrow = layout.is_narrow
    margins = Margins(left=0.25 if narrow else 2.6, right=0.25, top=0.75 if narrow else 0.45, bottom=0.6)
    each = 0.46 if narrow else 0.3
    figure, (ax,) = make_panels(layout, (each * rows + margins.top + margins.bottom) * layout.scale, margins=margins)
    names = list(errors.by_series)
    before, after = (_floats(errors.by_series[name]) for name in (names[0], names[-1]))
    for place, (start, end) in enumerate(zip(before, after, strict=True)):
        is_worse = end > start
        ax.plot([start, end], [place, place], color=MUTED, lw=1.2, zorder=1)
        ax.plot(start, place, "o", ms=7, mfc="none", mec=GREY, mew=1.6, zorder=2)
        ax.plot(end, place, ">" if is_worse else "o", ms=8, color=COLOURS["rose"][0] if is_worse else _WINNER, zorder=3)
        if narrow:
            _name_row(ax, errors.series[place], place, layout)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x", color=RULE, lw=0.8)
    ax.set_ylim(rows - 0.4, -0.75 if narrow else -0.6)
    if errors.left_out:
        gap = sum(name in errors.worst for name in errors.series)
        ax.axhline(gap - 0.5, color=MUTED, lw=0.8, ls=":")
    if narrow:
        ax.set_yticks([])
    else:
        ax.set_yticks(range(rows), [shortened(name, 34) for name in errors.series])
        for label in ax.get_yticklabels():
            label.set(parse_math=False, color=INK)
    ax.margins(x=0.05)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4 if narrow else 8))
    ax.set_xlabel(errors.series_measure)
    handles = [
        Line2D([], [], marker="o", ls="none", mfc="none", mec=GREY, mew=1.6, label=names[0]),
        Line2D([], [], marker="o", ls="none", color=_WINNER, label=names[-1]),
        Line2D([], [], marker=">", ls="none", color=COLOURS["rose"][0], label="where that is worse"),
    ]
    draw_key(ax, handles, layout)
    return figure


def _name_row(ax: Axes, name: str, place: int, layout: Layout) -> None:
    at = ("axes fraction", "data")
    ax.annotate(
        shortened(name, 40), (0, place), (2, 6), at, "offset points", va="bottom", color=INK, fontsize=layout.text - 1
    ).set_parse_math(False)


def _names(errors: ErrorsOnTest) -> list[Line2D]:
    return [
        Line2D([], [], color=GREY if i == 0 else _WINNER, ls=DASHES if i == 0 else "-", lw=1.8, label=name)
        for i, name in enumerate(errors.by_step)
    ]


def _floats(values: object) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([math.nan if v is None else v for v in values], dtype=np.float64)  # type: ignore[attr-defined]
