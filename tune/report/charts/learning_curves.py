"""The plot of the metric over epochs, a line a trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tune.format import score_text, short_number
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.trial_record import TrialRecord
from tune.report.charts.plot_style import (
    CARD,
    DASHES,
    GREY,
    INK,
    LABEL_BOX,
    MUTED,
    WIDE,
    Layout,
    Margins,
    draw_key,
    make_panels,
    set_limits,
)
from tune.report.charts.strategies import PLAIN_STYLE, Styles, assign_styles, strategy_of, style_handles

METRIC_NAMES = {
    "val_loss": "validation loss",
    "val_mae": "validation MAE",
    "val_mse": "validation MSE",
    "val_rmse": "validation RMSE",
    "val_mase": "validation MASE",
    "val_wql": "validation WQL",
    "val_smape": "validation sMAPE",
}

_MANY_LINES = 40
_ALPHA = {"completed": 0.85, "running": 0.95, "interrupted": 0.6}
_PALE = 0.35


def validation_curves(records: list[TrialRecord], leaderboard: Leaderboard, layout: Layout = WIDE) -> Figure:
    """Draw the metric of every trial over epochs, from zero-shot at epoch 0; 1200 x 600 px on a wide page.

    Trials that were stopped are pale, the best is thick with its best epoch marked. What runs far above zero-shot
    leaves the picture at the top, and the picture says so. A trial's line carries its id (as an SVG group). A baseline
    is a thin dashed line, left out where it would lie outside the picture that the trials need.
    """
    narrow = layout.is_narrow
    margins = Margins(right=0.25 if narrow else 0.95, top=0.8 if narrow else 0.5, bottom=0.55)
    height = 4.2 if narrow else layout.width / 2
    figure, (ax,) = make_panels(layout, height, margins=margins)
    statuses = {trial.trial_id: trial.status for trial in leaderboard.trials}
    curves = [_curve(record, leaderboard, statuses.get(record.trial_id)) for record in records if record.reports]
    top = set_limits(ax, leaderboard, values={c.trial_id: c.trained for c in curves})
    styles = assign_styles(s for s in leaderboard.standings if s.rank is not None)
    for curve in sorted(curves, key=lambda c: c.is_best):
        _draw_curve(ax, curve, _Pen.of(curve, styles, many=len(curves)), top)
    _draw_initial(ax, leaderboard, layout)
    _draw_baselines(ax, leaderboard, layout)
    _mark_best(ax, leaderboard, layout)
    _note_clipped(ax, [c for c in curves if c.leaves(top)], top, layout)
    _label_epochs(ax, curves, leaderboard.initial_name, layout)
    ax.set_ylabel(f"{METRIC_NAMES.get(leaderboard.metric, leaderboard.metric)}, lower is better")
    _draw_key(ax, curves, styles, top, layout)
    return figure


@dataclass(frozen=True)
class _Curve:
    """epochs, values: (reports,) float64, NaN where the metric was no number."""

    trial_id: str
    status: str
    stopped_by: str | None
    strategy: str
    is_best: bool
    epochs: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def trained(self) -> NDArray[np.float64]:
        values = self.values[self.epochs > 0]
        return values[np.isfinite(values)]

    def leaves(self, top: float) -> bool:
        return bool((self.values > top).any())

    def is_broken(self, top: float) -> bool:
        """Say whether it diverged or failed after it had trained, where the picture shows it."""
        return self.stopped_by in ("diverged", "error") and len(self.trained) > 0 and not self.leaves(top)


@dataclass(frozen=True)
class _Pen:
    colour: str
    width: float
    alpha: float

    @classmethod
    def of(cls, curve: _Curve, styles: Styles, *, many: int) -> _Pen:
        colour = styles.get(curve.strategy, PLAIN_STYLE)[0]
        if curve.is_best:
            return cls(colour, 3.0, 1.0)
        return cls(
            colour=colour if len(styles) > 1 else GREY,
            width=0.8 if many > _MANY_LINES else 1.3,
            alpha=_ALPHA.get(curve.status, _PALE),
        )


def _curve(record: TrialRecord, leaderboard: Leaderboard, status: str | None) -> _Curve:
    metric, best = leaderboard.metric, leaderboard.best
    return _Curve(
        trial_id=record.trial_id,
        status=status or record.status(sweep_is_running=True),
        stopped_by=record.stopped_by,
        strategy=strategy_of(record.hyper),
        is_best=best is not None and best.run.trial_id == record.trial_id,
        epochs=np.array([report.epoch for report in record.reports], dtype=np.float64),
        values=np.array([report.scores[metric] for report in record.reports], dtype=np.float64),
    )


def _draw_curve(ax: Axes, curve: _Curve, pen: _Pen, top: float) -> None:
    reach = top + 50 * (top - ax.get_ylim()[0])  # farther up no slope can be seen, and the renderer may overflow
    values = np.minimum(curve.values, reach)
    order = 4 if curve.is_best else 2
    line = ax.plot(curve.epochs, values, color=pen.colour, lw=pen.width, alpha=pen.alpha, zorder=order)[0]
    line.set_gid(curve.trial_id)
    if curve.is_best:
        line.set_path_effects([patheffects.withStroke(linewidth=pen.width + 3, foreground=CARD)])
    if curve.is_broken(top):
        end = np.flatnonzero(np.isfinite(curve.values))[-1]
        ax.plot(curve.epochs[end], values[end], "X", ms=7, color=pen.colour, mew=0, zorder=order)


def _label_epochs(ax: Axes, curves: Sequence[_Curve], initial_name: str, layout: Layout) -> None:
    """Whole epochs on the axis, unless reports came more often and there are few."""
    last = max([1.0, *(float(c.epochs[-1]) for c in curves)])
    is_whole = all(float(epoch).is_integer() for c in curves for epoch in c.epochs)
    ax.set_xlim(0, last)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5 if layout.is_narrow else 12, integer=is_whole or last >= 2))
    more = "" if layout.is_narrow else ", the model before any training"
    ax.set_xlabel(f"epoch (0 = {initial_name}{more})")
    if not curves:
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, "no trial has reported yet", ha="center", transform=ax.transAxes, color=MUTED)


def _note_clipped(ax: Axes, curves: Sequence[_Curve], top: float, layout: Layout) -> None:
    """Mark where lines leave at the top, and say how many do and how far they go."""
    if not curves:
        return
    ax.plot([_exit_epoch(c, top) for c in curves], [top] * len(curves), "^", ms=7, color=MUTED, clip_on=False, zorder=6)
    highest = max(float(np.nanmax(c.values)) for c in curves)
    who = "1 trial leaves" if len(curves) == 1 else f"{len(curves)} trials leave"
    text = f"▲ {who} the picture, up to {short_number(highest)}"
    place: dict[str, Any] = {"ha": "right", "va": "bottom", "color": MUTED, "fontsize": layout.text}
    ax.annotate(text, (1, 1), (0, 6), "axes fraction", "offset points", **place)


def _exit_epoch(curve: _Curve, top: float) -> float:
    """Return the epoch, between two reports, at which a line first crosses the top."""
    first = int(np.flatnonzero(curve.values > top)[0])
    x1, y1 = curve.epochs[first], curve.values[first]
    if first == 0 or not np.isfinite(curve.values[first - 1]):
        return float(x1)
    x0, y0 = curve.epochs[first - 1], curve.values[first - 1]
    return float(x0 + (x1 - x0) * ((top - y0) / (y1 - y0)))


def _draw_initial(ax: Axes, leaderboard: Leaderboard, layout: Layout) -> None:
    value = leaderboard.initial[leaderboard.metric]
    if value is None:
        return
    ax.axhline(value, color=INK, lw=1.4, ls=DASHES, zorder=3)
    at = ("axes fraction", "data")
    look: dict[str, Any] = {"color": INK, "fontsize": layout.text}
    if layout.is_narrow:  # no room beside the panel
        text = f"{leaderboard.initial_name} {score_text(value)}"
        ax.annotate(text, (1, value), (0, 3), at, "offset points", ha="right", zorder=8, bbox=LABEL_BOX, **look)
        return
    text = f"{leaderboard.initial_name}\n{score_text(value)}"
    ax.annotate(text, (1, value), (8, 0), at, "offset points", va="center", **look)


def _draw_baselines(ax: Axes, leaderboard: Leaderboard, layout: Layout) -> None:
    low, top = ax.get_ylim()
    for baseline in leaderboard.baselines:
        value = baseline.scores[leaderboard.metric]
        if value is None or not low <= value <= top:
            continue
        ax.axhline(value, color=MUTED, lw=0.9, ls=DASHES, zorder=3)
        label = ax.annotate(
            f"{baseline.name} {score_text(value)}",
            (0, value),
            (6, 2),
            ("axes fraction", "data"),
            "offset points",
            va="bottom",
            color=MUTED,
            fontsize=layout.text - 1,
            zorder=8,
            bbox=LABEL_BOX,
        )
        label.set_parse_math(False)


def _mark_best(ax: Axes, leaderboard: Leaderboard, layout: Layout) -> None:
    best = None if leaderboard.best is None else leaderboard.best.run
    value = None if best is None else best.scores[leaderboard.metric]
    if best is None or best.best_epoch is None or value is None:
        return
    ax.plot(best.best_epoch, value, "o", ms=10, mfc=CARD, mec=INK, mew=2, zorder=7, clip_on=False)
    share = best.best_epoch / max(1.0, ax.dataLim.x1)
    text = ax.annotate(
        f"{best.trial_id}: {score_text(value)} at epoch {short_number(best.best_epoch)}",
        (best.best_epoch, value),
        (0, -12),
        textcoords="offset points",
        ha="left" if share < 0.2 else "right" if share > 0.8 else "center",
        va="top",
        color=INK,
        weight="bold",
        fontsize=layout.text,
        zorder=8,
        bbox=LABEL_BOX,
    )
    text.set_parse_math(False)


def _draw_key(ax: Axes, curves: Sequence[_Curve], styles: Styles, top: float, layout: Layout) -> None:
    """Name the strategies where they differ, and what pale lines and crosses mean where there are some."""
    handles = style_handles(styles, as_lines=True)
    if any(c.status == "stopped" and not c.is_best for c in curves):
        handles.append(Line2D([], [], color=GREY, lw=1.3, alpha=_PALE, label="pale: stopped early"))
    if any(c.is_broken(top) for c in curves):
        handles.append(Line2D([], [], color=GREY, marker="X", ms=7, mew=0, ls="none", label="diverged or failed"))
    draw_key(ax, handles, layout)
