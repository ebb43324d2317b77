"""A model small enough to be worked out by hand, and trials of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from data.task.task import ForecastTask, Part
from trainables.base import Forecast, ForecastTrainable, FrozenPart, Validation, check_hyper
from trainables.device.memory import MicroBatch
from trainables.hyper import Hyper
from trainables.parameters import freeze
from trainables.sweep_trainable import SweepTrainable
from trainables.trial.folders import SharedFolder
from trainables.trial.report import Report
from trainables.trial.training import Training
from trainables.trial.trial import Trial, TrialSpec

CPU = torch.device("cpu")
CONTEXT, PREDICTION, ROWS = 8, 2, 200
UNREPEATABLE = ("seconds", "peak_memory_bytes")
TRAIN_WINDOWS = 76  # 160 train rows, two series: (160 - 8 - 2) // 4 + 1 = 38 each; 20 validation rows: 10 each
HYPER = {"lr": 0.01, "epochs": 3, "batch_size": 16, "warmup_steps": 0, "patience": 10}
STEPS = 5  # an epoch: ceil(76 / 16)


class ToyHyper(Hyper):
    start: int = 0  # the seed of the initial weights
    dropout: float = 0.0
    freeze_body: bool = False
    keep_features: bool = False

    @property
    def initial_model(self) -> str:
        return f"toy {self.start}"


class Toy(SweepTrainable[ToyHyper]):
    """A body, tanh, and a head; the loss is the mean squared error over what is observed of a window."""

    fits: ClassVar[int | None] = None  # windows that memory holds at once
    saves: ClassVar[int | None] = None  # windows that it holds once memory is saved; None: that is not known how
    nan_from: ClassVar[int | None] = None  # the training step, counted from 0, whose loss is NaN
    dies_at: ClassVar[int | None] = None  # the training step that raises
    loss_sizes: ClassVar[list[int]] = []  # windows of each training forward pass
    evaluations: ClassVar[int] = 0
    feature_calls: ClassVar[int] = 0
    seen: ClassVar[list[int]] = []  # ids of the windows trained on

    def build(self, hyper: ToyHyper, task: ForecastTask) -> nn.Module:
        torch.manual_seed(hyper.start)
        self.module = nn.ModuleDict(
            {
                "body": nn.Linear(task.context_length, 6),
                "drop": nn.Dropout(hyper.dropout),
                "head": nn.Linear(6, task.prediction_length),
            }
        )
        if hyper.freeze_body:
            freeze(self.module, trains=lambda name: name.startswith("head"), strategy="head_only")
        self.steps = 0
        return self.module

    def save_memory(self) -> bool:
        if self.saves is not None:
            type(self).fits = self.saves
        return self.saves is not None

    def frozen_part(self, hyper: ToyHyper, part: Part) -> FrozenPart | None:
        return FrozenPart(f"body {hyper.start}", self.features) if hyper.keep_features else None

    def features(self, batch: Any) -> Tensor:
        type(self).feature_calls += 1
        self._need_memory_for(batch)
        return torch.tanh(self.module["body"](batch.context))

    def point(self, batch: Any) -> Tensor:
        features = self.features(batch) if batch.features is None else batch.features
        return self.module["head"](self.module["drop"](features))

    def loss(self, batch: Any) -> Tensor:
        self._need_memory_for(batch)
        if self.module.training:
            self.loss_sizes.append(len(batch.ids))
            self.seen.extend(batch.ids.tolist())
            self.steps += 1
            if self.dies_at is not None and self.steps > self.dies_at:
                raise KeyboardInterrupt
        errors = (self.point(batch) - batch.target).square()
        broken = self.module.training and self.nan_from is not None and self.steps > self.nan_from
        return errors.nanmean(dim=1) * (math.nan if broken else 1.0)

    def forecast(self, batch: Any) -> Forecast:
        return Forecast(self.point(batch))

    def validate(self, batch: Any) -> Validation:
        type(self).evaluations += 1  # all validation windows fit into one batch
        return super().validate(batch)

    def _need_memory_for(self, batch: Any) -> None:
        if self.fits is not None and len(batch.ids) > self.fits:
            raise torch.OutOfMemoryError("the toy's memory is full")

    def save_pretrained(self, folder: Path) -> None:
        save_file(self.module.state_dict(), folder / "model.safetensors")


class Scripted(Toy):
    """Trains as the toy does; its validation is written beforehand: pairs of val_loss and val_mae."""

    script: ClassVar[Iterator[tuple[float, float]]]

    def validate(self, batch: Any) -> Validation:
        loss, mae = next(self.script)
        return Validation(torch.full((len(batch.ids),), loss), Forecast(batch.target + mae))


def spec_in(folder: Path, name: str = "t0000", **changed: Any) -> TrialSpec:
    """A trial's spec; keyword arguments that are no field of it are hyperparameters."""
    own = {
        key: changed.pop(key)
        for key in ("metric", "seed", "reported_epoch", "log_every", "max_steps")
        if key in changed
    }
    return TrialSpec(
        **{"folder": folder / name, "shared": SharedFolder(folder / "shared"), "metric": "val_loss", "seed": 0, **own},
        hyper={**HYPER, **changed},
    )


def run(trial: Trial, reports: int | None = None) -> list[Report]:
    """Step a trial to its end, or for so many reports."""
    done: list[Report] = []
    while len(done) != reports and not (done and done[-1].stopped_by):
        done.append(trial.step())
    return done


def repeatable(reports: list[Report]) -> list[Report]:
    return [replace(report, **dict.fromkeys(UNREPEATABLE, 0)) for report in reports]


def assert_close(reports: list[Report], others: list[Report], *, rel: float) -> None:
    """Hold two trials' reports against each other; epoch 0 has no training loss."""
    assert [r.stopped_by for r in reports] == [r.stopped_by for r in others]
    for key in ("val_loss", "val_mae", "val_mse"):
        assert [r.scores[key] for r in reports] == pytest.approx([r.scores[key] for r in others], rel=rel)
    assert [r.train_loss for r in reports[1:]] == pytest.approx([r.train_loss for r in others[1:]], rel=rel)


def weights(model: ForecastTrainable) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.module.state_dict().items()}


def are_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def script(*losses: float) -> Iterator[tuple[float, float]]:
    return iter([(loss, loss) for loss in losses])


def val_targets(task: ForecastTask) -> np.ndarray:
    """The validation targets, (20, 2), cut by hand: rows 160 and 161, 162 and 163, ..., 178 and 179 of each series."""
    return np.concatenate([task.panel.series(i)[160:180].reshape(10, 2) for i in range(2)]).astype(np.float64)


def gradients(task: ForecastTask, size: int, **hyper: Any) -> tuple[Training, dict[str, Tensor]]:
    """Do one optimiser step with micro-batches of a size; a clip that clips nothing leaves the gradient as it was."""
    model = Toy()
    checked = check_hyper(Toy, {**HYPER, "gradient_clip": 1e9, **hyper})
    model.build(checked, task)
    training = Training(model, checked, task.gather("train"), seed=0, micro_batch=MicroBatch(size))
    training.run(0, 1)
    return training, {name: p.grad.clone() for name, p in model.module.named_parameters() if p.grad is not None}
