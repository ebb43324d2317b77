"""How a plot of a sweep looks: colours, canvas, limits, legend, and its form as SVG; without pyplot."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import DAILY, HOURLY, MINUTELY, MONTHLY, SECONDLY, AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from data.files import replace_bytes
from tune.leaderboard.leaderboard import Leaderboard

# Name, on light and on dark ground: figures are drawn in the light ones, the page swaps them by name. From blue to gold
# they differ to colour-blind eyes too (Machado et al. 2009, doi:10.1109/TVCG.2009.113), and from the ground by 3 : 1.
COLOURS: dict[str, tuple[str, str]] = {
    "card": ("#fffffe", "#191d24"),
    "ink": ("#1b2330", "#e7eaef"),
    "muted": ("#5a6474", "#9ba6b5"),
    "rule": ("#dde1e7", "#333b47"),
    "blue": ("#1b6aaa", "#94aef3"),
    "orange": ("#b4530a", "#e19e66"),
    "green": ("#07a083", "#7df0d0"),
    "violet": ("#6b0bc0", "#a55cf0"),
    "rose": ("#751547", "#d54687"),
    "gold": ("#bd8513", "#f9e62d"),
    "grey": ("#7b8593", "#8a95a5"),
}
CARD, INK, MUTED, RULE, GREY = (COLOURS[name][0] for name in ("card", "ink", "muted", "rule", "grey"))
DASHES = (0, (5, 4))
LABEL_BOX = {"facecolor": CARD, "edgecolor": "none", "alpha": 0.7, "pad": 0.8}  # of words that lie over lines
LONGEST_NAME = 48  # letters of a series' name above a panel
SHORT_NAME = 38  # above a narrow one


@dataclass(frozen=True)
class Layout:
    """How large pictures are. width: inches. columns: most panels side by side. text: points of ordinary words.

    On a page an inch is 100 px; on paper it is an inch.
    """

    width: float
    columns: int
    text: float

    @property
    def is_narrow(self) -> bool:
        return self.columns == 1

    @property
    def scale(self) -> float:
        """How large words and what makes room for them are, against those of a wide page."""
        return self.text / WIDE.text


WIDE = Layout(12.0, columns=4, text=10.0)
NARROW = Layout(3.5, columns=1, text=9.5)  # a telephone of 390 px has room for 340 beside its margins
PAPER = Layout(7.0, columns=3, text=7.5)  # the text of an A4 or letter page is about as wide


@dataclass(frozen=True)
class Margins:
    """Inches around the panels of a figure and between them, at the text size of a wide page."""

    left: float = 0.8
    right: float = 0.15
    top: float = 0.35
    bottom: float = 0.55
    between: float = 0.35
    above: float = 0.75  # between rows

    def apply(self, figure: Figure, layout: Layout, *, columns: int, rows: int) -> None:
        width, height = figure.get_size_inches()
        scale = layout.scale
        left, right = self.left * scale / width, 1 - self.right * scale / width
        bottom, top = self.bottom * scale / height, 1 - self.top * scale / height
        panel = (right - left) * width / columns
        tall = (top - bottom) * height / rows
        figure.subplots_adjust(
            left=left,
            right=right,
            bottom=bottom,
            top=top,
            wspace=self.between * scale / (panel - self.between * scale * (columns - 1) / columns),
            hspace=self.above * scale / (tall - self.above * scale * (rows - 1) / rows),
        )


def make_panels(
    layout: Layout, height: float, *, columns: int = 1, rows: int = 1, margins: Margins | None = None
) -> tuple[Figure, list[Axes]]:
    """Make an empty figure as wide as its layout, and its panels, row by row. height: inches.

    Its margins are given and not measured: measuring takes longer than drawing.
    """
    figure, panels = _canvas((layout.width, height), columns=columns, rows=rows, text=layout.text, engine=None)
    for ax in panels:
        ax.set_title("", y=1.0)  # a place that is given is not searched for
    (margins or Margins()).apply(figure, layout, columns=columns, rows=rows)
    return figure, panels


def make_canvas(size: tuple[float, float], *, columns: int = 1, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Make an empty figure and its panels, row by row, with measured margins. size: inches, at 100 dots an inch."""
    return _canvas(size, columns=columns, rows=rows, text=WIDE.text, engine=ConstrainedLayoutEngine(h_pad=0.1))


