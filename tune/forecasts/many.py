"""Forecasts of many series from several times on, a batch at once, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from data.panel import Panel
from data.task.windows import Batch
from trainables.device.memory import MicroBatch
from trainables.trial.evaluation import ProgressCallback
from tune.forecasts.forecaster import Forecaster, open_checkpoint
from tune.forecasts.prediction import SeriesGrid, find_series
from tune.forecasts.quantiles import check_levels, quantiles_at
from tune.forecasts.request import Assignment, ForecastRequest, assign, without_windows
from tune.forecasts.scales import RequestError

BATCH = 256  # windows forecast at once


@dataclass(frozen=True, eq=False)
class Block:
    """Forecasts of some windows, one after the other, in the units of the data.

    series: (windows,) numbers in the panel. rows: (windows,) of the first forecast point. point, actual: (windows,
    prediction_length); actual is NaN where the series does not say, a forecast NaN where its context holds nothing.
    quantiles: (windows, levels, prediction_length).
    """

    series: NDArray[np.int64]
    rows: NDArray[np.int64]
    point: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    actual: NDArray[np.float64]

    @property
    def empty(self) -> int:
        """How many forecasts have no value, for nothing is observed in their contexts."""
        return int(np.isnan(self.point).all(axis=1).sum())


@dataclass(frozen=True, eq=False)
class ForecastPlan:
    """What is to be forecast: for each origin, the row of the first point of each series, -1 for none.

    origins: (n_origins, n_series). notes: what is left out.
    """

    assignment: Assignment
    levels: tuple[float, ...]
    origins: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def panel(self) -> Panel:
        return self.assignment.data.panel

    @property
    def steps(self) -> int:
        return self.assignment.spec.prediction_length

    @property
    def series(self) -> NDArray[np.int64]:
        """The numbers of the series that are forecast."""
        return np.flatnonzero((self.origins >= 0).any(axis=0))

    @property
    def windows(self) -> int:
        return int((self.origins >= 0).sum())

    def blocks(self, progress: ProgressCallback | None = None) -> Iterator[Block]:
        """Forecast, origin after origin and series after series; each block is done with before the next is made."""
        assignment, panel = self.assignment, self.panel
        task = without_windows(assignment)
        loaded = assignment.checkpoint.load(task, assignment.device)
        micro_batch, seen = MicroBatch(BATCH), 0
        for rows in self.origins:
            ends = np.where(rows >= 0, rows, panel.lengths)
            if assignment.data.is_recorded:
                ends = np.where(task.split.train_end > 0, task.split.train_end, ends)
            forecaster = Forecaster(loaded, assignment.norm, assignment.normalization(task, ends))
            (series,) = np.nonzero(rows >= 0)
            for start in range(0, len(series), BATCH):
                chosen = series[start : start + BATCH]
                yield self._block(forecaster, chosen, rows[chosen], micro_batch)
                seen += len(chosen)
                if progress is not None:
                    progress(seen, self.windows)

    def _block(
        self, forecaster: Forecaster, series: NDArray[np.int64], rows: NDArray[np.int64], micro_batch: MicroBatch
    ) -> Block:
        panel, spec = self.panel, self.assignment.spec
        places = panel.offsets[series] + rows
        context = panel.values[places[:, None] - spec.context_length + np.arange(spec.context_length)].astype(
            np.float64
        )
        center = panel.centers[series][:, None]
        point = np.full((len(series), spec.prediction_length), np.nan)
        quantiles = np.full((len(series), len(self.levels), spec.prediction_length), np.nan)
        (known,) = np.nonzero(~np.isnan(context).all(axis=1))

        def work(size: int) -> None:
            for first in range(0, len(known), size):
                part = known[first : first + size]
                found = forecaster.forecast_apart(self._batch(context[part], series[part], forecaster.device))
                point[part] = found.point.double().cpu().numpy()
                if self.levels:
                    quantiles[part] = quantiles_at(found, self.levels)

        micro_batch.attempt(work)
        return Block(series, rows, point + center, quantiles + center[:, None], self._actual(series, rows) + center)

    def _batch(self, context: NDArray[np.float64], series: NDArray[np.int64], device: torch.device) -> Batch:
        values = torch.from_numpy(context).to(device)
        target = values.new_full((len(values), self.assignment.spec.prediction_length), torch.nan)
        numbers = torch.from_numpy(series).to(device)
        return Batch(values, target, numbers, numbers)

    def _actual(self, series: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What the series hold at the forecast's rows, less their centers; NaN after their end."""
        steps = rows[:, None] + np.arange(self.assignment.spec.prediction_length)
        is_there = steps < self.panel.lengths[series][:, None]
        places = np.where(is_there, self.panel.offsets[series][:, None] + steps, 0)
        return np.where(is_there, self.panel.values[places], np.nan).astype(np.float64)


def adjusted(block: Block, *, clip_nonneg: bool, round_: bool) -> Block:
    """Return forecasts as they are wanted: not below 0, and whole numbers."""
    point, quantiles = block.point, block.quantiles
    if clip_nonneg:
        point, quantiles = np.maximum(point, 0.0), np.maximum(quantiles, 0.0)
    if round_:
        point, quantiles = np.rint(point), np.rint(quantiles)
    return replace(block, point=point, quantiles=quantiles)


def plan_forecasts(
    request: ForecastRequest,
    *,
    series: Sequence[str] = (),
    at: Sequence[str] = (),
    levels: Sequence[float] = (),
) -> ForecastPlan:
    """Read the series and find the windows; UserErrors for what the user can fix.

    series: their names, none for all. at: the times of the first forecast points, none for right after the last row.
    levels: of quantiles. Of all series, those that are too short are left out; one that is named must not be.
    """
    check_levels(levels)
    assignment = assign(replace(request, scale="none"), open_checkpoint(request.checkpoint, request.trust))
    panel, length = assignment.data.panel, assignment.spec.context_length
    chosen = sorted({find_series(panel, name) for name in series}) if series else list(range(len(panel)))
    is_short = panel.lengths < length
    for i in chosen if series else ():
        if is_short[i]:
            raise RequestError(
                f"a forecast needs {length} rows of context, and {panel.ids[i]!r} has {panel.lengths[i]}; shorten "
                "--context-length"
            )
    kept = [i for i in chosen if not is_short[i]]
    if not kept:
        raise RequestError(
            f"a forecast needs {length} rows of context, and no series has them; shorten --context-length"
        )
    origins = np.full((max(1, len(at)), len(panel)), -1, dtype=np.int64)
    for number, text in enumerate(at or (None,)):
        rows: dict[tuple[str | None, int], int] = {}
        for i in kept:
            key = panel.starts[i], int(panel.lengths[i])
            if key not in rows:
                rows[key] = key[1] if text is None else SeriesGrid.of(panel, i).row_at(text, length)
            origins[number, i] = rows[key]
    origins = origins[np.sort(np.unique(origins, axis=0, return_index=True)[1])]  # a time that is given twice is one
    left_out = len(chosen) - len(kept)
    notes = (f"{left_out} series have fewer than {length} rows: left out",) if left_out else ()
    return ForecastPlan(assignment, tuple(levels), origins, (*assignment.data.notes, *notes))
