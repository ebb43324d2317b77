"""A picture of forecasts: the history before them, the points, their band, and what came, where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from trainables.base import QUANTILE_LEVELS
from tune.forecasts.many import Block, ForecastPlan
from tune.forecasts.prediction import SeriesGrid
from tune.report.charts.plot_style import (
    COLOURS,
    INK,
    MUTED,
    draw_legend,
    make_canvas,
    mark_times,
    shortened,
    write_picture,
)

MOST = 12  # panels in a picture
HISTORY = 3  # lengths of a forecast that are shown before it
BAND = (QUANTILE_LEVELS[0], QUANTILE_LEVELS[-1])
FORECAST = COLOURS["blue"][0]


def plot_forecasts(plan: ForecastPlan, blocks: Sequence[Block], path: Path) -> int:
    """Draw the first windows, a panel each, and return how many they are.

    The plan's levels, where it has any, are drawn as a band from the lowest to the highest.
    """
    windows = [(block, place) for block in blocks for place in range(len(block.series))][:MOST]
    columns = 1 if len(windows) < 3 else 2
    rows = -(-len(windows) // columns)
    figure, panels = make_canvas((11.0, 1.0 + 2.6 * rows), columns=columns, rows=rows)
    for ax, (block, place) in zip(panels, windows, strict=False):
        _draw(ax, plan, block, place)
    for ax in panels[len(windows) :]:
        ax.set_visible(False)
    handles = [
        Line2D([], [], color=MUTED, label="history"),
        Line2D([], [], color=FORECAST, label="forecast"),
    ]
    if any(np.isfinite(block.actual[place]).any() for block, place in windows):
        handles.append(Line2D([], [], color=INK, ls=":", label="what came"))
    if len(plan.levels) > 1:
        band = f"{min(plan.levels):g} to {max(plan.levels):g}"
        handles.append(Line2D([], [], color=FORECAST, alpha=0.25, lw=8, label=f"quantiles {band}"))
    draw_legend(figure.legend, handles, loc="outside lower center")
    write_picture(figure, path)
    return len(windows)


def _draw(ax: Axes, plan: ForecastPlan, block: Block, place: int) -> None:
    i, row = int(block.series[place]), int(block.rows[place])
    steps = plan.assignment.spec.prediction_length
    first = max(0, row - HISTORY * steps)
    grid = SeriesGrid.of(plan.panel, i)
    times = _axis(grid.times(first, row - first + steps))
    ahead = times[row - first :]
    ax.plot(times[: row - first], plan.panel.in_units(i)[first:row], color=MUTED, lw=1.2)
    if len(plan.levels) > 1:
        low, high = (block.quantiles[place, int(pick(plan.levels))] for pick in (np.argmin, np.argmax))
        ax.fill_between(ahead, low, high, color=FORECAST, alpha=0.2, lw=0)
    ax.plot(ahead, block.point[place], color=FORECAST, lw=1.8)
    ax.plot(ahead, block.actual[place], color=INK, lw=1.2, ls=":")
    ax.axvline(ahead[0], color=MUTED, lw=0.8)
    ax.set_title(shortened(grid.name), loc="left", fontsize=11, color=INK, parse_math=False)
    ax.tick_params(axis="x", labelrotation=0, labelsize=9)
    mark_times(ax, is_timed=grid.start is not None, most=6)


def _axis(times: list[str] | list[int]) -> NDArray[Any]:
    return np.asarray(pd.to_datetime(pd.Series(times)) if times and isinstance(times[0], str) else times)
