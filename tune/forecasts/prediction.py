"""One forecast of one series from a time on: which rows it is made of, its times, its values as asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from data.errors import near_names
from data.frequencies import stamps
from data.panel import Panel
from data.task.task import ForecastTask
from data.task.windows import Batch
from trainables.device.memory import MicroBatch
from tune.forecasts.forecaster import Forecaster, open_checkpoint
from tune.forecasts.quantiles import quantiles_at
from tune.forecasts.request import Assignment, ForecastRequest, assign, without_windows
from tune.forecasts.scales import RequestError

SHOWN_IDS = 8


@dataclass(frozen=True)
class SeriesGrid:
    """The times of a series' rows, and of those that may follow; row numbers where no time is known.

    name: the series. start, freq: its first time and pandas offset alias, None if unknown. rows: how many it has.
    """

    name: str
    start: str | None
    freq: str | None
    rows: int

    @classmethod
    def of(cls, panel: Panel, i: int) -> SeriesGrid:
        start = panel.starts[i]
        timed = start is not None and panel.freq is not None
        return cls(panel.ids[i], start if timed else None, panel.freq if timed else None, int(panel.lengths[i]))

    @property
    def minutes(self) -> float | int | None:
        """Return the step in minutes; None for calendar steps such as months, and where no time is known."""
        if self.freq is None:
            return None
        offset = pd.tseries.frequencies.to_offset(self.freq)
        step = pd.Timestamp("2024-01-01")
        if isinstance(offset, pd.offsets.Week):
            minutes = offset.n * 7 * 24 * 60.0
        elif isinstance(offset, (pd.offsets.Tick, pd.offsets.Day)):
            minutes = (step + offset - step) / pd.Timedelta(minutes=1)
        else:
            return None
        return int(minutes) if minutes == int(minutes) else float(minutes)

    def times(self, first: int, count: int) -> list[str] | list[int]:
        """Return the times of rows [first, first + count), like 2023-12-25 00:00:00, or their numbers."""
        if self.start is None:
            return list(range(first, first + count))
        assert self.freq is not None
        return [str(moment) for moment in stamps(self.start, self.freq, first, count)]

    def row_at(self, text: str, context_length: int) -> int:
        """Return the row of the first forecast point; RequestError unless a whole context lies before it.

        The last that can be is the one right after the last row.
        """
        row = self._row_number(text) if self.start is None else self._row_of_time(text)
        if row is not None and context_length <= row <= self.rows:
            return row
        first, last = (self.times(r, 1)[0] for r in (context_length, self.rows))
        what = "a row number" if self.start is None else f"a time on the grid (frequency {self.freq})"
        raise RequestError(
            f"--at must be {what} of {self.name!r} from {first} (after a context of {context_length} rows) to {last} "
            f"(right after its last row), got {text!r}"
        )

    def _row_number(self, text: str) -> int | None:
        try:
            return int(text) if text.strip().isdecimal() else None
        except ValueError:  # more digits than Python turns into a number
            return None

    def _row_of_time(self, text: str) -> int | None:
        """Return the row of a time, or None off the grid; a time zone is converted to UTC, as the readers do."""
        try:
            moment = datetime.fromisoformat(text.strip())
            if moment.tzinfo is not None:
                moment = moment.astimezone(UTC).replace(tzinfo=None)
        except (ValueError, OverflowError):  # the year 0 or 10000 in UTC
            return None
        assert self.start is not None
        assert self.freq is not None
        grid = stamps(self.start, self.freq, 0, self.rows + 1)
        place = int(grid.searchsorted(pd.Timestamp(moment)))
        return place if place < len(grid) and grid[place] == moment else None


@dataclass(frozen=True, eq=False)
class Prediction:
    """A forecast: values and times of its points; actual: what the series holds there, NaN where that is unknown.

    quantiles: (prediction_length,) by level, those that were asked for. mean, std: what the context was normalised by,
    in the units of the data; 0 and 1 for none.
    """

    assignment: Assignment
    grid: SeriesGrid
    row: int
    mean: float
    std: float
    values: NDArray[np.float64]
    actual: NDArray[np.float64]
    rounded: bool
    quantiles: Mapping[float, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def times(self) -> list[str] | list[int]:
        return self.grid.times(self.row, len(self.values))

    def to_dict(self) -> dict[str, object]:
        """Return the stable JSON of a prediction; a value that is no number is None."""
        wanted = {
            f"{q:.15g}": [self._plain(value) for value in values.tolist()] for q, values in self.quantiles.items()
        }
        return {
            "seriesId": self.grid.name,
            "startTime": None if self.grid.start is None else self.times[0],
            "freqMin": self.grid.minutes,
            "contextLength": self.assignment.spec.context_length,
            "predictionLength": self.assignment.spec.prediction_length,
            "norm": self.assignment.norm,
            "mean": self.mean,
            "std": self.std,
            "values": [self._plain(value) for value in self.values.tolist()],
            "times": self.times,
            **({"quantiles": wanted} if wanted else {}),
        }

    def _plain(self, value: float) -> float | int | None:
        if not np.isfinite(value):
            return None
        return int(value) if self.rounded else value


def predict(
    request: ForecastRequest,
    *,
    series: str | None,
    at: str | None = None,
    clip_nonneg: bool = False,
    round_: bool = False,
    levels: Sequence[float] = (),
) -> Prediction:
    """Forecast one series from `at` on, or right after its last row; UserErrors for what the user can fix."""
    # without a task's scale, whose train normalization norm 'series' takes: mean and std are then the whole of it
    assignment = assign(replace(request, scale="none"), open_checkpoint(request.checkpoint, request.trust))
    panel = assignment.data.panel
    i = find_series(panel, series)
    grid = SeriesGrid.of(panel, i)
    row = _first_row(grid, at, assignment.spec.context_length)
    task = without_windows(assignment)
    batch = _window(task, i, row, assignment.device)
    ends = np.full(len(panel), row)
    if assignment.data.is_recorded:
        ends = np.where(task.split.train_end > 0, task.split.train_end, ends)
    loaded = assignment.checkpoint.load(task, assignment.device)
    forecaster = Forecaster(loaded, assignment.norm, assignment.normalization(task, ends))
    forecast = MicroBatch(1).attempt(lambda _: forecaster.forecast_apart(batch))
    center = float(panel.centers[i])

    def shown(values: NDArray[np.float64]) -> NDArray[np.float64]:
        values = values + center
        values = np.maximum(values, 0.0) if clip_nonneg else values
        return np.rint(values) if round_ else values

    quantiles = quantiles_at(forecast, levels)[0] if levels else ()
    mean, std = (float(value) for value in forecaster.normalization(batch))
    return Prediction(
        assignment=assignment,
        grid=grid,
        row=row,
        mean=mean + center if assignment.norm != "none" else mean,
        std=std,
        values=shown(forecast.point[0].cpu().numpy()),
        actual=_actual(panel, i, row, assignment.spec.prediction_length),
        rounded=round_,
        quantiles={level: shown(values) for level, values in zip(levels, quantiles, strict=True)},
    )


def find_series(panel: Panel, name: str | None) -> int:
    if name in panel.ids:
        return panel.ids.index(name)
    if name is None and len(panel) == 1:
        return 0
    shown = ", ".join(panel.ids[:SHOWN_IDS]) + (f" and {len(panel) - SHOWN_IDS} more" if len(panel) > SHOWN_IDS else "")
    near = near_names(name or "", panel.ids) or f"; it has {shown}"
    got = "" if name is None else f", got {name!r}"
    raise RequestError(f"--series must name a series of {panel.name}{got}{near}")


def _first_row(grid: SeriesGrid, at: str | None, context_length: int) -> int:
    if grid.rows < context_length:
        raise RequestError(
            f"a forecast needs {context_length} rows of context, and {grid.name!r} has {grid.rows}; shorten "
            "--context-length"
        )
    return grid.rows if at is None else grid.row_at(at, context_length)


def _window(task: ForecastTask, i: int, row: int, device: torch.device) -> Batch:
    """Return the one window whose context ends before a row, (1, context_length) float64, less its series' center."""
    rows = task.panel.series(i)[row - task.context_length : row].astype(np.float64)
    if np.isnan(rows).all():
        raise RequestError(
            f"a context needs an observed value, and rows {row - task.context_length} to {row - 1} of "
            f"{task.panel.ids[i]!r} have none; choose another --at or a longer --context-length"
        )
    context = torch.from_numpy(rows).to(device)[None]
    target = context.new_full((1, task.prediction_length), torch.nan)
    return Batch(context, target, torch.tensor([i], device=device), torch.zeros(1, dtype=torch.int64, device=device))


def _actual(panel: Panel, i: int, row: int, count: int) -> NDArray[np.float64]:
    known = panel.in_units(i)[row : row + count]
    return np.concatenate([known, np.full(count - len(known), np.nan)])
