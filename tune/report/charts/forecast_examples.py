"""Forecasts of the winner and of the initial model on a few windows of the test part: kept in a file, and drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import TypeAdapter

from data.errors import DamagedFileError
from data.files import read_object, replace_text
from tune.records.sweep_folder import SweepFolder
from tune.report.charts.plot_style import (
    COLOURS,
    DASHES,
    GREY,
    INK,
    LONGEST_NAME,
    MUTED,
    SHORT_NAME,
    WIDE,
    Layout,
    Margins,
    draw_legend,
    make_panels,
    mark_times,
    shortened,
)

WINNER = COLOURS["blue"][0]
Numbers = Sequence[float | None]


@dataclass(frozen=True)
class Drawn:
    """One model's forecast of a window: its points, and the ends of its 80 % interval where it has one."""

    point: Numbers
    low: Numbers | None = None
    high: Numbers | None = None


@dataclass(frozen=True)
class Example:
    """A window of the test part in the units of the data; None where nothing was observed.

    title: why it was chosen. times: of the history's rows and then the forecast's, as text, or their numbers.
    forecasts: by the model's name, the initial model's first.
    """

    title: str
    series: str
    times: Sequence[str] | Sequence[int]
    history: Numbers
    actual: Numbers
    forecasts: Mapping[str, Drawn]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Example:
        """Read what `asdict` gave; raises ValueError for what cannot be drawn."""
        example = TypeAdapter(cls).validate_python(row)
        ahead = len(example.actual)
        lines = [line for drawn in example.forecasts.values() for line in (drawn.point, drawn.low, drawn.high)]
        if len(example.times) != len(example.history) + ahead or not lines:
            raise ValueError("an example needs a time for each of its values, and forecasts")
        if any(line is not None and len(line) != ahead for line in lines):
            raise ValueError("an example's forecasts must be as long as what came")
        for moment in example.times:
            if isinstance(moment, str):
                datetime.fromisoformat(moment)
        return example


def write_examples(folder: SweepFolder, examples: Sequence[Example]) -> None:
    replace_text(folder.examples, json.dumps({"examples": [asdict(example) for example in examples]}))


def read_examples(folder: SweepFolder) -> list[Example]:
    """Read what `write_examples` wrote; nothing where the search has not ended, or the file is damaged."""
    try:
        return [Example.from_row(row) for row in read_object(folder.examples)["examples"]]
    except (FileNotFoundError, DamagedFileError, KeyError, TypeError, ValueError):
        return []


def examples_figure(examples: Sequence[Example], layout: Layout = WIDE) -> Figure:
    """Draw a panel a window, below one another."""
    rows, margins = len(examples), Margins(bottom=0.95 if layout.is_narrow else 0.7, top=0.35, above=0.75)
    tall = 1.5 if layout.is_narrow else 1.75 * layout.width / WIDE.width
    height = rows * tall + ((rows - 1) * margins.above + margins.top + margins.bottom) * layout.scale
    figure, panels = make_panels(layout, height, rows=rows, margins=margins)
    for ax, example in zip(panels, examples, strict=True):
        _draw(ax, example, layout)
    names = list(examples[0].forecasts)
    handles = [
        Line2D([], [], color=MUTED, label="history"),
        Line2D([], [], color=INK, ls=":", label="what came"),
        Line2D([], [], color=GREY, ls=DASHES, label=names[0]),
        *(Line2D([], [], color=WINNER, label=name) for name in names[1:]),
    ]
    draw_legend(figure.legend, handles, layout=layout, loc="lower center", borderaxespad=0.1)
    return figure


def _draw(ax: Axes, example: Example, layout: Layout) -> None:
    times = np.asarray(example.times)
    is_timed = bool(len(times)) and isinstance(example.times[0], str)
    axis: Any = pd.to_datetime(times).to_numpy() if is_timed else times
    ahead = axis[len(example.history) :]
    ax.plot(axis[: len(example.history)], _values(example.history), color=MUTED, lw=1.1)
    for number, drawn in enumerate(example.forecasts.values()):
        colour, style = (GREY, DASHES) if number == 0 else (WINNER, "-")
        if drawn.low is not None and drawn.high is not None and number > 0:
            ax.fill_between(ahead, _values(drawn.low), _values(drawn.high), color=colour, alpha=0.18, lw=0)
        ax.plot(ahead, _values(drawn.point), color=colour, ls=style, lw=1.6)
    ax.plot(ahead, _values(example.actual), color=INK, ls=":", lw=1.4)
    title = shortened(f"{example.title}: {example.series}", SHORT_NAME if layout.is_narrow else LONGEST_NAME)
    ax.set_title(title, loc="left", fontsize=layout.text + 1, color=INK, parse_math=False, y=1.0)
    mark_times(ax, is_timed=is_timed, most=4 if layout.is_narrow else 8)
    ax.xaxis.get_offset_text().set(color=MUTED, fontsize=layout.text)


def _values(numbers: Numbers) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if number is None else number for number in numbers], dtype=np.float64)
