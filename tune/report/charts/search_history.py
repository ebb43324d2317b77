"""The plot of the search: what each trial came to in order of start, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from tune.format import short_number
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.trial_record import TrialRecord, of_search
from tune.report.charts.plot_style import (
    DASHES,
    GREY,
    INK,
    MUTED,
    WIDE,
    Layout,
    Margins,
    draw_key,
    make_panels,
    set_limits,
)
from tune.report.charts.strategies import assign_styles, strategy_of, style_handles

LEAST_TRIALS = 2


def search_history(records: Sequence[TrialRecord], leaderboard: Leaderboard, layout: Layout = WIDE) -> Figure:
    """Draw the best metric of each trial that has one, by the place in which it started, and the best so far.

    A point carries its trial's id (as an SVG group). Once there is a verdict, a band reaches from the best to the worst
    of those that cannot be distinguished from it.
    """
    metric = leaderboard.metric
    found = [(place, r) for place, r in enumerate(of_search(records), start=1) if r.best(metric) is not None]
    best = {r.trial_id: report.scores[metric] for _, r in found if (report := r.best(metric)) is not None}
    values = {trial_id: np.array([value], dtype=np.float64) for trial_id, value in best.items()}
    margins = Margins(top=1.05 if layout.is_narrow else 0.5)
    height = 3.6 if layout.is_narrow else layout.width * 0.3
    figure, (ax,) = make_panels(layout, height, margins=margins)
    top = set_limits(ax, leaderboard, values=values)
    styles = assign_styles(s for s in leaderboard.standings if s.rank is not None)
    status = {trial.trial_id: trial.status for trial in leaderboard.trials}
    for place, record in found:
        colour, marker = styles.get(strategy_of(record.hyper), (GREY, "o"))
        value = float(values[record.trial_id][0])
        if value > top:
            point = ax.plot(place, top, "^", ms=6, color=MUTED, clip_on=False, zorder=4)[0]
        else:
            fill = "none" if status.get(record.trial_id) == "stopped" else colour
            look: dict[str, Any] = {"ms": 6, "mfc": fill, "mec": colour, "mew": 1.3, "alpha": 0.9, "zorder": 4}
            point = ax.plot(place, value, marker, **look)[0]
        point.set_gid(record.trial_id)
    handles: list[Artist] = [*style_handles(styles), Line2D([], [], color=INK, lw=1.8, label="best so far")]
    if found:
        places = np.array([place for place, _ in found])
        so_far = np.minimum.accumulate([float(values[r.trial_id][0]) for _, r in found])
        ax.step(
            [*places, len(of_search(records)) + 0.5], [*so_far, so_far[-1]], where="post", color=INK, lw=1.8, zorder=3
        )
    if noise := noise_above_best(leaderboard):
        ax.axhspan(*noise, color=GREY, alpha=0.25, lw=0, zorder=0)
        handles.append(Patch(color=GREY, alpha=0.3, lw=0, label="within noise of the best"))
    initial = leaderboard.initial[metric]
    if initial is not None:
        ax.axhline(initial, color=INK, lw=1.2, ls=DASHES, zorder=1)
        handles.append(Line2D([], [], color=INK, lw=1.2, ls=DASHES, label=leaderboard.initial_name))
    ax.set_xlim(0.5, len(of_search(records)) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5 if layout.is_narrow else 12, integer=True))
    ax.xaxis.set_major_formatter(lambda value, _: short_number(int(value)))
    ax.set_xlabel("trial, in order of start")
    ax.set_ylabel(metric)
    draw_key(ax, handles, layout)
    return figure


def noise_above_best(leaderboard: Leaderboard) -> tuple[float, float] | None:
    """Give the values of the best and the worst trial of the verdict's top set; None where it has no two."""
    top_set = () if leaderboard.decided is None else leaderboard.decided.confidence_set
    values = [
        value
        for trial in leaderboard.standings
        if trial.trial_id in top_set and (value := trial.scores[leaderboard.metric]) is not None
    ]
    return (min(values), max(values)) if len(values) > 1 else None
