"""The plots of the metric against each hyperparameter that varied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from tune.format import short_number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing, varying
from tune.report.plot_style import (
    DASHES,
    INK,
    MUTED,
    Styles,
    assign_styles,
    draw_legend,
    make_canvas,
    set_limits,
    strategy_of,
)

_MAX_PANELS = 9
_MAX_CHOICES = 8
_WIDE = 1000  # a hyperparameter's highest over its lowest value, from where a log axis serves better


def hyperparameter_effects(leaderboard: Leaderboard) -> Figure | None:
    """Draw each trial's best metric against each hyperparameter that varies; None where there is nothing to compare.

    A point carries its trial's id and, after a point, the hyperparameter's name (as an SVG group).
    """
    standings = [s for s in leaderboard.standings if s.rank is not None]
    names = varying(standings)[:_MAX_PANELS]
    if not names:
        return None
    columns = len(names) if len(names) <= 4 else 3 if len(names) in (5, 6, 9) else 4
    rows = math.ceil(len(names) / columns)
    figure, panels = make_canvas((min(4 * columns, 12), 3 * rows + 0.4), columns=columns, rows=rows)
    styles = assign_styles(standings)
    values = {s.trial_id: np.array([s.scores[leaderboard.metric]], dtype=np.float64) for s in standings}
    for place, (ax, name) in enumerate(zip(panels, names, strict=False)):
        _Effect(ax, name, leaderboard, styles, set_limits(ax, leaderboard, values=values)).draw()
        ax.set_ylabel(leaderboard.metric if place % columns == 0 else "")
        ax.tick_params(labelleft=place % columns == 0)
    for ax in panels[len(names) :]:
        ax.set_visible(False)
    if len(styles) > 1:
        handles = [Line2D([], [], color=c, marker=m, linestyle="none", label=n) for n, (c, m) in styles.items()]
        draw_legend(figure.legend, handles, loc="outside upper left")
    return figure


@dataclass(frozen=True)
class _Effect:
    """One panel: the metric against the hyperparameter `name`; top is where the panel ends."""

    ax: Axes
    name: str
    leaderboard: Leaderboard
    styles: Styles
    top: float

    def draw(self) -> None:
        shown = [s for s in self.leaderboard.standings if s.rank is not None and s.hyper.get(self.name) is not None]
        values = [s.hyper[self.name] for s in shown]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) == len(values):
            places = [float(v) for v in numbers]
            _number_axis(self.ax, self.name, sorted(set(numbers)))
        else:
            choices = sorted(set(map(str, values)))
            places = [float(choices.index(str(v))) for v in values]
            _choice_axis(self.ax, choices)
        for standing, place in zip(shown, places, strict=True):
            self._draw_point(standing, place)
        initial = self.leaderboard.initial[self.leaderboard.metric]
        if initial is not None:
            self.ax.axhline(initial, color=INK, lw=1.2, ls=DASHES, zorder=1)
        title = self.ax.set_title(self.name, loc="left", color=INK, fontsize=11, weight="bold", pad=10)
        title.set_parse_math(False)

    def _draw_point(self, standing: Standing, place: float) -> None:
        value = standing.scores[self.leaderboard.metric]
        assert value is not None  # a ranked trial has one
        colour, marker = self.styles[strategy_of(standing.hyper)]
        if value > self.top:
            self.ax.plot(place, self.top, "^", ms=7, color=MUTED, clip_on=False)
            return
        if standing.rank == 1:
            self.ax.plot(place, value, "o", ms=15, mfc="none", mec=INK, mew=1.6, zorder=5)
        fill = "none" if standing.status == "stopped" else colour
        point = self.ax.plot(place, value, marker, ms=7, mfc=fill, mec=colour, mew=1.4, alpha=0.85, zorder=4)[0]
        point.set_gid(f"{standing.trial_id}.{self.name}")


def _number_axis(ax: Axes, name: str, values: Sequence[float]) -> None:
    """Ticks at the values themselves where they are few; a log axis for learning rates and wide ranges."""
    low, high = values[0], values[-1]
    if low > 0 and (name == "lr" or high / low >= _WIDE):
        margin = (high / low) ** 0.08
        ax.set_xscale("log")
        ax.set_xlim(low / margin, high * margin)
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 300 else (1.0, 3.0)))
    else:
        ax.margins(x=0.08)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=5))
    if all(isinstance(v, int) for v in values) and min(np.diff(values)) > 0.08 * (high - low):
        ax.xaxis.set_major_locator(FixedLocator(values))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(float(value))))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())


def _choice_axis(ax: Axes, choices: Sequence[str]) -> None:
    """A place for each choice; their names where there is room."""
    ax.set_xlim(-0.5, len(choices) - 0.5)
    if len(choices) > _MAX_CHOICES:
        ax.set_xticks([])
        return
    labels = [choice if len(choice) <= 14 else f"…{choice[-13:]}" for choice in choices]
    ax.set_xticks(range(len(choices)), labels)
    for label in ax.get_xticklabels():
        label.set_parse_math(False)
