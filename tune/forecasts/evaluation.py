"""A checkpoint measured on the windows of a part: errors in the units of the data, by horizon step and by series."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from data.files import safe_cell, write_output
from data.metrics import ForecastErrors
from data.task.split import parse_split
from data.task.task import ForecastTask, Part
from data.task.windows import Batch, WindowIndex
from trainables.base import Forecast
from trainables.device.memory import MicroBatch
from trainables.trial.evaluation import Measured, ProgressCallback, measure
from tune.forecasts.by_time import Spans
from tune.forecasts.forecaster import Forecaster, open_checkpoint
from tune.forecasts.many import Block
from tune.forecasts.request import Assignment, ForecastRequest, assign, without_windows
from tune.forecasts.scales import Normalization, RequestError

WORST = 5
BY_STEP = ("mae", "mse", "wql", "coverage")  # measures of each horizon step
Sink = Callable[[Assignment, Block], None]  # takes forecasts as they are made
PARTS: tuple[Part, ...] = ("val", "test")


@dataclass(frozen=True)
class Errors:
    """Means over all observed points, in the units of the data or of the task's scale."""

    mae: float
    mse: float
    rmse: float

    @classmethod
    def of(cls, errors: ForecastErrors) -> Self:
        """Take the means over all points."""
        return cls(errors.mae, errors.mse, errors.rmse)

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values that JSON can hold."""
        return {name: _plain(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class UnitErrors(Errors):
    """Errors in the units of the data, and the measures that compare across data; see `data.metrics.ForecastErrors`.

    coverage, width: of the 80 % interval. None where a measure is not defined: coverage and width of point forecasts,
    mase where every series repeats itself, wql and smape where all is 0.
    """

    mase: float | None
    wql: float | None
    smape: float | None
    coverage: float | None
    width: float | None

    @classmethod
    def measured(cls, errors: ForecastErrors, scale: NDArray[np.float64]) -> Self:
        """Take them of all points. scale: of each window's MASE, (n_windows,)."""
        totals = errors.totals()
        compared = {name: _plain(totals[name]) for name in ("wql", "smape", "coverage", "width")}
        return cls(errors.mae, errors.mse, errors.rmse, mase=_plain(errors.mase(scale)), **compared)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured, and the errors.

    units: in the units of the data. scaled: the same in the task's scale, as a leaderboard has them; None if it has
    none. by_step: the measures of each horizon step, (prediction_length,) each, in the units of the data. windows,
    points, by_series: (n_series,) each, in the order of the panel. spans: of the times that forecasts begin at;
    by_time: their measures, points and windows, (n_spans,) each.
    """

    assignment: Assignment
    part: Part
    batch_size: int
    units: UnitErrors
    scaled: Errors | None
    by_step: dict[str, NDArray[np.float64]]
    windows: NDArray[np.int64]
    points: NDArray[np.int64]
    by_series: dict[str, NDArray[np.float64]]
    spans: Spans
    by_time: dict[str, NDArray[np.float64]]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def mae_by_step(self) -> NDArray[np.float64]:
        return self.by_step["mae"]

    @property
    def mse_by_step(self) -> NDArray[np.float64]:
        return self.by_step["mse"]

    @property
    def forecasts_per_second(self) -> float:
        return float(self.windows.sum() / max(self.seconds, 1e-9))

    def worst(self, count: int = WORST) -> list[dict[str, object]]:
        """Return the series with the largest mean absolute error, the largest first."""
        measured = np.flatnonzero(self.points)
        mae = np.nan_to_num(self.by_series["mae"][measured], nan=np.inf)
        order = measured[np.argsort(-mae, kind="stable")[:count]]
        return [self.of_series(i) for i in order.tolist()]

    def of_series(self, i: int) -> dict[str, object]:
        """Return one series' line of the CSV."""
        counts = {"windows": int(self.windows[i]), "points": int(self.points[i])}
        errors = {name: _plain(values[i]) for name, values in self.by_series.items()}
        return {"series": self.assignment.data.panel.ids[i], **counts, **errors}

    def to_dict(self, *, worst: int = WORST) -> dict[str, object]:
        """Return everything as plain values that JSON can hold, of so many of the worst series; NaN is None."""
        data, spec = self.assignment.data, self.assignment.spec
        return {
            "checkpoint": self.assignment.checkpoint.name,
            "trainable": self.assignment.checkpoint.trainable,
            "data": str(data.path),
            "content_hash": data.panel.content_hash,
            "part": self.part,
            "split": spec.split,
            "scale": spec.scale,
            "norm": self.assignment.norm,
            "context_length": spec.context_length,
            "prediction_length": spec.prediction_length,
            "stride": spec.eval_stride,
            "batch_size": self.batch_size,
            "series": int((self.windows > 0).sum()),
            "windows": int(self.windows.sum()),
            "points": int(self.points.sum()),
            **self.units.to_dict(),
            "scaled": None if self.scaled is None else self.scaled.to_dict(),
            **{f"{name}_by_step": [_plain(value) for value in self.by_step[name]] for name in BY_STEP},
            "by_time": self.spans_in_time(),
            "worst_series": self.worst(worst),
            "device": self.assignment.device.type,
            "seconds": self.seconds,
            "forecasts_per_second": self.forecasts_per_second,
            "notes": list(self.notes),
        }

    def spans_in_time(self) -> list[dict[str, object]]:
        """Return each span's beginning, its windows and points, and its measures."""
        counts = {name: self.by_time[name].astype(int).tolist() for name in ("windows", "points")}
        return [
            {
                "from": label,
                **{name: values[i] for name, values in counts.items()},
                **{name: _plain(values[i]) for name, values in self.by_time.items() if name not in counts},
            }
            for i, label in enumerate(self.spans.labels)
        ]

    def rows(self) -> list[dict[str, object]]:
        """Return every series' line of the CSV."""
        return [self.of_series(i) for i in range(len(self.windows))]

    def write_csv(self, path: Path) -> None:
        """Write a line a series, '-' to standard output; RequestError if the file cannot be written."""
        write_rows(path, self.rows())


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows of equal keys as CSV, '-' to standard output; RequestError if the file cannot be written."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: safe_cell(value) for name, value in row.items()})
    try:
        write_output(path, buffer.getvalue())
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


