"""A sweep's trials brought back as models: as they were before training, and at their best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from data.task.task import ForecastTask, Part
from trainables.base import check_hyper
from trainables.device.memory import MicroBatch
from trainables.device.precision import resolved
from trainables.hyper import Hyper
from trainables.sweep_trainable import PointForecaster, SweepModel
from trainables.trial.checkpoint import CheckpointSlot
from trainables.trial.evaluation import Evaluation, evaluate, evaluate_points
from trainables.trial.folders import BEST
from trainables.trial.report import Scores
from trainables.trial.trial import load_best
from tune.leaderboard.standing import Standing
from tune.planning.budget import look_at_machine
from tune.registry import find_trainable
from tune.sweep import Sweep


@dataclass(frozen=True)
class TrialModel:
    """A built model, on a device, and the hyperparameters it was built with."""

    model: SweepModel
    hyper: Hyper
    task: ForecastTask

    def measure(self, part: Part) -> Evaluation:
        """Measure it on a part of its task."""
        model = self.model
        return evaluate(
            model, self.task, part, micro_batch=MicroBatch(model.eval_batch_size), precision=self.hyper.precision
        )

    def scores_of(self, forecaster: PointForecaster, part: Part) -> Scores:
        """Measure a forecaster without a model of its own on the same windows, by this model's loss if it has one."""
        model = self.model
        return evaluate_points(
            forecaster,
            model,
            self.task,
            part,
            micro_batch=MicroBatch(model.eval_batch_size),
            precision=self.hyper.precision,
        ).scores


class TrialModels:
    """A sweep's task and model class on a device: what it takes to bring one of its trials back."""

    def __init__(self, sweep: Sweep, device: torch.device | None = None) -> None:
        self.sweep = sweep
        self.device = device or _device_of(sweep)
        self.model_class = find_trainable(sweep.spec.trainable)

    @cached_property
    def task(self) -> ForecastTask:
        return ForecastTask(self.sweep.panel(), self.sweep.spec.task)

    def initial(self, standing: Standing) -> TrialModel:
        """Build a trial's model as it was before training."""
        model = self.model_class()
        hyper = resolved(check_hyper(self.model_class, standing.hyper), self.device)
        model.build(hyper, self.task).to(self.device)
        return TrialModel(model, hyper, self.task)

    def trained(self, standing: Standing) -> TrialModel:
        """Build a trial's model, of several runs the best one's, with the weights of the best epoch on record."""
        trial, run = self.initial(standing), standing.run
        slot = CheckpointSlot(self.sweep.folder.trial(run.trial_id).path, BEST)
        load_best(trial.model, slot, run.best_epoch)
        return trial


def _device_of(sweep: Sweep) -> torch.device:
    wants_gpu = len(look_at_machine().gpus) > 0 and sweep.spec.gpus != 0
    return torch.device("cuda" if wants_gpu else "cpu")
