"""Distillation as a trainable: a small student learns from a frozen Moirai's forecasts, computed once a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from torch import Tensor, nn

from data.task.task import ForecastTask, Part
from data.task.windows import Batch
from trainables.base import (
    QUANTILE_LEVELS,
    Forecast,
    PointForecaster,
)
from trainables.moirai.trainable import Moirai, MoiraiHyper
from trainables.moirai_distill.comparison import gain_sentence, size_sentence, speed_sentence, time_both
from trainables.moirai_distill.losses import mean_pinball, mean_square
from trainables.moirai_distill.student import MODEL_TYPE, Student, StudentConfig
from trainables.moirai_distill.teacher import Teacher, check_teacher, teacher_hyper
from trainables.scratch import ScratchHyper, ScratchTrainable
from trainables.trial.evaluation import autocast

MEDIAN = QUANTILE_LEVELS.index(0.5)


class MoiraiDistillHyper(ScratchHyper):
    """teacher: a Moirai, by folder, Hub id or bundled name; patch_size, num_samples: how it forecasts.

    alpha: what the teacher's forecasts weigh in the training loss, the target has the rest; 0 never asks the teacher.
    """

    teacher: str = "Salesforce/moirai-1.1-R-base"
    patch_size: Literal["auto"] | int = "auto"
    num_samples: int = Field(default=100, ge=1)
    alpha: float = Field(default=0.5, ge=0, le=1)
    patch_len: int = Field(default=16, ge=1)
    d_model: int = Field(default=128, ge=1)
    n_layers: int = Field(default=4, ge=1)
    n_heads: int = Field(default=8, ge=1)
    d_ff: int | None = Field(default=None, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    quantile_heads: bool = False

    @property
    def of_teacher(self) -> MoiraiHyper:
        return teacher_hyper(self.teacher, self.patch_size, self.num_samples)


class MoiraiDistill(ScratchTrainable):
    """A student of a frozen Moirai; the teacher's forecasts of the training windows are its soft targets.

    val_loss is the mean squared error against the target alone: it ranks trials of any alpha, and an exported
    student is measured without its teacher.
    Source of the idea: Hinton et al. 2015, arXiv:1503.02531.
    """

    Hyper = MoiraiDistillHyper
    structure = ("patch_len", "d_model", "n_layers", "n_heads", "d_ff", "quantile_heads")
    features_name = "the teacher's forecasts"
    one_value = ("teacher", "patch_size", "num_samples")  # a sweep has one teacher, on the leaderboard too
    corpus = True

    module: Student
    teacher: Teacher

    @classmethod
    def recognises(cls, config: Mapping[str, Any]) -> bool:
        return config.get("model_type") == MODEL_TYPE

    def check(self, hyper: MoiraiDistillHyper, task: ForecastTask) -> None:
        Moirai().check(hyper.of_teacher, task)
        if hyper.pretrained is None:
            self.configure(hyper, task).check_sizes()

    def preview(self, hyper: MoiraiDistillHyper, task: ForecastTask) -> int:
        """Check the student's sizes, and load the teacher once to see that the task fits it."""
        windows = super().preview(hyper, task)
        check_teacher(hyper.of_teacher, task)
        return windows

    def build(self, hyper: MoiraiDistillHyper, task: ForecastTask) -> nn.Module:
        """Build the student alone; the teacher is loaded when it is first asked for a forecast."""
        module = super().build(hyper, task)
        self.teacher = Teacher(hyper.of_teacher, task)
        self.alpha = hyper.alpha
        return module

    def configure(self, hyper: MoiraiDistillHyper, task: ForecastTask) -> StudentConfig:
        return StudentConfig(
            **{name: getattr(hyper, name) for name in self.structure},
            context_length=task.context_length,
            prediction_length=task.prediction_length,
            dropout=hyper.dropout,
        )

    def make(self, config: StudentConfig) -> Student:
        return Student(config)

    def load(self, pretrained: str, hyper: MoiraiDistillHyper) -> Student:
        return Student.from_pretrained(pretrained, dropout=hyper.dropout)

    def starting_point(self, hyper: MoiraiDistillHyper) -> str:
        """The teacher is in the name, because val_distill is measured against it."""
        return f"{self.origin(hyper)} of {hyper.teacher} patch_size={hyper.patch_size} num_samples={hyper.num_samples}"

    def save_pretrained(self, folder: Path) -> None:
        """Write the student's config.json and model.safetensors; `Student.from_pretrained` loads them."""
        self.module.save_pretrained(folder)

    # --- what is learned, and what is measured

    def loss(self, batch: Batch) -> Tensor:
        """Give alpha * distillation + (1 - alpha) * error against the target, of each window, (batch,).

        Distillation is the mean square against the teacher's median, or all its quantiles, of every step. The error
        is the mean square, or with quantile heads twice the mean pinball loss, of the observed steps alone.
        """
        forecasts = self._levels(batch)
        hard = self._hard_loss(forecasts, batch.target)
        if self.alpha == 0:
            return hard
        soft = (forecasts - self._teacher_levels(batch)).square().mean((1, 2))
        return self.alpha * soft + (1 - self.alpha) * hard

    def _hard_loss(self, forecasts: Tensor, target: Tensor) -> Tensor:
        if self.module.config.quantile_heads:
            return 2 * mean_pinball(forecasts, target)
        return mean_square(forecasts[:, 0], target)

    def forecast(self, batch: Batch) -> Forecast:
        levels = self._levels(batch)
        if not self.module.config.quantile_heads:
            return Forecast(levels[:, 0])
        return Forecast(levels[:, MEDIAN], levels)

    def validate(self, batch: Batch) -> tuple[Tensor, Forecast]:
        forecast = self.forecast(batch)
        return self.point_loss(forecast.point, batch), forecast

    def point_loss(self, point: Tensor, batch: Batch) -> Tensor:
        return mean_square(point, batch.target)

    def extra_scores(self, point: Tensor, batch: Batch) -> dict[str, Tensor]:
        """val_distill: mean square against the teacher's median, where that was computed."""
        if batch.features is None:
            return {}
        return {"val_distill": (point - _median(batch.features)).square().mean(1)}

    def baselines(self, hyper: MoiraiDistillHyper, task: ForecastTask) -> dict[str, PointForecaster]:
        return {**super().baselines(hyper, task), "teacher": lambda batch: _median(self._teacher_levels(batch))}

    def _levels(self, batch: Batch) -> Tensor:
        """Forecast (batch, level, prediction_length); level is 1 without quantile heads."""
        forecast: Tensor = self.module(batch.context)[..., : self.prediction_length]
        return forecast if self.module.config.quantile_heads else forecast[:, None]

    # --- the teacher

    def frozen_part(self, hyper: MoiraiDistillHyper, part: Part) -> str | None:
        """The teacher's forecasts, named by all that they depend on; those to train on only where alpha asks for them.

        Trials with and without quantile heads keep different ones.
        """
        if part == "train" and hyper.alpha == 0:
            return None
        return f"forecasts of {self.teacher.name} levels={self.module.config.levels}"

    def features(self, batch: Batch) -> Tensor:
        """The teacher's median, (batch, 1, prediction_length), or all its quantiles, (batch, 9, …); scaled."""
        quantiles = self.teacher.quantiles(batch)
        return quantiles if self.module.config.quantile_heads else quantiles[:, MEDIAN : MEDIAN + 1]

    def _teacher_levels(self, batch: Batch) -> Tensor:
        return self.features(batch) if batch.features is None else batch.features

    def frozen_weights_hash(self) -> str:
        return self.teacher.weights_hash

    def compare(
        self,
        hyper: MoiraiDistillHyper,
        task: ForecastTask,
        *,
        scores: Mapping[str, float],
        baselines: Mapping[str, Mapping[str, Any]],
    ) -> dict[str, str]:
        """Say by name what the student keeps of its teacher, who is loaded for it; takes a few seconds.

        scores: the student's own on validation; baselines: those of what stands beside the trials, by name.
        """
        device = next(self.module.parameters()).device
        self.module.eval()
        teacher = self.teacher.on(device)
        with autocast(device, hyper.precision):
            speed = time_both(self.forecast, teacher.forecast, task.gather("val", device))
        gain = gain_sentence(scores["val_mse"], baselines)
        own = sum(p.numel() for p in self.module.parameters())
        told = {
            "parameters": size_sentence(own, self.teacher.parameters),
            "forecasts a second": speed_sentence(speed),
        }
        return told if gain is None else {"teacher's gain": gain, **told}

    def decays(self, name: str, parameter: nn.Parameter) -> bool:
        """Learned positions are spared, as biases and norms are."""
        return super().decays(name, parameter) and name != "positions"


def _median(levels: Tensor) -> Tensor:
    """The middle one of (batch, level, prediction_length)."""
    return levels[:, levels.shape[1] // 2]
