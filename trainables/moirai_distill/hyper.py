"""The hyperparameters of a distillation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from trainables.checkpoints.pretrained import Family
from trainables.hyper import MOST_LAYERS, MOST_UNITS, ONLY_FORECASTS, ScratchHyper
from trainables.moirai.hyper import MoiraiHyper

TEACHER = Family("teacher", "Salesforce/moirai-1.1-R-base", "moirai-tiny (--set teacher=moirai-tiny)")
STUDENT = Family("student", "its folder", "nothing: a student is trained (foretune sweep moirai-distill-quickstart)")


class MoiraiDistillHyper(ScratchHyper):
    """teacher: a Moirai, by folder, Hub id or bundled name; patch_size, num_samples: how it forecasts.

    alpha: what the teacher's forecasts weigh in the training loss, the target has the rest; 0 never runs the teacher.
    """

    teacher: str = "Salesforce/moirai-1.1-R-base"
    patch_size: Literal["auto"] | int = "auto"
    num_samples: int = Field(default=100, ge=1)
    alpha: float = Field(default=0.5, ge=0, le=1)
    patch_len: int = Field(default=16, ge=1)
    d_model: int = Field(default=128, ge=1, le=MOST_UNITS)
    n_layers: int = Field(default=4, ge=1, le=MOST_LAYERS)
    n_heads: int = Field(default=8, ge=1, le=MOST_UNITS)
    d_ff: int | None = Field(default=None, ge=1, le=MOST_UNITS)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    quantile_heads: bool = False

    checkpoints: ClassVar[Mapping[str, Family]] = {"pretrained": STUDENT, "teacher": TEACHER}
    structure = ("patch_len", "d_model", "n_layers", "n_heads", "d_ff", "quantile_heads")
    shared_by_all_trials = ("teacher", "patch_size", "num_samples")  # a sweep has one teacher, on the leaderboard too

    @property
    def initial_model(self) -> str:
        """The teacher is in the name, because val_distill is measured against it."""
        return f"{super().initial_model} of {self.teacher} patch_size={self.patch_size} num_samples={self.num_samples}"

    @property
    def of_teacher(self) -> MoiraiHyper:
        return teacher_hyper(self.teacher, self.patch_size, self.num_samples)


def teacher_hyper(pretrained: str, patch_size: Literal["auto"] | int, num_samples: int) -> MoiraiHyper:
    """Give the hyperparameters that build a Moirai to forecast with it as it is."""
    how = {"pretrained": pretrained, "strategy": "full", "patch_size": patch_size, "num_samples": num_samples}
    return MoiraiHyper.model_validate({**ONLY_FORECASTS, **how})
