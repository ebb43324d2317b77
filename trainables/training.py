"""The training loop that all models share: steps, accumulation, clipping, schedule, and a guard against NaN."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from data.windows import Batch, WindowGather
from trainables.base import ForecastTrainable
from trainables.evaluation import FeatureStore, autocast
from trainables.hyper import Hyper
from trainables.memory import MicroBatch
from trainables.schedule import Schedule


class DivergenceError(Exception):
    """The training loss is no longer a finite number; the trial ends and keeps its best epoch."""


@dataclass(frozen=True)
class Segment:
    """What a stretch of training gave: mean loss a window, and the learning rate of its last step."""

    train_loss: float
    lr: float


class Training:
    """Optimiser steps over shuffled windows; a step's windows depend only on the seed and on the step's number."""

    def __init__(
        self,
        model: ForecastTrainable,
        hyper: Hyper,
        windows: WindowGather,
        *,
        seed: int,
        micro_batch: MicroBatch,
        features: FeatureStore | None = None,
    ) -> None:
        self.model, self.hyper, self.windows = model, hyper, windows
        self.seed, self.micro_batch, self.features = seed, micro_batch, features
        self.device = next(model.module.parameters()).device
        self.optimizer = model.optimizer(hyper)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.steps_per_epoch = math.ceil(len(windows) / hyper.batch_size)
        self.total_steps = self.steps_per_epoch * hyper.epochs
        self.schedule = Schedule(
            hyper.schedule, hyper.warmup_of(self.total_steps), self.total_steps, hyper.min_lr_ratio
        )
        self._shuffled: tuple[int, torch.Tensor] | None = None

    def run(self, first_step: int, stop_step: int) -> Segment:
        """Do the optimiser steps first_step .. stop_step - 1; raises DivergenceError."""
        self.model.module.train()
        torch.manual_seed(self.seed * 1_000_003 + first_step)  # dropout, too, is the same after a resume
        total, seen, lr = 0.0, 0, 0.0
        for step in range(first_step, stop_step):
            lr = self._set_learning_rate(step)
            ids = self._window_ids(step)
            loss = self.micro_batch.attempt(lambda size, ids=ids: self._accumulate(ids, size))  # type: ignore[misc]
            if not math.isfinite(loss):
                raise DivergenceError(f"the training loss became {loss} at step {step}")
            self._update()
            total += loss * len(ids)
            seen += len(ids)
        return Segment(total / seen, lr)

    def _set_learning_rate(self, step: int) -> float:
        lr = self.hyper.lr * self.schedule.factor(step)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def _window_ids(self, step: int) -> torch.Tensor:
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._shuffled is None or self._shuffled[0] != epoch:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._shuffled = (epoch, torch.randperm(len(self.windows), generator=generator))
        size = self.hyper.batch_size
        return self._shuffled[1][place * size : (place + 1) * size]

    def _accumulate(self, ids: torch.Tensor, micro_batch_size: int) -> float:
        """Put the gradient of the mean loss over ids into the parameters; return that loss."""
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        for part in ids.split(micro_batch_size):
            with autocast(self.device, self.hyper.precision):
                loss = self.model.loss(self._batch(part)).sum() / len(ids)
            loss.backward()
            total += loss.detach()
        return float(total)

    def _batch(self, ids: torch.Tensor) -> Batch:
        batch = self.windows.batch(ids.to(self.device))
        return self.features.attach(batch) if self.features else batch

    def _update(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.parameters, self.hyper.gradient_clip)
        self.optimizer.step()
