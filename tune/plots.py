"""Owns the pictures of a sweep, drawn without pyplot, and how a number is written for a person."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from tune.journal import TrialRecord
from tune.leaderboard import Leaderboard, Standing

# Name, on light and on dark ground: figures are drawn in the light ones, the page swaps them by name.
COLOURS: dict[str, tuple[str, str]] = {
    "card": ("#fffffe", "#191d24"),
    "ink": ("#1b2330", "#e7eaef"),
    "muted": ("#5a6474", "#9ba6b5"),
    "rule": ("#dde1e7", "#333b47"),
    "blue": ("#2466c8", "#6aa5ff"),
    "orange": ("#c9540f", "#f59350"),
    "green": ("#14804f", "#4bcb90"),
    "violet": ("#7645c0", "#b794f6"),
    "rose": ("#bd3369", "#f284ad"),
    "gold": ("#8a6d08", "#dcbb4c"),
    "grey": ("#7b8593", "#8a95a5"),
}
_CARD, _INK, _MUTED, _RULE, _BLUE, _GREY = (COLOURS[n][0] for n in ("card", "ink", "muted", "rule", "blue", "grey"))
_STYLES = tuple(zip(("blue", "orange", "green", "violet", "rose", "gold"), "os^DvP", strict=True))

METRIC_NAMES = {"val_loss": "validation loss", "val_mae": "validation MAE", "val_mse": "validation MSE"}
HYPERPARAMETERS = ("lr", "epochs", "warmup_steps", "warmup_fraction", "weight_decay", "batch_size")
NOTHING = "–"

_MANY_LINES = 40
_MAX_PANELS = 9
_MAX_CHOICES = 8
_DASHES = (0, (5, 4))
_WIDE = 1000  # a hyperparameter's highest over its lowest value, from where a log axis serves better
_ALPHA = {"completed": 0.85, "running": 0.95, "interrupted": 0.6}
_PALE = 0.35
_SIZE = (12.0, 6.0)  # inches; 1200 x 600 px at 100 dots an inch


def number_text(value: Any, digits: int = 3) -> str:
    """Write a number in a few digits, 5e-7 as 5e-7; text as it is; a dash for None and NaN."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if value == 0:
        return "0"
    if isinstance(value, int):
        return str(value)
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"


def score_text(value: float | None) -> str:
    """Write a metric with four decimals where they say enough, else in five digits."""
    if value is None or not math.isfinite(value) or not 1e-2 <= abs(value) < 1e4:
        return number_text(None if value is None else float(value), 5)
    return f"{value:.4f}"


def validation_curves(records: list[TrialRecord], leaderboard: Leaderboard) -> Figure:
    """Draw the metric of every trial over epochs, from zero-shot at epoch 0; 1200 x 600 px at its own dpi.

    Trials that were stopped are pale, the best is thick with its best epoch marked. What runs far above zero-shot
    leaves the picture at the top, and the picture says so. A trial's line carries its id (as an SVG group).
    """
    figure, axes = _canvas(_SIZE, 1)
    ax = axes[0]
    curves = [curve for record in records if len((curve := _curve(record, leaderboard)).epochs)]
    top = _set_limits(ax, leaderboard, {c.trial_id: c.trained for c in curves})
    styles = _styles(s for s in leaderboard.standings if s.rank is not None)
    for curve in sorted(curves, key=lambda c: c.is_best):
        _draw_curve(ax, curve, _Pen.of(curve, styles, many=len(curves)), top)
    _draw_zero_shot(ax, leaderboard)
    _mark_best(ax, leaderboard)
    _tell_clipped(ax, [c for c in curves if c.leaves(top)], top)
    _label_epochs(ax, curves)
    ax.set_ylabel(f"{METRIC_NAMES.get(leaderboard.metric, leaderboard.metric)}, lower is better")
    _draw_legend(ax, curves, styles, top)
    return figure


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
    figure, panels = _canvas((min(4 * columns, 12), 3 * rows + 0.4), columns, rows)
    styles = _styles(standings)
    values = {s.trial_id: np.array([getattr(s, leaderboard.metric)], dtype=float) for s in standings}
    for place, (ax, name) in enumerate(zip(panels, names, strict=False)):
        _Effect(ax, name, leaderboard, styles, _set_limits(ax, leaderboard, values)).draw()
        ax.set_ylabel(leaderboard.metric if place % columns == 0 else "")
        ax.tick_params(labelleft=place % columns == 0)
    for ax in panels[len(names) :]:
        ax.set_visible(False)
    if len(styles) > 1:
        handles = [Line2D([], [], color=c, marker=m, linestyle="none", label=n) for n, (c, m) in styles.items()]
        _legend(figure.legend, handles, loc="outside upper left")
    return figure


