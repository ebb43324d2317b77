"""A model measured on one part of a task: the loss, and the error of its point forecast on scaled values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Protocol

import torch
from torch import Tensor

from data.metrics import ForecastErrors
from data.task import ForecastTask, Part
from data.windows import Batch
from trainables.base import ForecastTrainable, PointForecaster
from trainables.memory import MicroBatch

SAMPLING_SEED = 20240202


class FeatureStore(Protocol):
    """Where a batch's frozen features come from."""

    def attach(self, batch: Batch) -> Batch: ...


@dataclass(frozen=True)
class Scores:
    """val_loss: mean loss a window; val_mae, val_mse: of the point forecast over observed points, scaled values."""

    val_loss: float
    val_mae: float
    val_mse: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


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

    def validate(batch: Batch) -> tuple[Tensor | None, Tensor]:
        with autocast(device, precision):
            loss, forecast = model.validate(batch)
        return loss, forecast.point

    was_training = model.module.training
    model.module.eval()
    try:
        scores = micro_batch.attempt(
            lambda size: _measure(validate, task, part, device=device, batch_size=size, features=features)
        )
    finally:
        model.module.train(was_training)
    return Scores(**scores)  # type: ignore[arg-type]  # a model's own loss is a number


def evaluate_points(
    forecaster: PointForecaster,
    model: ForecastTrainable,
    task: ForecastTask,
    part: Part,
    *,
    device: torch.device,
    batch_size: int,
    features: FeatureStore | None = None,
) -> dict[str, float | None]:
    """Measure a point forecaster that is no trial on all windows of a part; val_loss is the model's, if it has one."""

    def validate(batch: Batch) -> tuple[Tensor | None, Tensor]:
        point = forecaster(batch)
        return model.point_loss(point, batch), point

    return _measure(validate, task, part, device=device, batch_size=batch_size, features=features)


@torch.no_grad()
def _measure(
    validate: Callable[[Batch], tuple[Tensor | None, Tensor]],
    task: ForecastTask,
    part: Part,
    *,
    device: torch.device,
    batch_size: int,
    features: FeatureStore | None,
) -> dict[str, float | None]:
    windows = task.gather(part, device)
    errors = ForecastErrors(len(task.panel), task.prediction_length, device)
    total: Tensor | None = torch.zeros((), dtype=torch.float64, device=device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(SAMPLING_SEED)
        for batch in windows.batches(batch_size):
            batch = features.attach(batch) if features else batch
            loss, point = validate(batch)
            total = None if loss is None or total is None else total + loss.double().sum()
            errors.update(point.float(), batch.target, batch.series)
    mean = None if total is None else float(total) / len(windows)
    return {"val_loss": mean, "val_mae": errors.mae, "val_mse": errors.mse}
