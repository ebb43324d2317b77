"""The picture of how much each hyperparameter mattered, and with what uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from tune.format import count_text
from tune.report.charts.plot_style import COLOURS, INK, RULE, WIDE, Layout, Margins, make_panels, shortened

LEAST_TRIALS = 20  # of which the best fifth are compared with all; with fewer hardly any effect can be seen
_MOST = 10


@dataclass(frozen=True)
class Importance:
    """A hyperparameter's share of what explains which trials are among the best, and where it lies in resampled
    trials."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Importances:
    """of: by hyperparameter, the largest first; empty where they cannot be said. why_none: then the reason.

    trials: how many they are of. confidence: of the intervals.
    """

    trials: int
    of: Mapping[str, Importance] = field(default_factory=dict)
    why_none: str = ""
    confidence: float = 0.9


def too_few(trials: int) -> Importances | None:
    """Return that so many trials say nothing; None where they may."""
    if trials >= LEAST_TRIALS:
        return None
    why = f"it takes {LEAST_TRIALS} trials to say, and {count_text(trials, 'trial')} came to a value"
    return Importances(trials, why_none=why)


def importance_bars(importances: Importances, layout: Layout = WIDE) -> Figure:
    """Draw a bar a hyperparameter with its interval, the largest first; of at least one."""
    shown = list(importances.of.items())[:_MOST]
    margins = Margins(left=1.35, right=0.25, top=0.15, bottom=0.6)
    height = (0.3 * len(shown) + margins.top + margins.bottom) * layout.scale
    figure, (ax,) = make_panels(layout, height, margins=margins)
    for place, (_, found) in enumerate(shown):
        ax.barh(place, found.share, height=0.6, color=COLOURS["blue"][0], alpha=0.55, lw=0)
        ax.plot([found.low, found.high], [place, place], color=INK, lw=1.6, marker="|", ms=7, mew=1.6)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x", color=RULE, lw=0.8)
    ax.set_yticks(range(len(shown)), [shortened(name, 18) for name, _ in shown])
    for label in ax.get_yticklabels():
        label.set(parse_math=False, color=INK)
    ax.set(xlim=(0, 1), ylim=(len(shown) - 0.4, -0.6))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value * 100:.0f} %")
    ax.set_xlabel(f"share of importance, with {importances.confidence * 100:.0f} % interval")
    return figure