def varying(standings: Iterable[Standing]) -> list[str]:
    """Name the hyperparameters of which these trials hold more than one value, the common ones first."""
    seen: dict[str, set[str]] = {}
    for standing in standings:
        for name, value in standing.config.items():
            if value is not None:
                seen.setdefault(name, set()).add(number_text(value, 12))
    found = [name for name, values in seen.items() if len(values) > 1]
    return [n for n in HYPERPARAMETERS if n in found] + sorted(n for n in found if n not in HYPERPARAMETERS)


def svg_markup(figure: Figure, *, name: str, alt: str, titles: Mapping[str, str]) -> Markup:
    """Give a figure as inline SVG in the page's own colours.

    name: stands before every id, so that figures do not share one; alt: what the picture shows, in words.
    titles: id of a group in the figure, without what follows a point, to what is told while the mouse is on it.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    view = re.search(r'viewBox="([^"]*)"', svg)
    assert view is not None, "matplotlib writes a viewBox"
    width = round(figure.get_figwidth() * 100)
    opening = f'<svg viewBox="{view[1]}" style="max-width: {width}px" role="img" aria-label="{escape(alt)}">'
    svg = re.sub(r"<svg [^>]*>", lambda _: opening, svg, count=1)
    for light, colour in ((light, colour) for colour, (light, _) in COLOURS.items()):
        svg = svg.replace(light, f"var(--{colour})")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    told = {str(escape(group)): title for group, title in titles.items()}
    svg = re.sub(
        rf'<g id="{name}-([^".]+)(\.[^"]*)?">',
        lambda group: group[0] + (f"<title>{escape(told[group[1]])}</title>" if group[1] in told else ""),
        svg,
    )
    return Markup(svg)


# --- one trial's line


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
    def of(cls, curve: _Curve, styles: _StyleMap, *, many: int) -> _Pen:
        colour = styles.get(curve.strategy, (_GREY, "o"))[0]
        if curve.is_best:
            return cls(colour, 3.0, 1.0)
        return cls(
            colour=colour if len(styles) > 1 else _GREY,
            width=0.8 if many > _MANY_LINES else 1.3,
            alpha=_ALPHA.get(curve.status, _PALE),
        )


_StyleMap = dict[str, tuple[str, str]]


def _curve(record: TrialRecord, leaderboard: Leaderboard) -> _Curve:
    standing = leaderboard.find(record.trial_id)
    metric = leaderboard.metric
    return _Curve(
        trial_id=record.trial_id,
        status=standing.status if standing else record.status(sweep_is_running=True),
        stopped_by=record.stopped_by,
        strategy=_strategy(record.config.get("hyper", {})),
        is_best=standing is not None and standing.rank == 1,
        epochs=np.array([row["epoch"] for row in record.rows], dtype=float),
        values=np.array([row.get(metric) for row in record.rows], dtype=float),
    )


def _strategy(hyper: Mapping[str, Any]) -> str:
    return str(hyper.get("strategy") or "no strategy")


def _styles(standings: Iterable[Standing]) -> _StyleMap:
    """Give each strategy a colour and a marker; the seventh and later ones are all grey dots."""
    names = sorted({_strategy(s.config) for s in standings})
    taken = {name: (COLOURS[colour][0], marker) for name, (colour, marker) in zip(names, _STYLES, strict=False)}
    return {name: taken.get(name, (_GREY, "o")) for name in names}


def _draw_curve(ax: Axes, curve: _Curve, pen: _Pen, top: float) -> None:
    reach = top + 50 * (top - ax.get_ylim()[0])  # farther up no slope is told apart, and the renderer may overflow
    values = np.minimum(curve.values, reach)
    order = 4 if curve.is_best else 2
    line = ax.plot(curve.epochs, values, color=pen.colour, lw=pen.width, alpha=pen.alpha, zorder=order)[0]
    line.set_gid(curve.trial_id)
    if curve.is_best:
        line.set_path_effects([patheffects.withStroke(linewidth=pen.width + 3, foreground=_CARD)])
    if curve.is_broken(top):
        end = np.flatnonzero(np.isfinite(curve.values))[-1]
        ax.plot(curve.epochs[end], values[end], "X", ms=7, color=pen.colour, mew=0, zorder=order)


def _label_epochs(ax: Axes, curves: Sequence[_Curve]) -> None:
    """Whole epochs on the axis, unless reports came more often and there are few."""
    last = max([1.0, *(float(c.epochs[-1]) for c in curves)])
    is_whole = all(float(epoch).is_integer() for c in curves for epoch in c.epochs)
    ax.set_xlim(0, last)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=is_whole or last >= 2))
    ax.set_xlabel("epoch (0 = zero-shot, the model before any training)")
    if not curves:
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, "no trial has reported yet", ha="center", transform=ax.transAxes, color=_MUTED)


def _tell_clipped(ax: Axes, curves: Sequence[_Curve], top: float) -> None:
    """Mark where lines leave at the top, and say how many do and how far they go."""
    if not curves:
        return
    ax.plot(
        [_exit_epoch(c, top) for c in curves], [top] * len(curves), "^", ms=7, color=_MUTED, clip_on=False, zorder=6
    )
    highest = max(float(np.nanmax(c.values)) for c in curves)
    who = "1 trial leaves" if len(curves) == 1 else f"{len(curves)} trials leave"
    text = f"▲ {who} the picture, up to {number_text(highest)}"
    ax.annotate(text, (1, 1), (0, 6), "axes fraction", "offset points", ha="right", va="bottom", color=_MUTED)


def _exit_epoch(curve: _Curve, top: float) -> float:
    """Return the epoch, between two reports, at which a line first crosses the top."""
    first = int(np.flatnonzero(curve.values > top)[0])
    x1, y1 = curve.epochs[first], curve.values[first]
    if first == 0 or not np.isfinite(curve.values[first - 1]):
        return float(x1)
    x0, y0 = curve.epochs[first - 1], curve.values[first - 1]
    return float(x0 + (x1 - x0) * ((top - y0) / (y1 - y0)))


# --- what the pictures share


def _canvas(size: tuple[float, float], columns: int, rows: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=size, dpi=100, facecolor=_CARD, layout=ConstrainedLayoutEngine(h_pad=0.1))
    panels: list[Axes] = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for ax in panels:
        ax.set_facecolor(_CARD)
        ax.grid(axis="y", color=_RULE, lw=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.spines["bottom"].set_color(_RULE)
        ax.tick_params(colors=_MUTED, length=0, labelsize=10)
        ax.ticklabel_format(useOffset=False)
        ax.xaxis.label.set_color(_INK)
        ax.yaxis.label.set_color(_INK)
    return figure, panels


def _set_limits(ax: Axes, leaderboard: Leaderboard, values: Mapping[str, NDArray[np.float64]]) -> float:
    """Show all that is below zero-shot and the usual above it; returns the top, which a diverged trial passes.

    values: a trial's id to its metric after epoch 0, finite.
    """
    everything = np.concatenate([*values.values(), np.empty(0)])
    diverged = {s.trial_id for s in leaderboard.standings if s.stopped_by == "diverged"}
    usual = np.concatenate([*(v for trial_id, v in values.items() if trial_id not in diverged), np.empty(0)])
    usual = usual if len(usual) else everything
    start = leaderboard.zero_shot[leaderboard.metric]
    anchor = float(np.median(usual)) if start is None and len(usual) else start or 0.0
    low, highest = min([anchor, *everything]), max([anchor, *usual])
    reach = max(anchor - low, 3 * float(np.median(np.abs(usual - anchor)))) if len(usual) else 0.0
    high = float(highest if highest - anchor <= 2 * reach else anchor + reach)  # a slight excess is no outlier
    pad = 0.08 * (high - low) or 0.01 * abs(anchor) or 0.01
    ax.set_ylim(low - 2 * pad, high + pad)
    return high + pad


def _draw_zero_shot(ax: Axes, leaderboard: Leaderboard) -> None:
    value = leaderboard.zero_shot[leaderboard.metric]
    if value is None:
        return
    ax.axhline(value, color=_INK, lw=1.4, ls=_DASHES, zorder=3)
    text = f"zero-shot\n{score_text(value)}"
    ax.annotate(text, (1, value), (8, 0), ("axes fraction", "data"), "offset points", va="center", color=_INK)


def _mark_best(ax: Axes, leaderboard: Leaderboard) -> None:
    best = leaderboard.best
    if best is None or best.best_epoch is None:
        return
    value = getattr(best, leaderboard.metric)
    ax.plot(best.best_epoch, value, "o", ms=10, mfc=_CARD, mec=_INK, mew=2, zorder=7, clip_on=False)
    share = best.best_epoch / max(1.0, ax.dataLim.x1)
    text = ax.annotate(
        f"{best.trial_id}: {score_text(value)} at epoch {number_text(best.best_epoch)}",
        (best.best_epoch, value),
        (0, -12),
        textcoords="offset points",
        ha="left" if share < 0.2 else "right" if share > 0.8 else "center",
        va="top",
        color=_INK,
        weight="bold",
        zorder=8,
    )
    text.set_parse_math(False)


def _draw_legend(ax: Axes, curves: Sequence[_Curve], styles: _StyleMap, top: float) -> None:
    """Name the strategies where they differ, and what pale lines and crosses mean where there are some."""
    handles = [Line2D([], [], color=c, lw=2, label=n) for n, (c, _) in styles.items()] if len(styles) > 1 else []
    if any(c.status == "stopped" and not c.is_best for c in curves):
        handles.append(Line2D([], [], color=_GREY, lw=1.3, alpha=_PALE, label="pale: stopped early"))
    if any(c.is_broken(top) for c in curves):
        handles.append(Line2D([], [], color=_GREY, marker="X", ms=7, mew=0, ls="none", label="diverged or failed"))
    if handles:
        _legend(ax.legend, handles, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)


def _legend(draw: Any, handles: list[Line2D], **place: Any) -> None:
    legend = draw(handles=handles, ncols=min(5, len(handles)), frameon=False, labelcolor=_INK, fontsize=10, **place)
    for text in legend.get_texts():
        text.set_parse_math(False)


# --- one hyperparameter


@dataclass(frozen=True)
class _Effect:
    """One panel: the metric against the hyperparameter `name`; top is where the panel ends."""

    ax: Axes
    name: str
    leaderboard: Leaderboard
    styles: _StyleMap
    top: float

    def draw(self) -> None:
        shown = [s for s in self.leaderboard.standings if s.rank is not None and s.config.get(self.name) is not None]
        values = [s.config[self.name] for s in shown]
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            places = [float(v) for v in values]
            _number_axis(self.ax, self.name, sorted(set(values)))
        else:
            choices = sorted(set(map(str, values)))
            places = [float(choices.index(str(v))) for v in values]
            _choice_axis(self.ax, choices)
        for standing, place in zip(shown, places, strict=True):
            self._draw_point(standing, place)
        start = self.leaderboard.zero_shot[self.leaderboard.metric]
        if start is not None:
            self.ax.axhline(start, color=_INK, lw=1.2, ls=_DASHES, zorder=1)
        title = self.ax.set_title(self.name, loc="left", color=_INK, fontsize=11, weight="bold", pad=10)
        title.set_parse_math(False)

    def _draw_point(self, standing: Standing, place: float) -> None:
        value: float = getattr(standing, self.leaderboard.metric)
        colour, marker = self.styles[_strategy(standing.config)]
        if value > self.top:
            self.ax.plot(place, self.top, "^", ms=7, color=_MUTED, clip_on=False)
            return
        if standing.rank == 1:
            self.ax.plot(place, value, "o", ms=15, mfc="none", mec=_INK, mew=1.6, zorder=5)
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
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(float(value))))
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
