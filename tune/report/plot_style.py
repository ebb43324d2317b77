"""How a plot of a sweep looks: colours, canvas, limits, legend, and its form as SVG; without pyplot."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.dates import MINUTELY, SECONDLY, AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing

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
CARD, INK, MUTED, RULE, GREY = (COLOURS[name][0] for name in ("card", "ink", "muted", "rule", "grey"))
DASHES = (0, (5, 4))
LONGEST_NAME = 48  # letters of a series' name above a panel
PLAIN_STYLE = (GREY, "o")

Styles = dict[str, tuple[str, str]]  # strategy to colour and marker
_STYLES = tuple(zip(("blue", "orange", "green", "violet", "rose", "gold"), "os^DvP", strict=True))


def strategy_of(hyper: Mapping[str, object]) -> str:
    """Give the name under which a configuration gets its colour."""
    return str(hyper.get("strategy") or "no strategy")


def assign_styles(standings: Iterable[Standing]) -> Styles:
    """Give each strategy a colour and a marker; the seventh and later ones are all grey dots."""
    names = sorted({strategy_of(s.hyper) for s in standings})
    taken = {name: (COLOURS[colour][0], marker) for name, (colour, marker) in zip(names, _STYLES, strict=False)}
    return {name: taken.get(name, PLAIN_STYLE) for name in names}


def make_canvas(size: tuple[float, float], *, columns: int = 1, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Make an empty figure and its panels, row by row. size: inches, at 100 dots an inch."""
    figure = Figure(figsize=size, dpi=100, facecolor=CARD, layout=ConstrainedLayoutEngine(h_pad=0.1))
    panels: list[Axes] = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for ax in panels:
        ax.set_facecolor(CARD)
        ax.grid(axis="y", color=RULE, lw=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.spines["bottom"].set_color(RULE)
        ax.tick_params(colors=MUTED, length=0, labelsize=10)
        ax.ticklabel_format(useOffset=False)
        ax.xaxis.label.set_color(INK)
        ax.yaxis.label.set_color(INK)
    return figure, panels


def mark_times(ax: Axes, *, is_timed: bool, most: int) -> None:
    """Mark the x axis with at most so many times, each no longer than it must be, or row numbers."""
    if not is_timed:
        ax.xaxis.set_major_locator(MaxNLocator(most, integer=True))
        return
    locator = AutoDateLocator(minticks=2, maxticks=most)  # type: ignore[no-untyped-call]
    for unit in (MINUTELY, SECONDLY):  # from every one to every fifth is a long way
        locator.intervald[unit] = [1, 2, 5, 10, 15, 30]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def shortened(name: str) -> str:
    """Return a name that fits above a panel, on one line."""
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"


def set_limits(ax: Axes, leaderboard: Leaderboard, *, values: Mapping[str, NDArray[np.float64]]) -> float:
    """Show all that is below zero-shot and the usual above it; returns the top, which a diverged trial passes.

    values: a trial's id to its metric after epoch 0, finite.
    """
    everything = np.concatenate([*values.values(), np.empty(0)])
    diverged = {s.trial_id for s in leaderboard.standings if s.stopped_by == "diverged"}
    usual = np.concatenate([*(v for trial_id, v in values.items() if trial_id not in diverged), np.empty(0)])
    usual = usual if len(usual) else everything
    initial = leaderboard.initial[leaderboard.metric]
    anchor = float(np.median(usual)) if initial is None and len(usual) else initial or 0.0
    low, highest = min([anchor, *everything]), max([anchor, *usual])
    reach = max(anchor - low, 3 * float(np.median(np.abs(usual - anchor)))) if len(usual) else 0.0
    high = float(highest if highest - anchor <= 2 * reach else anchor + reach)  # a slight excess is no outlier
    pad = 0.08 * (high - low) or 0.01 * abs(anchor) or 0.01
    ax.set_ylim(low - 2 * pad, high + pad)
    return high + pad


def draw_legend(draw: Any, handles: list[Line2D], **place: Any) -> None:
    """Draw it with the `legend` of a figure or of a panel; names are drawn as they are, a $ starts no formula."""
    legend = draw(handles=handles, ncols=min(5, len(handles)), frameon=False, labelcolor=INK, fontsize=10, **place)
    for text in legend.get_texts():
        text.set_parse_math(False)


def svg_markup(figure: Figure, *, name: str, alt: str, titles: Mapping[str, str]) -> Markup:
    """Give a figure as inline SVG in the page's own colours.

    name: begins every id, so that figures do not share one; alt: what the picture shows, in words.
    titles: id of a group in the figure, without what follows a point, to the text shown while the mouse is on it.
    """
    svg = _svg_text(figure, salt=name)
    view = re.search(r'viewBox="([^"]*)"', svg)
    assert view is not None, "matplotlib writes a viewBox"
    width = round(figure.get_figwidth() * 100)
    opening = f'<svg viewBox="{view[1]}" style="max-width: {width}px" role="img" aria-label="{escape(alt)}">'
    svg = re.sub(r"<svg [^>]*>", lambda _: opening, svg, count=1)
    for colour, (light, _) in COLOURS.items():
        svg = svg.replace(light, f"var(--{colour})")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    texts = {str(escape(group)): title for group, title in titles.items()}
    svg = re.sub(
        rf'<g id="{name}-([^".]+)(\.[^"]*)?">',
        lambda group: group[0] + (f"<title>{escape(texts[group[1]])}</title>" if group[1] in texts else ""),
        svg,
    )
    return Markup(svg)


def _svg_text(figure: Figure, *, salt: str) -> str:
    """Give the SVG element alone, its words as text; the same figure and salt give the same text."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
