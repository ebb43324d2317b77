"""The one loop that measures forecasts: scores over all windows of a part, and each window's own errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.metrics import ForecastErrors
from data.task.task import ForecastTask, Part
from data.task.windows import Batch
from trainables.base import QUANTILE_LEVELS, Trainable
from trainables.device.memory import MicroBatch
from trainables.device.precision import autocast
from trainables.sweep_trainable import PointForecaster, SweepModel
from trainables.trial.report import Scores
from trainables.trial.window_errors import WindowErrors

SAMPLING_SEED = 20240202
INTERVAL_LEVELS = (QUANTILE_LEVELS[0], QUANTILE_LEVELS[-1])

ProgressCallback = Callable[[int, int], None]  # windows measured so far, and in all


class FeatureStore(Protocol):
    """Where a batch's frozen features come from."""

    def attach(self, batch: Batch) -> Batch: ...


@dataclass(frozen=True)
class Measured:
    """A batch's point forecast, (batch, prediction_length), and scores of its windows by name, each (batch,).

    quantiles: (batch, len(QUANTILE_LEVELS), prediction_length), where its probabilistic measures are wanted.
    """

    point: Tensor
    scores: Mapping[str, Tensor] = field(default_factory=dict)
    quantiles: Tensor | None = None


@dataclass(frozen=True)
class Evaluation:
    """What was measured on the windows of a part.

    scores: over all windows. windows: each window's share in them, in the order of the part.
    units, scaled: the errors by step, series and window, in the units of the data and in the task's scale; of scaled
    all measures but wql, which is over the interval's ends alone.
    """

    scores: Scores
    windows: WindowErrors
    units: ForecastErrors
    scaled: ForecastErrors


@contextmanager
def same_draws(device: torch.device) -> Iterator[None]:
    """Within, models that draw samples draw the same ones every time, and the draws of all others go on as before."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(SAMPLING_SEED)
        yield


def evaluate(
    model: Trainable,
    task: ForecastTask,
    part: Part,
    *,
    micro_batch: MicroBatch,
    precision: str = "fp32",
    features: FeatureStore | None = None,
) -> Evaluation:
    """Measure a model on all windows of a part, on the device where it is."""
    device = next(model.module.parameters()).device

    def validate(batch: Batch) -> Measured:
        with autocast(device, precision):
            validation = model.validate(batch)
        forecast = validation.forecast
        return Measured(forecast.point, {"val_loss": validation.loss, **validation.extra}, forecast.quantiles)

    was_training = model.module.training
    model.module.eval()
    try:
        return micro_batch.attempt(
            lambda size: measure(validate, task, part, device=device, batch_size=size, features=features)
        )
    finally:
        model.module.train(was_training)


def evaluate_points(
    forecaster: PointForecaster,
    model: SweepModel,
    task: ForecastTask,
    part: Part,
    *,
    micro_batch: MicroBatch,
    precision: str = "fp32",
    features: FeatureStore | None = None,
) -> Evaluation:
    """Measure a point forecaster that is no trial; val_loss is the model's, None where it needs a distribution."""
    device = next(model.module.parameters()).device

    def validate(batch: Batch) -> Measured:
        with autocast(device, precision):
            point = forecaster(batch)
        loss = model.point_loss(point.float(), batch)
        return Measured(point, {} if loss is None else {"val_loss": loss})

    return micro_batch.attempt(
        lambda size: measure(validate, task, part, device=device, batch_size=size, features=features)
    )


@torch.no_grad()
def measure(
    forecaster: Callable[[Batch], Measured],
    task: ForecastTask,
    part: Part,
    *,
    device: torch.device,
    batch_size: int,
    features: FeatureStore | None = None,
    progress: ProgressCallback | None = None,
) -> Evaluation:
    """Forecast every window of a part, in order, and add up what it scores.

    Forecasts that draw samples draw the same ones every time, so that two evaluations of one model agree.
    """
    windows = task.gather(part, device)
    scaled, units = (ForecastErrors(len(task.panel), task.prediction_length, device) for _ in range(2))
    scores: dict[str, list[Tensor]] = {}
    seen = 0
    with same_draws(device):
        for batch in windows.batches(batch_size):
            measured = forecaster(features.attach(batch) if features else batch)
            for name, score in measured.scores.items():
                scores.setdefault(name, []).append(score.double())
            point, quantiles, series = measured.point, measured.quantiles, batch.series
            ends = None if quantiles is None else quantiles[:, [0, -1]]
            scaled.update(point, batch.target, series, quantiles=ends, levels=INTERVAL_LEVELS)
            units.update(
                task.unscale(point, series),
                task.unscale(batch.target, series),
                series,
                quantiles=None if quantiles is None else task.unscale(quantiles, series),
                levels=QUANTILE_LEVELS,
            )
            seen += len(batch.ids)
            if progress is not None:
                progress(seen, len(windows))
    own = {name: torch.cat(parts).cpu().numpy() for name, parts in scores.items()}
    return _evaluation(task, part, own, units, scaled)


def _evaluation(
    task: ForecastTask,
    part: Part,
    own: Mapping[str, NDArray[np.float64]],
    units: ForecastErrors,
    scaled: ForecastErrors,
) -> Evaluation:
    """Put the measures of all windows, and each window's share in them, under the names of scores.

    own: the model's own scores of each window, (n_windows,) each.
    """
    scale = task.past_seasonal_error(part)
    in_units, in_scale = units.totals(), scaled.totals()
    scores = {
        **{name: float(values.sum()) / len(values) for name, values in own.items()},
        **{f"val_{name}": in_scale[name] for name in ("mae", "mse", "rmse", "width")},
        **{f"val_{name}": in_units[name] for name in ("wql", "smape", "coverage")},
        **{f"val_data_{name}": in_units[name] for name in ("mae", "mse", "rmse")},
        "val_mase": units.mase(scale),
    }
    of_units, of_scale = units.shares(scale), scaled.shares(scale)
    shares = {
        **own,
        **{f"val_{name}": of_scale[name] for name in ("mae", "mse")},
        **{f"val_{name}": of_units[name] for name in ("mase", "wql", "smape")},
    }
    windows = WindowErrors(
        series=getattr(task, part).series.astype(np.int32),
        shares={name: values.astype(np.float32) for name, values in shares.items()},
    )
    return Evaluation(Scores.of(scores), windows, units, scaled)
