"""A model measured on one part of a task: the loss, and the error of its point forecast on scaled values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from data.metrics import ForecastErrors
from data.task.task import ForecastTask, Part
from data.task.windows import Batch
from trainables.base import ForecastTrainable, PointForecaster
from trainables.trial.memory import MicroBatch

SAMPLING_SEED = 20240202


class FeatureStore(Protocol):
    """Where a batch's frozen features come from."""

    def attach(self, batch: Batch) -> Batch: ...


@dataclass(frozen=True)
class Scores:
    """val_loss: mean loss a window; val_mae, val_mse: of the point forecast over observed points, scaled values.

    extra: a model's further scores, each a mean over windows.
    """

    val_loss: float
    val_mae: float
    val_mse: float
    extra: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Scores:
        """Read what `to_dict` gave."""
        further = {k: v for k, v in values.items() if k not in ("val_loss", "val_mae", "val_mse")}
        return cls(values["val_loss"], values["val_mae"], values["val_mse"], further)

    def to_dict(self) -> dict[str, float]:
        return {"val_loss": self.val_loss, "val_mae": self.val_mae, "val_mse": self.val_mse, **self.extra}


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """bf16 and fp16 run the matrix products in half precision; fp32 changes nothing."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype={"bf16": torch.bfloat16, "fp16": torch.float16}[precision])


def evaluate(
    model: ForecastTrainable,
    task: ForecastTask,
    part: Part,
    *,
    micro_batch: MicroBatch,
    precision: str = "fp32",
    features: FeatureStore | None = None,
) -> Scores:
    """Measure a model on all windows of a part, in order, on the device where it lies.

    Forecasts that draw samples draw the same ones every time, so that two evaluations of one model agree.
    """
    device = next(model.module.parameters()).device

    def validate(batch: Batch) -> Measured:
        with autocast(device, precision):
            loss, forecast = model.validate(batch)
        return Measured(forecast.point, {"val_loss": loss, **model.extra_scores(forecast.point, batch)})

    was_training = model.module.training
    model.module.eval()
    try:
        scores = micro_batch.attempt(
            lambda size: _measure(validate, task, part, device=device, batch_size=size, features=features)
        )
    finally:
        model.module.train(was_training)
    return Scores.of(scores)


def evaluate_points(
    forecaster: PointForecaster,
    model: ForecastTrainable,
    task: ForecastTask,
    part: Part,
    *,
    micro_batch: MicroBatch,
    precision: str = "fp32",
    features: FeatureStore | None = None,
) -> dict[str, float | None]:
    """Measure a point forecaster that is no trial on all windows of a part; val_loss is the model's, if it has one."""

    device = next(model.module.parameters()).device

    def validate(batch: Batch) -> Measured:
        with autocast(device, precision):
            point = forecaster(batch)
        loss = model.point_loss(point.float(), batch)
        return Measured(point, {} if loss is None else {"val_loss": loss})

    scores = micro_batch.attempt(
        lambda size: _measure(validate, task, part, device=device, batch_size=size, features=features)
    )
    return {"val_loss": None, **scores}


@dataclass(frozen=True)
class Measured:
    """A batch's point forecast, (batch, prediction_length), and scores of its windows by name, each (batch,)."""

    point: Tensor
    scores: dict[str, Tensor]


@torch.no_grad()
def _measure(
    validate: Callable[[Batch], Measured],
    task: ForecastTask,
    part: Part,
    *,
    device: torch.device,
    batch_size: int,
    features: FeatureStore | None,
) -> dict[str, float]:
    windows = task.gather(part, device)
    errors = ForecastErrors(len(task.panel), task.prediction_length, device)
    totals: dict[str, Tensor] = {}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(SAMPLING_SEED)
        for batch in windows.batches(batch_size):
            batch = features.attach(batch) if features else batch
            measured = validate(batch)
            for name, score in measured.scores.items():
                totals[name] = totals.get(name, 0.0) + score.double().sum()
            errors.update(measured.point.float(), batch.target, batch.series)
    means = {name: float(total) / len(windows) for name, total in totals.items()}
    return {**means, "val_mae": errors.mae, "val_mse": errors.mse}
