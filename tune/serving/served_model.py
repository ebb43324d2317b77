"""A checkpoint that is loaded once, and forecasts windows of any series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from data.errors import DataError, UserError
from data.frequencies import canonical_freq
from data.normalization import series_normalization
from data.panel import Panel
from data.read_options import ReadOptions
from data.readers.records import records_of
from data.task.task import ForecastTask
from data.task.task_spec import TaskSpec
from data.task.windows import Batch
from trainables.device.memory import MicroBatch
from tune.forecasts.forecaster import Checkpoint, Forecaster, Loaded, Norm, open_checkpoint
from tune.forecasts.prediction import SeriesGrid
from tune.forecasts.request import check_norm, choose_device, default_norm
from tune.forecasts.scales import RequestError
from tune.serving.messages import SeriesInput
from tune.serving.request import ServedRequest
from tune.validation_messages import flag_messages

REQUEST = "request"
FIRST_START = "2024-01-01T00:00:00"


@dataclass(frozen=True, eq=False)
class Window:
    """The end of a series that the model sees.

    context: (context_length,) float64 less center, NaN = missing. mean, std: of the whole series less center.
    """

    grid: SeriesGrid
    context: NDArray[np.float64]
    center: float
    mean: float
    std: float
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class WindowForecast:
    """The forecast of a window, in the units of its series.

    point: (prediction_length,); quantiles: (QUANTILE_LEVELS, prediction_length), None of a point forecaster.
    """

    point: NDArray[np.float64]
    quantiles: NDArray[np.float64] | None


class ServedModel:
    """A checkpoint on its device, for one context length, prediction length and step."""

    def __init__(self, request: ServedRequest) -> None:
        """Load it and forecast once; UserErrors for what the user can fix."""
        checkpoint = open_checkpoint(request.checkpoint, request.trust)
        self.checkpoint: Checkpoint = checkpoint
        self.spec = _spec(request, checkpoint)
        self.freq = _freq(request, checkpoint)
        norm = default_norm(checkpoint, is_recorded=False, scale="none") if request.norm is None else request.norm
        check_norm(norm)
        self.norm: Norm = next(known for known in get_args(Norm) if known == norm)
        panel = Panel.from_series("served", {"series": np.zeros(1)}, starts=[FIRST_START], freq=self.freq)
        task = ForecastTask(panel, self.spec, parts=())
        self.loaded: Loaded = checkpoint.load(task, choose_device(request.gpus))
        length = self.spec.context_length
        blank = Window(SeriesGrid("", None, None, length), np.zeros(length), 0.0, 0.0, 1.0, ())
        self.has_quantiles = self.forecast([blank])[0].quantiles is not None

    def window(self, series: SeriesInput, number: int) -> Window:
        """Return what the model sees of a series; DataError or RequestError for one that it cannot forecast."""
        name = series.name or str(number)
        panel = self._panel(series, name, number)
        rows, length = int(panel.lengths[0]), self.spec.context_length
        if rows < length:
            raise RequestError(
                f"{_place(number, name)}: a forecast needs {length} values, got {rows}; send more of its past, or "
                "start the server with a shorter --context-length"
            )
        context = panel.values[rows - length :].astype(np.float64)
        if np.isnan(context).all():
            raise RequestError(
                f"{_place(number, name)}: one of the last {length} values must be observed, and all of them are "
                "missing; leave the series out, or start the server with a longer --context-length"
            )
        ((mean,), (std,)) = series_normalization(panel, panel.lengths)
        return Window(SeriesGrid.of(panel, 0), context, float(panel.centers[0]), float(mean), float(std), panel.notes)

    def forecast(self, windows: Sequence[Window]) -> list[WindowForecast]:
        """Forecast each window as if it were alone."""
        device = self.loaded.device
        places = torch.arange(len(windows), device=device)
        context = torch.from_numpy(np.stack([window.context for window in windows])).to(device)
        target = context.new_full((len(windows), self.spec.prediction_length), torch.nan)
        batch = Batch(context, target, places, places)
        means, deviations = (np.array([getattr(window, name) for window in windows]) for name in ("mean", "std"))
        forecaster = Forecaster(self.loaded, self.norm, (means, deviations))
        found: list[WindowForecast] = []

        def work(size: int) -> None:
            found.clear()
            for part in places.split(size):
                own = Batch(batch.context[part], batch.target[part], part, part)
                forecast = forecaster.forecast_apart(own)
                point = forecast.point.cpu().numpy()
                quantiles = None if forecast.quantiles is None else forecast.quantiles.cpu().numpy()
                for i, place in enumerate(part.tolist()):
                    center = windows[place].center
                    of_window = None if quantiles is None else quantiles[i] + center
                    found.append(WindowForecast(point[i] + center, of_window))

        MicroBatch(len(windows)).attempt(work)
        return found

    def _panel(self, series: SeriesInput, name: str, number: int) -> Panel:
        place, notes = _place(number, name), list[str]()
        values = series.values
        if not values or all(value is None or np.isnan(value) for value in values):
            raise RequestError(
                f"{place}: values must hold at least one number, got {len(values)} without any; add some"
            )
        if series.start is not None and series.timestamps is not None:
            raise RequestError(f"{place}: start is the first of the timestamps, and both are given; leave one out")
        freq = self._step(series.frequency, place)
        freq = self.freq if freq is None and series.start is not None else freq
        if series.start is not None and freq is None:
            raise RequestError(f"{place}: start says nothing without the step; add frequency, such as h or D")
        fields: Mapping[str, object] = {
            "sequence": values, "start": series.start, "freq": freq, "timestamps": series.timestamps
        }  # fmt: skip
        try:
            (record,) = records_of(fields, f"{REQUEST}: {place}", name, notes, ReadOptions(freq=freq))
            panel = Panel.from_series(
                REQUEST, {name: record.values}, starts=[record.start], freq=record.freq, notes=notes
            )
        except DataError as error:
            raise RequestError(_for_a_program(str(error), place)) from error
        self._step(panel.freq, place)
        return panel if panel.freq is not None or self.freq is None else replace(panel, freq=self.freq)

    def _step(self, frequency: str | None, place: str) -> str | None:
        """Return a step as pandas spells it, the server's where none is given; reject others than the server's."""
        if frequency is None:
            return None
        try:
            freq = canonical_freq(frequency)
        except ValueError as error:
            raise RequestError(
                f"{place}: frequency must be a pandas offset like h, 15min or D, got {frequency!r:.60}; correct it"
            ) from error
        if self.freq is not None and freq != self.freq:
            raise RequestError(
                f"{place}: frequency must be {self.freq}, the step that this model serves, got {freq}; start another "
                f"server with --freq {freq}"
            )
        return freq


def _place(number: int, name: str) -> str:
    return f"series {number}" if name == str(number) else f"series {number} ({name!r:.60})"


def _for_a_program(message: str, place: str) -> str:
    """Return a reader's message without the remedies that are options of the command line."""
    text = message.removeprefix(f"{REQUEST}: ")
    text = text if text.startswith(place) else f"{place}: {text}"
    rule, _, remedy = text.partition("; ")
    return text if "--" not in remedy else f"{rule}; correct the values or their timestamps, null is a missing value"


def _spec(request: ServedRequest, checkpoint: Checkpoint) -> TaskSpec:
    """Return the lengths, as a task; RequestError with all mistakes, as they were typed."""
    given = {"context_length": request.context_length, "prediction_length": request.prediction_length}
    export = checkpoint.export
    known = {} if export is None else {name: getattr(export.task, name) for name in given}
    values = {**known, **{name: value for name, value in given.items() if value is not None}}
    missing = [f"--{name.replace('_', '-')}" for name in given if name not in values]
    if missing:
        raise RequestError(
            f"{checkpoint.name} is no export of a sweep, which would record its lengths: give {' and '.join(missing)}"
        )
    try:
        return TaskSpec.model_validate({**values, "split": "rows:0"})
    except ValidationError as error:
        raise RequestError("\n".join(flag_messages(error))) from error


def _freq(request: ServedRequest, checkpoint: Checkpoint) -> str | None:
    if request.freq is None:
        return None if checkpoint.export is None else checkpoint.export.task.freq
    try:
        return canonical_freq(request.freq)
    except ValueError as error:
        raise UserError(f"--freq must be a pandas offset like h, 15min or D, got {request.freq!r}: {error}") from error
