"""The plots of the metric against each hyperparameter that varied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from tune.format import short_number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing, varying
from tune.report.charts.plot_style import (
    DASHES,
    INK,
    MUTED,
    WIDE,
    Layout,
    Margins,
    draw_legend,
    make_panels,
    set_limits,
)
from tune.report.charts.strategies import Styles, assign_styles, strategy_of, style_handles

_MAX_PANELS = 9
_MAX_CHOICES = 8
WIDE_RANGE = 1000  # a hyperparameter's highest over its lowest value, from where a log axis serves better


def effects_shown(leaderboard: Leaderboard) -> list[str]:
    """Name the hyperparameters that vary among the ranked trials, at most nine; the learning rate, which has a picture
    of its own, is not among them."""
    names = varying(s for s in leaderboard.standings if s.rank is not None)
    return [name for name in names if name != "lr"][:_MAX_PANELS]


def hyperparameter_effects(leaderboard: Leaderboard, layout: Layout = WIDE) -> Figure:
    """Draw each trial's best metric against each hyperparameter of `effects_shown`, of which there is one at least.

    A point carries its trial's id and, after a point, the hyperparameter's name (as an SVG group).
    """
    standings = [s for s in leaderboard.standings if s.rank is not None]
    names = effects_shown(leaderboard)
    columns = min(layout.columns, len(names) if len(names) <= 4 else 3 if len(names) in (5, 6, 9) else 4)
    rows = math.ceil(len(names) / columns)
    styles = assign_styles(standings)
    margins = Margins(top=0.75 if len(styles) > 1 else 0.4, bottom=0.4, above=0.75, between=0.2)
    tall = 2.3 * (layout.scale if layout.is_narrow else layout.width / WIDE.width * 4 / layout.columns)
    height = rows * tall + ((rows - 1) * margins.above + margins.top + margins.bottom) * layout.scale
    figure, panels = make_panels(layout, height, columns=columns, rows=rows, margins=margins)
    values = {s.trial_id: np.array([s.scores[leaderboard.metric]], dtype=np.float64) for s in standings}
    for place, (ax, name) in enumerate(zip(panels, names, strict=False)):
        Effect(ax, name, leaderboard, styles, set_limits(ax, leaderboard, values=values), layout.text).draw(standings)
        ax.set_ylabel(leaderboard.metric if place % columns == 0 else "")
        ax.tick_params(labelleft=place % columns == 0)
    for ax in panels[len(names) :]:
        ax.set_visible(False)
    if handles := style_handles(styles):
        draw_legend(figure.legend, handles, layout=layout, loc="upper left", borderaxespad=0.1)
    return figure


@dataclass(frozen=True)
class Effect:
    """One panel: the metric against the hyperparameter `name`; top: where the panel ends. text: points of words."""

    ax: Axes
    name: str
    leaderboard: Leaderboard
    styles: Styles
    top: float
    text: float

    def draw(self, standings: Sequence[Standing], *, title: str = "", span: Sequence[float] = ()) -> None:
        """Draw the trials that have the hyperparameter; all are ranked.

        title: its name, unless another is given. span: numbers that the axis shows, in order; else the trials' own.
        """
        shown = [s for s in standings if s.hyper.get(self.name) is not None]
        values = [s.hyper[self.name] for s in shown]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) == len(values):
            places = [float(v) for v in numbers]
            _number_axis(self.ax, self.name, span or sorted(set(numbers)))
        else:
            choices = sorted(set(map(str, values)))
            places = [float(choices.index(str(v))) for v in values]
            _choice_axis(self.ax, choices)
        for standing, place in zip(shown, places, strict=True):
            self._draw_point(standing, place)
        initial = self.leaderboard.initial[self.leaderboard.metric]
        if initial is not None:
            self.ax.axhline(initial, color=INK, lw=1.2, ls=DASHES, zorder=1)
        drawn = self.ax.set_title(
            title or self.name, loc="left", y=1.0, color=INK, fontsize=self.text + 1, weight="bold", pad=10
        )
        drawn.set_parse_math(False)

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
    if low > 0 and (name == "lr" or high / low >= WIDE_RANGE):
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
