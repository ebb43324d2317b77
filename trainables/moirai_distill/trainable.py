"""Distillation as a trainable: a small student learns from a frozen Moirai's forecasts, computed once a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from data.task.task import ForecastTask, Part
from data.task.windows import Batch
from trainables.base import QUANTILE_LEVELS, Forecast, FrozenPart, Validation
from trainables.checkpoints.model_files import read_checkpoint_config
from trainables.device.precision import autocast
from trainables.device.recompute import recompute
from trainables.moirai.trainable import Moirai
from trainables.moirai_distill.comparison import gain_sentence, size_sentence, speed_sentence, time_both
from trainables.moirai_distill.hyper import STUDENT, MoiraiDistillHyper
from trainables.moirai_distill.losses import mean_pinball, mean_square
from trainables.moirai_distill.student import MODEL_TYPE, Student, StudentConfig
from trainables.moirai_distill.teacher import Teacher, check_teacher
from trainables.moirai_distill.workload import student_workload
from trainables.parameters import AdamW, decays_by_default
from trainables.scratch import ScratchTrainable
from trainables.sweep_trainable import PointForecaster
from trainables.trial.report import Scores
from trainables.workload import Workload

MEDIAN = QUANTILE_LEVELS.index(0.5)


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Learned positions are spared, as biases and norms are."""
    return decays_by_default(name, parameter) and name != "positions"


