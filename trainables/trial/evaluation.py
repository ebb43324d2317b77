"""The one loop that measures forecasts: scores over all windows of a part, and each window's own errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from data.metrics import ForecastErrors
from data.task.task import ForecastTask, Part
from data.task.windows import Batch
from trainables.base import QUANTILE_LEVELS, Trainable
from trainables.sweep_trainable import PointForecaster, SweepModel
from trainables.trial.memory import MicroBatch
from trainables.trial.precision import autocast
from trainables.trial.report import Scores

SAMPLING_SEED = 20240202
TASK_SCALE = "scaled"  # the errors in the scale of the task's batches

ToScale = Callable[[Tensor, Tensor], Tensor]  # from values of the batches and the windows' series to another scale
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

    scores: over all windows, of the errors in the task's scale.
    window_scores: each window's own by name, (n_windows,) float64 on the CPU, in the order of the part: the model's
    (val_loss and the like); absolute and squared errors are those of `errors`.
    errors: by step, series and window, in each scale that was asked for.
    """

    scores: Scores
    window_scores: Mapping[str, Tensor]
    errors: Mapping[str, ForecastErrors]


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
        return Measured(validation.forecast.point, {"val_loss": validation.loss, **validation.extra})

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
    scales: Mapping[str, ToScale] | None = None,
    progress: ProgressCallback | None = None,
) -> Evaluation:
    """Forecast every window of a part, in order, and add up what it scores.

    Forecasts that draw samples draw the same ones every time, so that two evaluations of one model agree.
    scales: further scales to measure the errors in, by name.
    """
    windows = task.gather(part, device)
    to_scale = {TASK_SCALE: _as_it_is, **(scales or {})}
    errors = {name: ForecastErrors(len(task.panel), task.prediction_length, device) for name in to_scale}
    scores: dict[str, list[Tensor]] = {}
    seen = 0
    with same_draws(device):
        for batch in windows.batches(batch_size):
            measured = forecaster(features.attach(batch) if features else batch)
            for name, score in measured.scores.items():
                scores.setdefault(name, []).append(score.double())
            for name, scaled in to_scale.items():
                point, target = (scaled(values, batch.series) for values in (measured.point, batch.target))
                quantiles = None if measured.quantiles is None else scaled(measured.quantiles, batch.series)
                errors[name].update(point, target, batch.series, quantiles=quantiles, levels=QUANTILE_LEVELS)
            seen += len(batch.ids)
            if progress is not None:
                progress(seen, len(windows))
    window_scores = {name: torch.cat(parts) for name, parts in scores.items()}
    in_task_scale = errors[TASK_SCALE]
    means = {name: float(values.sum()) / len(windows) for name, values in window_scores.items()}
    return Evaluation(
        scores=Scores.of({**means, "val_mae": in_task_scale.mae, "val_mse": in_task_scale.mse}),
        window_scores={name: values.cpu() for name, values in window_scores.items()},
        errors=errors,
    )


def _as_it_is(values: Tensor, series: Tensor) -> Tensor:
    return values
