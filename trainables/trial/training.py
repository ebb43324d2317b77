"""The training loop that all models share: steps, accumulation, clipping, schedule, and a guard against NaN."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from data.task.windows import Batch, WindowGather
from trainables.base import Trainable
from trainables.device.memory import FallBack, MicroBatch
from trainables.device.precision import autocast, has_bf16
from trainables.hyper import Hyper
from trainables.trial.checks import steps_an_epoch
from trainables.trial.evaluation import FeatureStore
from trainables.trial.schedule import Schedule

logger = logging.getLogger(__name__)

LEAST_LOSS_SCALE = 1.0  # below it, scaling no longer helps against overflow
AfterStep = Callable[[int, torch.Tensor], None]
LOOK_EVERY = {"cpu": 1, "cuda": 200}  # steps from one look for divergence to the next


class DivergenceError(Exception):
    """The training loss or its gradient is no longer a finite number; the trial ends and keeps its best epoch."""


@dataclass(frozen=True)
class Segment:
    """What a stretch of training gave: mean loss a window, the learning rate of its last step, and the mean of the
    gradient's norms before they were clipped, over the steps that had a finite one.

    loss_parts: the mean of each term of the loss a window, by name; NaN where the model left it out of a batch.
    """

    train_loss: float
    lr: float
    gradient_norm: float
    loss_parts: Mapping[str, float] = field(default_factory=dict)


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
        max_steps: int | None = None,
    ) -> None:
        """max_steps: of the whole training, for which the learning rate is then planned; None for all its epochs."""
        self.model, self.hyper, self.windows = model, hyper, windows
        self.precision = hyper.precision
        self.seed, self.micro_batch, self.features = seed, micro_batch, features
        self.device = next(model.module.parameters()).device
        self.optimizer = model.optimizer.over(model.module, hyper)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=hyper.precision == "fp16")
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.steps_per_epoch = steps_an_epoch(hyper, len(windows))
        of_epochs = self.steps_per_epoch * hyper.epochs
        self.total_steps = of_epochs if max_steps is None else min(max_steps, of_epochs)
        self.schedule = Schedule(hyper.schedule, hyper.warmup_of(self.total_steps), self.total_steps, hyper.floor_ratio)
        self.look_every = LOOK_EVERY[self.device.type]
        self._shuffled: tuple[int, torch.Tensor] | None = None
        micro_batch.offer(
            [FallBack("gradient checkpointing", model.save_memory), FallBack("bf16", self._use_half_precision)]
        )

    def _use_half_precision(self) -> bool:
        """Train in bf16 from now on, where the card has it and the trial is not in half precision anyway."""
        if self.precision != "fp32" or self.device.type != "cuda" or not has_bf16():
            return False
        self.precision = "bf16"
        return True

    def run(self, first_step: int, stop_step: int, *, after_step: AfterStep | None = None) -> Segment:
        """Do the optimiser steps first_step .. stop_step - 1; raises DivergenceError.

        after_step: called with the number of steps done, and what was measured of each, (steps done, 2 + terms of the
        loss): loss, gradient norm, and the terms in the order of `loss_parts`.
        A step that is not finite is not applied, nor is any after it. On a GPU the host looks for one now and then, so
        that it need not wait for each.
        """
        self.model.module.train()
        torch.manual_seed(self.seed * 1_000_003 + first_step)  # dropout, too, is the same after a resume
        columns = 2 + len(self.model.loss_parts)
        measured = torch.zeros(stop_step - first_step, columns, device=self.device)  # loss, gradient norm, terms
        self.optimizer.found_inf = torch.zeros((), device=self.device)
        sizes: list[int] = []
        looked, lr = 0, 0.0
        for number, step in enumerate(range(first_step, stop_step)):
            lr = self._set_learning_rate(step)
            ids = self._window_ids(step)
            losses = self.micro_batch.attempt(lambda size, ids=ids: self._accumulate(ids, size))  # type: ignore[misc]
            measured[number, 0] = losses[0]
            measured[number, 2:] = losses[1:]
            self._update(step, measured[number, :2])
            sizes.append(len(ids))
            if len(sizes) - looked == self.look_every:
                _raise_if_diverged(measured[looked : len(sizes), :2], first_step + looked)
                looked = len(sizes)
            if after_step is not None:
                after_step(len(sizes), measured[: len(sizes)])
        _raise_if_diverged(measured[looked:, :2], first_step + looked)
        return self._segment(measured, sizes, lr)

    def _segment(self, measured: torch.Tensor, sizes: list[int], lr: float) -> Segment:
        """Sum up a stretch: each step counts by its windows in the losses, and once in the gradient's norm."""
        steps = measured.cpu().double()
        weights = torch.tensor(sizes, dtype=torch.float64)
        loss, _, *parts = (steps * weights[:, None]).sum(0) / weights.sum()
        named = dict(zip(self.model.loss_parts, map(float, parts), strict=True))
        return Segment(float(loss), lr, float(steps[:, 1].mean()), named)

    def _set_learning_rate(self, step: int) -> float:
        lr = self.hyper.lr * self.schedule.factor(step)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def _window_ids(self, step: int) -> torch.Tensor:
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._shuffled is None or self._shuffled[0] != epoch:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._shuffled = (epoch, torch.randperm(len(self.windows), generator=generator).to(self.device))
        size = self.hyper.batch_size
        return self._shuffled[1][place * size : (place + 1) * size]

    def _accumulate(self, ids: torch.Tensor, micro_batch_size: int) -> torch.Tensor:
        """Put the gradient of the mean loss over ids into the parameters; return that loss and its terms, (1 + terms,).

        They stay on the device: nothing waits for them here.
        """
        self.optimizer.zero_grad(set_to_none=True)
        names = self.model.loss_parts
        totals = torch.zeros(1 + len(names), device=self.device)
        for part in ids.split(micro_batch_size):
            with autocast(self.device, self.precision):
                losses, terms = self.model.loss_and_parts(self._batch(part))
                loss = losses.sum() / len(ids)
            self.scaler.scale(loss).backward()
            totals[0] += loss.detach()
            for place, name in enumerate(names, start=1):
                totals[place] += terms[name].detach().sum() / len(ids) if name in terms else math.nan
        return totals

    def _batch(self, ids: torch.Tensor) -> Batch:
        batch = self.windows.batch(ids)
        return self.features.attach(batch) if self.features else batch

    def _update(self, step: int, measured: torch.Tensor) -> None:
        """Clip and apply the gradient, and measure its norm.

        measured: (2,), the step's loss, and where the norm goes.
        """
        if self.scaler.is_enabled():
            self._update_scaled(step, measured)
            return
        measured[1] = torch.nn.utils.clip_grad_norm_(self.parameters, self.hyper.gradient_clip)
        found_inf = self.optimizer.found_inf
        assert found_inf is not None  # of this run
        torch.maximum(found_inf, (~measured.isfinite()).any().float(), out=found_inf)
        self.optimizer.step()

    def _update_scaled(self, step: int, measured: torch.Tensor) -> None:
        """Leave out a gradient that fp16 cannot hold, and scale the loss less from then on."""
        _raise_if_diverged(measured[None, :1], step)
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.hyper.gradient_clip)
        if torch.isfinite(norm):
            measured[1] = norm
        else:
            self._report_overflow(step, float(norm))
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _report_overflow(self, step: int, norm: float) -> None:
        scale = self.scaler.get_scale()
        if scale <= LEAST_LOSS_SCALE:
            raise DivergenceError(
                f"the gradient's norm became {norm} at step {step}, with the loss scaled by {scale:g}"
            )
        logger.warning("fp16: gradient norm %s at step %d: update left out, loss scale %g halved", norm, step, scale)


def _raise_if_diverged(measured: torch.Tensor, first_step: int) -> None:
    """Raise DivergenceError for the first step whose loss or gradient norm is not finite.

    measured: (steps, 1 or 2), of first_step and those after it.
    """
    if bool(measured.isfinite().all()):
        return
    for step, (loss, *norm) in enumerate(measured.tolist(), first_step):
        if not math.isfinite(loss):
            raise DivergenceError(f"the training loss became {loss} at step {step}")
        if norm and not math.isfinite(norm[0]):
            raise DivergenceError(f"the gradient's norm became {norm[0]} at step {step}")
