"""A model measured on one part of a task: the loss, and the error of its point forecast on scaled values."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Protocol

import torch

from data.metrics import ForecastErrors
from data.task import ForecastTask, Part
from data.windows import Batch
from trainables.base import ForecastTrainable
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
    was_training = model.module.training
    model.module.eval()
    try:
        return micro_batch.attempt(
            lambda size: _evaluate(model, task, part, batch_size=size, precision=precision, features=features)
        )
    finally:
        model.module.train(was_training)


@torch.no_grad()
def _evaluate(
    model: ForecastTrainable,
    task: ForecastTask,
    part: Part,
    *,
    batch_size: int,
    precision: str,
    features: FeatureStore | None,
) -> Scores:
    device = next(model.module.parameters()).device
    windows = task.gather(part, device)
    errors = ForecastErrors(len(task.panel), task.prediction_length, device)
    total = torch.zeros((), dtype=torch.float64, device=device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(SAMPLING_SEED)
        for batch in windows.batches(batch_size):
            batch = features.attach(batch) if features else batch
            with autocast(device, precision):
                loss, forecast = model.validate(batch)
            total += loss.double().sum()
            errors.update(forecast.point.float(), batch.target, batch.series)
    return Scores(float(total) / len(windows), errors.mae, errors.mse)