def check_csv(path: Path) -> None:
    """Reject, before any work, a file that could not be written; RequestError."""
    if path == Path("-"):
        return
    if path.is_dir():
        raise _unwritable(path, "it is a folder")
    if not path.parent.is_dir():
        raise _unwritable(path, f"there is no folder {path.parent}")


def _unwritable(path: Path, reason: str) -> RequestError:
    return RequestError(f"--csv must name a file that can be written, got {path}: {reason}")


def evaluate(
    request: ForecastRequest,
    *,
    part: Part = "val",
    batch_size: int | None = None,
    progress: ProgressCallback | None = None,
) -> Evaluation:
    """Forecast every window of a part and measure; UserErrors for what the user can fix."""
    check_flags(part, batch_size)
    assignment = assign(request, open_checkpoint(request.checkpoint, request.trust))
    return evaluate_assignment(assignment, part=part, batch_size=batch_size, progress=progress)


def check_flags(part: str, batch_size: int | None) -> None:
    """Reject, before any work, what no evaluation can do; RequestError."""
    if part not in PARTS:
        raise RequestError(f"--part must be {' or '.join(PARTS)}, got {part!r}")
    if batch_size is not None and batch_size < 1:
        raise RequestError(f"--batch-size must be 1 or more, got {batch_size}")