class MoiraiDistill(ScratchTrainable[MoiraiDistillHyper, StudentConfig]):
    """A student of a frozen Moirai; the teacher's forecasts of the training windows are its soft targets.

    val_loss is the mean squared error against the target alone: it ranks trials of any alpha, and an exported
    student is measured without its teacher.
    Source of the idea: Hinton et al. 2015, arXiv:1503.02531.
    """

    optimizer = AdamW(decays=decays)
    loss_parts = ("distill", "hard")
    corpus = True

    module: Student
    teacher: Teacher

    @classmethod
    def recognises(cls, config: Mapping[str, object]) -> bool:
        return config.get("model_type") == MODEL_TYPE

    def check(self, hyper: MoiraiDistillHyper, task: ForecastTask) -> None:
        Moirai().check(hyper.of_teacher, task)
        if hyper.pretrained is None:
            self.configure(hyper, task).check_sizes()

    @classmethod
    def workload(cls, hyper: MoiraiDistillHyper, task: ForecastTask) -> Workload:
        if hyper.pretrained is None:
            return student_workload(cls().configure(hyper, task))
        return student_workload(read_checkpoint_config(hyper.pretrained, StudentConfig, STUDENT))

    def preview(self, hyper: MoiraiDistillHyper, task: ForecastTask) -> int:
        """Check the student's sizes, and load the teacher once to see that the task fits it."""
        windows = super().preview(hyper, task)
        check_teacher(hyper.of_teacher, task)
        return windows

    def build(self, hyper: MoiraiDistillHyper, task: ForecastTask) -> nn.Module:
        """Build the student alone; the teacher is loaded when its first forecast is needed."""
        module = super().build(hyper, task)
        self.teacher = Teacher(hyper.of_teacher, task)
        self.alpha = hyper.alpha
        return module

    def configure(self, hyper: MoiraiDistillHyper, task: ForecastTask) -> StudentConfig:
        return StudentConfig(
            **{name: getattr(hyper, name) for name in hyper.structure},
            context_length=task.context_length,
            prediction_length=task.prediction_length,
            dropout=hyper.dropout,
        )

    def make(self, config: StudentConfig) -> Student:
        return Student(config)

    def load(self, pretrained: str, hyper: MoiraiDistillHyper) -> tuple[Student, StudentConfig]:
        module = Student.from_pretrained(pretrained, dropout=hyper.dropout)
        return module, module.config

    def save_pretrained(self, folder: Path) -> None:
        """Write the student's config.json and model.safetensors; `Student.from_pretrained` loads them."""
        self.module.save_pretrained(folder)

    def save_memory(self) -> bool:
        recompute(self.module.encoder)
        return True

    # --- what is learned, and what is measured

    def loss(self, batch: Batch) -> Tensor:
        """Give alpha * distillation + (1 - alpha) * error against the target, of each window, (batch,).

        Distillation is the mean square against the teacher's median, or all its quantiles, of every step. The error
        is the mean square, or with quantile heads twice the mean pinball loss, of the observed steps alone.
        """
        return self.loss_and_parts(batch)[0]

    def loss_and_parts(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the loss, and its two terms before alpha weighs them; distill is not computed where alpha is 0."""
        forecasts = self._levels(batch)
        hard = self._hard_loss(forecasts, batch.target)
        if self.alpha == 0:
            return hard, {"hard": hard}
        distill = (forecasts - self._teacher_levels(batch)).square().mean((1, 2))
        return self.alpha * distill + (1 - self.alpha) * hard, {"distill": distill, "hard": hard}

    def _hard_loss(self, forecasts: Tensor, target: Tensor) -> Tensor:
        if self.module.config.quantile_heads:
            return 2 * mean_pinball(forecasts, target)
        return mean_square(forecasts[:, 0], target)

    def forecast(self, batch: Batch) -> Forecast:
        levels = self._levels(batch)
        if not self.module.config.quantile_heads:
            return Forecast(levels[:, 0])
        return Forecast(levels[:, MEDIAN], levels)

    def validate(self, batch: Batch) -> Validation:
        forecast = self.forecast(batch)
        return Validation(self.point_loss(forecast.point, batch), forecast, self.extra_scores(forecast.point, batch))

    def extra_scores(self, point: Tensor, batch: Batch) -> dict[str, Tensor]:
        """val_distill: mean square against the teacher's median, where that was computed."""
        if batch.features is None:
            return {}
        return {"val_distill": (point - _median(batch.features)).square().mean(1)}

    def point_loss(self, point: Tensor, batch: Batch) -> Tensor:
        return mean_square(point, batch.target)

    def baselines(self, hyper: MoiraiDistillHyper, task: ForecastTask) -> dict[str, PointForecaster]:
        return {**super().baselines(hyper, task), "teacher": lambda batch: _median(self._teacher_levels(batch))}

    def _levels(self, batch: Batch) -> Tensor:
        """Forecast (batch, level, prediction_length); level is 1 without quantile heads."""
        forecast: Tensor = self.module(batch.context)[..., : self.prediction_length]
        return forecast if self.module.config.quantile_heads else forecast[:, None]

    # --- the teacher

    def frozen_part(self, hyper: MoiraiDistillHyper, part: Part) -> FrozenPart | None:
        """The teacher's forecasts, named by all that they depend on; those to train on only where alpha needs them.

        Trials with and without quantile heads keep different ones.
        """
        if part == "train" and hyper.alpha == 0:
            return None
        name = f"forecasts of {self.teacher.name} levels={self.module.config.levels}"
        return FrozenPart(name, self.teacher_forecasts, "the teacher's forecasts")

    def teacher_forecasts(self, batch: Batch) -> Tensor:
        """Return the teacher's median, (batch, 1, prediction_length), or all its quantiles, (batch, 9, …); scaled."""
        quantiles = self.teacher.quantiles(batch)
        return quantiles if self.module.config.quantile_heads else quantiles[:, MEDIAN : MEDIAN + 1]

    def _teacher_levels(self, batch: Batch) -> Tensor:
        return self.teacher_forecasts(batch) if batch.features is None else batch.features

    def compare(
        self,
        hyper: MoiraiDistillHyper,
        task: ForecastTask,
        *,
        scores: Scores,
        baselines: Mapping[str, Scores],
    ) -> dict[str, str]:
        """Say by name what the student keeps of its teacher, who is loaded for it; takes a few seconds.

        scores: the student's own on validation; baselines: those of the forecasters listed beside the trials, by name.
        """
        device = next(self.module.parameters()).device
        self.module.eval()
        teacher = self.teacher.on(device)
        with autocast(device, hyper.precision):
            speed = time_both(self.forecast, teacher.forecast, task.gather("val", device))
        gain = None if scores.val_mse is None else gain_sentence(scores.val_mse, baselines)
        own = sum(p.numel() for p in self.module.parameters())
        sentences = {
            "parameters": size_sentence(own, self.teacher.parameters),
            "forecasts a second": speed_sentence(speed),
        }
        return sentences if gain is None else {"teacher's gain": gain, **sentences}


def _median(levels: Tensor) -> Tensor:
    """The middle one of (batch, level, prediction_length)."""
    return levels[:, levels.shape[1] // 2]