def _canvas(
    size: tuple[float, float], *, columns: int, rows: int, text: float, engine: ConstrainedLayoutEngine | None
) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=size, dpi=100, facecolor=CARD, layout=engine)
    panels: list[Axes] = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for ax in panels:
        ax.set_facecolor(CARD)
        ax.grid(axis="y", color=RULE, lw=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.spines["bottom"].set_color(RULE)
        ax.tick_params(colors=MUTED, length=0, labelsize=text)
        ax.ticklabel_format(useOffset=False)
        for label in (ax.xaxis.label, ax.yaxis.label):
            label.set(color=INK, fontsize=text)
    return figure, panels


# Of each unit, from mark to mark: up to the whole of the next one, so that three marks are enough for any span.
STEPS = {
    MONTHLY: [1, 2, 3, 4, 6, 12],
    DAILY: [1, 2, 3, 4, 7, 14, 31],
    HOURLY: [1, 2, 3, 4, 6, 12, 24],
    MINUTELY: [1, 2, 5, 10, 15, 30, 60],
    SECONDLY: [1, 2, 5, 10, 15, 30, 60],
}


def mark_times(ax: Axes, *, is_timed: bool, most: int) -> None:
    """Mark the x axis with at most so many times, each no longer than it must be, or row numbers."""
    if not is_timed:
        ax.xaxis.set_major_locator(MaxNLocator(most, integer=True))
        return
    locator = AutoDateLocator(minticks=2, maxticks=most)  # type: ignore[no-untyped-call]
    locator.intervald.update(STEPS)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def shortened(name: str, most: int = LONGEST_NAME) -> str:
    """Return a name that fits above a panel, on one line of at most so many letters."""
    line = " ".join(name.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def set_limits(ax: Axes, leaderboard: Leaderboard, *, values: Mapping[str, NDArray[np.float64]]) -> float:
    """Show what `limits_of` says; returns the top, which a diverged trial passes."""
    bottom, top = limits_of(leaderboard, values=values)
    ax.set_ylim(bottom, top)
    return top


def limits_of(leaderboard: Leaderboard, *, values: Mapping[str, NDArray[np.float64]]) -> tuple[float, float]:
    """Return a bottom and a top between which is all that is below zero-shot, and the usual above it.

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
    return low - 2 * pad, high + pad


def draw_key(ax: Axes, handles: Sequence[Artist], layout: Layout) -> None:
    """Draw a legend above a panel; in a narrow picture from its left edge, where more fits."""
    if not handles:
        return
    if layout.is_narrow:
        figure = ax.get_figure(root=True)
        assert figure is not None
        draw_legend(figure.legend, handles, layout=layout, loc="upper left", borderaxespad=0.1)
    else:
        draw_legend(ax.legend, handles, layout=layout, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)


def draw_legend(draw: Any, handles: Sequence[Artist], *, layout: Layout = WIDE, **place: Any) -> None:
    """Draw it with the `legend` of a figure or of a panel; names are drawn as they are, a $ starts no formula."""
    columns = min(2 if layout.is_narrow else 5, len(handles))
    legend = draw(
        handles=handles,
        ncols=columns,
        frameon=False,
        labelcolor=INK,
        fontsize=layout.text,
        **{"columnspacing": 1.2, "handlelength": 1.6} if layout.is_narrow else {},
        **place,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def write_picture(figure: Figure, path: Path) -> None:
    """Write it as the file that its suffix says, in one step; a link is followed."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # of a name in a script that the font lacks: boxes say it
        figure.savefig(content, format=path.suffix[1:].lower(), facecolor=CARD)
    replace_bytes(path.resolve(), content.getvalue())


@dataclass(frozen=True)
class Picture:
    """A picture of the page. name: begins every id, so that pictures share none. draw: draws it for a layout.

    alt: what it shows, in words. titles: id of a group, without what follows a point, to what is said of it under the
    mouse; these are trials.
    """

    name: str
    alt: str
    draw: Callable[[Layout], Figure]
    titles: Mapping[str, str] = field(default_factory=dict)

    def markup(self) -> Markup:
        """Give it as inline SVG twice, for wide pages and narrow ones; the page's style shows one of them."""
        return Markup("").join(
            Markup('<div class="{}">{}</div>').format(kind, self._svg(layout, prefix))
            for kind, layout, prefix in (("wide", WIDE, self.name), ("narrow", NARROW, f"{self.name}-narrow"))
        )

    def _svg(self, layout: Layout, prefix: str) -> Markup:
        figure = self.draw(layout)
        svg = _svg_text(figure, salt=prefix)
        view = re.search(r'viewBox="([^"]*)"', svg)
        assert view is not None, "matplotlib writes a viewBox"
        width = round(figure.get_figwidth() * 100)
        opening = f'<svg viewBox="{view[1]}" style="max-width: {width}px" role="img" aria-label="{escape(self.alt)}">'
        svg = re.sub(r"<svg [^>]*>", lambda _: opening, svg, count=1)
        for colour, (light, _) in COLOURS.items():
            svg = svg.replace(light, f"var(--{colour})")
        svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
        trials = {str(escape(trial_id)): title for trial_id, title in self.titles.items()}

        def mark(group: re.Match[str]) -> str:
            if (trial_id := group[1]) not in trials:
                return group[0]
            return f'{group[0][:-1]} data-trial="{trial_id}"><title>{escape(trials[trial_id])}</title>'

        return Markup(re.sub(rf'<g id="{prefix}-([^".]+)(?:\.[^"]*)?">', mark, svg))


def _svg_text(figure: Figure, *, salt: str) -> str:
    """Give the SVG element alone, its words as text; the same figure and salt give the same text."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
