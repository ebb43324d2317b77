"""The plot of the metric against the learning rate, a panel a strategy."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing
from tune.report.charts.hyperparameter_plots import Effect
from tune.report.charts.plot_style import WIDE, Layout, Margins, make_panels, set_limits
from tune.report.charts.strategies import NO_STRATEGY, assign_styles, strategy_of

_MOST_PANELS = 8


def has_learning_rates(leaderboard: Leaderboard) -> bool:
    """Say whether there are two ranked trials of different learning rates."""
    return len({s.hyper["lr"] for s in _shown(leaderboard)}) > 1


def learning_rates(leaderboard: Leaderboard, layout: Layout = WIDE) -> Figure:
    """Draw each trial's best metric against its learning rate, on the same axes for each strategy.

    Only where `has_learning_rates`. A point carries its trial's id and `.lr` (as an SVG group).
    """
    shown = _shown(leaderboard)
    styles = assign_styles(shown)
    names = list(styles)[:_MOST_PANELS]
    columns = min(layout.columns, len(names))
    rows = math.ceil(len(names) / columns)
    margins = Margins(top=0.45, bottom=0.6, above=0.8, between=0.2)
    tall = 1.7 if layout.is_narrow else 2.9 * layout.width / WIDE.width
    height = rows * tall + ((rows - 1) * margins.above + margins.top + margins.bottom) * layout.scale
    figure, panels = make_panels(layout, height, columns=columns, rows=rows, margins=margins)
    rates = sorted({float(str(s.hyper["lr"])) for s in shown})
    values = {s.trial_id: np.array([s.scores[leaderboard.metric]], dtype=np.float64) for s in shown}
    for place, (ax, name) in enumerate(zip(panels, names, strict=False)):
        effect = Effect(ax, "lr", leaderboard, styles, set_limits(ax, leaderboard, values=values), layout.text)
        title = "every trial" if name == NO_STRATEGY and len(names) == 1 else name
        effect.draw([s for s in shown if strategy_of(s.hyper) == name], title=title, span=rates)
        ax.set_ylabel(leaderboard.metric if place % columns == 0 else "")
        ax.tick_params(labelleft=place % columns == 0)
        if place >= len(names) - columns:
            ax.set_xlabel("learning rate")
    for ax in panels[len(names) :]:
        ax.set_visible(False)
    return figure


def _shown(leaderboard: Leaderboard) -> list[Standing]:
    rated = [s for s in leaderboard.standings if s.rank is not None]
    return [s for s in rated if isinstance(rate := s.hyper.get("lr"), int | float) and rate > 0]
