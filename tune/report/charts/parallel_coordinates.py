"""Parallel coordinates: an axis a hyperparameter and one for the metric, and a line a trial across them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tune.format import short_number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing, varying
from tune.report.charts.hyperparameter_plots import WIDE_RANGE
from tune.report.charts.plot_style import (
    GREY,
    INK,
    LABEL_BOX,
    MUTED,
    WIDE,
    Layout,
    Margins,
    draw_legend,
    limits_of,
    make_panels,
    shortened,
)
from tune.report.charts.strategies import PLAIN_STYLE, assign_styles, strategy_of, style_handles

LEAST_TRIALS = 3
_MOST_AXES = 8  # beside the metric's
_MISSING = -0.09  # where a line crosses the axis of a hyperparameter that its trial does not have
_LONGEST = 12  # letters of a choice


@dataclass(frozen=True)
class ParallelAxis:
    """An axis from 0 to 1. low, high: the values at its ends. choices: of an axis of words, at even distances."""

    name: str
    low: float = 0.0
    high: float = 1.0
    is_log: bool = False
    is_whole: bool = False
    choices: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, values: Sequence[object]) -> ParallelAxis:
        numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) < len(values):
            return cls(name, choices=tuple(sorted(set(map(str, values)))))
        low, high = min(numbers), max(numbers)
        is_log = low > 0 and (name == "lr" or high / low >= WIDE_RANGE)
        return cls(name, low, high, is_log=is_log, is_whole=all(isinstance(v, int) for v in values))

    def position(self, value: object) -> float | None:
        """Return where a value is; None for a missing one. What lies above the axis is at its end."""
        if value is None:
            return None
        if self.choices:
            last = max(1, len(self.choices) - 1)
            return self.choices.index(str(value)) / last if str(value) in self.choices else None
        number, low, high = float(str(value)), self.low, self.high
        if self.is_log:
            number, low, high = math.log(number), math.log(low), math.log(high)
        return min(1.0, (number - low) / (high - low)) if high > low else 0.5

    def value(self, position: float) -> float:
        """Return the number at a position, the inverse of `position`."""
        if self.is_log:
            return float(self.low * (self.high / self.low) ** position)
        return self.low + (self.high - self.low) * position

    def ticks(self) -> list[tuple[float, str]]:
        """Return positions and their words."""
        if self.choices:
            last = max(1, len(self.choices) - 1)
            names = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in self.choices]
            return [(i / last, name) for i, name in enumerate(names)]
        places = (0.0, 0.5, 1.0) if self.high > self.low else (0.5,)
        numbers = [(place, self.value(place)) for place in places]
        return [
            (p, short_number(round(v) if self.is_whole else v)) for p, v in numbers if not self.is_whole or v % 1 == 0
        ]


@dataclass(frozen=True)
class Parallel:
    """The axes, the metric's last, and each trial's positions on them, None where it has no value."""

    axes: tuple[ParallelAxis, ...]
    positions: dict[str, tuple[float | None, ...]]
    trials: tuple[Standing, ...]

    @classmethod
    def of(cls, leaderboard: Leaderboard) -> Parallel | None:
        """Lay out the ranked trials; None for fewer than three, or where no hyperparameter varies."""
        trials = [s for s in leaderboard.standings if s.rank is not None]
        names = varying(trials)[:_MOST_AXES]
        if len(trials) < LEAST_TRIALS or not names:
            return None
        axes = [ParallelAxis.of(name, [v for s in trials if (v := s.hyper.get(name)) is not None]) for name in names]
        values = {s.trial_id: np.array([s.scores[leaderboard.metric]], dtype=np.float64) for s in trials}
        _, top = limits_of(leaderboard, values=values)
        metric = [float(value[0]) for value in values.values()]
        axes.append(ParallelAxis(leaderboard.metric, min(metric), min(max(metric), max(top, min(metric)))))
        found = {
            s.trial_id: tuple(
                axis.position(s.scores[leaderboard.metric] if axis is axes[-1] else s.hyper.get(axis.name))
                for axis in axes
            )
            for s in trials
        }
        return cls(tuple(axes), found, tuple(trials))


def parallel_coordinates(parallel: Parallel, layout: Layout = WIDE) -> Figure:
    """Draw a line a trial, from axis to axis; one below another where the picture is narrow.

    A line carries its trial's id (as an SVG group); the best is thick.
    """
    figure, ax = _canvas(parallel, layout)
    styles = assign_styles(parallel.trials)
    order = range(len(parallel.axes))
    for trial in reversed(parallel.trials):
        places = [_MISSING if p is None else p for p in parallel.positions[trial.trial_id]]
        is_best = trial.rank == 1
        look: dict[str, Any] = {
            "color": styles.get(strategy_of(trial.hyper), PLAIN_STYLE)[0] if len(styles) > 1 or is_best else GREY,
            "lw": 2.8 if is_best else 1.1,
            "alpha": 1.0 if is_best else 0.35 if trial.status == "stopped" else 0.7,
            "zorder": 4 if is_best else 2,
            "clip_on": False,
        }
        line = ax.plot(*((places, order) if layout.is_narrow else (order, places)), **look)[0]
        line.set_gid(trial.trial_id)
    for place, axis in enumerate(parallel.axes):
        _draw_axis(ax, axis, place, layout, has_gaps=any(p[place] is None for p in parallel.positions.values()))
    best = Line2D([], [], color=INK, lw=2.8, label="thick: the best trial")
    draw_legend(figure.legend, [*style_handles(styles, as_lines=True), best], layout=layout, loc="upper left")
    return figure


def axis_ends(parallel: Parallel, layout: Layout) -> list[list[float]]:
    """Return where each axis begins and ends in the picture: x, y, x, y, as shares of its size from the top left."""
    figure, ax = _canvas(parallel, layout)
    to_figure = ax.transData + figure.transFigure.inverted()
    ends = []
    for place in range(len(parallel.axes)):
        points = [(0.0, place), (1.0, place)] if layout.is_narrow else [(place, 0.0), (place, 1.0)]
        (x0, y0), (x1, y1) = to_figure.transform(points)
        ends.append([round(float(share), 5) for share in (x0, 1 - y0, x1, 1 - y1)])
    return ends


def _canvas(parallel: Parallel, layout: Layout) -> tuple[Figure, Axes]:
    """Make an empty picture with the places of the axes as coordinates, and 0 to 1 along them."""
    last = len(parallel.axes) - 1
    if layout.is_narrow:
        margins = Margins(left=0.3, right=0.3, top=1.1, bottom=0.45)
        figure, (ax,) = make_panels(layout, 1.5 + 0.66 * last, margins=margins)
        ax.set(xlim=(_MISSING, 1), ylim=(last, 0))
    else:
        margins = Margins(left=0.35, right=1.0, top=0.85, bottom=0.3)
        figure, (ax,) = make_panels(layout, layout.width * 0.36, margins=margins)
        ax.set(xlim=(0, last), ylim=(_MISSING, 1))
    ax.set_axis_off()
    return figure, ax


def _draw_axis(ax: Axes, axis: ParallelAxis, place: int, layout: Layout, *, has_gaps: bool) -> None:
    """Draw an axis with its name and its ticks."""
    narrow = layout.is_narrow
    flat = [0.0, 1.0], [place, place]
    ax.plot(*(flat if narrow else flat[::-1]), color=MUTED, lw=1.4, zorder=3, clip_on=False)
    name = shortened(axis.name, 24 if narrow else 16)
    head: dict[str, Any] = {
        "color": INK,
        "weight": "bold",
        "fontsize": layout.text,
        "parse_math": False,
        "bbox": LABEL_BOX,
    }
    if narrow:
        ax.annotate(name, (0, place), (0, 5), textcoords="offset points", va="bottom", zorder=6, **head)
    else:
        ax.annotate(name, (place, 1), (0, 8), textcoords="offset points", ha="center", va="bottom", zorder=6, **head)
    small: dict[str, Any] = {
        "color": MUTED,
        "fontsize": layout.text - 1.5,
        "zorder": 5,
        "parse_math": False,
        "bbox": LABEL_BOX,
    }
    for position, words in [*axis.ticks(), *([(_MISSING, "–")] if has_gaps else [])]:
        if narrow:
            side = "left" if position == 0 else "right" if position == 1 else "center"
            ax.annotate(words, (position, place), (0, -4), textcoords="offset points", ha=side, va="top", **small)
        else:
            ax.annotate(words, (place, position), (5, 0), textcoords="offset points", va="center", **small)
