"""The colour and marker of each strategy, the same in every report."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

from matplotlib.lines import Line2D

from tune.leaderboard.standing import Standing
from tune.report.charts.plot_style import COLOURS, GREY

NO_STRATEGY = "no strategy"
PLAIN_STYLE = (GREY, "o")

Styles = dict[str, tuple[str, str]]  # strategy to colour and marker

# No model has two of one colour.
_KNOWN = {
    "full": ("green", "^"),
    "head_only": ("blue", "o"),
    "heads_only": ("blue", "o"),
    "freeze_ffn": ("orange", "s"),
    "freeze_experts": ("orange", "s"),
    "lora": ("violet", "D"),
    NO_STRATEGY: ("blue", "o"),
}
_OTHERS = ("rose", "gold", "violet")
_MARKERS = "vPXD<>"


def strategy_of(hyper: Mapping[str, object]) -> str:
    """Give the name under which a configuration gets its colour."""
    return str(hyper.get("strategy") or NO_STRATEGY)


def style_of(strategy: str) -> tuple[str, str]:
    """Give a strategy's colour and marker; those of a name that is not known follow from its letters alone."""
    if strategy in _KNOWN:
        colour, marker = _KNOWN[strategy]
    else:
        letters = zlib.crc32(strategy.encode())
        colour, marker = _OTHERS[letters % len(_OTHERS)], _MARKERS[letters // len(_OTHERS) % len(_MARKERS)]
    return COLOURS[colour][0], marker


def assign_styles(standings: Iterable[Standing]) -> Styles:
    """Give each strategy of these trials its colour and marker, in order of the names."""
    return {name: style_of(name) for name in sorted({strategy_of(s.hyper) for s in standings})}


def style_handles(styles: Styles, *, as_lines: bool = False) -> list[Line2D]:
    """Give the legend's entries, none where there is one strategy alone."""
    if len(styles) < 2:
        return []
    if as_lines:
        return [Line2D([], [], color=colour, lw=2, label=name) for name, (colour, _) in styles.items()]
    return [Line2D([], [], color=c, marker=m, ls="none", label=name) for name, (c, m) in styles.items()]