def evaluate_assignment(
    assignment: Assignment,
    *,
    part: Part,
    batch_size: int | None = None,
    progress: ProgressCallback | None = None,
    sink: Sink | None = None,
) -> Evaluation:
    """Forecast every window of a part of the assignment's task, and measure.

    sink: called with the forecasts of each batch, with quantiles at all QUANTILE_LEVELS where the model has them.
    """
    task = without_windows(assignment)
    normalization = assignment.normalization(task, _rows_before(task))
    forecaster = Forecaster(assignment.checkpoint.load(task, assignment.device), assignment.norm, normalization)
    task = ForecastTask(task.panel, task.spec, parts=(part,))
    micro_batch = MicroBatch(batch_size or forecaster.loaded.model.eval_batch_size)
    keep = None if sink is None else _Keeper(assignment, task, part, sink)
    started = time.monotonic()
    measured = micro_batch.attempt(
        lambda size: measure(
            lambda batch: _measured(forecaster, batch, keep),
            task,
            part,
            device=forecaster.device,
            batch_size=size,
            progress=progress,
        )
    )
    seconds = time.monotonic() - started
    scale, index = task.past_seasonal_error(part), getattr(task, part)
    windows = np.bincount(index.series, minlength=len(task.panel)).astype(np.int64)
    spans = Spans.of(task.panel, index.series, _first_targets(task, part))
    by_time = measured.units.per_group(spans.group, len(spans.labels), scale)
    return Evaluation(
        assignment=assignment,
        part=part,
        batch_size=micro_batch.size,
        units=UnitErrors.measured(measured.units, scale),
        scaled=Errors.of(measured.scaled) if task.spec.scale != "none" else None,
        by_step=measured.units.per_step(),
        windows=windows,
        points=measured.units.points_per_series(),
        by_series={**measured.units.per_series(), "mase": measured.units.mase_per_series(scale)},
        spans=spans,
        by_time={"windows": np.bincount(spans.group, minlength=len(spans.labels)).astype(np.float64), **by_time},
        seconds=seconds,
        notes=(*assignment.data.notes, *_norm_notes(normalization), *_window_notes(assignment, windows)),
    )


class _Keeper:
    """Hands on forecasts in the units of the data, each window once: where memory runs out, all is done again."""

    def __init__(self, assignment: Assignment, task: ForecastTask, part: Part, sink: Sink) -> None:
        self._assignment, self._task, self._sink = assignment, task, sink
        self._rows = _first_targets(task, part)
        self._seen = 0

    def take(self, batch: Batch, forecast: Forecast) -> None:
        """Take a batch; those of a part come in the order of its windows."""
        new = batch.ids >= self._seen
        series, ids = batch.series[new], batch.ids[new].cpu().numpy()
        if not len(ids):
            return
        self._seen = int(ids[-1]) + 1
        point = self._in_units(forecast.point[new], series)
        none = np.zeros((len(point), 0, point.shape[1]))
        quantiles = none if forecast.quantiles is None else self._in_units(forecast.quantiles[new], series)
        actual = self._in_units(batch.target[new], series)
        self._sink(self._assignment, Block(series.cpu().numpy(), self._rows[ids], point, quantiles, actual))

    def _in_units(self, values: Tensor, series: Tensor) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self._task.unscale(values, series).cpu().numpy()
        return found


def _measured(forecaster: Forecaster, batch: Batch, keep: _Keeper | None) -> Measured:
    forecast = forecaster.forecast(batch)
    if keep is not None:
        keep.take(batch, forecast)
    return Measured(forecast.point, quantiles=forecast.quantiles)


def _first_targets(task: ForecastTask, part: Part) -> NDArray[np.int64]:
    """Return the row that each window's forecast begins at, counted from its series' first, (n_windows,)."""
    index: WindowIndex = getattr(task, part)
    return index.starts - task.panel.offsets[index.series] + task.context_length


def _rows_before(task: ForecastTask) -> NDArray[np.int64]:
    """Return how many rows of each series norm 'series' goes by: as in training, or the first context without any."""
    return np.where(task.normalization_end > 0, task.normalization_end, task.context_length)


def _norm_notes(normalization: Normalization | None) -> list[str]:
    unknown = 0 if normalization is None else int(np.isnan(normalization[0]).sum())
    rows = "the rows that norm series goes by"
    return [f"{unknown} series without a value in {rows} are not normalised"] if unknown else []


def _window_notes(assignment: Assignment, windows: NDArray[np.int64]) -> list[str]:
    """Say which series have no window, and where targets could not begin at the row that was asked for."""
    notes = []
    without = [assignment.data.panel.ids[i] for i in np.flatnonzero(windows == 0)]
    if without:
        names = ", ".join(without[:WORST]) + (f" and {len(without) - WORST} more" if len(without) > WORST else "")
        notes.append(f"{len(without)} of {len(windows)} series have no window and are not measured: {names}")
    context_length, rule = assignment.spec.context_length, parse_split(assignment.spec.split)
    if 0 < rule.train_rows < context_length:
        notes.append(
            f"targets begin at row {context_length}, the first with a whole context, and not at {rule.train_rows}"
        )
    return notes


def _plain(value: float | None) -> float | None:
    """Return a number that JSON can hold."""
    return float(value) if value is not None and np.isfinite(value) else None
