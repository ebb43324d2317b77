"""The training loop that all models share: steps, accumulation, clipping, schedule, and a guard against NaN."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import torch

from data.task.windows import Batch, WindowGather
from trainables.base import Trainable
from trainables.hyper import Hyper
from trainables.trial.checks import steps_an_epoch
from trainables.trial.evaluation import FeatureStore
from trainables.trial.memory import MicroBatch
from trainables.trial.precision import autocast
from trainables.trial.schedule import Schedule

logger = logging.getLogger(__name__)

LEAST_LOSS_SCALE = 1.0  # below it, scaling no longer helps against overflow


class DivergenceError(Exception):
    """The training loss or its gradient is no longer a finite number; the trial ends and keeps its best epoch."""


@dataclass(frozen=True)
class Segment:
    """What a stretch of training gave: mean loss a window, and the learning rate of its last step."""

    train_loss: float
    lr: float


class Training:
    """Optimiser steps over shuffled windows; a step's windows depend only on the seed and on the step's number."""

    def __init__(
        self,
        model: Trainable,
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
        self.optimizer = model.optimizer.over(model.module, hyper)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=hyper.precision == "fp16")
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.steps_per_epoch = steps_an_epoch(hyper, len(windows))
        self.total_steps = self.steps_per_epoch * hyper.epochs
        self.schedule = Schedule(hyper.schedule, hyper.warmup_of(self.total_steps), self.total_steps, hyper.floor_ratio)
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
            self._update(step)
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
            self.scaler.scale(loss).backward()
            total += loss.detach()
        return float(total)

    def _batch(self, ids: torch.Tensor) -> Batch:
        batch = self.windows.batch(ids.to(self.device))
        return self.features.attach(batch) if self.features else batch

    def _update(self, step: int) -> None:
        """Clip and apply the gradient; one that fp16 cannot hold is left out, and the loss scaled less from then on."""
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.hyper.gradient_clip)
        if not torch.isfinite(norm):
            self._report_overflow(step, float(norm))
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _report_overflow(self, step: int, norm: float) -> None:
        if not self.scaler.is_enabled():
            raise DivergenceError(f"the gradient's norm became {norm} at step {step}")
        scale = self.scaler.get_scale()
        if scale <= LEAST_LOSS_SCALE:
            raise DivergenceError(
                f"the gradient's norm became {norm} at step {step}, with the loss scaled by {scale:g}"
            )
        logger.warning("fp16: gradient norm %s at step %d: update left out, loss scale %g halved", norm, step, scale)
